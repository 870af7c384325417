import { expect, test } from "vitest";
import { lossText, readingOf, spotFurther, spotNear, spotNearRate, stepOf } from "../../src/chart/curves";
import { type Curve, curvesOf } from "../../src/chart/models";
import { makeFrame } from "../../src/chart/scale";
import { lineOf, makeFigure, RATES, SIZE, SWEEP, twoRuns } from "./stubs";

const MARGINS = { top: 12, bottom: 44, left: 64, right: 20 };
const LOSSES = { low: 0, high: 4, isLog: false };
const FRAME = makeFrame(SIZE, MARGINS, { low: 1e-4, high: 1, isLog: true }, LOSSES);
const { figure, runs } = twoRuns();
const CURVES = curvesOf(figure, runs);
const [EARLIER, CURRENT] = CURVES as [Curve, Curve];

test("the nearest point is the nearest rate of the curve that is nearest there", () => {
  // At 1e-2 the earlier run is at 62 pixels, the newest at 162 (raw) and 149.5 (smoothed).
  expect(spotNear(CURVES, FRAME, { x: 470, y: 70 })).toMatchObject({ curve: EARLIER, index: 1, rate: 1e-2 });
  expect(spotNear(CURVES, FRAME, { x: 470, y: 120 })).toMatchObject({ curve: CURRENT, index: 1, rate: 1e-2 });
  expect(spotNear(CURVES, FRAME, { x: 860, y: 62 })).toMatchObject({ index: 3, rate: 1 });
});

test("of two equally near curves the newer one, which is drawn on top, is read", () => {
  const same = [{ ...CURRENT, run: EARLIER.run }, { ...CURRENT }];
  expect(spotNear(same, FRAME, { x: 470, y: 100 })?.curve.run.run_id).toBe(2);
});

test("a point outside of a zoomed axis is never read", () => {
  const zoomed = { ...FRAME, x: { low: 5e-3, high: 0.2, isLog: true } };
  expect(spotNear(CURVES, zoomed, { x: 64, y: 62 })?.rate).toBe(1e-2);
  expect(spotNearRate(CURRENT, zoomed, 1)?.rate).toBe(1e-1);
  expect(spotNear(CURVES, { ...FRAME, x: { low: 2e-3, high: 5e-3, isLog: true } }, { x: 300, y: 62 })).toBeNull();
});

test("steps go along the points of the run and end at the axis", () => {
  const first = spotNearRate(CURRENT, FRAME, 1e-3);
  expect(first && spotFurther(first, FRAME, 1).rate).toBe(1e-2);
  expect(first && spotFurther(first, FRAME, 10).rate).toBe(1);
  expect(first && spotFurther(first, FRAME, Number.POSITIVE_INFINITY).rate).toBe(1);
  expect(first && spotFurther(first, FRAME, -1).rate).toBe(1e-3);
});

test("a curve whose losses are all beyond the numbers is read, too", () => {
  const [curve] = curvesOf(makeFigure([lineOf([1e-3, 1e-2], [Number.NaN, Number.NaN])]), [
    { ...EARLIER.run, marks: { raw: 0, smoothed: null, validation: null } },
  ]);
  expect(curve && spotNear([curve], FRAME, { x: 300, y: 100 })?.rate).toBe(1e-3);
});

test("a hidden run, one without marks and one without points are no curves", () => {
  const empty = makeFigure([lineOf([], [])]);
  const run = { ...EARLIER.run, marks: { raw: 0, smoothed: null, validation: null } };
  expect(curvesOf(empty, [run])).toEqual([]);
  expect(curvesOf(figure, [{ ...run, is_hidden: true }])).toEqual([]);
  expect(curvesOf(figure, [{ ...run, marks: null }])).toEqual([]);
});

