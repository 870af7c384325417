// The controls as native HTML; everything that changes is found by its data-ref.

import { SLIDER_MAX, SLIDER_MIN, SLIDER_STEP } from "./rates";

const slider = `type="range" min="${SLIDER_MIN}" max="${SLIDER_MAX}" step="${SLIDER_STEP}"`;
const text = `type="text" spellcheck="false" autocomplete="off"`;

export const TEMPLATE = `
<div class="lrw-bar">
  <div class="lrw-buttons" role="group" aria-label="Range test">
    <button type="button" class="lrw-primary" data-ref="start"><span aria-hidden="true">▶</span> Run</button>
    <button type="button" data-ref="pause"><span aria-hidden="true" data-ref="pauseIcon">⏸</span> <span data-ref="pauseText">Pause</span></button>
    <button type="button" data-ref="stop"><span aria-hidden="true">■</span> Stop</button>
  </div>
  <div class="lrw-progress-text" data-ref="progressText"></div>
</div>
<progress class="lrw-progress" data-ref="progress" aria-label="Progress of the range test"></progress>
<div class="lrw-settings">
  <label class="lrw-field">start <input ${text} inputmode="decimal" size="7" data-ref="start_lr" aria-label="Start learning rate"></label>
  <div class="lrw-range" data-ref="range">
    <div class="lrw-range-between" data-ref="between"></div>
    <input ${slider} data-ref="startSlider" aria-label="Start learning rate, logarithmic slider">
    <input ${slider} data-ref="endSlider" aria-label="End learning rate, logarithmic slider">
  </div>
  <label class="lrw-field"><input ${text} inputmode="decimal" size="7" data-ref="end_lr" aria-label="End learning rate"> end</label>
  <label class="lrw-field lrw-steps">steps <input ${text} inputmode="numeric" size="5" data-ref="num_steps" aria-label="Number of steps"></label>
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
    <details><summary>Full traceback</summary><pre data-ref="failureTraceback" tabindex="0"></pre></details>
  </div>
  <p class="lrw-suggestion"><span data-ref="suggested"></span> <span data-ref="reason"></span></p>
  <div class="lrw-choices">
    <div class="lrw-rules" role="group" aria-label="Suggestion rule" data-ref="rules"></div>
    <label class="lrw-field lrw-pick">your pick <input ${text} inputmode="decimal" size="8" placeholder="none" data-ref="pick" aria-label="Your own learning rate">
    <button type="button" class="lrw-clear" data-ref="clear" aria-label="Take the pick back">×</button></label>
  </div>
</div>
<div class="lrw-actions">
  <label class="lrw-field">variable <input ${text} size="8" data-ref="variable" aria-label="Name of the notebook variable"></label>
  <button type="button" data-ref="copy">Copy to notebook</button>
  <button type="button" data-ref="apply">Apply to optimizer</button>
  <button type="button" data-ref="code">Copy code</button>
</div>
<div class="lrw-note" role="status" aria-live="polite" data-ref="note"></div>
<div class="lrw-offline">No kernel is connected: this shows the last state. Run the cell again to use it.</div>
`;

export type Refs = ReturnType<typeof findRefs>;

/** Fill `root` with the controls and find them. */
export function findRefs(root: HTMLElement) {
  root.innerHTML = TEMPLATE;
  const find = <T extends HTMLElement>(name: string): T => {
    const element = root.querySelector<T>(`[data-ref="${name}"]`);
    if (element === null) {
      throw new Error(`the template has no element ${name}`);
    }
    return element;
  };
  const input = (name: string) => find<HTMLInputElement>(name);
  const button = (name: string) => find<HTMLButtonElement>(name);
  return {
    start: button("start"),
    pause: button("pause"),
    pauseIcon: find("pauseIcon"),
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
    smoothing: input("smoothing"),
    smoothingText: find("smoothingText"),
    chart: find("chart"),
    failure: find("failure"),
    failureTitle: find("failureTitle"),
    failureWhere: find("failureWhere"),
    failureHint: find("failureHint"),
    failureTraceback: find("failureTraceback"),
    suggested: find("suggested"),
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
