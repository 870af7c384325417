// What a view says while commands wait for the kernel, and how it spares the kernel.
import { expect, test, vi } from "vitest";
import type { State } from "../src/protocol";
import { FakeModel, settled, usePlace } from "./model";
import { makeState } from "./state";

const place = usePlace();
const { render, note, press } = place;

test("a kernel that does not answer is said to be busy, until it answers", () => {
  vi.useFakeTimers();
  const model = new FakeModel(makeState());
  render(model);
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
  render(model, document.createElement("div"));
  render(model);
  press("copy");
  model.emit("msg:custom", { done: "1" });
  model.emit("msg:custom", { done: `${model.sent[0]?.serial}`.replace(/^[^-]+/, "another") });
  vi.advanceTimersByTime(2000);
  expect(note()).toMatch(/^Waiting for the kernel/);
});

test("what only this browser knows gives way to news of the kernel", async () => {
  Object.defineProperty(navigator, "clipboard", { value: { writeText: () => Promise.resolve() }, configurable: true });
  const model = new FakeModel(makeState({}, { can: ["code"] }));
  render(model);
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
  render(model);
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
  render(model);
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
    await vi.advanceTimersByTimeAsync(20); // a frame
  };
  render(model);
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
  render(model);
  press("stop");
  const smoothing = place.el.querySelector<HTMLInputElement>('[data-ref="smoothing"]');
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
  render(model);
  press("start");
  vi.advanceTimersByTime(2000);
  press("copy");
  model.emit("msg:custom", { done: model.sent[1]?.serial });
  expect(note()).toMatch(/^Waiting for the kernel/);
  model.emit("msg:custom", { done: model.sent[0]?.serial });
  expect(note()).toBe("Ready.");
});

test("a drag of the smoothing goes to Python at its pace, and the last value always", () => {
  vi.useFakeTimers();
  const model = new FakeModel(makeState());
  render(model);
  const smoothing = place.el.querySelector<HTMLInputElement>('[data-ref="smoothing"]') as HTMLInputElement;
  for (let step = 0; step <= 50; step++) {
    smoothing.value = String(step / 100);
    smoothing.dispatchEvent(new Event("input"));
    vi.advanceTimersByTime(10);
  }
  const answerLast = () => model.emit("msg:custom", { done: model.sent.at(-1)?.serial });
  expect(model.sent.map(({ value }) => value)).toEqual([0]);
  answerLast();
  answerLast();
  vi.advanceTimersByTime(60_000);
  expect(model.sent.map(({ value }) => value)).toEqual([0, 0.5]);
});
