// One view of the widget: shows a state, and turns clicks and entries into commands. It knows nothing of Jupyter.

import { setProse, setText, setValue, showChoice, showSlider } from "./dom";
import type { Command, Possible, Setting, State } from "./protocol";
import { countText, positionOf, rateAt, rateAtPixel, rateText, SLIDER_STEP } from "./rates";
import { findRefs, PAUSE, PLAY, type Refs } from "./template";

const UNSAID = "How long will you train? The suggestion is then for that.";
const SAID = "Only the rules auto and probe are for it.";
const OFFLINE = "No kernel is connected: this shows the last state. Run the cell again to use it.";

export interface View {
  /** The element for the chart. */
  chart: HTMLElement;
  /** Show a state. */
  show(state: State): void;
  /** Say if a kernel is there; without one, the controls rest. */
  setLive(isLive: boolean): void;
  /** Show a message of this browser in the status line; an empty one brings the kernel's message back. */
  say(text: string): void;
}

export function createView(root: HTMLElement, send: (command: Command) => void): View {
  root.classList.add("lrw");
  keepShortcutsOut(root);
  const refs = findRefs(root);
  let state: State | undefined;
  let given: State | undefined; // with all that the kernel can do, if there is one
  let ownWords = "";
  let isLive = true;

  const show = (latest: State): void => {
    given = latest;
    const next = isLive ? latest : atRest(latest);
    if (next.view_state.note.text !== state?.view_state.note.text) {
      ownWords = "";
    }
    state = next;
    showControls(refs, next);
    showSettings(refs, next);
    showResult(refs, next, (rule) => send({ command: "set", name: "rule", value: rule }));
    showNote(refs, next, ownWords, isLive);
  };
  const say = (text: string): void => {
    ownWords = text;
    if (state !== undefined) {
      showNote(refs, state, ownWords, isLive);
    }
  };
  const setLive = (next: boolean): void => {
    isLive = next;
    root.dataset.live = isLive ? "yes" : "no";
    const { smoothing, variable, max_probe_steps, train_steps, train_schedule } = refs;
    for (const field of [smoothing, variable, max_probe_steps, train_steps, train_schedule]) {
      field.disabled = !isLive;
    }
    if (given !== undefined) {
      show(given);
    }
  };
  listenToButtons(refs, () => state, send, say);
  listenToSettings(refs, () => state, send);
  listenToPicks(refs, () => state, send);
  listenToTraceback(refs);
  return { chart: refs.chart, show, say, setLive };
}

/** A state in which only the script can be copied, which needs no kernel. */
function atRest(state: State): State {
  const can = state.view_state.can.filter((command) => command === "code");
  return { ...state, view_state: { ...state.view_state, can } };
}

/** Keep JupyterLab from taking Enter, arrows and letters for shortcuts: it looks for this mark on the focused element. */
function keepShortcutsOut(root: HTMLElement): void {
  root.addEventListener("focusin", ({ target }) => {
    (target as HTMLElement).dataset.lmSuppressShortcuts = "true";
  });
}

type CurrentState = () => State | undefined;
type Send = (command: Command) => void;

function showControls(refs: Refs, { status, view_state: view }: State): void {
  const isPaused = status === "paused";
  const can = (...commands: Possible[]): boolean => commands.some((command) => view.can.includes(command));
  refs.start.disabled = !can("start");
  refs.stop.disabled = !can("stop");
  refs.pause.disabled = !can("pause", "resume");
  refs.pauseIcon.setAttribute("d", isPaused ? PLAY : PAUSE);
  refs.pauseText.textContent = isPaused ? "Resume" : "Pause";
  refs.stop.title = refs.pause.title = view.deaf;
  refs.progress.max = view.progress.total;
  refs.progress.value = view.progress.step;
  setText(refs.progressText, view.progress.text);
  for (const field of [refs.start_lr, refs.end_lr, refs.startSlider, refs.endSlider, refs.num_steps, refs.repeats]) {
    field.disabled = !can("set");
  }
  refs.pick.disabled = !can("set");
  refs.clear.hidden = !can("clear");
  refs.probe.disabled = !can("probe");
  refs.copy.disabled = !can("copy");
  refs.apply.disabled = !can("apply");
  refs.code.disabled = !can("code");
}

