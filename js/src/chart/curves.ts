// The point of a curve that a reader means, and how it reads.

import type { SweepOf } from "../protocol";
import { countText, rateText } from "../rates";
import type { Curve, Line } from "./models";
import { type Frame, hasRate, type Point, placeOf, rateDigits, type Scale, shareOf } from "./scale";

const LOSS_STEPS = 300; // a loss is told to about this part of its axis

/** A drawn point of a run. */
export interface Spot {
  curve: Curve;
  index: number;
  rate: number;
}

function spotAt(curve: Curve, index: number): Spot {
  return { curve, index, rate: curve.base.x[index] as number };
}

function nearestIndex(curve: Curve, frame: Frame, share: number): number {
  let nearest = -1;
  let least = Number.POSITIVE_INFINITY;
  for (let index = 0; index < curve.base.x.length; index++) {
    const rate = curve.base.x[index] as number;
    const distance = Math.abs(shareOf(frame.x, rate) - share);
    if (distance < least && hasRate(frame, rate)) {
      [nearest, least] = [index, distance];
    }
  }
  return nearest;
}

/** The point of a curve nearest to a rate among those within the axis, or null where there is none. */
export function spotNearRate(curve: Curve, frame: Frame, rate: number): Spot | null {
  const index = nearestIndex(curve, frame, shareOf(frame.x, rate));
  return index < 0 ? null : spotAt(curve, index);
}

/** The point nearest to a place: of each curve the nearest in the direction of the rates, of these the nearest one. */
export function spotNear(curves: readonly Curve[], frame: Frame, { x, y }: Point): Spot | null {
  let nearest: Spot | null = null;
  let least = Number.POSITIVE_INFINITY;
  // The newest is drawn on top, so it is the one of two that are equally near.
  for (const curve of [...curves].reverse()) {
    const index = nearestIndex(curve, frame, (x - frame.left) / frame.width);
    if (index < 0) {
      continue;
    }
    const spot = spotAt(curve, index);
    const heights = [curve.smoothed, curve.raw].map((line) => {
      const place = placeOf(frame, spot.rate, lossIn(line, spot));
      return Number.isFinite(place.y) ? Math.hypot(place.x - x, place.y - y) : frame.width + frame.height;
    });
    const distance = Math.min(...heights);
    if (distance < least) {
      [nearest, least] = [spot, distance];
    }
  }
  return nearest;
}

/** The spot so many points further, within the axis. */
export function spotFurther({ curve, index }: Spot, frame: Frame, by: number): Spot {
  const within = (at: number): boolean =>
    at >= 0 && at < curve.base.x.length && hasRate(frame, curve.base.x[at] as number);
  let next = index;
  const direction = Math.sign(by);
  while (next !== index + by && within(next + direction)) {
    next += direction;
  }
  return spotAt(curve, next);
}

/** What a line of the spot's run shows at its rate; NaN where it shows nothing. */
export function lossIn(line: Line | null, { rate, index }: Spot): number {
  if (line === null) {
    return Number.NaN;
  }
  const at = line.x[index] === rate ? index : Array.prototype.indexOf.call(line.x, rate);
  return line.y[at] ?? Number.NaN;
}

/** The loss that a dot on the curve stands at: smoothed, or raw where that is all there is. */
export function lossOf(spot: Spot): number {
  const smoothed = lossIn(spot.curve.smoothed, spot);
  return Number.isFinite(smoothed) ? smoothed : lossIn(spot.curve.raw, spot);
}

/** The step of a sweep that ran at a rate. */
export function stepOf({ start_lr, end_lr, num_steps, schedule }: SweepOf, rate: number): number | null {
  const share = shareOf({ low: start_lr, high: end_lr, isLog: schedule !== "linear" }, rate);
  const step = Math.round(num_steps * share);
  return step >= 1 && step <= num_steps ? step : null;
}

/** A loss as fine as its axis can show it; a small one is never told as zero. */
export function lossText(value: number, { low, high, isLog }: Scale): string {
  if (!Number.isFinite(value)) {
    return String(value);
  }
  const size = Math.floor(Math.log10(Math.abs(value) || 1));
  const finest = isLog ? size - 2 : Math.floor(Math.log10((high - low) / LOSS_STEPS));
  const digits = Math.min(17, Math.max(1, size - finest + 1));
  if ((size < -4 && finest < -4) || size > 6) {
    return value.toExponential(digits - 1).replace("e+", "e");
  }
  const text = value.toFixed(Math.min(20, Math.max(0, -finest)));
  return Number(text) === 0 && value !== 0 ? value.toExponential(1) : text;
}

/** What a spot says: lines of a name and a text, and the same in one sentence. */
export interface Reading {
  name: string;
  lines: [name: string, text: string][];
  spoken: string;
}

/** Read a spot; `isNamed` where several runs are drawn. */
export function readingOf(spot: Spot, frame: Frame, isNamed: boolean): Reading {
  const { run, raw, smoothed, validation } = spot.curve;
  const step = run.sweep && stepOf(run.sweep, spot.rate);
  const losses = [
    ["loss", raw],
    ["smoothed", smoothed],
    ["validation", validation],
  ] as const;
  const lines: [string, string][] = [["rate", rateText(spot.rate, rateDigits(frame.x))]];
  for (const [name, line] of losses) {
    const value = lossIn(line, spot);
    if (!Number.isNaN(value)) {
      lines.push([name, lossText(value, frame.y)]);
    }
  }
  const spoken = [
    ...(step === null ? [] : [["step", countText(step)]]),
    ...lines,
    ...(isNamed ? [["run", run.name]] : []),
  ];
  if (run.sweep !== null && step !== null) {
    lines.unshift(["step", `${countText(step)} of ${countText(run.sweep.num_steps)}`]);
  }
  return { name: isNamed ? run.name : "", lines, spoken: spoken.map((words) => words.join(" ")).join(", ") };
}
