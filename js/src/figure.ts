// Mounts the chart, which is a widget of its own made in Python, in an element of a view.

interface ChildView {
  el: HTMLElement;
  trigger(event: string): void;
  remove(): void;
}

/** The part of the host's widget manager that is used here; anywidget's own types have only get_model. */
export interface WidgetManager {
  get_model(id: string): Promise<unknown>;
  create_view(model: unknown, options: object): Promise<ChildView>;
}

/** Mount the widget with this reference ("IPY_MODEL_…") and return a function that removes it. */
export function mountFigure(manager: WidgetManager, reference: string, into: HTMLElement): () => void {
  let isGone = false;
  let child: ChildView | undefined;

  async function mount(): Promise<void> {
    const model = await manager.get_model(reference.replace("IPY_MODEL_", ""));
    if (isGone) {
      return;
    }
    child = await manager.create_view(model, {});
    if (isGone) {
      child.remove();
      return;
    }
    into.replaceChildren(child.el);
    // bqplot measures and draws its figure on this event; without it, the chart stays empty.
    child.trigger("displayed");
  }

  mount().catch((error: unknown) => {
    if (!isGone) {
      into.textContent = `The chart cannot be shown here: ${error instanceof Error ? error.message : String(error)}`;
    }
  });

  return () => {
    isGone = true;
    child?.remove();
  };
}
