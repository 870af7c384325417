import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { State } from "../src/protocol";
import widget from "../src/widget";
import { makeState } from "./state";

/** The part of a Jupyter model that the widget uses. */
class FakeModel {
  state: Record<string, unknown>;
  sent: Record<string, unknown>[] = [];
  listeners = new Map<string, Set<(value: never) => void>>();
  child = { el: document.createElement("p"), trigger: vi.fn(), remove: vi.fn() };
  interrupt = vi.fn(() => Promise.resolve());
  widget_manager = {
    kernel: { interrupt: this.interrupt },
    get_model: vi.fn(() => Promise.resolve("the figure's model")),
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
  expect(model.child.remove).toHaveBeenCalledOnce();
  expect(el.childElementCount).toBe(0);
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

test("Stop interrupts the kernel where a cell of it runs the test and hears nothing, for two clicks once", () => {
  vi.useFakeTimers();
  const model = new FakeModel(makeState({ status: "running" }, { ...running, is_blocking: true }));
  widget.render({ model, el });
  press("stop");
  expect(note()).toBe("Stopping after this step.");
  vi.advanceTimersByTime(200);
  press("stop");
  expect(model.interrupt).not.toHaveBeenCalled();
  vi.advanceTimersByTime(5000);
  expect(model.interrupt).toHaveBeenCalledOnce();
  expect(model.sent[0]).toEqual({ command: "stop", run_id: 3, serial: expect.any(String) });
});

test("Stop of the next run in a cell is for that run", () => {
  vi.useFakeTimers();
  const model = new FakeModel(makeState({ status: "running" }, { ...running, is_blocking: true }));
  widget.render({ model, el });
  press("stop");
  vi.advanceTimersByTime(300);
  const next = makeState({ status: "running" }, { ...running, run_id: 4, is_blocking: true });
  Object.assign(model.state, next);
  model.emit("change:view_state");
  return Promise.resolve().then(() => {
    press("stop");
    vi.advanceTimersByTime(5000);
    expect(model.interrupt).toHaveBeenCalledOnce();
  });
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

test.each([
  ["no cell runs the test", {}, {}],
  ["the kernel has heard of it", { is_blocking: true }, { can: [] }],
  ["the run is over", { is_blocking: true }, { is_blocking: false }],
  ["the next run has begun", { is_blocking: true }, { run_id: 4 }],
])("Stop interrupts nothing where %s", (_, before, after) => {
  vi.useFakeTimers();
  const model = new FakeModel(makeState({ status: "running" }, { ...running, ...before }));
  widget.render({ model, el });
  press("stop");
  Object.assign(model.state, makeState({ status: "running" }, { ...running, ...before, ...after }));
  vi.advanceTimersByTime(5000);
  expect(model.interrupt).not.toHaveBeenCalled();
});
