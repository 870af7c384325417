import { afterEach, expect, test, vi } from "vitest";
import { click, drag, key, openChart, point } from "./stubs";

afterEach(() => {
  vi.useRealTimers();
});

const zoomed = { chart_state: { is_zoomed: true } };
const pick = (value: number) => ({ command: "set", name: "selected_lr", value });

test("a click picks the rate under it, in two digits", async () => {
  const page = await openChart();
  click(page.plot, 464, 100);
  click(page.plot, 500, 100); // 1e-4 · 1e4 ** (436 / 800)
  expect(page.sent).toEqual([pick(0.01), pick(0.015)]);
});

test("a click on a page that scales its cells picks what is seen there", async () => {
  const page = await openChart();
  page.plot.getBoundingClientRect = () => new DOMRect(100, 50, 442, 128); // half as large
  click(page.plot, 100 + 464 / 2, 50 + 50);
  expect(page.sent).toEqual([pick(0.01)]);
});

test("a click beside the plot area, or when nothing can be picked, sends nothing", async () => {
  const page = await openChart();
  click(page.plot, 30, 100);
  page.show({}, { can: ["zoom"] });
  click(page.plot, 464, 100);
  expect(page.sent).toEqual([]);
});

test("the pointer shows a cross where a click picks", async () => {
  const page = await openChart();
  expect(page.plot.classList.contains("lrw-pickable")).toBe(true);
  expect(page.into.style.getPropertyValue("--lrw-margins")).toBe("12px 20px 44px 64px"); // and not beside the plot area
  page.show({}, { can: ["zoom"] });
  expect(page.plot.classList.contains("lrw-pickable")).toBe(false);
});

test("a drag zooms into its rectangle and picks nothing", async () => {
  const page = await openChart();
  drag(page.plot, [264, 62], [664, 162]);
  expect(page.sent).toEqual([
    {
      command: "zoom",
      value: [expect.closeTo(1e-3, 9), expect.closeTo(0.1, 9), expect.closeTo(1, 9), expect.closeTo(3, 9)],
    },
  ]);
});

test("a drag shows its rectangle, and no crosshair", async () => {
  const page = await openChart();
  point(page.plot, "pointerdown", 264, 62);
  point(page.plot, "pointermove", 664, 162);
  const { left, top, width, height } = page.part(".lrw-zoom").style;
  expect([left, top, width, height]).toEqual(["264px", "62px", "400px", "100px"]);
  expect(page.part(".lrw-zoom").hidden).toBe(false);
  expect(page.part(".lrw-crosshair").hidden).toBe(true);
  point(page.plot, "pointerup", 664, 162);
  expect(page.part(".lrw-zoom").hidden).toBe(true);
});

test("a hand that trembles by four pixels still clicks", async () => {
  const page = await openChart();
  drag(page.plot, [464, 100], [464, 104]);
  expect(page.sent).toEqual([pick(0.01)]);
});

test("a drag that ends outside takes the part in the plot area", async () => {
  const page = await openChart();
  drag(page.plot, [664, 112], [2000, 900]);
  expect(page.sent).toEqual([
    {
      command: "zoom",
      value: [expect.closeTo(0.1, 9), expect.closeTo(1, 9), expect.closeTo(0, 9), expect.closeTo(2, 9)],
    },
  ]);
});

test("Escape calls a drag off", async () => {
  const page = await openChart();
  point(page.plot, "pointerdown", 264, 62);
  point(page.plot, "pointermove", 664, 162);
  key(document.body, "Escape");
  expect(page.part(".lrw-zoom").hidden).toBe(true);
  point(page.plot, "pointermove", 700, 190);
  point(page.plot, "pointerup", 700, 190);
  point(page.plot, "click", 700, 190, { detail: 1 });
  expect(page.sent).toEqual([]);
});

test("Escape calls a press off that would become a click", async () => {
  const page = await openChart();
  point(page.plot, "pointerdown", 464, 100);
  key(document.body, "Escape");
  point(page.plot, "pointerup", 464, 100);
  point(page.plot, "click", 464, 100, { detail: 1 });
  expect(page.sent).toEqual([]);
});

