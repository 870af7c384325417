// Stand-ins for bqplot's models, and a chart of known size on them: its plot area is 800 by 200 pixels.
import { type Mock, vi } from "vitest";
import { type Chart, createChart } from "../../src/chart";
import type { Command, ShownRun, State } from "../../src/protocol";
import { makeRun, makeState } from "../state";

/** A model as Backbone makes them: `set` tells of what has changed. */
export class StubModel {
  comm_live = true;
  listeners: { event: string; callback: () => void }[] = [];

  constructor(public state: Record<string, unknown> = {}) {}
  get(name: string): unknown {
    return this.state[name];
  }
  set(changes: Record<string, unknown>): void {
    const changed = Object.keys(changes).filter((name) => this.state[name] !== changes[name]);
    Object.assign(this.state, changes);
    for (const name of changed) {
      this.emit(`change:${name}`);
    }
  }
  on(events: string, callback: () => void): void {
    this.listeners.push(...events.split(" ").map((event) => ({ event, callback })));
  }
  off(events: string, callback: () => void): void {
    const gone = events.split(" ");
    this.listeners = this.listeners.filter((one) => !gone.includes(one.event) || one.callback !== callback);
  }
  emit(event: string): void {
    for (const one of this.listeners.filter((listener) => listener.event === event)) {
      one.callback();
    }
  }
}

export const logScale = (min: number, max: number): StubModel =>
  new StubModel({ _model_name: "LogScaleModel", min, max });
export const linearScale = (min: number, max: number): StubModel =>
  new StubModel({ _model_name: "LinearScaleModel", min, max });

export const lineOf = (x: number[], y: number[]): StubModel =>
  new StubModel({ x: Float64Array.from(x), y: Float64Array.from(y) });

export interface Figure extends StubModel {
  x: StubModel;
  y: StubModel;
  all: StubModel[];
}

/** A figure of these marks over scales: by default rates from 1e-4 to 1 on a logarithmic axis, losses from 0 to 4. */
export function makeFigure(marks: StubModel[], x = logScale(1e-4, 1), y = linearScale(0, 4)): Figure {
  const axes = [
    new StubModel({ scale: x, side: "bottom", tick_values: [1e-4, 1] }),
    new StubModel({ scale: y, side: "left", orientation: "vertical", tick_values: [0, 4] }),
  ];
  const figure = new StubModel({ marks, axes });
  return Object.assign(figure, { x, y, all: [figure, ...marks, ...axes, x, y] });
}

export const SIZE = { width: 884, height: 256 };
const MARGINS = { top: 12, bottom: 44, left: 64, right: 20 };
export const RATES = [1e-3, 1e-2, 1e-1, 1]; // at 264, 464, 664 and 864 pixels
export const SWEEP = { start_lr: 1e-4, end_lr: 1, num_steps: 4, schedule: "exponential" };

export interface Page {
  chart: Chart;
  figure: Figure;
  plot: HTMLElement;
  into: HTMLElement;
  sent: Command[];
  said: string[];
  lives: boolean[];
  /** Called when this browser has zoomed. */
  tellZoom: Mock;
  child: { el: HTMLElement; trigger: () => void; remove: () => void };
  show(changes?: Parameters<typeof makeState>[0], view?: Partial<State["view_state"]>): void;
  part<T extends HTMLElement = HTMLElement>(selector: string): T;
}

/** The newest run, raw and smoothed, over an earlier one that is smoothed only. */
export function twoRuns(): { figure: Figure; runs: ShownRun[] } {
  const figure = makeFigure([
    lineOf(RATES, [3, 3, 3, 3]),
    lineOf(RATES, [2.5, 1, 0.5, 9]),
    lineOf(RATES, [2, 1.25, 0.75, 3]),
  ]);
  const earlier = { name: "batch 64", num_points: 4, sweep: SWEEP };
  const runs = [
    makeRun(1, { ...earlier, color: 1, marks: { raw: null, smoothed: 0, validation: null } }),
    makeRun(2, { ...earlier, name: "batch 32", is_current: true, marks: { raw: 1, smoothed: 2, validation: null } }),
  ];
  return { figure, runs };
}

export const oneRun = (): { figure: Figure; runs: ShownRun[] } => {
  const { figure, runs } = twoRuns();
  return { figure, runs: runs.slice(1) };
};

/** Show runs of a figure on a page, live. */
export async function openChart({ figure, runs } = oneRun()): Promise<Page> {
  const into = document.createElement("div");
  document.body.replaceChildren(into);
  const [sent, said, lives]: [Command[], string[], boolean[]] = [[], [], []];
  const tellZoom = vi.fn();
  const child = { el: document.createElement("figure"), trigger: vi.fn(), remove: vi.fn() };
  const chart = createChart({
    into,
    manager: {
      get_model: () => Promise.resolve(figure),
      create_view: () => Promise.resolve(child),
    },
    figureId: "abc",
    send: (command) => void sent.push(command),
    say: (text) => void said.push(text),
    tellLive: (isLive) => void lives.push(isLive),
    tellZoom,
  });
  const part = <T extends HTMLElement>(selector: string): T => into.querySelector<T>(selector) as T;
  const plot = part(".lrw-plot");
  giveSize(plot);
  const show: Page["show"] = (changes = {}, view = {}) => {
    const chart_state = { margins: MARGINS, runs, ...changes.chart_state };
    chart.show(makeState({ ...changes, chart_state }, { can: ["pick", "zoom", "csv"], ...view }));
  };
  show();
  await settled();
  return { chart, figure, plot, into, sent, said, lives, tellZoom, child, show, part };
}

/** jsdom lays nothing out. */
function giveSize(plot: HTMLElement): void {
  const { width, height } = SIZE;
  for (const [name, value] of Object.entries({ clientWidth: width, clientHeight: height, offsetWidth: width })) {
    Object.defineProperty(plot, name, { value, configurable: true });
  }
  plot.getBoundingClientRect = () => new DOMRect(0, 0, width, height);
}

export const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
/** Wait for what is drawn in the next frame. */
export const drawn = (): Promise<void> =>
  new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve())));

let buttons = 0; // that are down

/** A pointer event; jsdom has none of its own. */
export function point(
  target: EventTarget,
  type: string,
  x: number,
  y: number,
  more: { pointerType?: string; button?: number; detail?: number } = {},
): void {
  const { pointerType = "mouse", button = 0, detail = 0 } = more;
  if (type !== "pointermove") {
    buttons = type === "pointerdown" ? 1 : 0;
  }
  const place = { clientX: x, clientY: y, button, buttons, detail };
  const event = new MouseEvent(type, { ...place, bubbles: true, cancelable: true });
  target.dispatchEvent(Object.assign(event, { pointerType, pointerId: 1, isPrimary: true }));
}

/** Press, move and release. */
export function drag(target: EventTarget, from: [number, number], to: [number, number], pointerType = "mouse"): void {
  point(target, "pointerdown", ...from, { pointerType });
  point(target, "pointermove", ...to, { pointerType });
  point(target, "pointerup", ...to, { pointerType });
  point(target, "click", ...to, { detail: 1 });
}

/** Click as a browser does it. */
export function click(target: EventTarget, x: number, y: number, detail = 1): void {
  point(target, "pointerdown", x, y);
  point(target, "pointerup", x, y);
  point(target, "click", x, y, { detail });
}

export function key(target: EventTarget, name: string): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true });
  target.dispatchEvent(event);
  return event;
}
