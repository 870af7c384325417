import { expect, test } from "vitest";
import { positionOf, rateAt, rateAtPixel, rateText, SLIDER_MAX, SLIDER_MIN, SLIDER_STEP } from "../src/rates";

test("a slider position is the logarithm of a rate in two digits", () => {
  expect(rateAt(-7)).toBe(1e-7);
  expect(rateAt(-3.5)).toBe(3.2e-4);
  expect(positionOf(1e-3)).toBeCloseTo(-3, 12);
});

test("rates beyond the slider stand at its ends", () => {
  expect(positionOf(1e-30)).toBe(SLIDER_MIN);
  expect(positionOf(1e30)).toBe(SLIDER_MAX);
});

test("each step of the slider is another rate", () => {
  const count = Math.round((SLIDER_MAX - SLIDER_MIN) / SLIDER_STEP);
  const rates = Array.from({ length: count + 1 }, (_, k) => rateAt(SLIDER_MIN + k * SLIDER_STEP));
  expect(new Set(rates).size).toBe(count + 1);
});

test("rates are written as one would type them", () => {
  expect([1e-7, 3e-4, 0.0123, 10, 0.1 + 0.2].map(rateText)).toEqual(["1e-7", "0.0003", "0.0123", "10", "0.3"]);
});

const size = { width: 300, height: 200 };
const margins = { left: 50, right: 50, top: 10, bottom: 40 };
const rateAtXY = (x: number, y = 100) => rateAtPixel({ x, y }, size, margins, [1e-4, 1]);

test("a place on the chart is a rate between the bounds", () => {
  expect([50, 150, 250].map((x) => rateAtXY(x))).toEqual([1e-4, 1e-2, 1]);
  expect([10, 160].map((y) => rateAtXY(150, y))).toEqual([1e-2, 1e-2]);
});

test("a place beside the plot, above or below it is none", () => {
  expect([49, 251].map((x) => rateAtXY(x))).toEqual([null, null]);
  expect([9, 161, 500].map((y) => rateAtXY(150, y))).toEqual([null, null, null]);
  const nothing = { left: 0, right: 0, top: 0, bottom: 0 };
  expect(rateAtPixel({ x: 10, y: 0 }, { width: 0, height: 0 }, nothing, [1e-4, 1])).toBeNull();
});
