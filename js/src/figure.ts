// Puts the chart, a widget of its own made by Python, into an element of ours.

interface ChildView {
  el: HTMLElement;
  trigger(event: string): void;
  remove(): void;
}

/** What of the host's widget manager is used; anywidget's own types know only get_model. */
export interface WidgetManager {
  get_model(id: string): Promise<unknown>;
  create_view(model: unknown, options: object): Promise<ChildView>;
}

/** Mount the widget that `reference` ("IPY_MODEL_…") names; returns how to take it away again. */
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
    // Without this event the figure draws nothing.
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
