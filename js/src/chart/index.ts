// The chart in a view: bqplot's figure with all that bqplot cannot do around it.

import "./chart.css";
import type { State } from "../protocol";
import { type Crosshair, createCrosshair, tellNothing } from "./crosshair";
import { canMount, makePicture, mountFigure, NAME, type WidgetManager } from "./figure";
import { listen } from "./gestures";
import { showLegend } from "./legend";
import { Live, type Send } from "./live";
import { type ExportKind, makeSaver } from "./saving";

export type { ExportKind, Send };

let count = 0; // of the charts of this page, for their ids

export interface ChartOptions {
  into: HTMLElement;
  manager: Partial<WidgetManager> | undefined;
  figureId: string;
  send: Send;
  /** Show a message in the status line. */
  say(text: string): void;
  /** A kernel is there, or not. */
  tellLive(isLive: boolean): void;
  /** This browser has zoomed the chart, without a kernel. */
  tellZoom(): void;
}

export interface Chart {
  show(state: State): void;
  /** Let the browser save the chart, or its numbers, as a file. */
  exportAs(kind: ExportKind): void;
  /** Take in a message of the kernel. */
  receive(content: unknown): void;
  /** Know that a kernel is there, or that a message did not reach one. */
  setLive(isLive: boolean): void;
  isZoomed(): boolean;
  /** Show all of the chart again. */
  resetZoom(): void;
  remove(): void;
}

export function createChart({ into, manager, figureId, send, say, tellLive, tellZoom }: ChartOptions): Chart {
  const parts = layOut(into);
  const { plot, mount, legend, text } = parts;
  const live = new Live(plot, send, tellZoom);
  const crosshair = createCrosshair(
    plot,
    () => live.read(),
    (listener) => live.follow(listener),
  );
  const isPictured = !canMount(manager);
  const saver = makeSaver({
    ...parts,
    isPictured,
    state: () => live.state,
    curves: () => live.read()?.curves ?? [],
    hasKernel: () => live.hasKernel,
    ask: () => live.askForTable(),
    say,
  });
  const setLive = (isLive: boolean): void => {
    live.setKernel(isLive);
    tellLive(isLive);
    if (!isLive) {
      saver.lose();
    }
  };
  let showPicture = (_svg: string): void => undefined;
  let unmount = (): void => undefined;
  if (isPictured) {
    makeStill(plot);
    showPicture = makePicture(mount);
    send({ command: "draw" });
  } else {
    const unlisten = listenTo(plot, live, crosshair);
    const tellFigure = (figure: Live["figure"]): void => {
      live.figure = figure;
    };
    const unmountFigure = mountFigure(manager, figureId, mount, { live: setLive, figure: tellFigure });
    unmount = () => {
      unlisten();
      unmountFigure();
    };
  }
  return {
    show(state) {
      live.state = state;
      const { legend: entries, margins, runs, text: words } = state.chart_state;
      const { top, right, bottom, left } = margins;
      const drawn = runs.filter(({ is_hidden }) => !is_hidden);
      const newest = drawn.filter(({ is_current }) => is_current).at(-1) ?? drawn.at(-1);
      showLegend(legend, isPictured ? [] : entries, newest?.color ?? 0);
      legend.style.setProperty("--lrw-left", `${left}px`); // it begins where the plot area does
      if (text.textContent !== words) {
        text.textContent = words;
      }
      into.style.setProperty("--lrw-margins", `${top}px ${right}px ${bottom}px ${left}px`);
      plot.classList.toggle("lrw-pickable", !isPictured && live.can("pick"));
      showPicture(state.picture);
      crosshair.refresh();
    },
    exportAs: saver.exportAs,
    receive: saver.receive,
    setLive,
    isZoomed: () => live.isZoomed(),
    resetZoom: () => live.zoom(null),
    remove() {
      crosshair.hide();
      unmount();
      into.replaceChildren();
    },
  };
}

function listenTo(plot: HTMLElement, live: Live, crosshair: Crosshair): () => void {
  const press = (key: string): boolean => {
    const rate = crosshair.rate();
    if (rate === null || (key !== "Enter" && key !== "Escape")) {
      return crosshair.press(key);
    }
    if (key === "Enter") {
      live.pick(rate);
    } else {
      crosshair.hide();
    }
    return true;
  };
  return listen(plot, {
    frame: () => live.read()?.frame ?? null,
    canZoom: () => live.canZoom(),
    isZoomed: () => live.isZoomed(),
    look: crosshair.point,
    leave: crosshair.hide,
    pick: (at) => live.pickAt(at),
    zoom: (window) => live.zoom(window),
    press,
  });
}

interface Parts {
  plot: HTMLElement;
  mount: HTMLElement;
  legend: HTMLElement;
  text: HTMLElement;
}

function layOut(into: HTMLElement): Parts {
  const make = (name: string, className: string): HTMLElement => {
    const element = document.createElement(name);
    element.className = className;
    return element;
  };
  const [plot, mount] = [make("div", "lrw-plot"), make("div", "lrw-mount")];
  const [legend, text] = [make("ul", "lrw-legend"), make("p", "lrw-unseen")];
  text.id = `lrw-chart-text-${++count}`;
  into.setAttribute("role", "group");
  into.setAttribute("aria-label", NAME);
  into.setAttribute("aria-describedby", text.id);
  plot.setAttribute("role", "slider");
  plot.setAttribute("aria-label", `${NAME}: arrow keys read the points, Enter picks a rate`);
  plot.setAttribute("aria-describedby", text.id);
  plot.tabIndex = 0;
  tellNothing(plot, "no point is read");
  legend.setAttribute("aria-label", "Legend");
  plot.append(mount);
  into.replaceChildren(plot, legend, text);
  return { plot, mount, legend, text };
}

/** A picture has no points to read, and a name of its own. */
function makeStill(plot: HTMLElement): void {
  const names = ["valuemin", "valuemax", "valuenow", "valuetext", "label", "describedby"].map((name) => `aria-${name}`);
  for (const name of ["role", "tabindex", ...names]) {
    plot.removeAttribute(name);
  }
}
