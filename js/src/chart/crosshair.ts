// The crosshair: a hairline, a dot on the curve and a box that reads the point. It follows a pointer or the arrow keys.

import { setAttribute } from "../dom";
import { lossOf, readingOf, type Spot, spotFurther, spotNear, spotNearRate } from "./curves";
import type { Curve } from "./models";
import { type Frame, isInside, type Point, placeOf } from "./scale";

const GAP_PX = 12; // between the hairline and the box

/** All that the chart shows at this moment. */
export interface Scene {
  frame: Frame;
  curves: Curve[];
  /** The rate that is suggested or picked, where the keys start; NaN for none. */
  selected: number;
}

export interface Crosshair {
  /** Follow a pointer. */
  point(at: Point): void;
  /** Move with a key, or show the point that keys start from (""); false where the key means nothing here. */
  press(key: string): boolean;
  /** The rate under the crosshair, as far as it is shown. */
  rate(): number | null;
  /** Draw again, once in the next frame, where it is shown. */
  refresh(): void;
  /** Take it away, or only where a pointer or a key has brought it. */
  hide(by?: Cursor["by"]): void;
}

type Cursor = { by: "pointer"; at: Point } | { by: "keys"; runId: number; rate: number };

const STEPS: Record<string, number> = {
  ArrowLeft: -1,
  ArrowRight: 1,
  PageDown: -10,
  PageUp: 10,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

const KEYS = ["", ...Object.keys(STEPS), "ArrowUp", "ArrowDown"];

/** Make a crosshair over `plot`, a slider; `read` gives the chart as it is, and `follow` tells of its changes. */
export function createCrosshair(
  plot: HTMLElement,
  read: () => Scene | null,
  follow: (listener: () => void) => () => void,
): Crosshair {
  const shape = drawShape(plot);
  let cursor: Cursor | null = null;
  let shown: Spot | null = null;
  let last: Spot | null = null; // stays when the crosshair goes, so that the keys go on from there
  let frame = 0;
  let unfollow = (): void => undefined;

  const find = (scene: Scene): Spot | null => {
    if (cursor?.by === "pointer") {
      return isInside(scene.frame, cursor.at) ? spotNear(scene.curves, scene.frame, cursor.at) : null;
    }
    return cursor && spotOf(scene, cursor.runId, cursor.rate);
  };
  const draw = (): void => {
    const scene = read();
    shown = scene && find(scene);
    last = shown ?? last;
    shape.show(scene, shown);
  };
  const refresh = (): void => {
    if (cursor !== null && frame === 0) {
      frame = requestAnimationFrame(() => {
        frame = 0;
        draw();
      });
    }
  };
  const move = (next: Cursor): void => {
    if (cursor === null) {
      unfollow = follow(refresh);
    }
    cursor = next;
    refresh();
  };
  const hide = (by = cursor?.by): void => {
    if (cursor === null || cursor.by !== by) {
      return;
    }
    cancelAnimationFrame(frame);
    frame = 0;
    unfollow();
    unfollow = () => undefined;
    cursor = shown = null;
    shape.show(null, null);
  };
  const press = (key: string): boolean => {
    const scene = read();
    const from = scene && startOf(scene, last);
    if (scene === null || from === null || !KEYS.includes(key)) {
      return false;
    }
    const to = cursor === null && key !== "Home" && key !== "End" ? from : moved(scene, from, key);
    if (to !== null) {
      shown = last = to;
      move({ by: "keys", runId: to.curve.run.run_id, rate: to.rate });
    }
    return to !== null;
  };
  return {
    point: (at) => move({ by: "pointer", at }),
    press,
    rate: () => shown?.rate ?? null,
    refresh,
    hide,
  };
}

/** The spot of a run near a rate; of the newest run where that one is not drawn. */
function spotOf({ frame, curves }: Scene, runId: number, rate: number): Spot | null {
  const curve = curves.find(({ run }) => run.run_id === runId) ?? curves.at(-1);
  return curve === undefined ? null : spotNearRate(curve, frame, rate);
}

function startOf(scene: Scene, last: Spot | null): Spot | null {
  if (last !== null) {
    return spotOf(scene, last.curve.run.run_id, last.rate);
  }
  const first = scene.frame.x.low;
  return spotOf(scene, Number.NaN, Number.isNaN(scene.selected) ? first : scene.selected);
}

function moved({ frame, curves }: Scene, from: Spot, key: string): Spot | null {
  const steps = STEPS[key];
  if (steps !== undefined) {
    return spotFurther(from, frame, steps);
  }
  if (key !== "ArrowUp" && key !== "ArrowDown") {
    return null;
  }
  const place = curves.findIndex(({ run }) => run.run_id === from.curve.run.run_id);
  const next = curves[(place + (key === "ArrowUp" ? 1 : -1) + curves.length) % curves.length];
  return (next && spotNearRate(next, frame, from.rate)) ?? from;
}

interface Shape {
  show(scene: Scene | null, spot: Spot | null): void;
}

function drawShape(plot: HTMLElement): Shape {
  const make = (name: string): HTMLElement => {
    const part = document.createElement("div");
    part.className = name;
    return part;
  };
  const overlay = make("lrw-crosshair");
  overlay.hidden = true;
  const [hairline, dot, box] = [make("lrw-hairline"), make("lrw-dot"), make("lrw-readout")];
  overlay.setAttribute("aria-hidden", "true"); // the slider's text says the same
  overlay.append(hairline, dot, box);
  plot.append(overlay);

  const show = (scene: Scene | null, spot: Spot | null): void => {
    overlay.hidden = scene === null || spot === null;
    if (scene === null || spot === null) {
      return;
    }
    const { frame, curves } = scene;
    const place = placeOf(frame, spot.rate, lossOf(spot));
    const reading = readingOf(spot, frame, curves.length > 1);
    tell(plot, spot, reading.spoken);
    overlay.dataset.color = String(spot.curve.run.color);
    const middle = Math.min(frame.top + frame.height, Math.max(frame.top, place.y || 0));
    hairline.style.cssText = `left: ${place.x}px; top: ${frame.top}px; height: ${frame.height}px`;
    dot.style.cssText = `left: ${place.x}px; top: ${middle}px`;
    dot.hidden = !isInside(frame, { x: frame.left, y: place.y }); // the curve leaves the chart here
    fill(box, reading);
    const width = plot.clientWidth;
    const fits = place.x + GAP_PX + box.offsetWidth <= width;
    const left = fits ? place.x + GAP_PX : place.x - GAP_PX - box.offsetWidth;
    const above = middle - GAP_PX - box.offsetHeight;
    const top = above >= 0 ? above : Math.min(middle + GAP_PX, plot.clientHeight - box.offsetHeight);
    const inside = Math.max(0, Math.min(left, width - box.offsetWidth));
    box.style.cssText = `left: ${inside}px; top: ${Math.max(0, top)}px`;
  };
  return { show };
}

function fill(box: HTMLElement, { name, lines }: { name: string; lines: [string, string][] }): void {
  const wanted = JSON.stringify([name, lines]);
  if (box.dataset.shown === wanted) {
    return;
  }
  box.dataset.shown = wanted;
  const cells = lines.flat().map((text) => {
    const cell = document.createElement("span");
    cell.textContent = text;
    return cell;
  });
  const title = document.createElement("strong");
  title.textContent = name;
  box.replaceChildren(...(name === "" ? [] : [title]), ...cells);
}

/** Let the slider tell the point; it counts the points of its run. */
function tell(plot: HTMLElement, { curve, index }: Spot, spoken: string): void {
  setAttribute(plot, "aria-valuemin", "1");
  setAttribute(plot, "aria-valuemax", String(curve.base.x.length));
  setAttribute(plot, "aria-valuenow", String(index + 1));
  setAttribute(plot, "aria-valuetext", spoken);
}

/** Let the slider say that no point is read. */
export function tellNothing(plot: HTMLElement, text: string): void {
  for (const name of ["aria-valuemin", "aria-valuemax", "aria-valuenow"]) {
    setAttribute(plot, name, "0");
  }
  setAttribute(plot, "aria-valuetext", text);
}
