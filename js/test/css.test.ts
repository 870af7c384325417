import { expect, test } from "vitest";
import look from "../../lr_widget/widget/chart/look.py?raw";
import curves from "../src/css/curves.css?raw";
import palette from "../src/css/palette.css?raw";

/** The colours of look.py: the key that bqplot writes, that on light pages and that on dark ones, by their name in the style sheet. */
function tones(): [name: string, key: string, light: string, dark: string][] {
  const tone = /(?:^(\w+) = |^ +)Tone\("(#\w{6})", "(#\w{6})", "(#\w{6})"\)/gm;
  let run = 0;
  return [...look.matchAll(tone)].map(([, name, key = "", light = "", dark = ""]) => [
    name?.toLowerCase() ?? `run-${run++}`,
    key,
    light,
    dark,
  ]);
}

/** The colour of a name in the palette of a theme. */
function inPalette(theme: string, name: string): string | undefined {
  const block = palette.split(`.lrw[data-theme="${theme}"] {`)[1]?.split("}")[0];
  return new RegExp(`--lrw-${name}: (#\\w+);`).exec(block ?? "")?.[1];
}

/** The name of the colour that stands in for a key. */
function standIn(key: string): string | undefined {
  const channels = [1, 3, 5].map((at) => Number.parseInt(key.slice(at, at + 2), 16));
  return new RegExp(`rgb\\(${channels.join(", ")}\\)"\\] \\{\\s+--lrw-tone: var\\(--lrw-([\\w-]+)\\)`).exec(
    curves,
  )?.[1];
}

test("every colour that Python draws with has its own on light and on dark pages", () => {
  const wanted = tones();
  expect(wanted.filter(([name]) => name.startsWith("run-"))).toHaveLength(8);
  expect(wanted.length).toBeGreaterThan(12);
  const found = wanted.map(([name, key]) => [standIn(key), key, inPalette("light", name), inPalette("dark", name)]);
  expect(found).toEqual(wanted);
});
