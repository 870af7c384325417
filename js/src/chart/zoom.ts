// Zooming without a kernel: the bounds of the axes are set in this browser alone, and nothing is saved.

import type { State } from "../protocol";
import { type Curve, curvesOf, type Line, type Model, models, scaleModels, scalesOf } from "./models";
import type { Window } from "./scale";

const AIR = 0.06; // below and above the losses, as a share of their height
const TAIL_ROOM = 0.6; // for an upturn, as a share of the height of what matters
const LOSS_FORMAT = "~g"; // bqplot's own has one digit, and the same label for two ticks

export class LocalZoom {
  /** What this browser shows: a part of the chart or all of it; null for what the kernel has left. */
  isZoomed: boolean | null = null;
  private restore: (() => void)[] = [];

  zoom(figure: Model, window: Window): void {
    this.bound(figure, window);
    this.isZoomed = true;
  }

  /** Show all of the chart: as the kernel has left it, or where that was a part, all points of the curves. */
  reset(figure: Model, state: State): void {
    if (!state.chart_state.is_zoomed) {
      this.undo();
      return;
    }
    const window = windowOfAll(figure, state);
    if (window !== null) {
      this.bound(figure, window);
      this.isZoomed = false;
    }
  }

  /** Leave the axes as the kernel has left them. */
  undo(): void {
    for (const restore of this.restore.splice(0)) {
      restore();
    }
    this.isZoomed = null;
  }

  private bound(figure: Model, [rateLow, rateHigh, lossLow, lossHigh]: Window): void {
    const { x, y } = scaleModels(figure);
    const isFirst = this.isZoomed === null;
    const set = (model: Model | undefined, changes: Record<string, unknown>): void => {
      const before = Object.fromEntries(Object.keys(changes).map((name) => [name, model?.get?.(name)]));
      if (isFirst) {
        this.restore.push(() => model?.set?.(before));
      }
      model?.set?.(changes);
    };
    const axes = models(figure, "axes");
    for (const axis of axes.filter((one) => one.get?.("scale") === y)) {
      set(axis, { tick_format: LOSS_FORMAT }); // first: bqplot writes the labels of a change a frame later, in the format of then
    }
    set(x, { min: rateLow, max: rateHigh });
    set(y, { min: lossLow, max: lossHigh });
    for (const axis of axes) {
      set(axis, { tick_values: null }); // bqplot's own; those of the kernel may all be outside
    }
  }
}

/** The window that shows all curves, within the limits of the loss axis that somebody has set; null without a curve. */
function windowOfAll(figure: Model, { chart_state, loss_min, loss_max }: State): Window | null {
  const curves = curvesOf(figure, chart_state.runs);
  const isLog = scalesOf(figure)?.y.isLog === true;
  const rates = curves.flatMap(({ base }) => Array.from(base.x));
  const spans = curves.flatMap((curve) => lossesOf(curve, isLog));
  if (rates.length === 0 || spans.length === 0) {
    return null;
  }
  const low = Math.min(...spans.map((span) => span.low));
  const high = Math.max(...spans.map((span) => span.high));
  const air = AIR * (high - low) || 1;
  const lossAt = (place: number): number => (isLog ? 10 ** place : place);
  const [slowest, fastest] = [Math.min(...rates), Math.max(...rates)];
  return [
    slowest < fastest ? slowest : slowest / 2,
    slowest < fastest ? fastest : fastest * 2,
    loss_min ?? lossAt(low - air),
    loss_max ?? lossAt(high + air),
  ];
}

/**
 * The part of a curve's losses that matters, or nothing without losses: up to the highest before the minimum, with room for
 * the beginning of an upturn, as lr_widget/results/limits.py has it. On a logarithmic axis these are logarithms.
 */
function lossesOf({ base, raw, smoothed, validation }: Curve, isLog: boolean): { low: number; high: number }[] {
  const main = smoothed ?? base;
  const placesOf = (line: Line | null, until = Number.POSITIVE_INFINITY): number[] =>
    Array.from(line?.y ?? [], (loss, index) =>
      (line?.x[index] ?? Number.NaN) <= until ? (isLog ? Math.log10(loss) : loss) : Number.NaN,
    ).filter(Number.isFinite);
  const all = [main, raw, validation].flatMap((line) => placesOf(line)).sort((one, other) => one - other);
  const [low, middle, highest] = [all[0], all[Math.floor(all.length / 2)], all.at(-1)];
  if (low === undefined || middle === undefined || highest === undefined) {
    return [];
  }
  const losses = Array.from(main.y, (loss) => (Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY));
  const best = main.x[losses.indexOf(Math.min(...losses))];
  const top = Math.max(middle, ...[main, raw, validation].flatMap((line) => placesOf(line, best)));
  return [{ low, high: top > low ? Math.min(highest, top + TAIL_ROOM * (top - low)) : highest }];
}
