// A stand-in for the model that Jupyter gives a view.
import { afterEach, beforeEach, vi } from "vitest";
import type { State } from "../src/protocol";
import widget from "../src/widget";

/** The part of a Jupyter model that the widget uses. */
export class FakeModel {
  state: Record<string, unknown>;
  sent: Record<string, unknown>[] = [];
  listeners = new Map<string, Set<(value: never) => void>>();
  child = { el: document.createElement("p"), trigger: vi.fn(), remove: vi.fn(), relayout: vi.fn() };
  figure = {
    comm_live: true,
    listeners: new Set<() => void>(),
    on: (_: string, callback: () => void) => void this.figure.listeners.add(callback),
    off: (_: string, callback: () => void) => void this.figure.listeners.delete(callback),
  };
  widget_manager = {
    get_model: vi.fn(() => Promise.resolve(this.figure)),
    create_view: vi.fn(() => Promise.resolve(this.child)),
  };

  constructor(state: State) {
    this.state = { ...state, figure: "IPY_MODEL_abc" };
  }
  get(name: string): unknown {
    return this.state[name];
  }
  on(event: string, callback: (value: never) => void): void {
    this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(callback));
  }
  off(event: string, callback: (value: never) => void): void {
    this.listeners.get(event)?.delete(callback);
  }
  send(content: Record<string, unknown>): void {
    this.sent.push(content);
  }
  emit(event: string, value?: unknown): void {
    for (const callback of this.listeners.get(event) ?? []) {
      callback(value as never);
    }
  }
  get listenerCount(): number {
    return [...this.listeners.values()].reduce((count, set) => count + set.size, 0);
  }
}

export interface Place {
  readonly el: HTMLElement;
  /** Show the widget until the end of the test. */
  render(model: FakeModel, into?: HTMLElement): () => void;
  note(): string | null | undefined;
  press(name: string): void;
}

/** Give each test of a file a new place for views of the widget, off the page, and real timers after it. */
export function usePlace(): Place {
  const removals: (() => void)[] = [];
  let el = document.createElement("div");
  beforeEach(() => {
    el = document.createElement("div");
  });
  afterEach(() => {
    for (const remove of removals.splice(0)) {
      remove();
    }
    vi.useRealTimers();
  });
  return {
    get el() {
      return el;
    },
    render(model, into = el) {
      const remove = widget.render({ model, el: into });
      removals.push(remove);
      return remove;
    },
    note: () => el.querySelector('[data-ref="note"]')?.textContent,
    press: (name) => el.querySelector<HTMLButtonElement>(`[data-ref="${name}"]`)?.click(),
  };
}

/** Wait for a frame. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 30));
}
