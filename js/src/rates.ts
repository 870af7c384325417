// Learning rates as positions on a logarithmic slider, as text, and as places on the chart.

export const SLIDER_MIN = -10;
export const SLIDER_MAX = 2;
export const SLIDER_STEP = 0.05;

/** The rate at a slider position (log10 of the rate), in two digits. */
export function rateAt(position: number): number {
  return Number((10 ** position).toPrecision(2));
}

/** The slider position of a rate; the ends of the slider for rates beyond it. */
export function positionOf(rate: number): number {
  return Math.min(SLIDER_MAX, Math.max(SLIDER_MIN, Math.log10(rate)));
}

/** A rate as one would type it: 1e-7, 0.0003, 10. */
export function rateText(rate: number): string {
  if (rate !== 0 && (Math.abs(rate) < 1e-4 || Math.abs(rate) >= 1e5)) {
    return Number(rate.toPrecision(6)).toExponential();
  }
  return String(Number(rate.toPrecision(6)));
}

/** A count with its thousands apart: 5,000. */
export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

/** The rate under a point of the chart, or null beside the plot area; point and size in pixels. */
export function rateAtPixel(
  point: { x: number; y: number },
  size: { width: number; height: number },
  margins: { left: number; right: number; top: number; bottom: number },
  bounds: readonly [number, number],
): number | null {
  const share = (point.x - margins.left) / (size.width - margins.left - margins.right);
  const isInHeight = point.y >= margins.top && point.y <= size.height - margins.bottom;
  if (!isInHeight || !(share >= 0 && share <= 1)) {
    return null;
  }
  const [low, high] = bounds;
  return Number((low * (high / low) ** share).toPrecision(2));
}
