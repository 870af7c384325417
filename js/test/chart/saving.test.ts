import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createChart } from "../../src/chart";
import { makeState } from "../state";
import { lineOf, makeFigure, oneRun, openChart, type Page, settled, twoRuns } from "./stubs";

let saved: { name: string; content: Blob }[] = [];
let contents: Blob[] = [];

beforeEach(() => {
  [saved, contents] = [[], []];
  URL.createObjectURL = (content) => `blob:${contents.push(content as Blob) - 1}`;
  URL.revokeObjectURL = vi.fn();
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    saved.push({ name: this.download, content: contents[Number(this.href.slice(5))] as Blob });
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const HEAD = "run,step,lr,loss,smoothed\n";
const BATCH_32 = ["1,0.001,2.5,2", "2,0.01,1,1.25", "3,0.1,0.5,0.75", "4,1,9,3"];
const rowsOf = (name: string, rows: string[]): string => rows.map((row) => `${name},${row}\n`).join("");

/** jsdom's blobs have no text(). */
const textOf = (content: Blob | undefined): Promise<string> =>
  new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.readAsText(content as Blob);
  });

/** A page whose only run has all of its steps drawn. */
async function openComplete(name = "batch 32"): Promise<Page> {
  const { figure, runs } = oneRun();
  return openChart({ figure, runs: runs.map((run) => ({ ...run, name })) });
}

/** What bqplot draws in an element, as far as it matters here. */
function drawIn({ child }: Page): void {
  child.el.className = "bqplot";
  child.el.innerHTML = `<svg class="svg-background"><g transform="translate(64, 12)"><g class="axis">
    <text style="fill: rgb(1, 2, 3); translate: 0 4px" transform="rotate(0)">1e-3</text>
    <g style="display: none"><text>not seen</text></g></g></g></svg><canvas></canvas>
    <svg class="svg-figure"><defs><clipPath id="clip_1"><rect width="800"></rect></clipPath></defs>
    <g clip-path="url(#clip_1)"><path class="line" d="M0,0L8,9" style="stroke: rgb(58, 132, 230); opacity: 0.5"></path>
    </g></svg>`;
}

function withGap(): ReturnType<typeof oneRun> {
  const { figure, runs } = oneRun();
  (figure.get("marks") as ReturnType<typeof lineOf>[])[1]?.set({ y: Float64Array.from([2.5, Number.NaN, 0.5, 9]) });
  return { figure, runs };
}

function withoutEarlier(): ReturnType<typeof twoRuns> {
  const { figure, runs } = twoRuns();
  return { figure, runs: runs.map((run) => (run.run_id === 1 ? { ...run, marks: null } : run)) };
}

const parse = (text: string): Document => new DOMParser().parseFromString(text, "image/svg+xml");

test("a table is made in the browser where all steps are drawn", async () => {
  const page = await openComplete();
  page.chart.exportAs("csv");
  expect(await textOf(saved[0]?.content)).toBe(HEAD + rowsOf("batch 32", BATCH_32));
  expect([saved[0]?.name, page.sent, page.said]).toEqual([
    "lr_range_test.csv",
    [],
    ["The browser saves lr_range_test.csv."],
  ]);
});

test.each([
  ['a "b", c', '"a ""b"", c"'],
  ["=1+1", "'=1+1"],
  ["+1", "'+1"],
  ["-1", "'-1"],
  ["@SUM(A1)", "'@SUM(A1)"],
  ["two\nlines", '"two\nlines"'],
])("the name %j is harmless in a table", async (name, quoted) => {
  const page = await openComplete(name);
  page.chart.exportAs("csv");
  expect(await textOf(saved[0]?.content)).toBe(HEAD + rowsOf(quoted, BATCH_32));
});

test("a table has a column of validation losses where there are some, and gaps between them", async () => {
  const { figure, runs } = oneRun();
  const marks = [...(figure.get("marks") as []), lineOf([1e-2, 1], [1.5, 4])];
  figure.set({ marks });
  const withValidation = runs.map((run) => ({
    ...run,
    marks: { raw: 1, smoothed: 2, validation: 3 },
  }));
  const page = await openChart({ figure, runs: withValidation });
  page.chart.exportAs("csv");
  const rows = ["1,0.001,2.5,2,", "2,0.01,1,1.25,1.5", "3,0.1,0.5,0.75,", "4,1,9,3,4"];
  expect(await textOf(saved[0]?.content)).toBe(`run,step,lr,loss,smoothed,val_loss\n${rowsOf("batch 32", rows)}`);
});

