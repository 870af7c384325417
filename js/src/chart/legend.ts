// The legend: a sample and a text for each kind of thing that is on the chart.

import type { LegendEntry, LegendKind } from "../protocol";

export const SVG = "http://www.w3.org/2000/svg";
export const SAMPLE = { width: 18, height: 10 };

const BOX = "M0.5 0.5 H17.5 V9.5 H0.5 Z";
const DISC = (radius: number): string =>
  `M${9 - radius} 5 a${radius} ${radius} 0 1 0 ${2 * radius} 0 a${radius} ${radius} 0 1 0 -${2 * radius} 0`;

// As the chart draws them, in a box of that size.
const PATHS: Record<LegendKind, string> = {
  raw: "M0 7 L4 3 L8 6 L13 2 L18 5",
  smoothed: "M0 5 H18",
  validation: `M0 5 H18 ${DISC(2)}`,
  band: BOX,
  range: BOX,
  unstable: BOX,
  probe: DISC(4),
  probe_aside: "M9 0 L14 5 L9 10 L4 5 Z",
  probe_cut: "M7.5 0.5 H10.5 V3.5 H13.5 V6.5 H10.5 V9.5 H7.5 V6.5 H4.5 V3.5 H7.5 Z",
};

/** A sample of a kind; its colours come from the style sheet. */
function makeSample(kind: LegendKind): SVGSVGElement {
  const svg = makeSvg(PATHS[kind]);
  svg.firstElementChild?.setAttribute("class", `lrw-sample lrw-sample-${kind}`);
  return svg;
}

/** The line of a run, as the list of runs has it, where an element around it has the run's colour. */
export function makeSwatch(): SVGSVGElement {
  const svg = makeSvg(PATHS.smoothed);
  svg.setAttribute("class", "lrw-swatch");
  return svg;
}

function makeSvg(path: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${SAMPLE.width} ${SAMPLE.height}`);
  svg.setAttribute("width", String(SAMPLE.width));
  svg.setAttribute("height", String(SAMPLE.height));
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

/** Show the entries in `list`, where they differ from those that are shown; `color` is the current run's place in the palette. */
export function showLegend(list: HTMLElement, entries: readonly LegendEntry[], color: number): void {
  if (list.dataset.color !== String(color)) {
    list.dataset.color = String(color);
  }
  const wanted = JSON.stringify(entries);
  if (list.dataset.shown === wanted) {
    return;
  }
  list.dataset.shown = wanted;
  list.replaceChildren(
    ...entries.map(({ kind, text }) => {
      const entry = document.createElement("li");
      entry.dataset.kind = kind;
      const words = document.createElement("span");
      words.textContent = text;
      entry.append(makeSample(kind), words);
      return entry;
    }),
  );
}
