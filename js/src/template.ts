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
const LIMIT_HINT = "Empty: as far as the losses that matter go";

// A name that a screen reader says has the visible words in it, so that it can be spoken to the page as it is read.
const RUN = `
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
  <label class="lrw-field lrw-count" title="Sweeps of one run, each with the data in another order">repeats <input ${text} inputmode="numeric" data-ref="repeats" aria-label="Repeats of the sweep"></label>
</div>`;

const CHART = `
<div class="lrw-chart" data-ref="chart"></div>
<div class="lrw-runs" role="group" aria-label="Runs on the chart" data-ref="runs" hidden></div>
<div class="lrw-axes">
  <label class="lrw-field lrw-smoothing">smoothing
    <input type="range" min="0" max="0.99" step="0.01" data-ref="smoothing" aria-label="Smoothing of the curve">
    <output data-ref="smoothingText"></output></label>
  <label class="lrw-field">loss axis <select data-ref="loss_scale" aria-label="Scale of the loss axis">
    <option value="linear">linear</option><option value="log">logarithmic</option></select></label>
  <label class="lrw-field lrw-limit" title="${LIMIT_HINT}">from <input ${text} inputmode="decimal" placeholder="auto" data-ref="loss_min" aria-label="Loss axis from"></label>
  <label class="lrw-field lrw-limit" title="${LIMIT_HINT}">to <input ${text} inputmode="decimal" placeholder="auto" data-ref="loss_max" aria-label="Loss axis to"></label>
  <button type="button" class="lrw-reset" data-ref="resetZoom" hidden>Reset zoom</button>
</div>`;

const ANSWER = `
<section class="lrw-answer" aria-label="Suggested learning rate" data-ref="answer">
  <div class="lrw-headline">
    <span class="lrw-caption" data-ref="caption"></span>
    <strong class="lrw-rate" data-ref="suggested" hidden></strong>
    <span class="lrw-around"><span class="lrw-number" data-ref="suggestedRange"></span><span data-ref="confidence"></span></span>
    <span class="lrw-advice" role="group" aria-label="Ways on" data-ref="advice" hidden></span>
  </div>
  <div class="lrw-failure" data-ref="failure" hidden>
    <div role="alert" data-ref="alert">
      <strong data-ref="failureTitle"></strong>
      <p data-ref="failureWhere"></p>
      <p data-ref="failureHint"></p>
    </div>
    <details data-ref="failureDetails"><summary>Full traceback</summary><pre data-ref="failureTraceback" tabindex="0"></pre></details>
  </div>
  <div class="lrw-words">
    <p class="lrw-purpose" data-ref="purpose"></p>
    <p class="lrw-reason" data-ref="reason"></p>
  </div>
  <div class="lrw-training">
    <label class="lrw-field" title="${LENGTH_HINT}">your training <input ${text} inputmode="numeric" placeholder="e.g. 5,000" data-ref="train_steps" aria-label="Your training: how many steps"> steps</label>
    <select data-ref="train_schedule" title="${SCHEDULE_HINT}" aria-label="Schedule of the training that the rate is for">${schedules.join("")}</select>
    <label class="lrw-field" data-ref="lossChoice" hidden>read from <select data-ref="suggest_from" aria-label="Loss that the suggestion is read from">
      <option value="loss">the training loss</option><option value="val_loss">the validation loss</option></select></label>
    <span class="lrw-hint" data-ref="trainHint"></span>
    <span class="lrw-field lrw-pick"><label class="lrw-field">your pick <input ${text} inputmode="decimal" placeholder="none" data-ref="pick" aria-label="Your pick of a learning rate"></label>
    <button type="button" class="lrw-clear" data-ref="clear" aria-label="Take the pick back">×</button></span>
  </div>
  <details class="lrw-compare" data-ref="compare">
    <summary>Compare rules</summary>
    <p class="lrw-hint" data-ref="noRules">Each rule reads its own rate off the curve when a test has ended.</p>
    <div class="lrw-rules" role="group" aria-label="Suggestion rule" data-ref="rules"></div>
  </details>
</section>`;

const ACTIONS = `
<div class="lrw-probe">
  <button type="button" data-ref="probe" title="Train for a short while at rates around the selected one, each time from the same state">Probe</button>
  <label class="lrw-field">with at most <input ${text} inputmode="numeric" data-ref="max_probe_steps" aria-label="Probe with at most how many steps together"> steps</label>
  <span class="lrw-hint lrw-plan" data-ref="plan"></span>
</div>
<div class="lrw-actions">
  <label class="lrw-field lrw-variable">variable <input ${text} data-ref="variable" aria-label="Name of the notebook variable"></label>
  <button type="button" data-ref="copy">Copy to notebook</button>
  <button type="button" data-ref="apply">Apply to optimizer</button>
  <button type="button" data-ref="code">Copy code</button>
  <div class="lrw-exports" role="group" aria-label="Save the curves">
    <button type="button" data-ref="csv" title="The curves as a table">CSV</button>
    <button type="button" data-ref="png" title="The chart as a picture">PNG</button>
    <button type="button" data-ref="svg" title="The chart as a drawing">SVG</button>
  </div>
</div>
<div class="lrw-question" role="alertdialog" data-ref="question" hidden>
  <p data-ref="questionText"></p>
  <button type="button" data-ref="yes"></button>
  <button type="button" data-ref="no">Keep it</button>
</div>
<div class="lrw-note" role="status" aria-live="polite" data-ref="note"></div>
`;

export type Refs = ReturnType<typeof findRefs>;

/** Fill `root` with the controls and return those that have names. */
export function findRefs(root: HTMLElement) {
  root.innerHTML = RUN + CHART + ANSWER + ACTIONS;
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
    chart: find("chart"),
    runs: find("runs"),
    smoothing: input("smoothing"),
    smoothingText: find("smoothingText"),
    loss_scale: select("loss_scale"),
    loss_min: input("loss_min"),
    loss_max: input("loss_max"),
    resetZoom: button("resetZoom"),
    answer: find("answer"),
    caption: find("caption"),
    suggested: find("suggested"),
    suggestedRange: find("suggestedRange"),
    confidence: find("confidence"),
    advice: find("advice"),
    pick: input("pick"),
    clear: button("clear"),
    purpose: find("purpose"),
    train_steps: input("train_steps"),
    train_schedule: select("train_schedule"),
    lossChoice: find("lossChoice"),
    suggest_from: select("suggest_from"),
    trainHint: find("trainHint"),
    failure: find("failure"),
    failureTitle: find("failureTitle"),
    failureWhere: find("failureWhere"),
    failureHint: find("failureHint"),
    failureDetails: find("failureDetails"),
    failureTraceback: find("failureTraceback"),
    reason: find("reason"),
    noRules: find("noRules"),
    rules: find("rules"),
    probe: button("probe"),
    max_probe_steps: input("max_probe_steps"),
    plan: find("plan"),
    variable: input("variable"),
    copy: button("copy"),
    apply: button("apply"),
    code: button("code"),
    csv: button("csv"),
    png: button("png"),
    svg: button("svg"),
    question: find("question"),
    questionText: find("questionText"),
    yes: button("yes"),
    no: button("no"),
    note: find("note"),
  };
}
