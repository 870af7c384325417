import { expect, test } from "vitest";
import { drag, linearScale, lineOf, logScale, makeFigure, oneRun, openChart, type Page, point, RATES } from "./stubs";

const zoomed = { chart_state: { is_zoomed: true } };
const bounds = ({ figure: { x, y } }: Page): unknown[] => [x.get("min"), x.get("max"), y.get("min"), y.get("max")];

test("without a kernel the browser zooms by itself, and a double click restores all that it changed", async () => {
  const page = await openChart();
  page.figure.comm_live = false;
  page.figure.emit("comm_live_update");
  const axes = page.figure.get("axes") as { get(name: string): unknown }[];
  const ticks = (): unknown[] => axes.map((axis) => [axis.get("tick_values"), axis.get("tick_format")]);
  const before = [bounds(page), ticks()];
  drag(page.plot, [264, 62], [664, 162]);
  expect(bounds(page)).toEqual([1e-3, 0.1, 1, 3].map((value) => expect.closeTo(value, 9)));
  expect(ticks()).toEqual([
    [null, undefined],
    [null, "~g"],
  ]);
  drag(page.plot, [264, 62], [664, 162]); // deeper
  expect(bounds(page)[0]).toBeGreaterThan(2e-3);
  point(page.plot, "dblclick", 464, 100);
  expect([bounds(page), ticks()]).toEqual(before);
  expect(page.sent).toEqual([]);
});

test("a kernel that is there moves the axes itself", async () => {
  const page = await openChart();
  const before = bounds(page);
  drag(page.plot, [264, 62], [664, 162]);
  expect(bounds(page)).toEqual(before);
});

test("a kernel that comes back finds the axes as it left them", async () => {
  const page = await openChart();
  const before = bounds(page);
  page.chart.setLive(false);
  drag(page.plot, [264, 62], [664, 162]);
  expect(bounds(page)).not.toEqual(before);
  page.chart.setLive(true);
  expect(bounds(page)).toEqual(before);
});

test("a chart that the kernel left zoomed is shown whole without it, and comes back with it as it was", async () => {
  const page = await openChart();
  page.show(zoomed);
  page.figure.x.set({ min: 2e-2, max: 5e-2 });
  page.figure.y.set({ min: 0.5, max: 1 });
  page.chart.setLive(false);
  expect(page.chart.isZoomed()).toBe(true);
  point(page.plot, "dblclick", 464, 100);
  // The losses fall from 2.5 to 0.5, and 0.6 of that height is left to the upturn; then 0.06 of 3.2 on both sides.
  expect(bounds(page)).toEqual([1e-3, 1, 0.308, 3.892].map((value) => expect.closeTo(value, 9)));
  expect([page.chart.isZoomed(), page.tellZoom.mock.calls.length]).toEqual([false, 1]);
  drag(page.plot, [264, 62], [664, 162]);
  expect([page.chart.isZoomed(), page.tellZoom.mock.calls.length]).toEqual([true, 2]);
  page.chart.resetZoom();
  expect([page.chart.isZoomed(), bounds(page)[3]]).toEqual([false, expect.closeTo(3.892, 9)]);
  page.chart.setLive(true);
  expect(bounds(page)).toEqual([2e-2, 5e-2, 0.5, 1]);
  expect([page.chart.isZoomed(), page.sent]).toEqual([true, []]);
});

test("the limits of the loss axis that somebody has set stay when all is shown without a kernel", async () => {
  const page = await openChart();
  page.show({ ...zoomed, loss_max: 5 });
  page.chart.setLive(false);
  page.chart.resetZoom();
  expect(bounds(page).slice(2)).toEqual([expect.closeTo(0.308, 9), 5]);
});

test.each([
  ["logarithmic", [1, 0.1, 0.01, 1e4], [10 ** -2.192, 10 ** 1.392]], // two decades, 1.2 for the upturn, 0.06 of 3.2 around
  ["logarithmic, some not positive", [-1, 1, 0.1, 0], [10 ** -1.06, 10 ** 0.06]],
  ["linear, rising from the start", [1, 2, 3, 99], [0.808, 4.392]], // the lower half, as far as its middle loss, 3
  ["linear, flat", [2, 2, 2, 2], [1, 3]],
  ["linear, without a number at the end", [4, 3, 2, Number.NaN], [1.88, 4.12]],
])("without a kernel the loss axis shows what matters: %s", async (kind, losses, wanted) => {
  const { runs } = oneRun();
  const y = kind.startsWith("log") ? logScale(1, 2) : linearScale(1, 2);
  const marks = [lineOf(RATES, losses), lineOf(RATES, losses), lineOf(RATES, losses)];
  const page = await openChart({ figure: makeFigure(marks, undefined, y), runs });
  page.show(zoomed);
  page.chart.setLive(false);
  page.chart.resetZoom();
  expect(bounds(page).slice(2)).toEqual(wanted.map((value) => expect.closeTo(value, 9)));
});

test("a single point, and no curve at all, can be shown whole without a kernel", async () => {
  const { runs } = oneRun();
  const page = await openChart({ figure: makeFigure([lineOf([], []), lineOf([0.1], [3]), lineOf([0.1], [3])]), runs });
  page.show(zoomed);
  page.chart.setLive(false);
  page.chart.resetZoom();
  expect(bounds(page)).toEqual([0.05, 0.2, 2, 4]);
  const empty = await openChart({ figure: makeFigure([]), runs });
  empty.show(zoomed);
  empty.chart.setLive(false);
  const before = bounds(empty);
  empty.chart.resetZoom();
  expect(bounds(empty)).toEqual(before);
});
