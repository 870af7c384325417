import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { State } from "../src/protocol";
import widget from "../src/widget";
import { makeState } from "./state";

/** The part of a Jupyter model that the widget uses. */
class FakeModel {
  state: Record<string, unknown>;
  sent: Record<string, unknown>[] = [];
  listeners = new Map<string, Set<(value: never) => void>>();
  child = { el: document.createElement("p"), trigger: vi.fn(), remove: vi.fn(), relayout: vi.fn() };
  figure = {
    comm_live: true,
    listeners: new Set<() => void>(),
    on: (_: string, callback: () => void) => void this.figure.listeners.add(callback),
    off: (_: string, callback: () => void) => void this.figure.listeners.delete(callback),
  };
  widget_manager = {
    get_model: vi.fn(() => Promise.resolve(this.figure)),
    create_view: vi.fn(() => Promise.resolve(this.child)),
  };

  constructor(state: State) {
    this.state = { ...state, figure: "IPY_MODEL_abc" };
  }
  get(name: string): unknown {
    return this.state[name];
  }
  on(event: string, callback: (value: never) => void): void {
    this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(callback));
  }
  off(event: string, callback: (value: never) => void): void {
    this.listeners.get(event)?.delete(callback);
  }
  send(content: Record<string, unknown>): void {
    this.sent.push(content);
  }
  emit(event: string, value?: unknown): void {
    for (const callback of this.listeners.get(event) ?? []) {
      callback(value as never);
    }
  }
  get listenerCount(): number {
    return [...this.listeners.values()].reduce((count, set) => count + set.size, 0);
  }
}

const settled = () => new Promise((resolve) => setTimeout(resolve));
let el: HTMLElement;

beforeEach(() => {
  el = document.createElement("div");
});
afterEach(() => {
  vi.useRealTimers();
});

const note = () => el.querySelector('[data-ref="note"]')?.textContent;
const press = (name: string) => el.querySelector<HTMLButtonElement>(`[data-ref="${name}"]`)?.click();

test("the chart is mounted and told that it is displayed", async () => {
  const model = new FakeModel(makeState());
  widget.render({ model, el });
  await settled();
  expect(model.widget_manager.get_model).toHaveBeenCalledWith("abc");
  expect(el.querySelector('[data-ref="chart"] p')).toBe(model.child.el);
  expect(model.child.trigger).toHaveBeenCalledWith("displayed");
});

test("a change of several traits is shown once, with all of them", async () => {
  const model = new FakeModel(makeState());
  widget.render({ model, el });
  Object.assign(model.state, makeState({ variable: "rate" }, { note: { kind: "good", text: "Done." } }));
  model.emit("change:variable");
  model.emit("change:view_state");
  await settled();
  expect(note()).toBe("Done.");
  expect(el.querySelector<HTMLInputElement>('[data-ref="variable"]')?.value).toBe("rate");
});

test("a view that is gone receives nothing, and its chart is removed", async () => {
  const model = new FakeModel(makeState());
  const remove = widget.render({ model, el });
  await settled();
  model.emit("change:view_state");
  remove();
  await settled();
  expect(model.listenerCount).toBe(0);
  expect(model.figure.listeners.size).toBe(0);
  expect(model.child.remove).toHaveBeenCalledOnce();
  expect(el.childElementCount).toBe(0);
});

test("a chart that was hidden while the page had no size is measured again once it has one", async () => {
  const model = new FakeModel(makeState());
  const remove = widget.render({ model, el });
  await settled();
  vi.useFakeTimers();
  const { child } = model;
  const size = vi.spyOn(child.el, "getBoundingClientRect").mockReturnValue(new DOMRect(0, 0, 0, 0));
  child.el.style.visibility = "hidden";
  await Promise.resolve();
  vi.advanceTimersByTime(600);
  expect(child.relayout).not.toHaveBeenCalled();
  size.mockReturnValue(new DOMRect(0, 0, 800, 300));
  child.relayout.mockImplementation(() => void child.el.style.removeProperty("visibility"));
  vi.advanceTimersByTime(60_000);
  expect(child.relayout).toHaveBeenCalledOnce();
  child.el.style.visibility = "hidden";
  remove();
  vi.advanceTimersByTime(60_000);
  expect(child.relayout).toHaveBeenCalledOnce();
});

