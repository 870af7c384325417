// The buttons that run a test and take its result away, and the progress.

import { rest, setAttribute, setText } from "../dom";
import type { Command, ShownRun, State } from "../protocol";
import { PAUSE, PLAY, type Refs } from "../template";
import { type Actions, can, type Show } from "./part";

export function connectButtons(refs: Refs, { send, say, exportAs }: Actions): Show {
  let state: State | undefined;
  const runId = (): number => state?.view_state.run_id ?? 0;
  const on = (button: HTMLButtonElement, makeCommand: () => Command): void =>
    button.addEventListener("click", () => send(makeCommand()));

  on(refs.start, () => ({ command: "start" }));
  on(refs.stop, () => ({ command: "stop", run_id: runId() }));
  on(refs.pause, () => ({ command: state?.status === "paused" ? "resume" : "pause", run_id: runId() }));
  on(refs.probe, () => ({ command: "probe" }));
  on(refs.copy, () => ({ command: "copy" }));
  on(refs.apply, () => ({ command: "apply" }));
  refs.code.addEventListener("click", () => {
    copyText(state?.answer.code ?? "").then(
      () => say("The code is in the clipboard; paste it into a cell or a script."),
      () => say("This page may not use the clipboard; copy to the notebook instead."),
    );
  });
  for (const kind of ["csv", "png", "svg"] as const) {
    refs[kind].addEventListener("click", () => exportAs(kind));
  }

  return (shown) => {
    state = shown.state;
    const { view_state: view, progress, answer, chart_state: chart } = state;
    const isPaused = state.status === "paused";
    rest(refs.start, !can(shown, "start"));
    rest(refs.stop, !can(shown, "stop"));
    rest(refs.pause, !can(shown, "pause", "resume"));
    setAttribute(refs.pauseIcon, "d", isPaused ? PLAY : PAUSE);
    setText(refs.pauseText, isPaused ? "Resume" : "Pause");
    setAttribute(refs.stop, "title", view.deaf);
    setAttribute(refs.pause, "title", view.deaf);
    setAttribute(refs.progress, "max", String(progress.total));
    setAttribute(refs.progress, "value", String(progress.step));
    setText(refs.progressText, progress.text);
    rest(refs.probe, !can(shown, "probe"));
    rest(refs.copy, !can(shown, "copy"));
    rest(refs.apply, !can(shown, "apply"));
    rest(refs.code, !can(shown, "code"));
    const { selected } = answer;
    setAttribute(refs.copy, "title", selected === "" ? null : `Set the variable to ${selected}`);
    setText(refs.apply, `Apply to ${answer.receiver}`);
    setAttribute(refs.apply, "title", selected === "" ? null : `Train on with ${selected}`);
    const isDrawn = ({ is_hidden, is_growing, num_points }: ShownRun): boolean =>
      !is_hidden && (is_growing ? progress.step : num_points) > 0;
    const hasCurves = chart.runs.some(isDrawn);
    for (const button of [refs.csv, refs.png, refs.svg]) {
      rest(button, !hasCurves);
    }
  };
}

async function copyText(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
}
