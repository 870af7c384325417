// A state to start from, as Python sends it before the first run.
import type { Answer, ChartState, ShownRun, State, ViewState } from "../src/protocol";

type Changes = Omit<Partial<State>, "answer" | "chart_state"> & {
  answer?: Partial<Answer>;
  chart_state?: Partial<ChartState>;
};

export function makeState(changes: Changes = {}, view: Partial<ViewState> = {}): State {
  return {
    start_lr: 1e-7,
    end_lr: 10,
    num_steps: 100,
    repeats: 1,
    max_probe_steps: 300,
    train_steps: null,
    train_schedule: "constant",
    smoothing: 0.9,
    loss_scale: "linear",
    loss_min: null,
    loss_max: null,
    suggest_from: "loss",
    variable: "lr",
    rule: "auto",
    status: "idle",
    picture: "",
    progress: { step: 0, total: 100, text: "" },
    ...changes,
    view_state: {
      run_id: 3,
      is_blocking: false,
      deaf: "",
      can: ["start", "set", "pick"],
      note: { kind: "info", text: "Ready." },
      refused: "",
      question: null,
      failure: null,
      ...changes.view_state,
      ...view,
    },
    answer: {
      lr: "",
      range: "",
      confidence: "",
      purpose: "",
      reason: "Run trains for 100 steps.",
      is_missing: false,
      advice: [],
      plan: "",
      rules: [],
      selected: "",
      is_picked: false,
      receiver: "optimizer",
      code: "",
      ...changes.answer,
    },
    chart_state: {
      margins: { top: 12, bottom: 44, left: 64, right: 20 },
      is_zoomed: false,
      has_validation: false,
      legend: [],
      runs: [],
      text: "No losses yet.",
      ...changes.chart_state,
    },
  };
}

export function makeRun(run_id: number, changes: Partial<ShownRun> = {}): ShownRun {
  return {
    run_id,
    name: `run ${run_id}`,
    color: run_id,
    lr: "none",
    is_hidden: false,
    is_current: false,
    is_growing: false,
    num_points: 100,
    marks: null,
    sweep: null,
    ...changes,
  };
}