function showSettings(refs: Refs, state: State): void {
  setValue(refs.start_lr, rateText(state.start_lr));
  setValue(refs.end_lr, rateText(state.end_lr));
  setValue(refs.num_steps, String(state.num_steps));
  setValue(refs.repeats, String(state.repeats));
  setValue(refs.max_probe_steps, String(state.max_probe_steps));
  setValue(refs.train_steps, state.train_steps === null ? "" : countText(state.train_steps));
  showChoice(refs.train_schedule, state.train_schedule);
  setText(refs.trainHint, state.train_steps === null ? UNSAID : SAID);
  setValue(refs.variable, state.variable);
  setValue(refs.pick, state.view_state.is_picked ? state.view_state.selected : "");
  showSlider(refs.startSlider, positionOf(state.start_lr), rateText(state.start_lr));
  showSlider(refs.endSlider, positionOf(state.end_lr), rateText(state.end_lr));
  showSlider(refs.smoothing, state.smoothing, String(state.smoothing));
  setText(refs.smoothingText, state.smoothing.toFixed(2));
  showBetween(refs);
}

function showResult(refs: Refs, { rule, view_state: view }: State, choose: (rule: string) => void): void {
  const { lr, range, reason } = view.suggestion;
  refs.suggestedRate.hidden = lr === "";
  setText(refs.suggested, lr);
  setProse(refs.suggestedRange, range === "" ? "." : ` (${range}).`);
  setProse(refs.reason, reason);
  setProse(refs.plan, view.plan);
  // Where the curve gives no rate, probes are the way on.
  refs.probe.classList.toggle("lrw-primary", lr === "" && view.rules.length > 0);
  showRules(refs, view.rules, rule, view.can.includes("set"), choose);
  refs.failure.hidden = view.failure === null;
  if (view.failure !== null) {
    setText(refs.failureTitle, view.failure.title);
    setText(refs.failureWhere, view.failure.where);
    setText(refs.failureHint, view.failure.hint);
    setText(refs.failureTraceback, view.failure.traceback);
  }
}

function showRules(
  refs: Refs,
  rules: State["view_state"]["rules"],
  chosen: string,
  isOn: boolean,
  choose: (rule: string) => void,
): void {
  const wanted = JSON.stringify(rules);
  if (refs.rules.dataset.shown !== wanted) {
    refs.rules.dataset.shown = wanted;
    refs.rules.replaceChildren(
      ...rules.map(({ name, lr, reason }) => {
        const chip = document.createElement("button");
        chip.type = "button";
        chip.className = "lrw-chip";
        chip.dataset.rule = name;
        chip.title = reason;
        chip.textContent = `${name} ${lr}`;
        chip.addEventListener("click", () => choose(name));
        return chip;
      }),
    );
  }
  for (const chip of refs.rules.querySelectorAll("button")) {
    chip.disabled = !isOn;
    chip.setAttribute("aria-pressed", String(chip.dataset.rule === chosen));
  }
}

function showNote(refs: Refs, { view_state: { note } }: State, ownWords: string, isLive: boolean): void {
  const { kind, text } = isLive ? note : { kind: "warning", text: OFFLINE };
  refs.note.dataset.kind = ownWords === "" ? kind : "info";
  setProse(refs.note, ownWords === "" ? text : ownWords);
}

function showBetween(refs: Refs): void {
  const share = (slider: HTMLInputElement): number =>
    (100 * (Number(slider.value) - Number(slider.min))) / (Number(slider.max) - Number(slider.min));
  refs.between.style.left = `${share(refs.startSlider)}%`;
  refs.between.style.right = `${100 - share(refs.endSlider)}%`;
}

function listenToButtons(refs: Refs, current: CurrentState, send: Send, say: (text: string) => void): void {
  refs.start.addEventListener("click", () => send({ command: "start" }));
  const runId = (): number => current()?.view_state.run_id ?? 0;
  refs.stop.addEventListener("click", () => send({ command: "stop", run_id: runId() }));
  refs.pause.addEventListener("click", () => {
    send({ command: current()?.status === "paused" ? "resume" : "pause", run_id: runId() });
  });
  refs.probe.addEventListener("click", () => send({ command: "probe" }));
  refs.copy.addEventListener("click", () => send({ command: "copy" }));
  refs.apply.addEventListener("click", () => send({ command: "apply" }));
  refs.code.addEventListener("click", () => {
    const code = current()?.view_state.code ?? "";
    copyText(code).then(
      () => say("The code is in the clipboard; paste it into a cell or a script."),
      () => say("This page may not use the clipboard; copy to the notebook instead."),
    );
  });
}

