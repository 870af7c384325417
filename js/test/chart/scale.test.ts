import { expect, test } from "vitest";
import {
  hasRate,
  isInside,
  makeFrame,
  placeOf,
  rateAtPlace,
  rectangleOf,
  shareOf,
  valueAt,
  windowOf,
} from "../../src/chart/scale";
import { SIZE } from "./stubs";

const LOG = { low: 1e-4, high: 1, isLog: true };
const LINEAR = { low: 1, high: 5, isLog: false };
const MARGINS = { top: 12, bottom: 44, left: 64, right: 20 };
const FRAME = makeFrame(SIZE, MARGINS, LOG, LINEAR); // 64 to 864 pixels wide, 12 to 212 high

test("a value and its share of a logarithmic scale go by its decades", () => {
  expect(shareOf(LOG, 1e-3)).toBeCloseTo(0.25, 12);
  expect(valueAt(LOG, 0.75)).toBeCloseTo(0.1, 12);
});

test("a value and its share of a linear scale go by its difference", () => {
  expect(shareOf(LINEAR, 2)).toBe(0.25);
  expect(valueAt(LINEAR, 0.75)).toBe(4);
});

test("a rate and a loss have a place, counted from the upper left corner", () => {
  const place = placeOf(FRAME, 1e-2, 2);
  expect([place.x, place.y]).toEqual([expect.closeTo(464, 6), expect.closeTo(162, 6)]);
  expect(rateAtPlace(FRAME, 664)).toBeCloseTo(0.1, 12);
});

test("a logarithmic axis of the loss is divided by decades, too", () => {
  const frame = makeFrame(SIZE, MARGINS, LOG, { low: 0.1, high: 10, isLog: true });
  expect(placeOf(frame, 1, 1).y).toBeCloseTo(112, 6);
  expect(windowOf(frame, rectangleOf(frame, { x: 64, y: 112 }, { x: 864, y: 212 }))).toEqual([
    expect.closeTo(1e-4, 12),
    expect.closeTo(1, 12),
    expect.closeTo(0.1, 12),
    expect.closeTo(1, 12),
  ]);
});

test("a rate at the very end belongs to the axis, one beyond does not", () => {
  expect([1e-4, 1, 1.01, 9e-5].map((rate) => hasRate(FRAME, rate))).toEqual([true, true, false, false]);
});

test("the margins are not in the plot area", () => {
  const places = [
    { x: 64, y: 12 },
    { x: 864, y: 212 },
    { x: 63, y: 100 },
    { x: 400, y: 213 },
  ];
  expect(places.map((place) => isInside(FRAME, place))).toEqual([true, true, false, false]);
});

test("a rectangle has the same corners in whichever direction it was drawn, and ends at the plot area", () => {
  const wanted = { left: 464, top: 62, width: 400, height: 150 };
  expect(rectangleOf(FRAME, { x: 464, y: 62 }, { x: 2000, y: 900 })).toEqual(wanted);
  expect(rectangleOf(FRAME, { x: 2000, y: 900 }, { x: 464, y: 62 })).toEqual(wanted);
});

test("the window of a rectangle has rates and losses from low to high", () => {
  expect(windowOf(FRAME, { left: 264, top: 62, width: 400, height: 100 })).toEqual([
    expect.closeTo(1e-3, 12),
    expect.closeTo(0.1, 12),
    expect.closeTo(2, 12),
    expect.closeTo(4, 12),
  ]);
});

test("a flat rectangle takes all of the other direction", () => {
  expect(rectangleOf(FRAME, { x: 264, y: 100 }, { x: 464, y: 105 })).toEqual({
    left: 264,
    top: 12,
    width: 200,
    height: 200,
  });
  expect(rectangleOf(FRAME, { x: 264, y: 62 }, { x: 266, y: 112 })).toEqual({
    left: 64,
    top: 62,
    width: 800,
    height: 50,
  });
});

test("a rectangle that is tiny, or beside the plot area, is no window", () => {
  expect(windowOf(FRAME, rectangleOf(FRAME, { x: 300, y: 100 }, { x: 308, y: 108 }))).toBeNull();
  expect(windowOf(FRAME, rectangleOf(FRAME, { x: 10, y: 100 }, { x: 50, y: 200 }))).toBeNull();
});
