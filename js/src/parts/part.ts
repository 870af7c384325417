// The parts of a view: each shows its share of the state, and turns its clicks and entries into commands.

import type { SetCommand } from "../channel";
import type { ExportKind } from "../chart";
import type { Command, Possible, State } from "../protocol";

/** The ways out of a part. */
export interface Actions {
  /** Send a command to Python. */
  send(command: Command): void;
  /** Send a setting that changes quickly, in a drag; of many values only the last must arrive. `settled` is called then. */
  slide(command: SetCommand, settled: () => void): void;
  /** Show a message of this browser in the status line; an empty one brings the kernel's message back. */
  say(text: string): void;
  /** Save the chart as a file. */
  exportAs(kind: ExportKind): void;
  /** Show all of the chart again. */
  resetZoom(): void;
}

/** What a part shows: a state, and if a kernel is there; without one, the state allows nothing that needs it. */
export interface Shown {
  state: State;
  isLive: boolean;
}

export type Show = (shown: Shown) => void;

export function can({ state }: Shown, ...commands: Possible[]): boolean {
  return commands.some((command) => state.view_state.can.includes(command));
}
