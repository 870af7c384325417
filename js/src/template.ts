// The controls as native HTML; every part that changes has a name in its data-ref.

import type { TrainSchedule } from "./protocol";
import { SLIDER_MAX, SLIDER_MIN, SLIDER_STEP } from "./rates";

const slider = `type="range" min="${SLIDER_MIN}" max="${SLIDER_MAX}" step="${SLIDER_STEP}"`;
const text = `type="text" spellcheck="false" autocomplete="off"`;

// Drawn rather than typed, as not every font has these signs.
const icon = (path: string, ref = ""): string =>
  `<svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true"><path ${ref} d="${path}"></path></svg>`;
export const PLAY = "M2 1 L9 5 L2 9 Z";
export const PAUSE = "M2 1 H4 V9 H2 Z M6 1 H8 V9 H6 Z";
const STOP = "M1.5 1.5 H8.5 V8.5 H1.5 Z";

// As they stand behind "a training of 5,000 steps"; the same words as in lr_widget/horizon.py.
const SCHEDULES: Record<TrainSchedule, string> = {
  constant: "at a constant rate",
  one_cycle: "in one cycle",
  cosine: "with a cosine schedule",
  linear: "with a linear schedule",
  constant_with_warmup: "at a constant rate after a warm-up",
  cosine_with_warmup: "with a cosine schedule after a warm-up",
  linear_with_warmup: "with a linear schedule after a warm-up",
};
const schedules = Object.entries(SCHEDULES).map(([name, words]) => `<option value="${name}">${words}</option>`);
const LENGTH_HINT =
  "The optimizer steps that you will train for. The best rate falls as a training gets longer, most of all at a constant rate. May be empty.";
const SCHEDULE_HINT =
  "How the rate goes while you train, with the suggested rate as its highest. A warm-up is the first tenth of the steps.";

export const TEMPLATE = `
<div class="lrw-bar">
  <div class="lrw-buttons" role="group" aria-label="Range test">
    <button type="button" class="lrw-primary" data-ref="start">${icon(PLAY)}Run</button>
    <button type="button" data-ref="pause">${icon(PAUSE, `data-ref="pauseIcon"`)}<span data-ref="pauseText">Pause</span></button>
    <button type="button" data-ref="stop">${icon(STOP)}Stop</button>
  </div>
  <div class="lrw-progress-text" data-ref="progressText"></div>
</div>
<progress class="lrw-progress" data-ref="progress" aria-label="Progress of the range test"></progress>
<div class="lrw-settings">
  <label class="lrw-field">start <input ${text} inputmode="decimal" data-ref="start_lr" aria-label="Start learning rate"></label>
  <div class="lrw-range" data-ref="range">
    <div class="lrw-range-between" data-ref="between"></div>
    <input ${slider} data-ref="startSlider" aria-label="Start learning rate, logarithmic slider">
    <input ${slider} data-ref="endSlider" aria-label="End learning rate, logarithmic slider">
  </div>
  <label class="lrw-field"><input ${text} inputmode="decimal" data-ref="end_lr" aria-label="End learning rate"> end</label>
  <label class="lrw-field lrw-steps">steps <input ${text} inputmode="numeric" data-ref="num_steps" aria-label="Number of steps"></label>
  <label class="lrw-field lrw-count" title="Sweeps of one run, each with the data in another order">repeats <input ${text} inputmode="numeric" data-ref="repeats" aria-label="Number of sweeps"></label>
  <label class="lrw-field lrw-smoothing">smoothing
    <input type="range" min="0" max="0.99" step="0.01" data-ref="smoothing" aria-label="Smoothing of the curve">
    <output data-ref="smoothingText"></output></label>
</div>
<div class="lrw-chart" data-ref="chart" title="Click to pick a rate"></div>
<div class="lrw-result">
  <div class="lrw-failure" data-ref="failure" hidden>
    <strong data-ref="failureTitle"></strong>
    <p data-ref="failureWhere"></p>
    <p data-ref="failureHint"></p>
    <details data-ref="failureDetails"><summary>Full traceback</summary><pre data-ref="failureTraceback" tabindex="0"></pre></details>
  </div>
  <div class="lrw-training">
    <label class="lrw-field" title="${LENGTH_HINT}">for a training of <input ${text} inputmode="numeric" placeholder="e.g. 5,000" data-ref="train_steps" aria-label="Steps of the training that the rate is for"> steps</label>
    <select data-ref="train_schedule" title="${SCHEDULE_HINT}" aria-label="Schedule of the training that the rate is for">${schedules.join("")}</select>
    <span class="lrw-hint" data-ref="trainHint"></span>
  </div>
  <p class="lrw-suggestion"><span data-ref="suggestedRate">Suggested <strong data-ref="suggested"></strong><span data-ref="suggestedRange"></span> </span><span data-ref="reason"></span></p>
  <div class="lrw-choices">
    <div class="lrw-rules" role="group" aria-label="Suggestion rule" data-ref="rules"></div>
    <div class="lrw-field"><label class="lrw-field">your pick <input ${text} inputmode="decimal" placeholder="none" data-ref="pick" aria-label="Your own learning rate"></label>
    <button type="button" class="lrw-clear" data-ref="clear" aria-label="Take the pick back">×</button></div>
  </div>
</div>
<div class="lrw-probe">
  <button type="button" data-ref="probe" title="Train for a short while at rates around the selected one, each time from the same state">Probe</button>
  <label class="lrw-field">with at most <input ${text} inputmode="numeric" data-ref="max_probe_steps" aria-label="Most steps of all probes together"> steps</label>
  <span class="lrw-hint lrw-plan" data-ref="plan"></span>
</div>
<div class="lrw-actions">
  <label class="lrw-field">variable <input ${text} data-ref="variable" aria-label="Name of the notebook variable"></label>
  <button type="button" data-ref="copy">Copy to notebook</button>
  <button type="button" data-ref="apply">Apply to optimizer</button>
  <button type="button" data-ref="code">Copy code</button>
</div>
<div class="lrw-note" role="status" aria-live="polite" data-ref="note"></div>
`;

