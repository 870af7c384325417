// The chart as a file: bqplot's own drawing with the styles of the page written into it, and a legend below.

import { SAMPLE, SVG } from "./legend";

// With the value that an element has where no other is written; it need not be written then.
const STYLES: Record<string, string> = {
  fill: "rgb(0, 0, 0)",
  "fill-opacity": "1",
  "font-family": "",
  "font-size": "",
  "font-weight": "400",
  "paint-order": "normal",
  stroke: "none",
  "stroke-dasharray": "none",
  "stroke-linejoin": "miter",
  "stroke-opacity": "1",
  "stroke-width": "1px",
  "text-anchor": "start",
  visibility: "visible",
};
const GROUNDS = { light: "#ffffff", dark: "#1e1e1e" }; // of a page without a colour of its own
const PNG_SCALE = 2;
const ROW_PX = 20;
const GAP_PX = 16;
const FONT_PX = 12;
const CHARACTER_PX = 6.7; // of that font, where the page does not measure it

/** A line of the legend. */
export interface Entry {
  text: string;
  sample: SVGElement;
}

/** Draw what bqplot shows in `plot`, with a legend of these entries, as an SVG document; null where nothing is drawn. */
export function drawSvg(plot: HTMLElement, entries: readonly Entry[]): string | null {
  const layers = [...plot.querySelectorAll<SVGSVGElement>(".bqplot > svg")];
  if (layers.length === 0) {
    return null;
  }
  const { clientWidth: width, clientHeight: height } = plot;
  const legend = drawLegend(plot, entries, width);
  const total = height + legend.height;
  const root = make("svg", { width, height: total, viewBox: `0 0 ${width} ${total}` });
  root.append(make("rect", { width, height: total, fill: groundOf(plot) }));
  for (const layer of layers) {
    const group = make("g", {});
    group.append(...[...layer.children].map((child) => styled(child)));
    root.append(group);
  }
  legend.element.setAttribute("transform", `translate(0 ${height})`);
  root.append(legend.element);
  return new XMLSerializer().serializeToString(root);
}

function make(name: string, attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    element.setAttribute(key, String(value));
  }
  return element;
}

/** A copy of an element and all in it, with the computed styles as attributes where they are not those around it. */
function styled(element: Element, around: Record<string, string> = STYLES): Element {
  const copy = element.cloneNode(false) as Element;
  const computed = getComputedStyle(element);
  const own: Record<string, string> = { ...around };
  copy.removeAttribute("class");
  copy.removeAttribute("style");
  for (const name of Object.keys(STYLES)) {
    const value = computed.getPropertyValue(name);
    copy.removeAttribute(name); // the style sheet has the last word
    if (value !== "" && value !== around[name]) {
      copy.setAttribute(name, value);
      own[name] = value;
    }
  }
  if (!["", "1"].includes(computed.opacity)) {
    copy.setAttribute("opacity", computed.opacity);
  }
  move(copy, computed.getPropertyValue("translate"));
  if (element.children.length === 0) {
    copy.textContent = element.textContent;
  } else {
    const seen = [...element.children].filter((child) => getComputedStyle(child).display !== "none");
    copy.append(...seen.map((child) => styled(child, own)));
  }
  return copy;
}

/** Write a `translate` of the style sheet into the attribute that programs other than browsers know. */
function move(element: Element, translate: string): void {
  const [right = "", down = "0"] = translate.split(" ");
  const [x, y] = [Number.parseFloat(right), Number.parseFloat(down)];
  if (Number.isFinite(x) && Number.isFinite(y)) {
    element.setAttribute("transform", `translate(${x} ${y}) ${element.getAttribute("transform") ?? ""}`.trim());
  }
}

function drawLegend(
  plot: HTMLElement,
  entries: readonly Entry[],
  width: number,
): { element: SVGElement; height: number } {
  const { color, fontFamily } = getComputedStyle(plot);
  const element = make("g", { "font-family": fontFamily, "font-size": FONT_PX, fill: color });
  const measure = measureIn(fontFamily);
  let x = GAP_PX;
  let rows = entries.length > 0 ? 1 : 0;
  for (const { text, sample } of entries) {
    const size = SAMPLE.width + 6 + measure(text);
    if (x > GAP_PX && x + size > width) {
      x = GAP_PX;
      rows += 1;
    }
    const y = (rows - 0.5) * ROW_PX;
    const path = styled(sample);
    path.setAttribute("transform", `translate(${x} ${y - SAMPLE.height / 2})`);
    const words = make("text", { x: x + SAMPLE.width + 6, y: y + FONT_PX / 3 });
    words.textContent = text;
    element.append(path, words);
    x += size + GAP_PX;
  }
  return { element, height: rows * ROW_PX };
}

function measureIn(fontFamily: string): (text: string) => number {
  const context = document.createElement("canvas").getContext("2d");
  if (context === null) {
    return (text) => text.length * CHARACTER_PX;
  }
  context.font = `${FONT_PX}px ${fontFamily}`;
  return (text) => context.measureText(text).width;
}

/** The colour behind an element. */
function groundOf(element: Element): string {
  let next: Element | null | undefined = element;
  while (next) {
    const color = getComputedStyle(next).backgroundColor;
    if (color.startsWith("rgb(")) {
      return color;
    }
    next = next.parentElement ?? (next.getRootNode() as Partial<ShadowRoot>).host;
  }
  return element.closest('[data-theme="dark"]') === null ? GROUNDS.light : GROUNDS.dark;
}

/** Paint an SVG document, at twice its size. */
export async function paint(svg: string): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = PNG_SCALE * image.naturalWidth;
  canvas.height = PNG_SCALE * image.naturalHeight;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob === null ? reject(new Error("the picture is empty")) : resolve(blob)), "image/png");
  });
}
