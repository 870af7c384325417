import { expect, test, vi } from "vitest";
import { drawn, key, lineOf, oneRun, openChart, type Page, point, RATES, twoRuns } from "./stubs";

const read = ({ part }: Page): string[] =>
  part(".lrw-crosshair").hidden ? [] : [...part(".lrw-readout").children].map((cell) => cell.textContent ?? "");
const spoken = ({ plot }: Page): string | null => plot.getAttribute("aria-valuetext");
const follows = ({ figure }: Page): number => figure.all.reduce((count, model) => count + model.listeners.length, 0);

async function look(page: Page, x: number, y: number): Promise<void> {
  point(page.plot, "pointermove", x, y);
  await drawn();
}

async function press(page: Page, ...names: string[]): Promise<void> {
  for (const name of names) {
    key(page.plot, name);
    await drawn();
  }
}

test("a pointer reads the nearest point, with a hairline and a dot there", async () => {
  const page = await openChart();
  await look(page, 480, 190);
  expect(read(page)).toEqual(["step", "2 of 4", "rate", "0.01", "loss", "1.00", "smoothed", "1.25"]);
  expect(page.part(".lrw-hairline").style.left).toMatch(/^464/);
  expect(page.part(".lrw-dot").style.top).toBe("149.5px"); // of the smoothed loss
});

test("among several runs the box names the run and the crosshair has its colour", async () => {
  const page = await openChart(twoRuns());
  await look(page, 480, 65);
  expect(read(page)).toEqual(["batch 64", "step", "2 of 4", "rate", "0.01", "smoothed", "3.00"]);
  expect(page.part(".lrw-crosshair").dataset.color).toBe("1");
});

test("a dot that would be beyond the chart is left out", async () => {
  const page = await openChart();
  await look(page, 864, 20);
  expect(page.part(".lrw-dot").hidden).toBe(false);
  page.figure.y.set({ max: 2.5 });
  await drawn();
  expect(page.part(".lrw-dot").hidden).toBe(true);
  expect(read(page)).toContain("3.000");
});

test("the box stays within the chart and beside the hairline", async () => {
  const page = await openChart();
  const box = page.part(".lrw-readout");
  Object.defineProperties(box, { offsetWidth: { value: 140 }, offsetHeight: { value: 90 } });
  const places = [];
  for (const x of [264, 864]) {
    await look(page, x, 100);
    places.push([Number.parseFloat(box.style.left), Number.parseFloat(box.style.top)]);
  }
  // At 1e-3 (264, 112) the box is to the right and above; at 1 (864, 62) to the left, and below, as there is no room above.
  expect(places).toEqual([
    [expect.closeTo(276, 3), expect.closeTo(10, 3)],
    [expect.closeTo(712, 3), expect.closeTo(74, 3)],
  ]);
});

test("beside the plot area there is nothing to read", async () => {
  const page = await openChart();
  await look(page, 480, 100);
  expect(read(page)).not.toEqual([]);
  await look(page, 20, 100);
  expect(read(page)).toEqual([]);
});

test("a pointer that leaves takes the crosshair away; a finger that is lifted leaves it there until it taps elsewhere", async () => {
  const page = await openChart();
  await look(page, 480, 100);
  point(page.plot, "pointerleave", 900, 100);
  expect(read(page)).toEqual([]);
  const touch = { pointerType: "touch" };
  point(page.plot, "pointerdown", 480, 100, touch);
  point(page.plot, "pointermove", 670, 100, touch);
  point(page.plot, "pointerup", 670, 100, touch);
  point(page.plot, "pointerleave", 670, 100, touch);
  await drawn();
  expect(read(page)).toContain("0.1");
  point(document.body, "pointerdown", 5, 5, touch);
  expect(read(page)).toEqual([]);
});

test("the keys start at the selected rate and go along the points", async () => {
  const page = await openChart();
  page.show({ answer: { selected: "0.01" } });
  await press(page, "ArrowRight");
  expect(spoken(page)).toBe("step 2, rate 0.01, loss 1.00, smoothed 1.25");
  await press(page, "ArrowRight");
  expect(spoken(page)).toMatch(/^step 3, /);
  await press(page, "Home");
  expect(spoken(page)).toMatch(/^step 1, /);
  await press(page, "PageUp");
  expect(spoken(page)).toMatch(/^step 4, /);
  await press(page, "PageDown", "End", "ArrowLeft");
  expect(spoken(page)).toMatch(/^step 3, /);
});

test("the slider counts the points of the run", async () => {
  const page = await openChart();
  const values = (): (string | null)[] =>
    ["min", "max", "now"].map((name) => page.plot.getAttribute(`aria-value${name}`));
  expect(values()).toEqual(["0", "0", "0"]);
  await press(page, "End");
  expect(values()).toEqual(["1", "4", "4"]);
});

test("up and down go to the other runs at the same rate", async () => {
  const page = await openChart(twoRuns());
  await press(page, "Home", "ArrowRight", "ArrowDown");
  expect(spoken(page)).toBe("step 2, rate 0.01, smoothed 3.00, run batch 64");
  await press(page, "ArrowUp");
  expect(spoken(page)).toBe("step 2, rate 0.01, loss 1.00, smoothed 1.25, run batch 32");
});

test("the keys go on where the pointer was", async () => {
  const page = await openChart();
  await look(page, 660, 190);
  await press(page, "ArrowRight");
  expect(spoken(page)).toMatch(/^step 4, /);
});

