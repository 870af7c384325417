// The commands to Python, each with a serial that its answer repeats.

import type { Command, Setting } from "./protocol";

const PATIENCE_MS = 1500; // after this time without an answer, a command is overdue
const PACE_MS = 280; // between two values of a slider
const LOST_MS = 30_000; // an answer that has not come by then does not hold a slider back

export type SetCommand = Command & { command: "set" };

export interface Channel {
  /** Send a command and return its serial. */
  send(command: Command): string;
  /**
   * Send a value that is one of many. It waits until the last one of its setting is answered and some time has passed; a
   * later one takes its place. `settled` is called when all that was sent is answered.
   */
  slide(command: SetCommand, settled: () => void): void;
  /** Take a message of Python's: an answer, or something else. */
  receive(content: unknown): void;
  /** A command has waited for long. */
  isOverdue(): boolean;
  close(): void;
}

/** The values of one slider: the next one, and the last one that was sent. */
interface Slide {
  next: SetCommand | undefined;
  settled: () => void;
  serial: string;
  sentAt: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Open a channel.
 *
 * `deliver` hands a message to Jupyter; it throws, or what it promises fails, where no kernel is connected, and `failed` is
 * called then. `waited` is called when a command gets overdue, and when one is answered.
 */
export function openChannel(
  deliver: (message: Command & { serial: string }) => unknown,
  failed: () => void,
  waited: () => void,
): Channel {
  const waiting = new Map<string, ReturnType<typeof setTimeout>>();
  const overdue = new Set<string>();
  const slides = new Map<Setting, Slide>();
  const channelId = Math.random().toString(36).slice(2); // every view receives all answers, so each marks its own commands
  let count = 0;

  const forget = (serial: string): void => {
    clearTimeout(waiting.get(serial));
    waiting.delete(serial);
    overdue.delete(serial);
  };
  const send = (command: Command): string => {
    const serial = `${channelId}-${++count}`;
    const fail = (): void => {
      forget(serial);
      failed();
      advanceAll();
    };
    const wait = (): void => {
      overdue.add(serial);
      waited();
    };
    waiting.set(serial, setTimeout(wait, PATIENCE_MS));
    new Promise((resolve) => resolve(deliver({ ...command, serial }))).catch(fail);
    return serial;
  };
  const advance = (slide: Slide): void => {
    clearTimeout(slide.timer);
    const elapsed = Date.now() - slide.sentAt;
    if (waiting.has(slide.serial) && elapsed < LOST_MS) {
      return;
    }
    if (slide.next === undefined) {
      slide.settled();
    } else if (elapsed < PACE_MS) {
      slide.timer = setTimeout(() => advance(slide), PACE_MS - elapsed);
    } else {
      const command = slide.next;
      slide.next = undefined;
      slide.sentAt = Date.now();
      slide.serial = send(command);
    }
  };
  const advanceAll = (): void => slides.forEach(advance);

  return {
    send,
    slide(command, settled) {
      const slide = slides.get(command.name) ?? { next: undefined, settled, serial: "", sentAt: 0, timer: undefined };
      slides.set(command.name, Object.assign(slide, { next: command, settled }));
      advance(slide);
    },
    receive(content) {
      const serial = (content as { done?: unknown } | null)?.done;
      if (typeof serial === "string" && waiting.has(serial)) {
        forget(serial);
        waited();
        advanceAll();
      }
    },
    isOverdue: () => overdue.size > 0,
    close() {
      for (const timer of [...waiting.values(), ...[...slides.values()].map((slide) => slide.timer)]) {
        clearTimeout(timer);
      }
    },
  };
}