test("a chart that arrives after its view has gone is removed, too", async () => {
  const model = new FakeModel(makeState());
  const remove = widget.render({ model, el });
  await Promise.resolve();
  remove();
  await settled();
  expect(model.child.trigger).not.toHaveBeenCalled();
  expect(model.child.remove.mock.calls.length).toBe(model.widget_manager.create_view.mock.calls.length);
});

test("a chart that cannot be shown leaves a message in its place", async () => {
  const model = new FakeModel(makeState());
  model.widget_manager.get_model.mockRejectedValue(new Error("no bqplot"));
  widget.render({ model, el });
  await settled();
  expect(el.querySelector('[data-ref="chart"]')?.textContent).toBe("The chart cannot be shown here: no bqplot");
});

test("a kernel that does not answer is said to be busy, until it answers", () => {
  vi.useFakeTimers();
  const model = new FakeModel(makeState());
  widget.render({ model, el });
  press("start");
  expect(model.sent).toEqual([{ command: "start", serial: expect.any(String) }]);
  vi.advanceTimersByTime(2000);
  expect(note()).toMatch(/^Waiting for the kernel/);
  model.emit("msg:custom", { done: model.sent[0]?.serial });
  expect(note()).toBe("Ready.");
});

test("the answer to one view is not taken for another's", () => {
  vi.useFakeTimers();
  const model = new FakeModel(makeState({}, { can: ["copy"] }));
  widget.render({ model, el: document.createElement("div") });
  widget.render({ model, el });
  press("copy");
  model.emit("msg:custom", { done: "1" });
  model.emit("msg:custom", { done: `${model.sent[0]?.serial}`.replace(/^[^-]+/, "another") });
  vi.advanceTimersByTime(2000);
  expect(note()).toMatch(/^Waiting for the kernel/);
});

test("what only this browser knows gives way to news of the kernel", async () => {
  Object.defineProperty(navigator, "clipboard", { value: { writeText: () => Promise.resolve() }, configurable: true });
  const model = new FakeModel(makeState({}, { can: ["code"] }));
  widget.render({ model, el });
  press("code");
  await settled();
  expect(note()).toMatch(/^The code is in the clipboard/);
  model.emit("change:view_state");
  await settled();
  expect(note()).toMatch(/^The code is in the clipboard/);
  Object.assign(model.state, makeState({}, { note: { kind: "error", text: "The test failed." } }));
  model.emit("change:view_state");
  await settled();
  expect(note()).toBe("The test failed.");
});

const running = { can: ["stop" as const], run_id: 3 };

test("Stop of a run that blocks the kernel is confirmed at once, and the run's words are never covered", () => {
  vi.useFakeTimers();
  const blocking = { ...running, is_blocking: true, note: { kind: "info" as const, text: "Running in a cell." } };
  const model = new FakeModel(makeState({ status: "running" }, blocking));
  widget.render({ model, el });
  vi.advanceTimersByTime(5000);
  expect(note()).toBe("Running in a cell.");
  press("stop");
  expect(note()).toBe("Stopping after this step.");
  vi.advanceTimersByTime(5000);
  expect(note()).toBe("Stopping after this step.");
  expect(model.sent[0]).toEqual({ command: "stop", run_id: 3, serial: expect.any(String) });
});

test("a click that began to wait before a run blocks the kernel does not cover the run's words", () => {
  vi.useFakeTimers();
  const model = new FakeModel(makeState());
  widget.render({ model, el });
  press("start");
  Object.assign(model.state, makeState({ status: "running" }, { ...running, is_blocking: true }));
  vi.advanceTimersByTime(5000);
  expect(note()).toBe("Ready.");
});