test.each([
  [
    "of a run with more steps than points",
    { ...oneRun(), runs: oneRun().runs.map((run) => ({ ...run, num_points: 9 })) },
  ],
  ["of an earlier run without its raw losses", twoRuns()],
  ["of a run with a loss that has no place on the axis", withGap()],
  ["of a run that is not drawn beside one that is", withoutEarlier()],
  ["of a run that is not drawn", { ...oneRun(), runs: oneRun().runs.map((run) => ({ ...run, marks: null })) }],
])("the kernel is asked for the table %s", async (_, { figure, runs }) => {
  const page = await openChart({ figure, runs });
  page.chart.exportAs("csv");
  expect([page.sent, saved]).toEqual([[{ command: "csv" }], []]);
  page.chart.receive({ done: "abc-1" });
  page.chart.receive(null);
  page.chart.receive({ csv: 7 });
  expect(saved).toEqual([]);
  page.chart.receive({ csv: "run,step\n" });
  expect(await textOf(saved[0]?.content)).toBe("run,step\n");
});

test("a table that another view has asked for is not saved here", async () => {
  const page = await openComplete();
  page.chart.receive({ csv: "run,step\n" });
  expect(saved).toEqual([]);
});

test("hidden runs are not in the table", async () => {
  const { figure, runs } = twoRuns();
  const page = await openChart({
    figure,
    runs: runs.map((run) => ({ ...run, is_hidden: run.run_id === 1 })),
  });
  page.chart.exportAs("csv");
  expect(await textOf(saved[0]?.content)).toBe(HEAD + rowsOf("batch 32", BATCH_32));
});

test("without a kernel the drawn points are saved, and this is said", async () => {
  const page = await openChart(twoRuns());
  page.chart.setLive(false);
  page.chart.exportAs("csv");
  const earlier = ["1,0.001,,3", "2,0.01,,3", "3,0.1,,3", "4,1,,3"];
  expect(await textOf(saved[0]?.content)).toBe(HEAD + rowsOf("batch 64", earlier) + rowsOf("batch 32", BATCH_32));
  expect(page.said).toEqual(["lr_range_test.csv has the points that are drawn; with a kernel, it has every step."]);
});

test("where the kernel cannot make a table yet, the points drawn so far are saved, and this is said", async () => {
  const { figure, runs } = oneRun();
  const page = await openChart({ figure, runs: runs.map((run) => ({ ...run, is_growing: true, num_points: 9 })) });
  page.show({}, { can: ["stop", "zoom"] });
  page.chart.exportAs("csv");
  expect(await textOf(saved[0]?.content)).toBe(HEAD + rowsOf("batch 32", BATCH_32));
  expect([page.sent, page.said]).toEqual([
    [],
    ["lr_range_test.csv has the points drawn so far; after the run, it has every step."],
  ]);
});

test.each([
  [false, "lr_range_test.csv has the runs that have ended."],
  [true, "The browser saves lr_range_test.csv."],
])("the kernel's table is said to lack the run that grows, unless that is hidden: %s", async (is_hidden, words) => {
  const { figure, runs } = twoRuns();
  const growing = { is_growing: true, is_hidden };
  const page = await openChart({ figure, runs: runs.map((run) => ({ ...run, ...(run.run_id === 2 ? growing : {}) })) });
  page.chart.exportAs("csv");
  page.chart.receive({ csv: "run,step\n" });
  expect(page.said).toEqual([words]);
});

test("a kernel that is gone before it answers leaves the drawn points", async () => {
  const { figure, runs } = oneRun();
  const page = await openChart({ figure, runs: runs.map((run) => ({ ...run, num_points: 9 })) });
  page.chart.exportAs("csv");
  page.chart.setLive(false);
  expect(await textOf(saved[0]?.content)).toBe(HEAD + rowsOf("batch 32", BATCH_32));
});

test("without a curve there is nothing to save", async () => {
  const page = await openChart({ figure: makeFigure([]), runs: [] });
  page.show({}, { can: [] });
  page.chart.exportAs("csv");
  page.chart.exportAs("svg");
  expect([saved, page.said]).toEqual([[], ["There is no curve to save yet.", "There is no curve to save yet."]]);
});

test("a drawing has bqplot's elements with their styles, on a ground, at the size of the chart", async () => {
  const page = await openChart();
  drawIn(page);
  page.chart.exportAs("svg");
  expect([saved[0]?.name, saved[0]?.content.type]).toEqual(["lr_range_test.svg", "image/svg+xml"]);
  const svg = parse(await textOf(saved[0]?.content));
  expect(svg.querySelector("parsererror")).toBeNull();
  expect(["width", "height"].map((name) => svg.documentElement.getAttribute(name))).toEqual(["884", "256"]);
  expect(svg.querySelector("rect")?.getAttribute("fill")).toBe("#ffffff");
  const label = svg.querySelector("text");
  expect(label?.textContent).toBe("1e-3");
  expect(label?.getAttribute("fill")).toBe("rgb(1, 2, 3)");
  const line = svg.querySelector("path");
  expect(["d", "stroke", "opacity", "style", "class"].map((name) => line?.getAttribute(name))).toEqual([
    "M0,0L8,9",
    "rgb(58, 132, 230)",
    "0.5",
    null,
    null,
  ]);
  expect(svg.querySelector("#clip_1")).not.toBeNull();
  expect(svg.documentElement.textContent).not.toContain("not seen");
});

