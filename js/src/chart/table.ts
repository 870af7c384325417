// The drawn points as CSV, in the columns of lr_widget/widget/takeaway/table.py.

import { lossIn, stepOf } from "./curves";
import type { Curve, Line } from "./models";

/**
 * Whether the drawn points are all that a table needs. Of a long run there are fewer points than steps, and a loss that is not
 * finite, or not positive on a logarithmic axis, is no point.
 */
export function isComplete(curves: readonly Curve[]): boolean {
  const isWhole = (line: Line | null): boolean => line === null || Array.from(line.y).every(Number.isFinite);
  return curves.every(({ run, raw, smoothed, validation }) => {
    const hasAll = run.sweep !== null && raw !== null && smoothed !== null && raw.x.length === run.num_points;
    return hasAll && [raw, smoothed, validation].every(isWhole);
  });
}

/** One row a point; the validation losses have a column where there are any. */
export function tableOf(curves: readonly Curve[]): string {
  const hasValidation = curves.some(({ validation }) => validation !== null);
  const names = ["run", "step", "lr", "loss", "smoothed", ...(hasValidation ? ["val_loss"] : [])];
  const rows = curves.flatMap((curve) => {
    const { run, base, raw, smoothed, validation } = curve;
    const lines = [raw, smoothed, ...(hasValidation ? [validation] : [])];
    return Array.from(base.x, (rate, index) => {
      const step = run.sweep && stepOf(run.sweep, rate);
      const losses = lines.map((line) => numberOf(lossIn(line, { curve, index, rate })));
      return [cell(run.name), step ?? "", rate, ...losses];
    });
  });
  return [names, ...rows].map((row) => `${row.join(",")}\n`).join("");
}

function numberOf(value: number): string {
  return Number.isNaN(value) ? "" : String(value);
}

/** A name, between quotes where it needs them; one that a spreadsheet would calculate gets an apostrophe in front. */
function cell(name: string): string {
  const harmless = /^[=+\-@\t\r]/.test(name) ? `'${name}` : name;
  return /[",\n\r]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
