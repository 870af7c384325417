// A state to start from, as Python sends it before the first run.
import type { State, ViewState } from "../src/protocol";

export function makeState(changes: Partial<State> = {}, view: Partial<ViewState> = {}): State {
  return {
    start_lr: 1e-7,
    end_lr: 10,
    num_steps: 100,
    repeats: 1,
    max_probe_steps: 300,
    train_steps: null,
    train_schedule: "constant",
    smoothing: 0.9,
    variable: "lr",
    rule: "auto",
    status: "idle",
    picture: "",
    ...changes,
    view_state: {
      run_id: 3,
      is_blocking: false,
      deaf: "",
      can: ["start", "set"],
      note: { kind: "info", text: "Ready." },
      progress: { step: 0, total: 100, text: "" },
      suggestion: { lr: "", range: "", reason: "Run trains for 100 steps." },
      plan: "",
      rules: [],
      selected: "",
      is_picked: false,
      failure: null,
      code: "",
      bounds: [1e-7, 10],
      margins: { top: 12, bottom: 44, left: 64, right: 20 },
      ...view,
    },
  };
}
