import { expect, test, vi } from "vitest";
import { oneRun } from "./chart/stubs";
import { FakeModel, settled, usePlace } from "./model";
import { rests } from "./page";
import { makeState } from "./state";

const place = usePlace();
const { render, note, press } = place;

test("the chart is mounted and told that it is displayed", async () => {
  const model = new FakeModel(makeState());
  render(model);
  await settled();
  expect(model.widget_manager.get_model).toHaveBeenCalledWith("abc");
  expect(place.el.querySelector('[data-ref="chart"] p')).toBe(model.child.el);
  expect(model.child.trigger).toHaveBeenCalledWith("displayed");
});

test("a change of several traits is shown once, with all of them", async () => {
  const model = new FakeModel(makeState());
  render(model);
  Object.assign(model.state, makeState({ variable: "rate" }, { note: { kind: "good", text: "Done." } }));
  model.emit("change:variable");
  model.emit("change:view_state");
  await settled();
  expect(note()).toBe("Done.");
  expect(place.el.querySelector<HTMLInputElement>('[data-ref="variable"]')?.value).toBe("rate");
});

test("a view that is gone receives nothing, and its chart is removed", async () => {
  const model = new FakeModel(makeState());
  const remove = render(model);
  await settled();
  model.emit("change:view_state");
  remove();
  await settled();
  expect(model.listenerCount).toBe(0);
  expect(model.figure.listeners.size).toBe(0);
  expect(model.child.remove).toHaveBeenCalledOnce();
  expect(place.el.childElementCount).toBe(0);
});

test("a view that is gone leaves no timer, also where a command waits", () => {
  vi.useFakeTimers();
  const model = new FakeModel(makeState());
  const remove = render(model);
  press("start");
  model.emit("change:view_state");
  expect(vi.getTimerCount()).toBeGreaterThanOrEqual(2); // of the command and the frame
  remove();
  expect(vi.getTimerCount()).toBe(0);
});

test("a chart that was hidden while the page had no size is measured again once it has one", async () => {
  const model = new FakeModel(makeState());
  const remove = render(model);
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
  const remove = render(model);
  await Promise.resolve();
  remove();
  await settled();
  expect(model.child.trigger).not.toHaveBeenCalled();
  expect(model.child.remove.mock.calls.length).toBe(model.widget_manager.create_view.mock.calls.length);
});

test("a chart that cannot be shown leaves a message in its place", async () => {
  const model = new FakeModel(makeState());
  model.widget_manager.get_model.mockRejectedValue(new Error("no bqplot"));
  render(model);
  await settled();
  expect(place.el.querySelector('[data-ref="chart"]')?.textContent).toMatch(
    /^The chart cannot be shown here: no bqplot/,
  );
});

test("without a kernel the controls rest, until there is one again", async () => {
  const model = new FakeModel(makeState({}, { can: ["start", "set", "pick", "copy", "code"] }));
  model.figure.comm_live = false;
  render(model);
  await settled();
  const enabled = () =>
    [...place.el.querySelectorAll<HTMLElement>("button, input, select")]
      .filter((control) => !rests(control) && control.closest("[hidden]") === null)
      .map((control) => control.dataset.ref);
  expect(enabled()).toEqual(["code"]);
  expect(place.el.querySelector<HTMLElement>(".lrw")?.dataset.live).toBe("no");
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
  render(model);
  expect(model.sent).toEqual([{ command: "draw", serial: expect.any(String) }]);
  expect(place.el.querySelector('[data-ref="chart"]')?.textContent).toMatch(/^This page cannot show the live chart/);
  model.state.picture = "<svg>1</svg>";
  model.emit("change:picture");
  await settled();
  expect(place.el.querySelector("img")?.src).toBe(`data:image/svg+xml,${encodeURIComponent("<svg>1</svg>")}`);
  place.el.querySelector('[data-ref="chart"]')?.dispatchEvent(new MouseEvent("click", { clientX: 300, clientY: 100 }));
  expect(model.sent).toHaveLength(1);
});

