// Mouse, pen, finger and keys on the chart: a look at a point, a click, a rectangle, a double click.

import { type Frame, type Point, type Rectangle, rectangleOf, type Window, windowOf } from "./scale";

const DRAG_PX = 5; // less is a click with an unsteady hand
const DOUBLE_CLICK_MS = 250;

/** What the chart does with them. */
export interface Gestures {
  frame(): Frame | null;
  canZoom(): boolean;
  isZoomed(): boolean;
  /** The pointer is here. */
  look(at: Point): void;
  /** The pointer, or the keyboard, has gone. */
  leave(by: "pointer" | "keys"): void;
  pick(at: Point): void;
  zoom(window: Window | null): void;
  /** A key was pressed on the chart; true where it meant something. */
  press(key: string): boolean;
}

/** A button or a finger that is down, since when it is down. */
interface Press {
  at: Point;
  pointer: number;
  isTouch: boolean;
  isMoved: boolean;
}

/** Listen to the plot until the returned function is called. */
export function listen(plot: HTMLElement, to: Gestures): () => void {
  const end = new AbortController();
  const drags = listenToDrags(plot, to, end.signal);
  const forget = listenToClicks(plot, to, drags.isClick, end.signal);
  listenToKeys(plot, to, drags.isPressed, end.signal);
  return () => {
    end.abort();
    forget();
    drags.remove();
  };
}

/** Follow the pointer. `isClick` says that the latest press did not move. */
function listenToDrags(
  plot: HTMLElement,
  to: Gestures,
  signal: AbortSignal,
): { isClick(): boolean; isPressed(): boolean; remove(): void } {
  const rectangle = makeRectangle(plot);
  let press: Press | null = null;
  let wasMoved = false;
  const dragged = (at: Point): Rectangle | null => {
    const frame = to.frame();
    const isDrag = press?.isMoved === true && !press.isTouch && to.canZoom();
    return isDrag && press && frame ? rectangleOf(frame, press.at, at) : null;
  };
  const cancel = (): void => {
    press = null;
    rectangle.show(null);
  };
  plot.addEventListener("pointerdown", start, { signal });
  plot.addEventListener("pointermove", move, { signal });
  plot.addEventListener("pointerup", stop, { signal });
  plot.addEventListener("pointercancel", leave, { signal });
  plot.addEventListener("pointerleave", leaveUnlessPressed, { signal });
  document.addEventListener("keydown", callOff, { signal, capture: true });
  document.addEventListener("pointerdown", leaveFromOutside, { signal, capture: true });
  return { isClick: () => !wasMoved, isPressed: () => press !== null, remove: rectangle.remove };

  function start(event: PointerEvent): void {
    const at = pointIn(plot, event);
    wasMoved = false;
    if (event.isPrimary && event.button === 0) {
      press = { at, pointer: event.pointerId, isTouch: event.pointerType === "touch", isMoved: false };
    }
    to.look(at);
  }
  function move(event: PointerEvent): void {
    if (press !== null && event.pointerId === press.pointer && event.buttons === 0) {
      cancel(); // the release was missed, in another window
    }
    const at = pointIn(plot, event);
    if (press !== null && event.pointerId === press.pointer && !press.isMoved) {
      press.isMoved = wasMoved = Math.hypot(at.x - press.at.x, at.y - press.at.y) >= DRAG_PX;
      if (dragged(at) !== null) {
        plot.setPointerCapture?.(event.pointerId); // the drag goes on outside of the chart
      }
    }
    const shown = dragged(at);
    rectangle.show(shown);
    if (shown === null) {
      to.look(at);
    } else {
      to.leave("pointer");
    }
  }
  function stop(event: PointerEvent): void {
    const frame = to.frame();
    const chosen = dragged(pointIn(plot, event));
    const window = frame && chosen && windowOf(frame, chosen);
    cancel();
    if (window) {
      to.zoom(window);
    }
  }
  function leave(): void {
    cancel();
    to.leave("pointer");
  }
  function leaveUnlessPressed(event: PointerEvent): void {
    if (event.pointerType !== "touch" && press === null) {
      to.leave("pointer"); // while a finger that was lifted leaves the reading there
    }
  }
  function leaveFromOutside(event: PointerEvent): void {
    if (!event.composedPath().includes(plot)) {
      to.leave("pointer");
    }
  }
  function callOff(event: KeyboardEvent): void {
    if (event.key === "Escape" && press !== null) {
      event.stopPropagation();
      wasMoved = true;
      cancel();
    }
  }
}

/** A click picks; two reset the zoom. Returns a function that forgets a click which waits for a second one. */
function listenToClicks(plot: HTMLElement, to: Gestures, isClick: () => boolean, signal: AbortSignal): () => void {
  let picking: ReturnType<typeof setTimeout> | undefined;
  const click = (event: MouseEvent): void => {
    clearTimeout(picking);
    const at = pointIn(plot, event);
    if (!isClick() || event.detail > 1) {
      return;
    }
    if (to.isZoomed()) {
      picking = setTimeout(() => to.pick(at), DOUBLE_CLICK_MS); // unless it becomes a double click
    } else {
      to.pick(at);
    }
  };
  plot.addEventListener("click", click, { signal });
  plot.addEventListener(
    "dblclick",
    () => {
      clearTimeout(picking);
      if (to.isZoomed() && to.canZoom()) {
        to.zoom(null);
      }
    },
    { signal },
  );
  return () => clearTimeout(picking);
}

function listenToKeys(plot: HTMLElement, to: Gestures, isPressed: () => boolean, signal: AbortSignal): void {
  const press = (event: KeyboardEvent): void => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey && to.press(event.key)) {
      event.preventDefault();
      event.stopPropagation(); // the classic notebook and VS Code have shortcuts of their own
    }
  };
  const focus = (): void => {
    if (!isPressed()) {
      to.press(""); // a reader sees where the keys start
    }
  };
  plot.addEventListener("keydown", press, { signal });
  plot.addEventListener("focus", focus, { signal });
  plot.addEventListener("blur", () => to.leave("keys"), { signal });
}

function makeRectangle(plot: HTMLElement): { show(shown: Rectangle | null): void; remove(): void } {
  const element = document.createElement("div");
  element.className = "lrw-zoom";
  element.hidden = true;
  plot.append(element);
  const show = (shown: Rectangle | null): void => {
    element.hidden = shown === null;
    if (shown !== null) {
      const { left, top, width, height } = shown;
      element.style.cssText = `left: ${left}px; top: ${top}px; width: ${width}px; height: ${height}px`;
    }
  };
  return { show, remove: () => element.remove() };
}

/** The place of an event in the plot's own pixels; a page that scales its cells, such as slides, has others. */
function pointIn(plot: HTMLElement, event: MouseEvent): Point {
  const box = plot.getBoundingClientRect();
  const zoom = box.width / (plot.offsetWidth || box.width) || 1;
  return { x: (event.clientX - box.left) / zoom, y: (event.clientY - box.top) / zoom };
}