test("a drag by the other button, or by a finger, zooms nowhere and picks nothing", async () => {
  const page = await openChart();
  point(page.plot, "pointerdown", 264, 62, { button: 2 });
  point(page.plot, "pointermove", 664, 162);
  point(page.plot, "pointerup", 664, 162);
  drag(page.plot, [264, 62], [664, 162], "touch");
  expect(page.sent).toEqual([]);
});

test("a finger that the page takes to scroll ends the press", async () => {
  const page = await openChart();
  point(page.plot, "pointerdown", 264, 62);
  point(page.plot, "pointermove", 664, 162);
  point(page.plot, "pointercancel", 664, 162);
  point(page.plot, "pointerup", 664, 162);
  expect(page.sent).toEqual([]);
  expect(page.part(".lrw-zoom").hidden).toBe(true);
});

test("where the kernel cannot zoom now, a drag does nothing at all", async () => {
  const page = await openChart();
  page.show({}, { can: ["pick"] });
  point(page.plot, "pointerdown", 264, 62);
  point(page.plot, "pointermove", 664, 162);
  expect(page.part(".lrw-zoom").hidden).toBe(true);
  point(page.plot, "pointerup", 664, 162);
  point(page.plot, "click", 664, 162, { detail: 1 });
  expect(page.sent).toEqual([]);
});

test("a double click shows all of a zoomed chart again and picks nothing", async () => {
  const page = await openChart();
  page.show(zoomed);
  vi.useFakeTimers();
  click(page.plot, 464, 100);
  click(page.plot, 464, 100, 2);
  point(page.plot, "dblclick", 464, 100, { detail: 2 });
  vi.advanceTimersByTime(1000);
  expect(page.sent).toEqual([{ command: "zoom", value: null }]);
});

test("a single click in a zoomed chart picks a little later", async () => {
  const page = await openChart();
  page.show(zoomed);
  vi.useFakeTimers();
  click(page.plot, 464, 100);
  expect(page.sent).toEqual([]);
  vi.advanceTimersByTime(300);
  expect(page.sent).toEqual([pick(0.01)]);
});

test("a click that waits for a second one is forgotten when the chart goes", async () => {
  const page = await openChart();
  page.show(zoomed);
  vi.useFakeTimers();
  click(page.plot, 464, 100);
  page.chart.remove();
  vi.advanceTimersByTime(1000);
  expect(page.sent).toEqual([]);
});

test("a double click in a chart that is not zoomed picks once and resets nothing", async () => {
  const page = await openChart();
  click(page.plot, 464, 100);
  click(page.plot, 464, 100, 2);
  point(page.plot, "dblclick", 464, 100, { detail: 2 });
  expect(page.sent).toEqual([pick(0.01)]);
});

test("a release that was missed, outside of the window, ends the press", async () => {
  const page = await openChart();
  point(page.plot, "pointerdown", 264, 62);
  point(page.plot, "pointermove", 664, 162);
  point(document.body, "pointerup", 900, 900); // another window has got it
  point(page.plot, "pointermove", 600, 150);
  expect(page.part(".lrw-zoom").hidden).toBe(true);
  point(page.plot, "pointerup", 600, 150);
  expect(page.sent).toEqual([]);
});

test("a double click resets no zoom while the kernel cannot hear it", async () => {
  const page = await openChart();
  page.show(zoomed, { can: ["pick"] });
  point(page.plot, "dblclick", 464, 100, { detail: 2 });
  expect(page.sent).toEqual([]);
});

test("in a deep zoom a pick has the digits that tell its rate from the next", async () => {
  const page = await openChart();
  page.figure.x.set({ min: 0.01, max: 0.0103 });
  click(page.plot, 264, 100); // 0.01 · 1.03 ** 0.25
  expect(page.sent).toEqual([pick(0.01007)]);
});
