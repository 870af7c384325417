// Learning rates as positions on a logarithmic slider and as text, and other numbers as text.

export const SLIDER_MIN = -10;
export const SLIDER_MAX = 2;
export const SLIDER_STEP = 0.05;
export const TYPED_DIGITS = 6; // of a rate that somebody has chosen

/** The rate at a slider position (log10 of the rate), in two digits. */
export function rateAt(position: number): number {
  return Number((10 ** position).toPrecision(2));
}

/** The slider position of a rate; the ends of the slider for rates beyond it. */
export function positionOf(rate: number): number {
  return Math.min(SLIDER_MAX, Math.max(SLIDER_MIN, Math.log10(rate)));
}

/**
 * A rate as it is written everywhere: plain from 0.01 to below 10,000, else 1e-7 or 3.2e-3; the twin of `rate_text` in
 * lr_widget/schedule.py. At most `digits` significant digits, without needless zeros.
 */
export function rateText(rate: number, digits = 2): string {
  const [mantissa = "", exponent = ""] = rate.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  return power >= -2 && power <= 3 ? String(Number(`${mantissa}e${power}`)) : `${Number(mantissa)}e${power}`;
}

/** A count with its thousands apart: 5,000. */
export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

/** A loss or another number as one would type it, in six digits. */
export function numberText(value: number): string {
  return String(Number(value.toPrecision(TYPED_DIGITS)));
}