test("a drawing on a page with a colour has that ground, on a dark one without it a dark ground", async () => {
  const page = await openChart();
  drawIn(page);
  page.into.dataset.theme = "dark";
  page.chart.exportAs("svg");
  document.body.style.background = "rgb(17, 18, 19)";
  page.chart.exportAs("svg");
  document.body.style.background = "";
  const grounds = await Promise.all(
    saved.map(async ({ content }) =>
      parse(await textOf(content))
        .querySelector("rect")
        ?.getAttribute("fill"),
    ),
  );
  expect(grounds).toEqual(["#1e1e1e", "rgb(17, 18, 19)"]);
});

test("a drawing has a legend with the runs, where there are several, and the kinds of marks", async () => {
  const { figure, runs } = twoRuns();
  const page = await openChart({ figure, runs });
  drawIn(page);
  page.show({ chart_state: { legend: [{ kind: "smoothed", text: "smoothed loss <0.9>" }], runs } });
  page.chart.exportAs("svg");
  page.show({ chart_state: { legend: [{ kind: "smoothed", text: "smoothed loss <0.9>" }], runs: runs.slice(1) } });
  page.chart.exportAs("svg");
  const words = await Promise.all(
    saved.map(async ({ content }) => {
      const svg = parse(await textOf(content));
      return [...svg.querySelectorAll("text")].slice(1).map((text) => text.textContent);
    }),
  );
  expect(words).toEqual([["batch 64", "batch 32", "smoothed loss <0.9>"], ["smoothed loss <0.9>"]]);
  expect(page.plot.querySelectorAll("span[data-color]")).toHaveLength(0); // those of the drawing are gone
});

test("a legend that is too long for one row makes the drawing taller", async () => {
  const page = await openChart();
  drawIn(page);
  const heights: (string | null)[] = [];
  for (const count of [2, 9]) {
    const legend = Array.from(
      { length: count },
      () => ({ kind: "probe", text: "a probe of ten words that is long" }) as const,
    );
    page.show({ chart_state: { legend } });
    page.chart.exportAs("svg");
    heights.push(parse(await textOf(saved.at(-1)?.content)).documentElement.getAttribute("height"));
  }
  // An entry is 24 + 33 · 6.7 = 245 pixels wide and 16 from the next: three in a row of 884.
  expect(heights).toEqual(["276", "316"]);
});

test("a picture is painted from the drawing at twice its size", async () => {
  const painted: unknown[] = [];
  vi.stubGlobal(
    "Image",
    class {
      src = "";
      naturalWidth = 884;
      naturalHeight = 256;
      decode = () => Promise.resolve();
    },
  );
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue({
    drawImage: (image: HTMLImageElement, ...place: number[]) => painted.push(image.src.slice(0, 40), place),
    measureText: () => ({ width: 1 }),
  } as never);
  vi.spyOn(HTMLCanvasElement.prototype, "toBlob").mockImplementation((callback) => callback(new Blob(["png"])));
  const page = await openChart();
  drawIn(page);
  page.chart.exportAs("png");
  await settled();
  expect(painted).toEqual(["data:image/svg+xml,%3Csvg%20xmlns%3D%22h", [0, 0, 1768, 512]]);
  expect([saved[0]?.name, saved[0]?.content.type]).toEqual(["lr_range_test.png", "image/png"]);
  vi.unstubAllGlobals();
});

test("a page that forbids downloads, or that cannot paint, says so", async () => {
  const page = await openComplete();
  drawIn(page);
  vi.stubGlobal(
    "Image",
    class {
      decode = () => Promise.reject(new Error("blocked"));
    },
  );
  page.chart.exportAs("png");
  await settled();
  vi.unstubAllGlobals();
  vi.mocked(HTMLAnchorElement.prototype.click).mockImplementation(() => {
    throw new Error("blocked");
  });
  page.chart.exportAs("csv");
  expect(page.said).toEqual([
    "This page cannot paint the picture; save it as SVG.",
    "This page does not allow downloads.",
  ]);
});

test("a page that shows a picture saves that picture, and asks for the table", async () => {
  const into = document.createElement("div");
  const send = vi.fn();
  const chart = createChart({
    into,
    manager: undefined,
    figureId: "abc",
    send,
    say: vi.fn(),
    tellLive: vi.fn(),
    tellZoom: vi.fn(),
  });
  const [run] = oneRun().runs;
  chart.show(makeState({ picture: "<svg/>", chart_state: { runs: run ? [run] : [] } }, { can: ["csv"] }));
  chart.exportAs("svg");
  chart.exportAs("csv");
  expect(await textOf(saved[0]?.content)).toBe("<svg/>");
  expect(send.mock.calls).toEqual([[{ command: "draw" }], [{ command: "csv" }]]);
});
