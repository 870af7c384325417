// One view of the widget: shows a state, and turns clicks and entries into commands. It knows nothing of Jupyter.

import { ignoreResting } from "./dom";
import { connectAnswer } from "./parts/answer";
import { connectButtons } from "./parts/buttons";
import { connectMessages, makeNote, OFFLINE } from "./parts/messages";
import type { Actions } from "./parts/part";
import { connectRuns } from "./parts/runs";
import { connectSettings } from "./parts/settings";
import type { State } from "./protocol";
import { findRefs } from "./template";

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

export function createView(root: HTMLElement, outside: Omit<Actions, "say">): View {
  root.classList.add("lrw");
  keepShortcutsOut(root);
  ignoreResting(root);
  const refs = findRefs(root);
  const id = `lrw-${Math.random().toString(36).slice(2)}`; // begins the ids of this view, as a page can have several
  const note = makeNote(refs, `${id}-note`);
  let state: State | undefined;
  let ownWords = "";
  let isLive = true;

  const showNote = (): void => {
    if (state !== undefined) {
      note(ownWords, isLive ? state.view_state.note : { kind: "warning", text: OFFLINE });
    }
  };
  const say = (text: string): void => {
    ownWords = text;
    showNote();
  };
  const actions: Actions = { ...outside, say };
  const parts = [
    connectButtons(refs, actions),
    connectSettings(refs, actions, `${id}-note`),
    connectAnswer(refs, actions),
    connectRuns(refs, actions),
    connectMessages(root, refs, actions, id),
  ];
  const show = (next: State): void => {
    if (next.view_state.note.text !== state?.view_state.note.text) {
      ownWords = "";
    }
    state = next;
    const shown = { state: isLive ? next : atRest(next), isLive };
    for (const showPart of parts) {
      showPart(shown);
    }
    showNote();
  };
  const setLive = (next: boolean): void => {
    if (next !== isLive) {
      ownWords = ""; // this is the news
    }
    isLive = next;
    root.dataset.live = isLive ? "yes" : "no";
    if (state !== undefined) {
      show(state);
    }
  };
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
