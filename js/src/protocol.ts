// The state and the commands that Python and the browser exchange. tests/test_protocol.py compares every name and type
// with lr_widget/widget/browser/messages.py and the widget's traits; it reads plain interfaces, unions, lists and pairs.

export type Status = "idle" | "running" | "paused" | "finished" | "failed";
export type Possible =
  | "start"
  | "stop"
  | "pause"
  | "resume"
  | "set"
  | "probe"
  | "copy"
  | "apply"
  | "code"
  | "pick"
  | "clear"
  | "zoom"
  | "csv";
export type TrainSchedule =
  | "constant"
  | "one_cycle"
  | "cosine"
  | "linear"
  | "constant_with_warmup"
  | "cosine_with_warmup"
  | "linear_with_warmup";
export type Setting =
  | "start_lr"
  | "end_lr"
  | "num_steps"
  | "repeats"
  | "max_probe_steps"
  | "train_steps"
  | "train_schedule"
  | "smoothing"
  | "loss_scale"
  | "loss_min"
  | "loss_max"
  | "suggest_from"
  | "variable"
  | "rule"
  | "selected_lr";

export type Command =
  | { command: "start" | "probe" | "copy" | "apply" | "draw" | "confirm" | "dismiss" | "csv" }
  | { command: "stop" | "pause" | "resume" | "hide" | "show" | "remove"; run_id: number }
  | { command: "rename"; run_id: number; value: string }
  | { command: "follow"; value: string }
  | { command: "zoom"; value: number[] | null }
  | { command: "set"; name: Setting; value: string | number | null };

/** The progress bar and the line above it: all that changes with every step. */
export interface Progress {
  step: number;
  total: number;
  text: string;
}

export interface Question {
  text: string;
  yes: string;
}

export interface Failure {
  title: string;
  where: string;
  hint: string;
  traceback: string;
}

export interface Note {
  kind: "info" | "good" | "warning" | "error";
  text: string;
}

/** What can be done now, and what just happened. */
export interface ViewState {
  run_id: number;
  is_blocking: boolean;
  deaf: string;
  can: Possible[];
  note: Note;
  refused: Setting | "";
  question: Question | null;
  failure: Failure | null;
}

export interface Rule {
  name: string;
  lr: string;
  reason: string;
}

/** The suggested rate, and the ways on. */
export interface Answer {
  lr: string;
  range: string;
  confidence: string;
  purpose: string;
  reason: string;
  is_missing: boolean;
  advice: string[];
  plan: string;
  rules: Rule[];
  selected: string;
  is_picked: boolean;
  receiver: string;
  code: string;
}

export interface Margins {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

/** The places of a run's curves in the figure's list of marks. */
export interface Marks {
  raw: number | null;
  smoothed: number | null;
  validation: number | null;
}

export interface SweepOf {
  start_lr: number;
  end_lr: number;
  num_steps: number;
  schedule: string;
}

export interface ShownRun {
  run_id: number;
  name: string;
  color: number;
  lr: string; // that the rule auto reads off it, or "none"
  is_hidden: boolean;
  is_current: boolean;
  is_growing: boolean; // its name and its place are not settled yet
  num_points: number;
  marks: Marks | null;
  sweep: SweepOf | null;
}

export type LegendKind =
  | "raw"
  | "smoothed"
  | "validation"
  | "band"
  | "range"
  | "unstable"
  | "probe"
  | "probe_aside"
  | "probe_cut";

export interface LegendEntry {
  kind: LegendKind;
  text: string;
}

/** What the chart shows, besides bqplot's own state. */
export interface ChartState {
  margins: Margins;
  is_zoomed: boolean;
  has_validation: boolean;
  legend: LegendEntry[];
  runs: ShownRun[];
  text: string;
}

/** Everything that a view shows. */
export interface State {
  start_lr: number;
  end_lr: number;
  num_steps: number;
  repeats: number;
  max_probe_steps: number;
  train_steps: number | null;
  train_schedule: TrainSchedule;
  smoothing: number;
  loss_scale: "linear" | "log";
  loss_min: number | null;
  loss_max: number | null;
  suggest_from: "loss" | "val_loss";
  variable: string;
  rule: string;
  status: Status;
  picture: string;
  progress: Progress;
  view_state: ViewState;
  answer: Answer;
  chart_state: ChartState;
}

export const STATE_KEYS = [
  "start_lr",
  "end_lr",
  "num_steps",
  "repeats",
  "max_probe_steps",
  "train_steps",
  "train_schedule",
  "smoothing",
  "loss_scale",
  "loss_min",
  "loss_max",
  "suggest_from",
  "variable",
  "rule",
  "status",
  "picture",
  "progress",
  "view_state",
  "answer",
  "chart_state",
] as const satisfies readonly (keyof State)[];