test("the focus shows where the keys start, and takes it away again", async () => {
  const page = await openChart();
  page.plot.focus();
  await drawn();
  expect(read(page)).toContain("1 of 4");
  page.plot.blur();
  expect(read(page)).toEqual([]);
});

test("Enter picks the rate of the point in two digits, and Escape takes the crosshair away", async () => {
  const page = await openChart();
  await press(page, "Home");
  expect(key(page.plot, "Enter").defaultPrevented).toBe(true);
  expect(page.sent).toEqual([{ command: "set", name: "selected_lr", value: 1e-3 }]);
  expect(key(page.plot, "Escape").defaultPrevented).toBe(true);
  expect(read(page)).toEqual([]);
});

test("Enter picks nothing while the pointer is beside the curves", async () => {
  const page = await openChart();
  await look(page, 480, 190);
  await look(page, 20, 190);
  key(page.plot, "Enter");
  expect(page.sent).toEqual([]);
});

test("keys that mean nothing here, or belong to a shortcut, are left to the page", async () => {
  const page = await openChart();
  expect(key(page.plot, "Escape").defaultPrevented).toBe(false);
  expect(key(page.plot, "Enter").defaultPrevented).toBe(false);
  expect(key(page.plot, "a").defaultPrevented).toBe(false);
  const shortcut = new KeyboardEvent("keydown", { key: "ArrowRight", ctrlKey: true, cancelable: true });
  page.plot.dispatchEvent(shortcut);
  expect(shortcut.defaultPrevented).toBe(false);
  expect(read(page)).toEqual([]);
});

test("a key that moves the crosshair is no shortcut of the page", async () => {
  const page = await openChart();
  const shortcut = vi.fn();
  document.body.addEventListener("keydown", shortcut);
  expect(key(page.plot, "ArrowRight").defaultPrevented).toBe(true);
  expect(shortcut).not.toHaveBeenCalled();
  document.body.removeEventListener("keydown", shortcut);
});

test("a chart without a curve ignores the arrow keys", async () => {
  const { figure, runs } = oneRun();
  figure.set({ marks: [lineOf([], []), lineOf([], []), lineOf([], [])] });
  const page = await openChart({ figure, runs });
  expect(key(page.plot, "ArrowRight").defaultPrevented).toBe(false);
  await look(page, 480, 100);
  expect(read(page)).toEqual([]);
});

test("a growing curve is read anew while the crosshair is there", async () => {
  const page = await openChart();
  await look(page, 480, 190);
  const [, raw, smoothed] = page.figure.get("marks") as ReturnType<typeof lineOf>[];
  raw?.set({ y: Float64Array.from([2.5, 0.25, 0.5, 9]) });
  smoothed?.set({ y: Float64Array.from([2, 0.5, 0.75, 3]) });
  await drawn();
  expect(read(page)).toEqual(["step", "2 of 4", "rate", "0.01", "loss", "0.25", "smoothed", "0.50"]);
});

test("other marks in the place of the old ones are read and followed", async () => {
  const page = await openChart();
  await look(page, 480, 190);
  const marks = [lineOf(RATES, [1, 1, 1, 1]), lineOf(RATES, [1, 1, 1, 1]), lineOf(RATES, [2, 2, 2, 2])];
  page.figure.set({ marks });
  await drawn();
  expect(read(page)).toContain("2.00");
  marks[2]?.set({ y: Float64Array.from([3, 3, 3, 3]) });
  await drawn();
  expect(read(page)).toContain("3.00");
});

test("a curve that grows while nobody looks costs nothing", async () => {
  const page = await openChart();
  const before = follows(page);
  await look(page, 480, 190);
  expect(follows(page)).toBeGreaterThan(before);
  point(page.plot, "pointerleave", 900, 100);
  expect(follows(page)).toBe(before);
  const frame = vi.spyOn(globalThis, "requestAnimationFrame");
  page.figure.y.set({ max: 3 });
  page.show();
  expect(frame).not.toHaveBeenCalled();
  frame.mockRestore();
});

test("many changes are drawn once a frame", async () => {
  const page = await openChart();
  await look(page, 480, 190);
  const frame = vi.spyOn(globalThis, "requestAnimationFrame");
  for (let max = 5; max < 105; max++) {
    page.figure.y.set({ max });
    point(page.plot, "pointermove", 470 + max / 10, 190);
  }
  expect(frame).toHaveBeenCalledTimes(1);
  frame.mockRestore();
});

test("a removed chart listens to nothing", async () => {
  const page = await openChart();
  await look(page, 480, 190);
  page.chart.remove();
  expect(follows(page)).toBe(0);
  expect(page.into.childElementCount).toBe(0);
  const asked = vi.spyOn(page.figure, "get");
  point(page.plot, "pointermove", 480, 190);
  key(page.plot, "ArrowRight");
  point(document.body, "pointerdown", 1, 1);
  key(document.body, "Escape");
  await drawn();
  expect(asked).not.toHaveBeenCalled();
});

test("a mouse that leaves does not disturb a reader who uses the keys, nor the other way round", async () => {
  const page = await openChart();
  await press(page, "End");
  point(page.plot, "pointerleave", 900, 100);
  expect(read(page)).toContain("4 of 4");
  await look(page, 480, 190);
  page.plot.dispatchEvent(new FocusEvent("blur"));
  expect(read(page)).toContain("2 of 4");
});
