// The module that anywidget loads: connects the model, which Jupyter keeps in step with Python, to a view.

import "./css/palette.css";
import "./css/base.css";
import "./css/layout.css";
import "./css/answer.css";
import "./css/curves.css";
import { openChannel } from "./channel";
import { type ChartOptions, createChart } from "./chart";
import { type Command, STATE_KEYS, type State } from "./protocol";
import { followTheme } from "./theme";
import { createView } from "./view";

const STOPPING = "Stopping after this step.";
const WAITING = "Waiting for the kernel: it is busy with a cell, or not connected.";

interface Model {
  get(name: string): unknown;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback: (...args: never[]) => void): void;
  send(content: unknown): unknown;
  widget_manager?: NonNullable<ChartOptions["manager"]>; // marimo has a part of it only
}

function readState(model: Model): State {
  return Object.fromEntries(STATE_KEYS.map((key) => [key, model.get(key)])) as unknown as State;
}

/** A style that hides what the notebook stores beside this view (lr_widget/widget/takeaway), as long as the view is there. */
function hideStored(id: string): HTMLStyleElement {
  const style = document.createElement("style");
  style.textContent = `.lrw-picture-${id}, .jp-OutputArea-child:has(.lrw-picture-${id}):not(:has(.lrw)) { display: none; }`;
  return style;
}

/** The id in a reference to a widget, "IPY_MODEL_…". */
function idOf(reference: string): string {
  return reference.replace("IPY_MODEL_", "");
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const root = document.createElement("div");
  el.append(root);
  const unfollow = followTheme(root);
  let stopping = 0; // the id of the run that was asked to stop, or 0
  let said = "";
  let isLost = false; // a message did not reach the kernel, and none of the kernel's has come since
  // A run that blocks the kernel explains itself, and nothing that it cannot hear yet may cover that. It says that it
  // stops only at the end of its step.
  const blockingRun = (): number => {
    const { is_blocking, run_id } = readState(model).view_state;
    return is_blocking ? run_id : 0;
  };
  const wordsOfWaiting = (): string => {
    const run = blockingRun();
    const isWaiting = run === 0 && channel.isOverdue();
    return run !== 0 && run === stopping ? STOPPING : isWaiting ? WAITING : "";
  };
  const sayIfChanged = (): void => {
    const words = wordsOfWaiting();
    if (words !== said) {
      said = words;
      view.say(words);
    }
  };
  const lose = (): void => {
    isLost = true;
    queueMicrotask(() => chart.setLive(false)); // the first message goes while the chart is being made
  };
  const hear = (): void => {
    if (isLost) {
      isLost = false;
      chart.setLive(true);
    }
  };
  const channel = openChannel((message) => model.send(message), lose, sayIfChanged);
  const send = (command: Command): void => {
    stopping = command.command === "stop" ? command.run_id : stopping;
    said = wordsOfWaiting();
    view.say(said); // other words of this browser, of an earlier click, go
    channel.send(command);
  };
  const view = createView(root, {
    send,
    slide: channel.slide,
    exportAs: (kind) => chart.exportAs(kind),
    resetZoom: () => chart.resetZoom(),
  });
  let frame = 0;
  const show = (): void => {
    frame = 0;
    const state = readState(model);
    chart.show(state);
    const is_zoomed = chart.isZoomed(); // without a kernel, this browser zooms
    view.show({ ...state, chart_state: { ...state.chart_state, is_zoomed } });
    sayIfChanged();
  };
  // However many messages come, show the last state, once a frame.
  const showSoon = (): void => {
    frame ||= requestAnimationFrame(show);
  };
  const id = idOf(String(model.get("figure")));
  const chart = createChart({
    into: view.chart,
    manager: model.widget_manager,
    figureId: id,
    send,
    say: view.say,
    tellLive: view.setLive,
    tellZoom: showSoon,
  });
  const update = (): void => {
    hear();
    showSoon();
  };
  const receive = (content: unknown): void => {
    hear();
    channel.receive(content);
    chart.receive(content);
    showSoon(); // an entry that has changed nothing gives way to the setting
  };
  const events = STATE_KEYS.map((key) => `change:${key}`);
  for (const event of events) {
    model.on(event, update);
  }
  model.on("msg:custom", receive);
  show();
  root.append(hideStored(id));

  return () => {
    cancelAnimationFrame(frame);
    for (const event of events) {
      model.off(event, update);
    }
    model.off("msg:custom", receive);
    channel.close();
    chart.remove();
    unfollow();
    root.remove();
  };
}

export default { render };