test("a command that waits through a run that blocks the kernel is said to wait again after it", async () => {
  vi.useFakeTimers();
  const model = new FakeModel(makeState());
  const show = async (state: State): Promise<void> => {
    Object.assign(model.state, state);
    model.emit("change:view_state");
    await Promise.resolve();
  };
  widget.render({ model, el });
  press("start");
  vi.advanceTimersByTime(2000);
  expect(note()).toMatch(/^Waiting for the kernel/);
  await show(makeState({ status: "running" }, { ...running, is_blocking: true }));
  expect(note()).toBe("Ready.");
  await show(makeState());
  expect(note()).toMatch(/^Waiting for the kernel/);
  model.emit("msg:custom", { done: model.sent[0]?.serial });
  expect(note()).toBe("Ready.");
});

test("the confirmation of a Stop outlives other clicks, but not its run", async () => {
  const model = new FakeModel(makeState({ status: "running" }, { ...running, is_blocking: true }));
  widget.render({ model, el });
  press("stop");
  const smoothing = el.querySelector<HTMLInputElement>('[data-ref="smoothing"]');
  smoothing?.dispatchEvent(new Event("input"));
  expect(note()).toBe("Stopping after this step.");
  Object.assign(model.state, makeState({ status: "running" }, { ...running, run_id: 4, is_blocking: true }));
  model.emit("change:view_state");
  await settled();
  expect(note()).toBe("Ready.");
});

test("a command that waits is said to wait, whatever else is answered", () => {
  vi.useFakeTimers();
  const model = new FakeModel(makeState({}, { can: ["start", "copy"] }));
  widget.render({ model, el });
  press("start");
  vi.advanceTimersByTime(2000);
  press("copy");
  model.emit("msg:custom", { done: model.sent[1]?.serial });
  expect(note()).toMatch(/^Waiting for the kernel/);
  model.emit("msg:custom", { done: model.sent[0]?.serial });
  expect(note()).toBe("Ready.");
});

test("without a kernel the controls rest, until there is one again", async () => {
  const model = new FakeModel(makeState({}, { can: ["start", "set", "copy", "code"] }));
  model.figure.comm_live = false;
  widget.render({ model, el });
  await settled();
  const enabled = () =>
    [...el.querySelectorAll<HTMLButtonElement | HTMLInputElement | HTMLSelectElement>("button, input, select")]
      .filter((control) => !control.disabled && !control.hidden)
      .map((control) => control.dataset.ref);
  expect(enabled()).toEqual(["code"]);
  expect(el.querySelector<HTMLElement>(".lrw")?.dataset.live).toBe("no");
  expect(note()).toMatch(/^No kernel is connected/);
  model.figure.comm_live = true;
  for (const callback of model.figure.listeners) {
    callback();
  }
  expect(enabled()).toEqual(expect.arrayContaining(["start", "copy", "start_lr", "variable", "smoothing"]));
  expect(enabled()).toEqual(expect.arrayContaining(["train_steps", "train_schedule"]));
});

test("where no chart can be mounted, its picture is asked for, shown and kept up to date", async () => {
  const model = new FakeModel(makeState());
  Object.assign(model, { widget_manager: {} });
  widget.render({ model, el });
  expect(model.sent).toEqual([{ command: "draw", serial: expect.any(String) }]);
  expect(el.querySelector('[data-ref="chart"]')?.textContent).toMatch(/^This page cannot show the live chart/);
  model.state.picture = "<svg>1</svg>";
  model.emit("change:picture");
  await settled();
  expect(el.querySelector("img")?.src).toBe(`data:image/svg+xml,${encodeURIComponent("<svg>1</svg>")}`);
  el.querySelector('[data-ref="chart"]')?.dispatchEvent(new MouseEvent("click", { clientX: 300, clientY: 100 }));
  expect(model.sent).toHaveLength(1);
});

test("what the notebook stores beside the view is hidden as long as the view is there", () => {
  document.body.replaceChildren(el);
  const stored = document.createElement("div");
  stored.className = "lrw-picture-abc";
  document.body.append(stored);
  const remove = widget.render({ model: new FakeModel(makeState()), el });
  expect(getComputedStyle(stored).display).toBe("none");
  remove();
  expect(getComputedStyle(stored).display).toBe("block");
});
