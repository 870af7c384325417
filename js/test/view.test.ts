import { beforeEach, expect, test } from "vitest";
import { openPage, type Page } from "./page";
import { makeRun, makeState } from "./state";

let page: Page;

beforeEach(() => {
  page = openPage();
});

const full = () =>
  makeState({
    chart_state: { is_zoomed: true, has_validation: true, runs: [makeRun(1), makeRun(2)] },
    answer: { advice: ["Use 300 steps and run"], rules: [{ name: "auto", lr: "0.1", reason: "" }] },
  });

test("every control has a name for screen readers", () => {
  page.view.show(full());
  const controls = [...page.root.querySelectorAll("input, select, button:not([hidden] *), progress, summary")];
  const nameOf = (control: Element) => control.getAttribute("aria-label") ?? control.textContent?.trim();
  expect(controls.length).toBeGreaterThan(30);
  expect(controls.filter((control) => !nameOf(control))).toEqual([]);
});

test("a name for screen readers has the words in it that are seen", () => {
  page.view.show(full());
  const misnamed = [...page.root.querySelectorAll("input, select, button")].filter((control) => {
    const name = control.getAttribute("aria-label")?.toLowerCase();
    const label = control.matches("button") ? control : control.closest("label");
    // The words around a field, such as "with at most … steps"; a sign such as × is no word.
    const words = [...(label?.childNodes ?? [])].map((node) => (node instanceof Text ? node.data.trim() : ""));
    return name !== undefined && !words.every((word) => !/\w/.test(word) || name.includes(word.toLowerCase()));
  });
  expect(misnamed).toEqual([]);
});

test("shortcuts of JupyterLab stay out of what has the focus", () => {
  for (const name of ["start", "endSlider", "variable"]) {
    page.ref(name).focus();
    expect(page.ref(name).getAttribute("data-lm-suppress-shortcuts")).toBe("true");
  }
});

test("two views on a page have ids of their own", () => {
  const ids = () => [...page.root.querySelectorAll("[id]")].map((element) => element.id);
  const first = ids();
  page = openPage();
  expect(first).toHaveLength(2);
  expect(ids().filter((id) => first.includes(id))).toEqual([]);
});

test("a state that is shown again changes nothing on the page", () => {
  page.view.show(full());
  const observer = new MutationObserver(() => undefined);
  observer.observe(page.root, { attributes: true, childList: true, characterData: true, subtree: true });
  page.view.show(full());
  const changed = observer.takeRecords().map(({ target, attributeName }) => `${target.nodeName} ${attributeName}`);
  expect(changed).toEqual([]);
});
