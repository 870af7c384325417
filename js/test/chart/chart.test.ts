import { expect, test, vi } from "vitest";
import { createChart } from "../../src/chart";
import type { LegendKind } from "../../src/protocol";
import { makeState } from "../state";
import { makeFigure, oneRun, openChart, settled, twoRuns } from "./stubs";

const KINDS: LegendKind[] = [
  "raw",
  "smoothed",
  "validation",
  "band",
  "range",
  "unstable",
  "probe",
  "probe_aside",
  "probe_cut",
];

test("the figure is mounted, told that it is displayed, and hidden from screen readers", async () => {
  const { child, part } = await openChart();
  expect(part(".lrw-mount").firstElementChild).toBe(child.el);
  expect(child.trigger).toHaveBeenCalledWith("displayed");
  expect(child.el.getAttribute("aria-hidden")).toBe("true");
});

test("the chart has a name and a text, which follows the state", async () => {
  const { into, plot, show } = await openChart();
  show({ chart_state: { text: "The loss falls from 2.5 to 0.5." } });
  expect([into.getAttribute("role"), into.getAttribute("aria-label")]).toEqual([
    "group",
    "Loss over the learning rate",
  ]);
  for (const part of [into, plot]) {
    const id = part.getAttribute("aria-describedby");
    expect(document.getElementById(id ?? "")?.textContent).toBe("The loss falls from 2.5 to 0.5.");
  }
  expect(plot.getAttribute("role")).toBe("slider");
  expect(plot.getAttribute("aria-label")).toMatch(/^Loss over the learning rate/);
});

test("two charts on a page have texts of their own", async () => {
  const [one, two] = [await openChart(), await openChart()];
  expect(one.into.getAttribute("aria-describedby")).not.toBe(two.into.getAttribute("aria-describedby"));
});

test("the legend has a sample and a text for what is on the chart, in the colour of the newest run", async () => {
  const { part, show } = await openChart(twoRuns());
  show({ chart_state: { runs: twoRuns().runs, legend: KINDS.map((kind) => ({ kind, text: `a ${kind}` })) } });
  const entries = [...part(".lrw-legend").children] as HTMLElement[];
  expect(entries.map((entry) => entry.dataset.kind)).toEqual(KINDS);
  expect(entries.map((entry) => entry.textContent)).toEqual(KINDS.map((kind) => `a ${kind}`));
  expect(entries.every((entry) => entry.querySelector("svg path")?.getAttribute("d"))).toBe(true);
  expect(part(".lrw-legend").dataset.color).toBe("2");
  show({ chart_state: { legend: [] } });
  expect(part(".lrw-legend").childElementCount).toBe(0);
});

test("an unchanged legend and text are not touched", async () => {
  const { into, show } = await openChart();
  const changes = { chart_state: { text: "A text.", legend: [{ kind: "raw", text: "loss" } as const] } };
  show(changes);
  const seen = vi.fn();
  const observer = new MutationObserver(seen);
  observer.observe(into, { childList: true, characterData: true, attributes: true, subtree: true });
  show(structuredClone(changes));
  await settled();
  expect(seen).not.toHaveBeenCalled();
  observer.disconnect();
});

test("the chart tells if a kernel stands behind its figure", async () => {
  const { figure, lives } = await openChart();
  figure.comm_live = false;
  figure.emit("comm_live_update");
  expect(lives).toEqual([true, false]);
});

test("a chart that cannot be mounted says why", async () => {
  const into = document.createElement("div");
  const manager = { get_model: () => Promise.reject(new Error("no such model")), create_view: vi.fn() };
  const chart = createChart({
    into,
    manager,
    figureId: "abc",
    send: vi.fn(),
    say: vi.fn(),
    tellLive: vi.fn(),
    tellZoom: vi.fn(),
  });
  chart.show(makeState());
  await settled();
  expect(into.textContent).toContain("The chart cannot be shown here: no such model");
});

test("a removed chart removes its figure and no longer tells of the kernel", async () => {
  const { chart, child, figure, lives } = await openChart();
  chart.remove();
  expect(child.remove).toHaveBeenCalledOnce();
  figure.emit("comm_live_update");
  expect(lives).toEqual([true]);
});

test("a figure that comes after the chart was removed is removed at once", async () => {
  const into = document.createElement("div");
  const remove = vi.fn();
  const chart = createChart({
    into,
    manager: {
      get_model: () => Promise.resolve(makeFigure([])),
      create_view: () => Promise.resolve({ el: document.createElement("p"), trigger: vi.fn(), remove }),
    },
    figureId: "abc",
    send: vi.fn(),
    say: vi.fn(),
    tellLive: vi.fn(),
    tellZoom: vi.fn(),
  });
  await Promise.resolve();
  chart.remove();
  await settled();
  expect(remove).toHaveBeenCalledOnce();
});

test("a host whose models tell nothing has a chart without a crosshair", async () => {
  const { runs } = oneRun();
  const page = await openChart({ figure: {} as ReturnType<typeof makeFigure>, runs });
  page.plot.dispatchEvent(new MouseEvent("pointermove", { clientX: 464, clientY: 100 }));
  page.plot.dispatchEvent(new MouseEvent("click", { clientX: 464, clientY: 100 }));
  expect([page.sent, page.lives]).toEqual([[], [true]]);
});

test("a page that cannot mount widgets shows the picture of the chart, which is asked for and has no slider", () => {
  const into = document.createElement("div");
  const send = vi.fn();
  const chart = createChart({
    into,
    manager: {},
    figureId: "abc",
    send,
    say: vi.fn(),
    tellLive: vi.fn(),
    tellZoom: vi.fn(),
  });
  expect(send.mock.calls).toEqual([[{ command: "draw" }]]);
  const view = { can: ["pick" as const] };
  chart.show(makeState({ picture: "<svg>é</svg>", chart_state: { legend: [{ kind: "raw", text: "loss" }] } }, view));
  expect(into.querySelector(".lrw-pickable")).toBeNull();
  expect(into.querySelector("img")?.src).toBe("data:image/svg+xml,%3Csvg%3E%C3%A9%3C%2Fsvg%3E");
  expect(into.textContent).toContain("This page cannot show the live chart.");
  expect(into.querySelector("img")?.alt).toBe("Loss over the learning rate");
  const plot = into.querySelector(".lrw-plot");
  expect(plot?.getAttributeNames()).toEqual(["class"]); // a role would hide the words below the picture
  expect(into.querySelector(".lrw-legend")?.childElementCount).toBe(0); // the picture has its own
});
