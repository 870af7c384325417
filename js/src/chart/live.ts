// The chart as it is at this moment: the state, bqplot's figure, and a kernel behind it or none.

import type { Command, Possible, State } from "../protocol";
import type { Scene } from "./crosshair";
import { curvesOf, follow, type Model, scalesOf } from "./models";
import { isInside, makeFrame, type Point, rateAtPlace, rateDigits, type Window } from "./scale";
import { LocalZoom } from "./zoom";

export type Send = (command: Command) => void;

export class Live {
  state: State | undefined;
  figure: Model | undefined;
  hasKernel = true;
  private local = new LocalZoom();

  constructor(
    private plot: HTMLElement,
    private send: Send,
    private tellZoom: () => void,
  ) {}

  /** Without a kernel, nothing can be done but what this browser does itself. */
  setKernel(isThere: boolean): void {
    this.hasKernel = isThere;
    if (isThere && this.local.isZoomed !== null) {
      this.local.undo(); // the kernel sets the bounds from now on
      this.tellZoom();
    }
  }

  can(command: Possible): boolean {
    return this.hasKernel && this.state?.view_state.can.includes(command) === true;
  }

  canZoom(): boolean {
    return this.hasKernel ? this.can("zoom") : this.figure !== undefined;
  }

  isZoomed(): boolean {
    return this.local.isZoomed ?? this.state?.chart_state.is_zoomed === true;
  }

  /** What is drawn, or null before the figure is there. */
  read(): Scene | null {
    const scales = this.figure && scalesOf(this.figure);
    if (this.figure === undefined || !scales || this.state === undefined) {
      return null;
    }
    const { margins, runs } = this.state.chart_state;
    const size = { width: this.plot.clientWidth, height: this.plot.clientHeight };
    const selected = Number(this.state.answer.selected || Number.NaN);
    return { frame: makeFrame(size, margins, scales.x, scales.y), curves: curvesOf(this.figure, runs), selected };
  }

  /** Call `listener` at each change of what `read` gives, until the returned function is called. */
  follow(listener: () => void): () => void {
    const nothing = (): void => undefined;
    return this.figure === undefined ? nothing : follow(this.figure, () => this.state?.chart_state, listener);
  }

  pick(rate: number): void {
    const scene = this.read();
    if (scene && this.can("pick")) {
      const value = Number(rate.toPrecision(rateDigits(scene.frame.x)));
      this.send({ command: "set", name: "selected_lr", value });
    }
  }

  pickAt(at: Point): void {
    const frame = this.read()?.frame;
    if (frame && isInside(frame, at)) {
      this.pick(rateAtPlace(frame, at.x));
    }
  }

  /** Zoom into a window, or show all again for null. */
  zoom(window: Window | null): void {
    if (this.hasKernel) {
      this.send({ command: "zoom", value: window });
    } else if (this.figure !== undefined && this.state !== undefined) {
      if (window !== null) {
        this.local.zoom(this.figure, window);
      } else {
        this.local.reset(this.figure, this.state);
      }
      this.tellZoom();
    }
  }

  /** Ask the kernel for the table of all steps; false where there is none to ask. */
  askForTable(): boolean {
    const canAsk = this.can("csv");
    if (canAsk) {
      this.send({ command: "csv" });
    }
    return canAsk;
  }
}
