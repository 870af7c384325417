// The chart and its numbers as files that the browser saves, made without a kernel where that is possible.

import type { ShownRun, State } from "../protocol";
import { drawSvg, type Entry, paint } from "./drawing";
import { makeSwatch } from "./legend";
import type { Curve } from "./models";
import { isComplete, tableOf } from "./table";

export type ExportKind = "png" | "svg" | "csv";

const NO_DOWNLOADS = "This page does not allow downloads.";
const NO_CURVE = "There is no curve to save yet.";
const NO_PNG = "This page cannot paint the picture; save it as SVG.";
const POINTS_ONLY = "lr_range_test.csv has the points that are drawn; with a kernel, it has every step.";
const POINTS_SO_FAR = "lr_range_test.csv has the points drawn so far; after the run, it has every step.";
const ENDED_ONLY = "lr_range_test.csv has the runs that have ended.";

/** All that files are made from. */
export interface Sources {
  plot: HTMLElement;
  legend: HTMLElement;
  state(): State | undefined;
  curves(): Curve[];
  /** The page shows a picture instead of the live chart. */
  isPictured: boolean;
  hasKernel(): boolean;
  /** Ask the kernel for the table of all steps; false where there is none to ask. */
  ask(): boolean;
  say(text: string): void;
}

export interface Saver {
  exportAs(kind: ExportKind): void;
  /** Take in a message of the kernel: its answer may be among them. */
  receive(content: unknown): void;
  /** The kernel has gone: what it was asked for is made here. */
  lose(): void;
}

export function makeSaver(from: Sources): Saver {
  let isAwaited = false;
  const save = (parts: string | Blob, type: string, ending: ExportKind, message?: string): void => {
    const name = `lr_range_test.${ending}`;
    try {
      download(new Blob([parts], { type }), name);
      from.say(message ?? `The browser saves ${name}.`);
    } catch {
      from.say(NO_DOWNLOADS);
    }
  };
  const shownRuns = (): ShownRun[] => (from.state()?.chart_state.runs ?? []).filter(({ is_hidden }) => !is_hidden);
  const saveTable = (): void => {
    const curves = from.curves();
    const shown = shownRuns();
    const isAll = shown.length === curves.length && isComplete(curves);
    if ((!isAll || curves.length === 0) && from.ask()) {
      isAwaited = true;
    } else if (curves.length === 0) {
      from.say(NO_CURVE);
    } else {
      const message = from.hasKernel() ? POINTS_SO_FAR : POINTS_ONLY;
      save(tableOf(curves), "text/csv", "csv", isAll ? undefined : message);
    }
  };
  const lose = (): void => {
    if (isAwaited) {
      isAwaited = false;
      saveTable();
    }
  };
  const savePicture = (ending: "png" | "svg"): void => {
    const svg = from.isPictured ? from.state()?.picture : draw(from);
    if (!svg) {
      from.say(NO_CURVE);
    } else if (ending === "svg") {
      save(svg, "image/svg+xml", ending);
    } else {
      paint(svg).then(
        (picture) => save(picture, "image/png", ending),
        () => from.say(NO_PNG),
      );
    }
  };
  return {
    exportAs: (kind) => (kind === "csv" ? saveTable() : savePicture(kind)),
    lose,
    receive: (content) => {
      const table = (content as { csv?: unknown } | null)?.csv;
      if (isAwaited && typeof table === "string") {
        isAwaited = false; // every view of the widget gets the message
        const isAnyGrowing = shownRuns().some(({ is_growing }) => is_growing);
        save(table, "text/csv", "csv", isAnyGrowing ? ENDED_ONLY : undefined);
      }
    },
  };
}

function draw({ plot, legend, curves }: Sources): string | null {
  const runs = curves().map(({ run }) => run);
  const samples = sampleRuns(runs.length > 1 ? runs : []);
  plot.append(samples); // the colours come from the page's style sheet
  const svg = drawSvg(plot, entriesOf([...samples.children, ...legend.children]));
  samples.remove();
  return svg;
}

/** An entry of the legend for each run. */
function sampleRuns(runs: readonly ShownRun[]): HTMLElement {
  const holder = document.createElement("div");
  holder.hidden = true;
  holder.append(
    ...runs.map(({ name, color, is_current }) => {
      const entry = document.createElement("span");
      entry.dataset.color = String(color);
      entry.classList.toggle("lrw-current", is_current);
      entry.append(makeSwatch(), name);
      return entry;
    }),
  );
  return holder;
}

function entriesOf(elements: readonly Element[]): Entry[] {
  return elements.map((element) => ({
    text: element.textContent ?? "",
    sample: element.querySelector("path") as SVGElement,
  }));
}

/** Let the browser save a file. */
function download(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // some browsers begin to read it later
}
