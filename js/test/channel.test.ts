import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Channel, openChannel } from "../src/channel";

type Message = Parameters<Parameters<typeof openChannel>[0]>[0];

let sent: Message[];
let deliver: (message: Message) => unknown;
let channel: Channel;
const failed = vi.fn();
const waited = vi.fn();
const settled = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetAllMocks();
  sent = [];
  deliver = (message) => void sent.push(message);
  channel = openChannel((message) => deliver(message), failed, waited);
});
afterEach(() => {
  channel.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const slide = (value: number, name: "smoothing" | "end_lr" = "smoothing") =>
  channel.slide({ command: "set", name, value }, settled);
const answer = (index = sent.length - 1) => channel.receive({ done: sent[index]?.serial });
const values = () => sent.map((message) => (message.command === "set" ? message.value : null));

test("a command is overdue after a while, until it is answered", () => {
  channel.send({ command: "start" });
  expect(sent).toEqual([{ command: "start", serial: expect.any(String) }]);
  vi.advanceTimersByTime(1400);
  expect([channel.isOverdue(), waited.mock.calls.length]).toEqual([false, 0]);
  vi.advanceTimersByTime(200);
  expect([channel.isOverdue(), waited.mock.calls.length]).toEqual([true, 1]);
  answer();
  expect([channel.isOverdue(), waited.mock.calls.length]).toEqual([false, 2]);
});

test.each([[null], ["done"], [7], [{}], [{ done: 3 }], [{ done: "x" }], [{ done: "1-1" }], [["done"]], [undefined]])(
  "a message that is no answer, such as %j, is left alone",
  (content) => {
    channel.send({ command: "start" });
    channel.receive(content);
    vi.advanceTimersByTime(2000);
    expect(channel.isOverdue()).toBe(true);
  },
);

test("a drag sends one value at a time, not before the one before was answered, and the last one always", () => {
  for (let value = 1; value <= 50; value++) {
    slide(value);
    vi.advanceTimersByTime(20);
  }
  expect(values()).toEqual([1]); // a second has passed
  answer();
  expect(values()).toEqual([1, 50]);
  expect(settled).not.toHaveBeenCalled();
  answer();
  expect(settled).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(60_000);
  expect(values()).toEqual([1, 50]);
});

test("a drag with quick answers sends at most one value in 280 ms", async () => {
  deliver = (message) => {
    sent.push(message);
    queueMicrotask(() => channel.receive({ done: message.serial }));
  };
  for (let value = 1; value <= 200; value++) {
    slide(value);
    await vi.advanceTimersByTimeAsync(10);
  }
  await vi.advanceTimersByTimeAsync(280);
  // The values of 2 seconds: the first at once, seven more, and the last one.
  expect([sent.length, values()[0], values().at(-1)]).toEqual([9, 1, 200]);
});

test("two settings do not wait for each other", () => {
  slide(0.5);
  slide(2, "end_lr");
  expect(values()).toEqual([0.5, 2]);
  slide(0.6);
  slide(3, "end_lr");
  vi.advanceTimersByTime(300);
  answer(1);
  expect(values()).toEqual([0.5, 2, 3]);
});

test("an answer that never came does not hold a slider back for ever", () => {
  slide(1);
  vi.advanceTimersByTime(40_000);
  slide(2);
  expect(values()).toEqual([1, 2]);
});

test.each([
  [
    "throws",
    () => {
      throw new Error("Kernel is dead");
    },
  ],
  ["promises an error", () => Promise.reject(new Error("Kernel is dead"))],
] as const)("a connection that %s is said to be gone, and nothing waits for it", async (_, dead) => {
  deliver = dead;
  channel.send({ command: "start" });
  slide(1);
  await vi.advanceTimersByTimeAsync(5000);
  expect(failed).toHaveBeenCalledTimes(2);
  expect([channel.isOverdue(), settled.mock.calls.length > 0]).toEqual([false, true]);
  deliver = (message) => void sent.push(message);
  slide(2);
  expect(values()).toEqual([2]);
});