export type Refs = ReturnType<typeof findRefs>;

/** Fill `root` with the controls and return those that have names. */
export function findRefs(root: HTMLElement) {
  root.innerHTML = TEMPLATE;
  const find = <T extends Element = HTMLElement>(name: string): T => {
    const element = root.querySelector<T>(`[data-ref="${name}"]`);
    if (element === null) {
      throw new Error(`the template has no element ${name}`);
    }
    return element;
  };
  const input = (name: string) => find<HTMLInputElement>(name);
  const select = (name: string) => find<HTMLSelectElement>(name);
  const button = (name: string) => find<HTMLButtonElement>(name);
  return {
    start: button("start"),
    pause: button("pause"),
    pauseIcon: find<SVGPathElement>("pauseIcon"),
    pauseText: find("pauseText"),
    stop: button("stop"),
    progress: find<HTMLProgressElement>("progress"),
    progressText: find("progressText"),
    start_lr: input("start_lr"),
    end_lr: input("end_lr"),
    startSlider: input("startSlider"),
    endSlider: input("endSlider"),
    between: find("between"),
    num_steps: input("num_steps"),
    repeats: input("repeats"),
    max_probe_steps: input("max_probe_steps"),
    probe: button("probe"),
    plan: find("plan"),
    train_steps: input("train_steps"),
    train_schedule: select("train_schedule"),
    trainHint: find("trainHint"),
    smoothing: input("smoothing"),
    smoothingText: find("smoothingText"),
    chart: find("chart"),
    failure: find("failure"),
    failureTitle: find("failureTitle"),
    failureWhere: find("failureWhere"),
    failureHint: find("failureHint"),
    failureDetails: find("failureDetails"),
    failureTraceback: find("failureTraceback"),
    suggestedRate: find("suggestedRate"),
    suggested: find("suggested"),
    suggestedRange: find("suggestedRange"),
    reason: find("reason"),
    rules: find("rules"),
    pick: input("pick"),
    clear: button("clear"),
    variable: input("variable"),
    copy: button("copy"),
    apply: button("apply"),
    code: button("code"),
    note: find("note"),
  };
}
