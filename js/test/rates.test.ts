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

test("a place on the chart is a rate between the bounds", () => {
  const margins = { left: 50, right: 50 };
  expect(rateAtPixel(50, 300, margins, [1e-4, 1])).toBe(1e-4);
  expect(rateAtPixel(150, 300, margins, [1e-4, 1])).toBe(1e-2);
  expect(rateAtPixel(250, 300, margins, [1e-4, 1])).toBe(1);
});

test("a place beside the plot is none", () => {
  expect(rateAtPixel(49, 300, { left: 50, right: 50 }, [1e-4, 1])).toBeNull();
  expect(rateAtPixel(251, 300, { left: 50, right: 50 }, [1e-4, 1])).toBeNull();
  expect(rateAtPixel(10, 0, { left: 0, right: 0 }, [1e-4, 1])).toBeNull();
});