test("what the notebook stores beside the view is hidden as long as the view is there", () => {
  document.body.replaceChildren(place.el);
  const stored = document.createElement("div");
  stored.className = "lrw-picture-abc";
  document.body.append(stored);
  const remove = render(new FakeModel(makeState()));
  expect(getComputedStyle(stored).display).toBe("none");
  remove();
  expect(getComputedStyle(stored).display).toBe("block");
});

test.each([
  ["throws", () => Promise.reject(new Error("Kernel is dead"))],
  [
    "promises an error",
    () => {
      throw new Error("Kernel is dead");
    },
  ],
])(
  "where a kernel died without a word, and every message %s, the controls rest until one is heard",
  async (_, send) => {
    const model = new FakeModel(makeState({}, { can: ["start", "set", "pick", "code"] }));
    render(model);
    await settled();
    const start = place.el.querySelector('[data-ref="start"]') as Element;
    model.send = send;
    press("start");
    await settled();
    expect(note()).toMatch(/^No kernel is connected/);
    expect([rests(start), rests(place.el.querySelector('[data-ref="code"]') as Element)]).toEqual([true, false]);
    model.emit("change:view_state");
    await settled();
    expect([note(), rests(start)]).toEqual(["Ready.", false]);
  },
);

test("however many messages come, the last state is shown once a frame, in bounded time", () => {
  vi.useFakeTimers();
  const model = new FakeModel(makeState());
  render(model);
  const get = vi.spyOn(model, "get");
  const readings = () => get.mock.calls.filter(([name]) => name === "answer").length;
  const text = "1".repeat(1e6);
  for (let count = 1; count <= 2000; count++) {
    model.state = { ...makeState({ answer: { reason: text } }, { note: { kind: "error", text } }), figure: "" };
    model.emit("change:view_state");
    model.emit("change:answer");
    vi.advanceTimersByTime(1);
  }
  expect(readings()).toBeGreaterThan(100);
  expect(readings()).toBeLessThan(300); // 2 seconds have 125 frames; each may be read twice
  Object.assign(model.state, makeState());
  model.emit("change:view_state");
  vi.advanceTimersByTime(20);
  expect(note()).toBe("Ready.");
});

test.each([
  ["num_steps", "1e2", "100"],
  ["end_lr", "10.0", "10"],
  ["start_lr", "abc", "1e-7"],
])(
  "an entry in %s that changes nothing, %s, is shown as the setting once Python has answered",
  async (name, text, shown) => {
    const model = new FakeModel(makeState());
    render(model);
    await settled();
    const field = place.el.querySelector(`[data-ref="${name}"]`) as HTMLInputElement;
    const type = (typed: string): void => {
      field.value = typed;
      field.dispatchEvent(new Event("input"));
    };
    const enter = async (): Promise<void> => {
      field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
      await settled();
      expect(field.value).toBe(text);
    };
    type(text);
    await enter();
    model.emit("msg:custom", { done: model.sent.at(-1)?.serial });
    await settled();
    expect(field.value).toBe(shown);
    type(text);
    await enter();
    type(`${text}5`); // while the answer is on its way
    model.emit("msg:custom", { done: model.sent.at(-1)?.serial });
    await settled();
    expect(field.value).toBe(`${text}5`);
  },
);

test("Reset zoom shows all again, also after the kernel has died", async () => {
  const { figure, runs } = oneRun();
  const model = new FakeModel(makeState({ chart_state: { is_zoomed: true, runs } }, { can: ["zoom"] }));
  Object.assign(model.widget_manager, { get_model: () => Promise.resolve(figure) });
  render(model);
  await settled();
  press("resetZoom");
  expect(model.sent).toEqual([{ command: "zoom", value: null, serial: expect.any(String) }]);
  figure.comm_live = false;
  figure.emit("comm_live_update");
  press("resetZoom");
  await settled();
  expect(model.sent).toHaveLength(1);
  expect(place.el.querySelector<HTMLElement>('[data-ref="resetZoom"]')?.hidden).toBe(true);
});