function listenToTraceback(refs: Refs): void {
  // A traceback ends with the error, so show its end first.
  refs.failureDetails.addEventListener("toggle", () => {
    refs.failureTraceback.scrollTop = refs.failureTraceback.scrollHeight;
  });
}

async function copyText(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
}

function listenToSettings(refs: Refs, current: CurrentState, send: Send): void {
  const typed = ["start_lr", "end_lr", "num_steps", "repeats", "max_probe_steps", "train_steps", "variable"] as const;
  for (const name of typed) {
    const field = refs[name];
    commitOnEnter(field, () => current() && send({ command: "set", name, value: field.value }));
  }
  const slide = (slider: HTMLInputElement, field: HTMLInputElement, name: Setting, limit: () => number): void => {
    slider.addEventListener("input", () => {
      const bound = limit();
      const position = Number(slider.value);
      slider.value = String(name === "start_lr" ? Math.min(position, bound) : Math.max(position, bound));
      field.value = rateText(rateAt(Number(slider.value)));
      slider.setAttribute("aria-valuetext", field.value);
      showBetween(refs);
    });
    slider.addEventListener("change", () => send({ command: "set", name, value: rateAt(Number(slider.value)) }));
  };
  // The two thumbs share one track, so each stops before the other.
  slide(refs.startSlider, refs.start_lr, "start_lr", () => Number(refs.endSlider.value) - 2 * SLIDER_STEP);
  slide(refs.endSlider, refs.end_lr, "end_lr", () => Number(refs.startSlider.value) + 2 * SLIDER_STEP);
  refs.train_schedule.addEventListener("change", () => {
    send({ command: "set", name: "train_schedule", value: refs.train_schedule.value });
  });
  refs.train_schedule.addEventListener("keydown", keepKey);
  refs.smoothing.addEventListener("input", () => {
    setText(refs.smoothingText, Number(refs.smoothing.value).toFixed(2));
    send({ command: "set", name: "smoothing", value: Number(refs.smoothing.value) });
  });
}

function listenToPicks(refs: Refs, current: CurrentState, send: Send): void {
  const pick = (value: string | number | null): void => send({ command: "set", name: "selected_lr", value });
  commitOnEnter(refs.pick, () => pick(refs.pick.value.trim() || null));
  refs.clear.addEventListener("click", () => pick(null));
  refs.chart.addEventListener("click", (event) => {
    const view = current()?.view_state;
    if (view === undefined || !view.can.includes("set") || refs.chart.classList.contains("lrw-pictured")) {
      return;
    }
    const box = refs.chart.getBoundingClientRect();
    const zoom = box.width / (refs.chart.offsetWidth || box.width); // of a page that scales its cells, such as slides
    const point = { x: (event.clientX - box.left) / zoom, y: (event.clientY - box.top) / zoom };
    const size = { width: box.width / zoom, height: box.height / zoom };
    const rate = rateAtPixel(point, size, view.margins, view.bounds);
    if (rate !== null) {
      pick(rate);
    }
  });
}

/** Keep the classic notebook and VS Code from taking a key for a shortcut. */
function keepKey(event: Event): void {
  event.stopPropagation();
}

/** Call `commit` once after the text of a field was edited; Escape brings the old text back instead. */
function commitOnEnter(field: HTMLInputElement, commit: () => void): void {
  field.addEventListener("input", () => {
    field.dataset.edited = "yes";
  });
  const end = (): void => {
    if (field.dataset.edited === "yes") {
      delete field.dataset.edited;
      commit();
    }
  };
  field.addEventListener("change", end);
  field.addEventListener("keydown", (event) => {
    keepKey(event);
    if (event.key === "Enter") {
      end();
    } else if (event.key === "Escape") {
      delete field.dataset.edited;
      field.value = field.dataset.shown ?? "";
    }
  });
}