test("the step of a rate follows from the sweep, exponential or linear", () => {
  expect(stepOf({ start_lr: 1e-7, end_lr: 10, num_steps: 100, schedule: "exponential" }, 1e-7 * 1e8 ** 0.62)).toBe(62);
  expect(stepOf({ start_lr: 0.1, end_lr: 0.5, num_steps: 40, schedule: "linear" }, 0.2)).toBe(10);
  expect(stepOf({ start_lr: 0.1, end_lr: 0.1, num_steps: 40, schedule: "linear" }, 0.1)).toBeNull();
});

test.each([
  [1.8349, 0, 4, "1.83"],
  [0, 0, 4, "0.00"],
  [1e-9, 0, 4, "1.0e-9"],
  [-4e-4, -4, 4, "-4.0e-4"],
  [-2.5, -4, 0, "-2.50"],
  [123456.7891, 123456.7, 123456.9, "123456.7891"],
  [1.2345e-6, 0, 3e-6, "1.23e-6"],
  [41234, 0, 60000, "41234"],
  [2.5e8, 0, 3e8, "2.50e8"],
  [Number.POSITIVE_INFINITY, 0, 4, "Infinity"],
])("a loss of %d on an axis from %d to %d is told as %s, as finely as it can be seen", (loss, low, high, text) => {
  expect(lossText(loss, { low, high, isLog: false })).toBe(text);
});

test("on a logarithmic axis a loss has three digits", () => {
  const scale = { low: 1e-6, high: 100, isLog: true };
  expect([1.8349, 0.018349, 1.8349e-6].map((loss) => lossText(loss, scale))).toEqual(["1.83", "0.0183", "1.83e-6"]);
});

test("a reading has step, rate and losses, and is spoken in one sentence", () => {
  const spot = spotNearRate(CURRENT, FRAME, 1e-2);
  expect(spot && readingOf(spot, FRAME, true)).toEqual({
    name: "batch 32",
    lines: [
      ["step", "2 of 4"],
      ["rate", "0.01"],
      ["loss", "1.00"],
      ["smoothed", "1.25"],
    ],
    spoken: "step 2, rate 0.01, loss 1.00, smoothed 1.25, run batch 32",
  });
});

test("a single run is not named, and without a sweep no step is told", () => {
  const spot = spotNearRate({ ...CURRENT, run: { ...CURRENT.run, sweep: null } }, FRAME, 1e-1);
  expect(spot && readingOf(spot, FRAME, false)).toMatchObject({
    name: "",
    spoken: "rate 0.1, loss 0.50, smoothed 0.75",
  });
});

test("a validation loss is told where there is one at this rate", () => {
  const withValidation = { ...CURRENT, validation: { x: [RATES[1] as number, 1], y: [1.5, 3] } };
  const spoken = [1e-2, 1e-1, 1].map((rate) => {
    const spot = spotNearRate(withValidation, FRAME, rate);
    return spot && readingOf(spot, FRAME, false).spoken.split("validation ")[1];
  });
  expect(spoken).toEqual(["1.50", undefined, "3.00"]);
});

test("a sweep of many steps tells them with their thousands apart", () => {
  const run = { ...CURRENT.run, sweep: { ...SWEEP, num_steps: 10_000 } };
  const spot = spotNearRate({ ...CURRENT, run }, FRAME, 1e-2);
  expect(spot && readingOf(spot, FRAME, false).lines[0]).toEqual(["step", "5,000 of 10,000"]);
});

test("in a zoom the rates of a reading have the digits that tell them apart", () => {
  const spot = { curve: CURRENT, index: 1, rate: 0.0100731 };
  const rates = [1.5, 1.03, 1.002, 1 + 1e-9].map((ratio) => {
    const zoomed = { ...FRAME, x: { low: 0.01, high: 0.01 * ratio, isLog: true } };
    return readingOf(spot, zoomed, false).lines.find(([name]) => name === "rate")?.[1];
  });
  expect(rates).toEqual(["0.0101", "0.01007", "0.010073", "0.0100731"]);
  const linear = { ...FRAME, x: { low: -0.1, high: 1, isLog: false } };
  expect(readingOf(spot, linear, false).lines.find(([name]) => name === "rate")?.[1]).toBe("0.01");
});
