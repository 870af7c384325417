// Rates and losses as places in the chart, and back. Pixels count from the upper left corner of the chart's box.

import type { Margins } from "../protocol";
import { TYPED_DIGITS } from "../rates";

export interface Point {
  x: number;
  y: number;
}

export interface Scale {
  low: number;
  high: number;
  isLog: boolean;
}

/** The plot area with its two scales. */
export interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
  x: Scale;
  y: Scale;
}

/** Rates and losses from the lowest to the highest: [rate, rate, loss, loss]. */
export type Window = [number, number, number, number];

const MIN_SIDE_PX = 12; // a rectangle that is flatter than this means all of that axis
const HAIR = 1e-9; // of the plot area: points at its very edge belong to it

export function makeFrame(size: { width: number; height: number }, margins: Margins, x: Scale, y: Scale): Frame {
  const { left, right, top, bottom } = margins;
  return { left, top, width: size.width - left - right, height: size.height - top - bottom, x, y };
}

/** How far a value is on its scale: 0 at the low end, 1 at the high end. */
export function shareOf({ low, high, isLog }: Scale, value: number): number {
  return isLog ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
}

/** The digits that tell the rates of an axis apart: two, and more in a deep zoom. */
export function rateDigits({ low, high }: Scale): number {
  const ratio = low > 0 ? high / low : Number.POSITIVE_INFINITY;
  return Math.min(TYPED_DIGITS, Math.max(2, Math.ceil(-Math.log10(ratio - 1)) + 2));
}

export function valueAt({ low, high, isLog }: Scale, share: number): number {
  return isLog ? low * (high / low) ** share : low + (high - low) * share;
}

export function placeOf(frame: Frame, rate: number, loss: number): Point {
  return {
    x: frame.left + frame.width * shareOf(frame.x, rate),
    y: frame.top + frame.height * (1 - shareOf(frame.y, loss)),
  };
}

/** Whether a rate is within the x axis. */
export function hasRate(frame: Frame, rate: number): boolean {
  const share = shareOf(frame.x, rate);
  return share >= -HAIR && share <= 1 + HAIR;
}

export function isInside({ left, top, width, height }: Frame, { x, y }: Point): boolean {
  return x >= left && x <= left + width && y >= top && y <= top + height;
}

export function rateAtPlace(frame: Frame, x: number): number {
  return valueAt(frame.x, (x - frame.left) / frame.width);
}

export interface Rectangle {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The rectangle between two points as far as it is in the plot area; a flat one takes all of the other direction. */
export function rectangleOf(frame: Frame, from: Point, to: Point): Rectangle {
  const [left, width] = stretch(from.x, to.x, frame.left, frame.width);
  const [top, height] = stretch(from.y, to.y, frame.top, frame.height);
  return { left, top, width, height };
}

function stretch(from: number, to: number, start: number, length: number): [number, number] {
  if (Math.abs(to - from) < MIN_SIDE_PX) {
    return [start, length];
  }
  const inside = (value: number): number => Math.min(start + length, Math.max(start, value));
  return [inside(Math.min(from, to)), inside(Math.max(from, to)) - inside(Math.min(from, to))];
}

/** The rates and losses within a rectangle, or null for one that has no area or is the whole chart. */
export function windowOf(frame: Frame, { left, top, width, height }: Rectangle): Window | null {
  const isAll = width === frame.width && height === frame.height;
  if (isAll || !(width > 0) || !(height > 0)) {
    return null;
  }
  const lowest = 1 - (top + height - frame.top) / frame.height;
  return [
    rateAtPlace(frame, left),
    rateAtPlace(frame, left + width),
    valueAt(frame.y, lowest),
    valueAt(frame.y, lowest + height / frame.height),
  ];
}
