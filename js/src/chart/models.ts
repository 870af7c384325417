// Reads bqplot's own models: the scales of the figure's axes and the points of its marks. Their traits may change at any time.

import type { ChartState, ShownRun } from "../protocol";
import type { Scale } from "./scale";

/** The part of a widget's model that is used here; a host, or a test, may lack some of it. */
export interface Model {
  get?(name: string): unknown;
  set?(changes: Record<string, unknown>): void;
  on?(events: string, callback: () => void): void;
  off?(events: string, callback: () => void): void;
}

export type Numbers = ArrayLike<number>;

/** A line of the figure. */
export interface Line {
  x: Numbers;
  y: Numbers;
}

/** A run as it is drawn. */
export interface Curve {
  run: ShownRun;
  /** The line whose points are gone through. */
  base: Line;
  raw: Line | null;
  smoothed: Line | null;
  validation: Line | null;
}

const MARKS = ["raw", "smoothed", "validation"] as const;

export function models(figure: Model, name: "marks" | "axes"): Model[] {
  const found = figure.get?.(name);
  return Array.isArray(found) ? found : [];
}

function lineOf(mark: Model | undefined): Line | null {
  const x = numbers(mark?.get?.("x"));
  const y = numbers(mark?.get?.("y"));
  return x.length > 0 && x.length === y.length ? { x, y } : null;
}

/** An array of numbers, or the first row of an array of such arrays. */
function numbers(value: unknown): Numbers {
  const first = (value as ArrayLike<unknown> | undefined)?.[0];
  if (typeof first === "number") {
    return value as Numbers;
  }
  return typeof first === "object" && first !== null ? (first as Numbers) : [];
}

function marksOf(figure: Model, run: ShownRun): Partial<Record<(typeof MARKS)[number], Model>> {
  const marks = models(figure, "marks");
  const entries = MARKS.map((kind) => [kind, run.marks === null ? undefined : marks[run.marks[kind] ?? -1]] as const);
  return run.is_hidden ? {} : Object.fromEntries(entries.filter(([, mark]) => mark !== undefined));
}

/** The runs that are drawn and have points, oldest first. */
export function curvesOf(figure: Model, runs: readonly ShownRun[]): Curve[] {
  return runs.flatMap((run) => {
    const marks = marksOf(figure, run);
    const [raw, smoothed, validation] = MARKS.map((kind) => lineOf(marks[kind])) as (Line | null)[];
    const base = raw ?? smoothed;
    return base ? [{ run, base, raw: raw ?? null, smoothed: smoothed ?? null, validation: validation ?? null }] : [];
  });
}

export function scaleModels(figure: Model): { x: Model | undefined; y: Model | undefined } {
  const found: { x: Model | undefined; y: Model | undefined } = { x: undefined, y: undefined };
  for (const axis of models(figure, "axes")) {
    const isY = axis.get?.("orientation") === "vertical" || ["left", "right"].includes(String(axis.get?.("side")));
    found[isY ? "y" : "x"] = axis.get?.("scale") as Model | undefined;
  }
  return found;
}

function scaleOf(model: Model | undefined): Scale | null {
  const [low, high] = [model?.get?.("min"), model?.get?.("max")];
  const isLog = model?.get?.("_model_name") === "LogScaleModel";
  const isGood = typeof low === "number" && typeof high === "number" && low < high && (low > 0 || !isLog);
  return isGood && Number.isFinite(high - low) ? { low, high, isLog } : null;
}

/** The scales of the two axes, or null where one has no bounds. */
export function scalesOf(figure: Model): { x: Scale; y: Scale } | null {
  const found = scaleModels(figure);
  const [x, y] = [scaleOf(found.x), scaleOf(found.y)];
  return x && y && { x, y };
}

/** Call `listener` at each change of what the chart draws, until the returned function is called. */
export function follow(figure: Model, state: () => ChartState | undefined, listener: () => void): () => void {
  const events = "change:x change:y change:scales change:min change:max change:scale change:marks change:axes";
  let followed = new Set<Model>();
  const stop = (): void => {
    for (const model of followed) {
      model.off?.(events, changed);
    }
    followed = new Set();
  };
  const start = (): void => {
    const { x, y } = scaleModels(figure);
    const drawn = (state()?.runs ?? []).flatMap((run) => Object.values(marksOf(figure, run)));
    for (const model of [figure, ...models(figure, "axes"), x, y, ...drawn]) {
      if (model !== undefined && !followed.has(model)) {
        followed.add(model);
        model.on?.(events, changed);
      }
    }
  };
  const changed = (): void => {
    stop();
    start();
    listener();
  };
  start();
  return stop;
}
