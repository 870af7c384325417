import { beforeEach, expect, test } from "vitest";
import { setAttribute, setHidden, setProse, setText, setValue, showList } from "../src/dom";

let box: HTMLElement;

beforeEach(() => {
  box = document.createElement("div");
  document.body.replaceChildren(box);
});

/** Count what changes in the box meanwhile. */
function changesIn(act: () => void): number {
  const observer = new MutationObserver(() => undefined);
  observer.observe(box, { attributes: true, childList: true, characterData: true, subtree: true });
  act();
  return observer.takeRecords().length;
}

test("rates in a sentence are not broken", () => {
  setProse(box, "From 1e-7 to 3.25e-3, then 10 and 0.01 (x1e-5).");
  expect([...box.children].map((part) => part.textContent)).toEqual(["1e-7", "3.25e-3"]);
  expect(box.textContent).toBe("From 1e-7 to 3.25e-3, then 10 and 0.01 (x1e-5).");
});

// With an expression that looks for the end of a number from each of its digits, this takes hours.
test.each([
  ["digits", "1"],
  ["digits and points", "1."],
  ["words of digits", "1 "],
  ["rates without an end", "1e-"],
])("a message of a million %s is shown at once, and not all of it", (_, part) => {
  const text = `The error: ${part.repeat(1e6 / part.length)} at the end`;
  setProse(box, text);
  expect(box.textContent?.length).toBeLessThan(20_100);
  expect(box.textContent).toMatch(/^The error: 1.*at the end$/s);
});

test("of a long text its middle is left out", () => {
  const field = document.createElement("input");
  const text = `${"a".repeat(5e6)}b${"c".repeat(5e6)}`;
  setText(box, text);
  setValue(field, text);
  setAttribute(box, "title", text);
  for (const shown of [box.textContent, field.value, box.title]) {
    expect(shown).toBe(`${"a".repeat(10_000)} … ${"c".repeat(10_000)}`);
  }
});

test("what is the same is not set again", () => {
  const long = "1e-3 ".repeat(10_000);
  setProse(box, long);
  expect(changesIn(() => setProse(box, long))).toBe(0);
  expect(changesIn(() => setProse(box, "1e-3"))).toBeGreaterThan(0);
  expect(changesIn(() => setText(box, "1e-3"))).toBe(0);
});

const show = (names: string[], next = document.createElement("button")): void => {
  const make = (): HTMLElement => {
    const row = document.createElement("p");
    row.append(document.createElement("button"));
    return row;
  };
  const update = (row: HTMLElement, name: string): void => setText(row.firstChild as HTMLElement, name);
  showList(box, names, String, make, update, next);
};
const names = () => [...box.children].map((row) => row.textContent);

test("a list keeps the rows of its keys, in the order of the items", () => {
  show(["a", "b", "c"]);
  const [a, b, c] = [...box.children];
  show(["c", "d", "a"]);
  expect(names()).toEqual(["c", "d", "a"]);
  expect([box.children[0], box.children[2]]).toEqual([c, a]);
  expect(b?.isConnected).toBe(false);
  expect(changesIn(() => show(["c", "d", "a"]))).toBe(0);
});

test("the focus stays with its row, or goes to the row that takes its place", () => {
  show(["a", "b", "c"]);
  const focus = () => document.activeElement?.textContent;
  box.querySelectorAll("button")[1]?.focus();
  show(["c", "b", "a", "d"]);
  expect(focus()).toBe("b");
  show(["c", "a", "d"]);
  expect(focus()).toBe("a");
  show(["c"]);
  expect(focus()).toBe("c");
  const next = document.createElement("button");
  next.textContent = "next";
  document.body.append(next);
  show([], next);
  expect(focus()).toBe("next");
});

test("a list that has not the focus does not take it", () => {
  show(["a", "b"]);
  show([]);
  expect(document.activeElement).toBe(document.body);
});

test("what is hidden gives its focus away, and else leaves it", () => {
  const [button, next] = [document.createElement("button"), document.createElement("button")];
  box.append(button, next);
  setHidden(button, true, next);
  expect(document.activeElement).toBe(document.body);
  button.hidden = false;
  button.focus();
  setHidden(button, true, next);
  expect([button.hidden, document.activeElement === next]).toEqual([true, true]);
});
