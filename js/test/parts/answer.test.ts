import { beforeEach, expect, test } from "vitest";
import { openPage, type Page, rests } from "../page";
import { makeState } from "../state";

let page: Page;

beforeEach(() => {
  page = openPage();
});

const found = { lr: "3.2e-3", range: "1.1e-3 … 6e-3", confidence: "high confidence", reason: "It falls." };
const headline = () => page.root.querySelector(".lrw-headline")?.textContent?.replace(/\s+/g, " ").trim();
const kind = () => page.ref("answer").dataset.kind;

test("one answer: the rate, its range and confidence, and what it is for", () => {
  const { view, ref } = page;
  const purpose = "for a training of 5,000 steps with a cosine schedule";
  view.show(makeState({ status: "finished", answer: { ...found, purpose } }));
  expect(headline()).toMatch(/^suggested 3\.2e-3 1\.1e-3 … 6e-3 · high confidence$/);
  expect([kind(), ref("purpose").textContent, ref("reason").textContent]).toEqual(["found", purpose, "It falls."]);
});

test.each([
  ["idle", "idle", {}, /^No rate yet$/],
  ["running", "running", {}, /^Running$/],
  ["paused", "running", {}, /^Paused$/],
  ["finished", "missing", { is_missing: true, reason: "It never falls." }, /^No suggestion$/],
  ["failed", "failed", {}, /^Failed$/],
  ["failed", "failed", found, /^suggested 3\.2e-3/],
] as const)("a widget that is %s shows %s", (status, wanted, answer, words) => {
  page.view.show(makeState({ status, answer }));
  expect(kind()).toBe(wanted);
  expect(headline()).toMatch(words);
  expect(page.ref("suggested").hidden).toBe(!("lr" in answer));
});

test("another rule than auto is named beside its rate", () => {
  page.view.show(makeState({ rule: "steepest", answer: found }));
  expect(headline()).toMatch(/^suggested by steepest 3\.2e-3/);
});

test("a hint asks for the training, and says that a rule does not know of it", () => {
  const { view, ref } = page;
  expect(ref("trainHint").textContent).toMatch(/^How long will you train\?/);
  view.show(makeState({ train_steps: 5000, rule: "steepest", answer: found }));
  expect(ref("trainHint").textContent).toMatch(/^This rule does not know of the training/);
  const purpose = "for a training of 5,000 steps at a constant rate";
  view.show(makeState({ train_steps: 5000, answer: { ...found, purpose } }));
  expect(ref("trainHint").textContent).toBe("");
});

test("advice is a button for each way on, followed by its label", () => {
  const { view, ref, sent } = page;
  const advice = ["Extend end to 100 and run", "Use 300 steps and run"];
  const buttons = () => [...ref<HTMLElement>("advice").querySelectorAll("button")];
  expect(ref("advice").hidden).toBe(true);
  view.show(makeState({ answer: { is_missing: true, advice } }));
  expect([ref("advice").hidden, buttons().map((button) => button.textContent)]).toEqual([false, advice]);
  buttons()[1]?.focus();
  buttons()[1]?.click();
  expect(sent).toEqual([{ command: "follow", value: "Use 300 steps and run" }]);
  view.show(makeState({ status: "running", answer: { is_missing: true, advice } }, { can: ["stop"] }));
  expect(buttons().every(rests)).toBe(true);
  view.show(makeState({ status: "running" }, { can: ["stop"] }));
  expect(document.activeElement).toBe(ref("start")); // the pressed button is gone
});

test("where there is neither a rate nor advice, Probe is the button that stands out", () => {
  const { view, ref } = page;
  const isPrimary = () => ref("probe").classList.contains("lrw-primary");
  view.show(makeState({ answer: { is_missing: true } }));
  expect(isPrimary()).toBe(true);
  view.show(makeState({ answer: { is_missing: true, advice: ["Use 300 steps and run"] } }));
  expect(isPrimary()).toBe(false);
  view.show(makeState({ answer: found }));
  expect(isPrimary()).toBe(false);
});

test("the plan of the probes is shown as Python words it", () => {
  page.view.show(makeState({ answer: { plan: "Up to 300 steps around 3.2e-3: <b>" } }));
  expect(page.ref("plan").textContent).toBe("Up to 300 steps around 3.2e-3: <b>");
});

test("the rules are folded, each with its rate and its reason, and the chosen one is pressed", () => {
  const { view, ref, sent } = page;
  const rules = [
    { name: "auto", lr: "3.2e-3", reason: "It falls until 0.1." },
    { name: "steepest", lr: "0.01", reason: "Steepest there." },
  ];
  view.show(makeState({ rule: "steepest", answer: { rules } }));
  expect((page.root.querySelector('[data-ref="compare"]') as HTMLDetailsElement).open).toBe(false);
  const chips = [...ref<HTMLElement>("rules").querySelectorAll("button")];
  expect(chips.map((chip) => [chip.textContent, chip.getAttribute("aria-pressed")])).toEqual([
    ["auto 3.2e-3", "false"],
    ["steepest 0.01", "true"],
  ]);
  expect(ref("rules").textContent).toMatch(/It falls until 0\.1\..*Steepest there\./);
  chips[0]?.focus();
  chips[0]?.click();
  expect(sent).toEqual([{ command: "set", name: "rule", value: "auto" }]);
  view.show(makeState({ answer: { rules: [{ name: "auto", lr: "2e-3", reason: "" }] } }, { can: [] }));
  expect(document.activeElement).toBe(chips[0]); // the same button, with another rate
  expect([chips[0]?.textContent, rests(chips[0] as Element)]).toEqual(["auto 2e-3", true]);
});

test("the comparison stays open or closed, as the user left it", () => {
  const compare = page.root.querySelector('[data-ref="compare"]') as HTMLDetailsElement;
  compare.open = true;
  page.view.show(makeState({ status: "running" }));
  page.view.show(makeState({ status: "finished", answer: found }));
  expect(compare.open).toBe(true);
});
