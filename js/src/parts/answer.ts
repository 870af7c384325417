// The suggested rate and what it is for, the ways on where there is none, and the rules to choose from.

import { rest, setAttribute, setHidden, setProse, setText, showList } from "../dom";
import type { Rule, State } from "../protocol";
import type { Refs } from "../template";
import { type Actions, can, type Show } from "./part";

const UNSAID = "How long will you train? The suggestion is then for that.";
const NOT_FOR_IT = "This rule does not know of the training; auto and probe do.";

type Kind = "idle" | "running" | "found" | "missing" | "failed";
const CAPTIONS: Record<Kind, string> = {
  found: "", // the rule is named instead
  idle: "No rate yet",
  running: "Running",
  missing: "No suggestion",
  failed: "Failed",
};

export function connectAnswer(refs: Refs, { send }: Actions): Show {
  const follow = (label: string): void => send({ command: "follow", value: label });
  const choose = (rule: string): void => send({ command: "set", name: "rule", value: rule });
  return (shown) => {
    const { state } = shown;
    showHeadline(refs, state);
    showPurpose(refs, state);
    setProse(refs.reason, state.answer.reason);
    setProse(refs.plan, state.answer.plan);
    showAdvice(refs, state.answer.advice, can(shown, "start", "probe"), follow);
    // Where the curve gives no rate and there is no other way on, probes are one.
    setPrimary(refs.probe, state.answer.is_missing && state.answer.advice.length === 0);
    showRules(refs, state.answer.rules, state.rule, can(shown, "set"), choose);
  };
}

function kindOf({ status, answer }: State): Kind {
  if (status === "failed") {
    return "failed"; // beside the rate of an earlier run, too
  }
  if (answer.lr !== "") {
    return "found";
  }
  if (status === "running" || status === "paused") {
    return "running";
  }
  return answer.is_missing ? "missing" : "idle";
}

function showHeadline(refs: Refs, state: State): void {
  const { lr, range, confidence } = state.answer;
  const kind = kindOf(state);
  setAttribute(refs.answer, "data-kind", kind);
  const byRule = state.rule === "auto" ? "suggested" : `suggested by ${state.rule}`;
  setText(refs.caption, lr !== "" ? byRule : state.status === "paused" ? "Paused" : CAPTIONS[kind]);
  setHidden(refs.suggested, lr === "");
  setText(refs.suggested, lr);
  setText(refs.suggestedRange, range);
  setText(refs.confidence, range !== "" && confidence !== "" ? ` · ${confidence}` : confidence);
}

function showPurpose(refs: Refs, { answer, train_steps }: State): void {
  setText(refs.purpose, answer.purpose);
  const isForAnother = answer.lr !== "" && answer.purpose === "";
  setText(refs.trainHint, train_steps === null ? UNSAID : isForAnother ? NOT_FOR_IT : "");
}

function showAdvice(refs: Refs, advice: readonly string[], isOn: boolean, follow: (label: string) => void): void {
  const make = (label: string): HTMLButtonElement => {
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => follow(label));
    return button;
  };
  const update = (button: HTMLButtonElement, label: string): void => {
    setText(button, label);
    rest(button, !isOn);
  };
  showList(refs.advice, [...new Set(advice)], String, make, update, refs.start);
  setHidden(refs.advice, advice.length === 0);
}

function showRules(
  refs: Refs,
  rules: readonly Rule[],
  chosen: string,
  isOn: boolean,
  choose: (rule: string) => void,
): void {
  setHidden(refs.noRules, rules.length > 0);
  const make = ({ name }: Rule): HTMLElement => {
    const row = document.createElement("div");
    row.className = "lrw-rule";
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = "lrw-chip";
    chip.dataset.rule = name;
    chip.addEventListener("click", () => choose(name));
    const rate = document.createElement("span");
    rate.className = "lrw-number";
    chip.append(`${name} `, rate);
    row.append(chip, document.createElement("span"));
    return row;
  };
  const update = (row: HTMLElement, { name, lr, reason }: Rule): void => {
    const [chip, words] = row.children as unknown as [HTMLButtonElement, HTMLElement];
    setText(chip.lastElementChild as HTMLElement, lr);
    setProse(words, reason);
    rest(chip, !isOn);
    setAttribute(chip, "aria-pressed", String(name === chosen));
  };
  showList(refs.rules, rules, ({ name }) => name, make, update, refs.start);
}

function setPrimary(button: HTMLElement, isPrimary: boolean): void {
  button.classList.toggle("lrw-primary", isPrimary);
}
