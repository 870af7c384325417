// Zooming without a kernel: the bounds of the axes are set in this browser alone, and nothing is saved.

import type { State } from "../protocol";
import { curvesOf, type Model, models, type Numbers, scaleModels, scalesOf } from "./models";
import { type Scale, valueAt, type Window } from "./scale";

const AIR = 0.04; // of the loss axis, below and above the curves

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
    set(x, { min: rateLow, max: rateHigh });
    set(y, { min: lossLow, max: lossHigh });
    for (const axis of models(figure, "axes")) {
      set(axis, { tick_values: null }); // bqplot's own; those of the kernel may all be outside
    }
  }
}

/** The window that all drawn points are in, within the limits of the loss axis that somebody has set. */
function windowOfAll(figure: Model, { chart_state, loss_min, loss_max }: State): Window | null {
  const curves = curvesOf(figure, chart_state.runs);
  const lines = curves.flatMap(({ raw, smoothed, validation }) =>
    [raw, smoothed, validation].filter((line) => line !== null),
  );
  const scales = scalesOf(figure);
  const rates =
    scales &&
    spanOf(
      lines.map(({ x }) => x),
      scales.x,
    );
  const losses =
    scales &&
    spanOf(
      lines.map(({ y }) => y),
      scales.y,
    );
  if (!rates || !losses) {
    return null;
  }
  return [rates.low, rates.high, loss_min ?? valueAt(losses, -AIR), loss_max ?? valueAt(losses, 1 + AIR)];
}

/** From the least to the greatest of the numbers that have a place on a scale of this kind. */
function spanOf(numbers: readonly Numbers[], { isLog }: Scale): Scale | null {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of numbers.flatMap((some) => Array.from(some))) {
    if (Number.isFinite(value) && (value > 0 || !isLog)) {
      [low, high] = [Math.min(low, value), Math.max(high, value)];
    }
  }
  if (low === high) {
    const around = Math.abs(low) / 2 || 1;
    [low, high] = [low - around, high + around];
  }
  return low < high ? { low, high, isLog } : null;
}
