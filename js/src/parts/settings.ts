// The fields, lists and sliders that set a trait.

import {
  commitOnEnter,
  keepKey,
  rest,
  setAttribute,
  setHidden,
  setReadOnly,
  setText,
  setValue,
  showChoice,
  showSlider,
} from "../dom";
import type { Setting, State } from "../protocol";
import { countText, numberText, positionOf, rateAt, rateText, SLIDER_STEP, TYPED_DIGITS } from "../rates";
import type { Refs } from "../template";
import { type Actions, can, type Show } from "./part";

const TYPED = [
  "start_lr",
  "end_lr",
  "num_steps",
  "repeats",
  "max_probe_steps",
  "train_steps",
  "loss_min",
  "loss_max",
  "variable",
] as const satisfies readonly Setting[];
const CHOSEN = ["train_schedule", "loss_scale", "suggest_from"] as const satisfies readonly Setting[];

/** Connect the settings; `noteId` is the id of the status line, which says why an entry was refused. */
export function connectSettings(refs: Refs, { send, slide, resetZoom }: Actions, noteId: string): Show {
  for (const name of TYPED) {
    commitOnEnter(refs[name], () => send({ command: "set", name, value: refs[name].value }));
  }
  for (const name of CHOSEN) {
    refs[name].addEventListener("change", () => send({ command: "set", name, value: refs[name].value }));
    refs[name].addEventListener("keydown", keepKey);
  }
  commitOnEnter(refs.pick, () => send({ command: "set", name: "selected_lr", value: refs.pick.value.trim() || null }));
  refs.clear.addEventListener("click", () => {
    refs.pick.focus(); // the button goes with the pick
    send({ command: "set", name: "selected_lr", value: null });
  });
  refs.smoothing.addEventListener("input", () => {
    setText(refs.smoothingText, Number(refs.smoothing.value).toFixed(2));
    slideTo(refs.smoothing, "smoothing", Number(refs.smoothing.value), slide);
  });
  refs.resetZoom.addEventListener("click", resetZoom);
  connectBounds(refs, slide);

  return (shown) => {
    showValues(refs, shown.state);
    const isSet = can(shown, "set");
    for (const name of ["start_lr", "end_lr", "num_steps", "repeats"] as const) {
      setReadOnly(refs[name], !isSet);
    }
    for (const name of ["max_probe_steps", "train_steps", "loss_min", "loss_max", "variable"] as const) {
      setReadOnly(refs[name], !shown.isLive);
    }
    setReadOnly(refs.pick, !can(shown, "pick"));
    refs.startSlider.disabled = refs.endSlider.disabled = !isSet;
    for (const field of [refs.smoothing, refs.train_schedule, refs.loss_scale, refs.suggest_from]) {
      field.disabled = !shown.isLive;
    }
    setHidden(refs.clear, !can(shown, "clear"), refs.pick);
    const next = shown.isLive ? refs.smoothing : refs.loss_max; // a disabled slider takes no focus
    setHidden(refs.resetZoom, !shown.state.chart_state.is_zoomed, next);
    rest(refs.resetZoom, shown.isLive && !can(shown, "zoom"));
    setHidden(refs.lossChoice, !shown.state.chart_state.has_validation, refs.train_schedule);
    showRefusal(refs, shown.state.view_state.refused, noteId);
  };
}

function showValues(refs: Refs, state: State): void {
  const limit = (value: number | null): string => (value === null ? "" : numberText(value));
  showBound(refs.startSlider, refs.start_lr, state.start_lr);
  showBound(refs.endSlider, refs.end_lr, state.end_lr);
  setValue(refs.num_steps, countText(state.num_steps));
  setValue(refs.repeats, countText(state.repeats));
  setValue(refs.max_probe_steps, countText(state.max_probe_steps));
  setValue(refs.train_steps, state.train_steps === null ? "" : countText(state.train_steps));
  setValue(refs.loss_min, limit(state.loss_min));
  setValue(refs.loss_max, limit(state.loss_max));
  setValue(refs.variable, state.variable);
  setAttribute(refs.variable, "title", refs.variable.value);
  setValue(refs.pick, state.answer.is_picked ? state.answer.selected : "");
  showChoice(refs.train_schedule, state.train_schedule);
  showChoice(refs.loss_scale, state.loss_scale);
  showChoice(refs.suggest_from, state.suggest_from);
  showSlider(refs.smoothing, state.smoothing, String(state.smoothing));
  setText(refs.smoothingText, Number(refs.smoothing.value).toFixed(2));
  showBetween(refs);
}

function showBound(slider: HTMLInputElement, field: HTMLInputElement, rate: number): void {
  const text = rateText(rate, TYPED_DIGITS);
  showSlider(slider, positionOf(rate), text);
  if (slider.dataset.edited !== "yes") {
    setValue(field, text);
  }
}

/** Mark the field whose entry was refused; the status line describes it. */
function showRefusal(refs: Refs, refused: Setting | "", noteId: string): void {
  const mark = (field: HTMLElement, name: Setting): void => {
    setAttribute(field, "aria-invalid", name === refused ? "true" : null);
    setAttribute(field, "aria-describedby", name === refused ? noteId : null);
  };
  for (const name of [...TYPED, ...CHOSEN, "smoothing"] as const) {
    mark(refs[name], name);
  }
  mark(refs.pick, "selected_lr");
}

function connectBounds(refs: Refs, slide: Actions["slide"]): void {
  const connect = (slider: HTMLInputElement, name: "start_lr" | "end_lr", limit: () => number): void => {
    slider.addEventListener("input", () => {
      const bound = limit();
      const position = Number(slider.value);
      slider.value = String(name === "start_lr" ? Math.min(position, bound) : Math.max(position, bound));
      refs[name].value = rateText(rateAt(Number(slider.value)));
      setAttribute(slider, "aria-valuetext", refs[name].value);
      showBetween(refs);
    });
    slider.addEventListener("change", () => slideTo(slider, name, rateAt(Number(slider.value)), slide));
  };
  // The two thumbs share one track, so each stops before the other.
  connect(refs.startSlider, "start_lr", () => Number(refs.endSlider.value) - 2 * SLIDER_STEP);
  connect(refs.endSlider, "end_lr", () => Number(refs.startSlider.value) + 2 * SLIDER_STEP);
}

/** Send a slider's value, and leave the slider where it is until Python has the last one. */
function slideTo(slider: HTMLInputElement, name: Setting, value: number, slide: Actions["slide"]): void {
  slider.dataset.edited = "yes";
  slide({ command: "set", name, value }, () => {
    delete slider.dataset.edited;
  });
}

function showBetween(refs: Refs): void {
  const share = (slider: HTMLInputElement): number =>
    (100 * (Number(slider.value) - Number(slider.min))) / (Number(slider.max) - Number(slider.min));
  refs.between.style.left = `${share(refs.startSlider)}%`;
  refs.between.style.right = `${100 - share(refs.endSlider)}%`;
}
