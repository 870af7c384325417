import { beforeEach, expect, test } from "vitest";
import { openPage, type Page, rests } from "../page";
import { makeState } from "../state";

let page: Page;

beforeEach(() => {
  page = openPage();
});

const question = { text: "epochs holds 10. Set it to 3.2e-3?", yes: "Overwrite epochs" };

test("a question is asked where it was caused, answered, and gives the focus back", () => {
  const { view, ref, press, sent } = page;
  view.show(makeState({}, { can: ["copy"] }));
  expect(ref("question").hidden).toBe(true);
  ref("variable").focus();
  view.show(makeState({}, { can: ["copy"], question }));
  expect([ref("question").hidden, ref("questionText").textContent, ref("yes").textContent]).toEqual([
    false,
    question.text,
    question.yes,
  ]);
  expect(ref("question").getAttribute("aria-labelledby")).toBe(ref("questionText").id);
  expect(document.activeElement).toBe(ref("no"));
  press("yes");
  press("no");
  expect(sent).toEqual([{ command: "confirm" }, { command: "dismiss" }]);
  view.show(makeState({}, { can: ["copy"] }));
  expect([ref("question").hidden, document.activeElement === ref("variable")]).toEqual([true, true]);
});

test("Escape dismisses the question, and is no shortcut of the page", () => {
  const { view, ref, root, sent } = page;
  view.show(makeState({}, { question }));
  const heard: Event[] = [];
  root.addEventListener("keydown", (event) => heard.push(event));
  ref("no").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  expect(sent).toEqual([{ command: "dismiss" }]);
  expect(heard).toEqual([]);
});

test("a view that has not the focus does not take it for a question", () => {
  page.view.show(makeState({}, { question }));
  expect(document.activeElement).toBe(document.body);
});

test("a question without a kernel cannot be answered", () => {
  const { view, ref } = page;
  view.show(makeState({}, { question }));
  view.setLive(false);
  expect([rests(ref("yes")), rests(ref("no"))]).toEqual([true, true]);
});

const failure = { title: "<img src=x>", where: "<b>", hint: "<i>", traceback: "<script>" };

test("markup in messages stays text", () => {
  page.view.show(makeState({ status: "failed" }, { failure, note: { kind: "error", text: "<u>" } }));
  expect(page.root.querySelector("img, b, i, u, script")).toBeNull();
  expect(page.ref("failureTitle").textContent).toBe("<img src=x>");
});

test("an error is an alert, without its traceback, in the place of the reason", () => {
  const { view, ref } = page;
  view.show(makeState({ status: "failed" }, { failure }));
  const alert = page.root.querySelector('[role="alert"]');
  expect([ref("failure").hidden, ref("reason").hidden]).toEqual([false, true]);
  expect(alert?.contains(ref("failureHint"))).toBe(true);
  expect(alert?.contains(ref("failureTraceback"))).toBe(false);
  view.show(makeState({ status: "failed", answer: { lr: "0.1", reason: "Of an earlier run." } }, { failure }));
  expect(ref("reason").hidden).toBe(false);
  view.show(makeState());
  expect([ref("failure").hidden, ref("reason").hidden]).toEqual([true, false]);
});

test("a traceback of megabytes is shown without its middle", () => {
  const traceback = `Traceback\n${"x".repeat(10e6)}\nRuntimeError: the end`;
  page.view.show(makeState({ status: "failed" }, { failure: { ...failure, traceback } }));
  const shown = page.ref("failureTraceback").textContent ?? "";
  expect(shown.length).toBeLessThan(20_100);
  expect(shown).toMatch(/^Traceback.*RuntimeError: the end$/s);
});

test("own words stand in for the status line until they are taken back", () => {
  const { view, ref } = page;
  view.say("Waiting");
  view.show(makeState());
  expect(ref("note").textContent).toBe("Waiting");
  view.say("");
  expect(ref("note").textContent).toBe("Ready.");
});
