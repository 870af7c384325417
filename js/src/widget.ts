// The module that anywidget loads: connects the model, which Jupyter keeps in step with Python, to a view.

import "./widget.css";
import { idOf, makePicture, mountFigure, type WidgetManager } from "./figure";
import { type Command, STATE_KEYS, type State } from "./protocol";
import { followTheme } from "./theme";
import { createView } from "./view";

const PATIENCE_MS = 1500; // after this time without an answer, the view says that it waits
const STOPPING = "Stopping after this step.";
const WAITING = "Waiting for the kernel: it is busy with a cell, or not connected.";

interface Model {
  get(name: string): unknown;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback: (...args: never[]) => void): void;
  send(content: unknown): void;
  widget_manager?: Partial<WidgetManager>; // marimo has a part of it only
}

function readState(model: Model): State {
  return Object.fromEntries(STATE_KEYS.map((key) => [key, model.get(key)])) as unknown as State;
}

function canMount(manager: Partial<WidgetManager> | undefined): manager is WidgetManager {
  return typeof manager?.get_model === "function" && typeof manager.create_view === "function";
}

/** A style that hides what the notebook stores beside this view (lr_widget/widget/export.py), as long as the view is there. */
function hideStored(id: string): HTMLStyleElement {
  const style = document.createElement("style");
  style.textContent = `.lrw-picture-${id}, .jp-OutputArea-child:has(.lrw-picture-${id}):not(:has(.lrw)) { display: none; }`;
  return style;
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const root = document.createElement("div");
  el.append(root);
  const unfollow = followTheme(root);
  const waiting = new Map<string, ReturnType<typeof setTimeout>>();
  const overdue = new Set<string>();
  const viewId = Math.random().toString(36).slice(2); // every view receives all answers, so each marks its own commands
  let count = 0;
  let stopping = 0; // the id of the run that was asked to stop, or 0
  // A run that blocks the kernel explains itself, and nothing that it cannot hear yet may cover that. It says that it
  // stops only at the end of its step.
  const blockingRun = (): number => {
    const { is_blocking, run_id } = readState(model).view_state;
    return is_blocking ? run_id : 0;
  };
  const sayOwnWords = (): void => {
    const run = blockingRun();
    const isWaiting = run === 0 && overdue.size > 0;
    view.say(run !== 0 && run === stopping ? STOPPING : isWaiting ? WAITING : "");
  };
  const send = (command: Command): void => {
    const mine = `${viewId}-${++count}`;
    stopping = command.command === "stop" ? command.run_id : stopping;
    sayOwnWords();
    waiting.set(
      mine,
      setTimeout(() => {
        overdue.add(mine);
        sayOwnWords();
      }, PATIENCE_MS),
    );
    model.send({ ...command, serial: mine });
  };
  const view = createView(root, send);

  let showPictures = (): void => undefined;
  let lastBlockingRun = blockingRun();
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
          showPictures();
          if (blockingRun() !== lastBlockingRun) {
            lastBlockingRun = blockingRun();
            sayOwnWords();
          }
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
        sayOwnWords();
      }
    }
  };
  const events = STATE_KEYS.map((key) => `change:${key}`);
  for (const event of events) {
    model.on(event, update);
  }
  model.on("msg:custom", answered);
  view.show(readState(model));
  const id = idOf(String(model.get("figure")));
  const manager = model.widget_manager;
  let unmount = (): void => undefined;
  if (canMount(manager)) {
    unmount = mountFigure(manager, id, view.chart, view.setLive);
  } else {
    const showPicture = makePicture(view.chart);
    showPictures = () => showPicture(readState(model).picture);
    send({ command: "draw" });
  }
  root.append(hideStored(id));

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
    unfollow();
    root.remove();
  };
}

export default { render };
