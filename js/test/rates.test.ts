import { expect, test } from "vitest";
import { numberText, positionOf, rateAt, rateText, SLIDER_MAX, SLIDER_MIN, SLIDER_STEP } from "../src/rates";

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

test.each([
  [1e-7, "1e-7"],
  [0.00316, "3.2e-3"],
  [0.00994, "9.9e-3"],
  [0.00999, "0.01"],
  [0.316, "0.32"],
  [1, "1"],
  [10, "10"],
  [123, "120"],
  [9949, "9900"],
  [9996, "1e4"],
  [12345, "1.2e4"],
  [0.125, "0.13"], // a tie goes up, as in Python
])("%d is written as %s", (rate, text) => {
  expect(rateText(rate)).toBe(text);
});

test("a rate that somebody has chosen keeps six digits, and no needless zero", () => {
  const rates = [0.0123456, 1e-7, 0.1 + 0.2, 3.25e-3, 1234.5, 0.0100004];
  expect(rates.map((rate) => rateText(rate, 6))).toEqual([
    "0.0123456",
    "1e-7",
    "0.3",
    "3.25e-3",
    "1234.5",
    "0.0100004",
  ]);
});

test("losses are written as one would type them", () => {
  expect([5, 0.1 + 0.2, 1e-9, 123456.5].map(numberText)).toEqual(["5", "0.3", "1e-9", "123457"]);
});
