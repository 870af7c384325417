// A page with one view, and what the view has sent.
import { type Mock, vi } from "vitest";
import type { SetCommand } from "../src/channel";
import type { Command } from "../src/protocol";
import { createView, type View } from "../src/view";
import { makeState } from "./state";

export interface Page {
  root: HTMLElement;
  view: View;
  sent: Command[];
  /** Called when the last value of a slider was answered. */
  settle: () => void;
  exportAs: Mock;
  resetZoom: Mock;
  ref<T extends HTMLElement = HTMLInputElement>(name: string): T;
  /** Type a text into a field, and press Enter. */
  enter(field: string | HTMLInputElement, text: string): void;
  press(name: string): void;
}

export function openPage(): Page {
  const root = document.createElement("div");
  document.body.replaceChildren(root);
  const sent: Command[] = [];
  const exportAs = vi.fn();
  const resetZoom = vi.fn();
  const slide = (command: SetCommand, settled: () => void): void => {
    sent.push(command);
    page.settle = settled;
  };
  const view = createView(root, { send: (command) => void sent.push(command), slide, exportAs, resetZoom });
  const ref = <T extends HTMLElement = HTMLInputElement>(name: string): T =>
    root.querySelector<T>(`[data-ref="${name}"]`) as T;
  const page: Page = {
    root,
    view,
    sent,
    settle: () => undefined,
    exportAs,
    resetZoom,
    ref,
    enter(field, text) {
      const input = typeof field === "string" ? ref(field) : field;
      input.value = text;
      input.dispatchEvent(new Event("input"));
      input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    },
    press: (name) => ref(name).click(),
  };
  view.show(makeState());
  return page;
}

export const rests = (element: Element): boolean =>
  element.getAttribute("aria-disabled") === "true" ||
  (element as HTMLInputElement).readOnly ||
  element.matches(":disabled");
