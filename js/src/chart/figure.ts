// The live chart, a widget of its own made in Python, and the picture of it for pages that cannot mount a widget.

import type { Model } from "./models";

export const NAME = "Loss over the learning rate";
const CHECK_MS = 250;
const CHECKS = 20; // then a change of the size will tell bqplot itself

interface ChildView {
  el: HTMLElement;
  relayout?(): void;
  trigger(event: string): void;
  remove(): void;
}

/** The figure's model, which tells if a kernel stands behind it; hosts that say nothing of it have one. */
interface ChildModel extends Model {
  comm_live?: boolean;
}

/** The part of the host's widget manager that is used here; anywidget's own types have only get_model. */
export interface WidgetManager {
  get_model(id: string): Promise<ChildModel>;
  create_view(model: ChildModel, options: object): Promise<ChildView>;
}

export function canMount(manager: Partial<WidgetManager> | undefined): manager is WidgetManager {
  return typeof manager?.get_model === "function" && typeof manager.create_view === "function";
}

/** Mount the widget with this id, tell of its model and if a kernel stands behind it, and return a function that removes it. */
export function mountFigure(
  manager: WidgetManager,
  id: string,
  into: HTMLElement,
  tell: { live(isLive: boolean): void; figure(model: Model): void },
): () => void {
  let isGone = false;
  let child: ChildView | undefined;
  let unfollow = (): void => undefined;
  let end = (): void => undefined;

  async function mount(): Promise<void> {
    const model = await manager.get_model(id);
    if (isGone) {
      return;
    }
    tell.figure(model);
    const follow = (): void => tell.live(model.comm_live !== false);
    model.on?.("comm_live_update", follow);
    unfollow = () => model.off?.("comm_live_update", follow);
    follow();
    child = await manager.create_view(model, {});
    if (isGone) {
      child.remove();
      return;
    }
    child.el.setAttribute("aria-hidden", "true"); // the chart's own text says more than its ticks do
    into.replaceChildren(child.el);
    // bqplot measures and draws its figure on this event; without it, the chart stays empty.
    child.trigger("displayed");
    end = keepMeasured(child);
  }

  mount().catch((error: unknown) => {
    if (!isGone) {
      into.textContent = `The chart cannot be shown here: ${error instanceof Error ? error.message : String(error)}`;
    }
  });

  return () => {
    isGone = true;
    unfollow();
    end();
    child?.remove();
  };
}

/**
 * Let bqplot measure its figure again where it found no size, until the returned function is called. It hides the figure
 * then, and if the page takes the size back within a frame, as JupyterLab does for another theme, nothing tells bqplot.
 */
function keepMeasured(child: ChildView): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const check = (left: number): void => {
    clearTimeout(timer);
    if (child.el.style.visibility === "hidden" && left > 0) {
      if (child.el.getBoundingClientRect().width > 0) {
        child.relayout?.();
      }
      timer = setTimeout(() => check(left - 1), CHECK_MS);
    }
  };
  const hiding = new MutationObserver(() => check(CHECKS));
  hiding.observe(child.el, { attributes: true, attributeFilter: ["style"] });
  return () => {
    hiding.disconnect();
    clearTimeout(timer);
  };
}

/** Make room for pictures of the chart, and return a function that shows one, an SVG document. */
export function makePicture(into: HTMLElement): (svg: string) => void {
  const image = document.createElement("img");
  image.alt = NAME;
  const caption = document.createElement("p");
  caption.textContent =
    "This page cannot show the live chart. The picture of it follows the run; to pick a rate, type it below.";
  into.classList.add("lrw-pictured");
  into.replaceChildren(image, caption);
  let shown = "";
  image.hidden = true;
  return (svg) => {
    if (svg !== shown) {
      shown = svg;
      image.hidden = false;
      image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
    }
  };
}
