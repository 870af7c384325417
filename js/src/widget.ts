// The module that anywidget loads: connects the model, which Jupyter keeps in step with Python, to a view.

import "./widget.css";
import { mountFigure, type WidgetManager } from "./figure";
import { type Command, STATE_KEYS, type State } from "./protocol";
import { createView } from "./view";

const PATIENCE_MS = 1500; // after this time without an answer, the view says that it waits
const GRACE_MS = 500; // for the kernel to read a Stop before it is interrupted
const WAITING = "Waiting for the kernel: it is busy with a cell, or not connected.";

interface Model {
  get(name: string): unknown;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback: (...args: never[]) => void): void;
  send(content: unknown): void;
  widget_manager: WidgetManager & { kernel?: { interrupt?: () => Promise<void> } };
}

function readState(model: Model): State {
  return Object.fromEntries(STATE_KEYS.map((key) => [key, model.get(key)])) as unknown as State;
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const root = document.createElement("div");
  el.append(root);
  const waiting = new Map<string, ReturnType<typeof setTimeout>>();
  const overdue = new Set<string>();
  const viewId = Math.random().toString(36).slice(2); // every view receives all answers, so each marks its own commands
  let count = 0;
  let interrupting = 0; // the id of the run that is about to be interrupted, or 0

  // A cell that runs the test can keep the kernel from reading the message; then interrupt the kernel, if the host can.
  // If the kernel has read it, do not: the interrupt would hit the rest of the cell.
  const interruptUnlessHeard = (runId: number): void => {
    if (interrupting === runId) {
      return;
    }
    interrupting = runId;
    setTimeout(() => {
      interrupting = interrupting === runId ? 0 : interrupting;
      const { view_state: now } = readState(model);
      if (now.is_blocking && now.run_id === runId && now.can.includes("stop")) {
        model.widget_manager.kernel?.interrupt?.().catch(() => undefined);
      }
    }, GRACE_MS);
  };
  const sayWhetherWaiting = (): void => view.say(overdue.size > 0 ? WAITING : "");
  const send = (command: Command): void => {
    const mine = `${viewId}-${++count}`;
    sayWhetherWaiting();
    waiting.set(
      mine,
      setTimeout(() => {
        overdue.add(mine);
        sayWhetherWaiting();
      }, PATIENCE_MS),
    );
    model.send({ ...command, serial: mine });
    if (command.command === "stop" && readState(model).view_state.is_blocking) {
      view.say("Stopping after this step.");
      interruptUnlessHeard(command.run_id);
    }
  };
  const view = createView(root, send);

  let isPlanned = false;
  let isGone = false;
  const update = (): void => {
    // Several traits change in one message; show them once.
    if (!isPlanned) {
      isPlanned = true;
      queueMicrotask(() => {
        isPlanned = false;
        if (!isGone) {
          view.show(readState(model));
        }
      });
    }
  };
  const answered = (content: { done?: string }): void => {
    if (content.done !== undefined && waiting.has(content.done)) {
      clearTimeout(waiting.get(content.done));
      waiting.delete(content.done);
      overdue.delete(content.done);
      if (waiting.size === 0 || overdue.size > 0) {
        sayWhetherWaiting();
      }
    }
  };
  const events = STATE_KEYS.map((key) => `change:${key}`);
  for (const event of events) {
    model.on(event, update);
  }
  model.on("msg:custom", answered);
  view.show(readState(model));
  const unmount = mountFigure(model.widget_manager, String(model.get("figure")), view.chart);

  return () => {
    isGone = true;
    for (const event of events) {
      model.off(event, update);
    }
    model.off("msg:custom", answered);
    for (const timer of waiting.values()) {
      clearTimeout(timer);
    }
    unmount();
    root.remove();
  };
}

export default { render };
