// Light or dark, by the colours of the page that are really behind the widget: the system's setting does not tell.

export type Theme = "light" | "dark";
type Color = [red: number, green: number, blue: number, alpha: number]; // each in [0, 1]

const WHITE: Color = [1, 1, 1, 1];
const BLACK: Color = [0, 0, 0, 1];
const TRANSPARENT: Color = [0, 0, 0, 0];
const MIDDLE = 0.18; // on a background of this luminance, black and white text have the same contrast

/** Keep `root.dataset.theme` as the page behind `root` is, until the returned function is called. */
export function followTheme(root: HTMLElement): () => void {
  const end = new AbortController();
  const { signal } = end;
  let frame = 0;
  let observed: Element[] = [];
  const look = (): void => {
    frame = 0;
    const theme = themeBehind(root);
    if (root.dataset.theme !== theme) {
      root.dataset.theme = theme;
    }
    const ancestors = [...ancestorsOf(root)];
    if (ancestors.length !== observed.length || ancestors.some((ancestor, index) => ancestor !== observed[index])) {
      observe(ancestors); // the root has been attached or moved
    }
  };
  const observe = (ancestors: Element[]): void => {
    observed = ancestors;
    changes.disconnect();
    for (const ancestor of ancestors) {
      changes.observe(ancestor, { attributes: true });
    }
    changes.observe(document.body, { attributes: true, childList: true }); // JupyterLab puts its themes there
    changes.observe(document.head, { attributes: true, childList: true, characterData: true, subtree: true });
  };
  const lookSoon = (): void => {
    // Once a frame, however often the page changes in it.
    frame ||= requestAnimationFrame(look);
  };
  const changes = new MutationObserver(lookSoon);
  // Colab attaches the root after it was rendered; its size then changes from nothing to something.
  const attachment = new ResizeObserver(lookSoon);

  look();
  attachment.observe(root);
  document.addEventListener("load", lookSoon, { capture: true, signal }); // of a style sheet; load does not bubble
  document.addEventListener("transitionend", lookSoon, { signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", lookSoon, { signal });

  return () => {
    end.abort();
    changes.disconnect();
    attachment.disconnect();
    cancelAnimationFrame(frame);
  };
}

function themeBehind(root: HTMLElement): Theme {
  const layers: Color[] = [];
  for (const ancestor of ancestorsOf(root)) {
    layers.push(parse(getComputedStyle(ancestor).backgroundColor));
    if (layers.at(-1)?.[3] === 1) {
      return themeOf(layers);
    }
  }
  return themeOf([...layers, (themeMarked() ?? themeOfText(root)) === "dark" ? BLACK : WHITE]);
}

function* ancestorsOf(element: Element): Generator<Element> {
  let next: Element | null = element;
  while (next !== null) {
    const parent: Node | null = next.parentNode;
    next = parent instanceof ShadowRoot ? parent.host : parent instanceof Element ? parent : null;
    if (next !== null) {
      yield next;
    }
  }
}

/** The theme by the marks of VS Code, Colab or Jupyter, whose frames can be transparent. */
function themeMarked(): Theme | undefined {
  const { body, documentElement: html } = document;
  // A light page of high contrast has the other's class, too.
  if (body.matches(".vscode-light, .vscode-high-contrast-light, [data-jp-theme-light=true]")) {
    return "light";
  }
  if (html.getAttribute("theme") === "dark") {
    return "dark";
  }
  return body.matches(".vscode-dark, .vscode-high-contrast, [data-jp-theme-light=false]") ? "dark" : undefined;
}

function themeOfText(root: HTMLElement): Theme {
  const color = parse(getComputedStyle(root.parentElement ?? document.body).color);
  return color[3] > 0 && luminance(color) > MIDDLE ? "dark" : "light";
}

/** The theme for a background of layers, the opaque one last. */
function themeOf(layers: Color[]): Theme {
  const over = (below: Color, [red, green, blue, alpha]: Color): Color => {
    const mix = (upper: number, lower: number): number => alpha * upper + (1 - alpha) * lower;
    return [mix(red, below[0]), mix(green, below[1]), mix(blue, below[2]), 1];
  };
  return luminance(layers.reduceRight(over, WHITE)) > MIDDLE ? "light" : "dark";
}

/** Relative luminance, as WCAG defines it. */
function luminance([red, green, blue]: Color): number {
  const linear = (part: number): number => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

/** Read a computed colour. */
function parse(text: string): Color {
  const form = /^(rgba?|color)\((?:srgb )?([^a-z]+)\)$/.exec(text);
  if (form === null) {
    return text === "" || text === "transparent" ? TRANSPARENT : paint(text);
  }
  const [red = 0, green = 0, blue = 0, alpha = 1] = (form[2] ?? "").split(/[\s,/]+/).map(Number);
  const scale = form[1] === "color" ? 1 : 255;
  return [red / scale, green / scale, blue / scale, alpha];
}

/** Let the browser convert a colour of another space, such as oklch(). */
function paint(text: string): Color {
  const context = document.createElement("canvas").getContext("2d");
  if (context === null) {
    return TRANSPARENT;
  }
  context.fillStyle = text;
  context.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0, alpha = 0] = context.getImageData(0, 0, 1, 1).data;
  return [red / 255, green / 255, blue / 255, alpha / 255];
}
