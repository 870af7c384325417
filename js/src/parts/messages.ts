// What is said in words: the status line, a question, and the error of the user's code.

import { focused, keepKey, rest, setAttribute, setHidden, setProse, setText } from "../dom";
import type { Failure, Question } from "../protocol";
import type { Refs } from "../template";
import type { Actions, Show } from "./part";

const OFFLINE = "No kernel is connected: this shows the last state. Run the cell again to use it.";

/** Connect the question and the error box; `root` is the view, `id` begins the ids of this view. */
export function connectMessages(root: HTMLElement, refs: Refs, { send }: Actions, id: string): Show {
  refs.questionText.id = `${id}-question`;
  refs.question.setAttribute("aria-labelledby", refs.questionText.id);
  refs.yes.addEventListener("click", () => send({ command: "confirm" }));
  refs.no.addEventListener("click", () => send({ command: "dismiss" }));
  refs.question.addEventListener("keydown", (event) => {
    keepKey(event);
    if (event.key === "Escape") {
      send({ command: "dismiss" });
    }
  });
  // A traceback ends with the error, so show its end first.
  refs.failureDetails.addEventListener("toggle", () => {
    refs.failureTraceback.scrollTop = refs.failureTraceback.scrollHeight;
  });
  const showQuestion = makeQuestion(root, refs);
  return ({ state, isLive }) => {
    showQuestion(state.view_state.question, isLive);
    showFailure(refs, state.view_state.failure, state.answer.lr === "");
  };
}

/** Show a question or none. The view that was clicked in gets the focus there, and back where it was after the answer. */
function makeQuestion(root: HTMLElement, refs: Refs): (question: Question | null, isLive: boolean) => void {
  let before: HTMLElement | null = null;
  return (question, isLive) => {
    rest(refs.yes, !isLive);
    rest(refs.no, !isLive);
    if (question === null) {
      setHidden(refs.question, true, before ?? refs.copy);
      return;
    }
    setProse(refs.questionText, question.text);
    setText(refs.yes, question.yes);
    if (refs.question.hidden) {
      refs.question.hidden = false;
      const active = focused(root);
      if (active instanceof HTMLElement && root.contains(active)) {
        before = active;
        refs.no.focus();
      }
    }
  };
}

/** Show the error box in the place of the reason, if that has nothing to say about a rate. */
function showFailure(refs: Refs, failure: Failure | null, replacesReason: boolean): void {
  if (failure !== null) {
    setText(refs.failureTitle, failure.title);
    setText(refs.failureWhere, failure.where);
    setText(refs.failureHint, failure.hint);
    setText(refs.failureTraceback, failure.traceback);
  }
  setHidden(refs.failure, failure === null, refs.start);
  setHidden(refs.reason, failure !== null && replacesReason);
}

/** Show the kernel's words, or in their place those of this browser, or that no kernel is there. */
export function makeNote(refs: Refs, id: string): (own: string, kernels: { kind: string; text: string }) => void {
  refs.note.id = id;
  return (own, kernels) => {
    setAttribute(refs.note, "data-kind", own === "" ? kernels.kind : "info");
    setProse(refs.note, own === "" ? kernels.text : own);
  };
}

export { OFFLINE };
