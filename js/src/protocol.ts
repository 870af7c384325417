// The state and the commands that Python and the browser exchange. tests/test_protocol.py compares every name and type
// with lr_widget/widget/browser/messages.py and the widget's traits; it reads plain interfaces, unions, lists and pairs.

export type Status = "idle" | "running" | "paused" | "finished" | "failed";
export type Possible = "start" | "stop" | "pause" | "resume" | "set" | "probe" | "copy" | "apply" | "code" | "clear";
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
  | "variable"
  | "rule"
  | "selected_lr";

export type Command =
  | { command: "start" | "probe" | "copy" | "apply" | "draw" }
  | { command: "stop" | "pause" | "resume"; run_id: number }
  | { command: "set"; name: Setting; value: string | number | null };

export interface Failure {
  title: string;
  where: string;
  hint: string;
  traceback: string;
}

export interface Rule {
  name: string;
  lr: string;
  reason: string;
}

export interface ViewState {
  run_id: number;
  is_blocking: boolean;
  deaf: string;
  can: Possible[];
  note: { kind: "info" | "good" | "warning" | "error"; text: string };
  progress: { step: number; total: number; text: string };
  suggestion: { lr: string; range: string; reason: string };
  plan: string;
  rules: Rule[];
  selected: string;
  is_picked: boolean;
  failure: Failure | null;
  code: string;
  bounds: [number, number];
  margins: { top: number; bottom: number; left: number; right: number };
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
  variable: string;
  rule: string;
  status: Status;
  picture: string;
  view_state: ViewState;
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
  "variable",
  "rule",
  "status",
  "picture",
  "view_state",
] as const satisfies readonly (keyof State)[];
