import { beforeEach, expect, test, vi } from "vitest";
import type { Command } from "../src/protocol";
import { createView, type View } from "../src/view";
import { makeState } from "./state";

let root: HTMLElement;
let sent: Command[];
let view: View;

const ref = <T extends HTMLElement = HTMLInputElement>(name: string): T =>
  root.querySelector<T>(`[data-ref="${name}"]`) as T;

function enter(name: string, text: string): void {
  ref(name).value = text;
  ref(name).dispatchEvent(new Event("input"));
  ref(name).dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
}

beforeEach(() => {
  root = document.createElement("div");
  document.body.replaceChildren(root);
  sent = [];
  view = createView(root, (command) => sent.push(command));
  view.show(makeState());
});

test("every control has a name for screen readers", () => {
  const controls = [...root.querySelectorAll("input, select, button, progress")];
  const nameOf = (control: Element) => control.getAttribute("aria-label") ?? control.textContent?.trim();
  expect(controls.length).toBeGreaterThan(12);
  expect(controls.filter((control) => !nameOf(control))).toEqual([]);
});

test("shortcuts of JupyterLab stay out of what has the focus", () => {
  for (const name of ["start", "endSlider", "variable"]) {
    ref(name).focus();
    expect(ref(name).getAttribute("data-lm-suppress-shortcuts")).toBe("true");
  }
});

test("only what Python allows can be pressed", () => {
  expect(ref("start").disabled).toBe(false);
  expect(["stop", "pause", "copy", "apply", "code"].every((name) => ref(name).disabled)).toBe(true);
  view.show(makeState({ status: "running" }, { can: ["stop", "pause"] }));
  expect(ref("start").disabled).toBe(true);
  expect(ref("start_lr").disabled).toBe(true);
  expect(ref("stop").disabled).toBe(false);
});

test("the buttons send commands for the run that is shown", () => {
  view.show(makeState({ status: "running" }, { can: ["stop", "pause"] }));
  ref("pause").click();
  view.show(makeState({ status: "paused" }, { can: ["stop", "resume"] }));
  expect(ref("pauseText").textContent).toBe("Resume");
  ref("pause").click();
  ref("stop").click();
  expect(sent).toEqual([
    { command: "pause", run_id: 3 },
    { command: "resume", run_id: 3 },
    { command: "stop", run_id: 3 },
  ]);
});

test("probing is a command of its own, with its limit as a setting", () => {
  expect(ref("probe").disabled).toBe(true);
  view.show(makeState({ status: "finished" }, { can: ["start", "set", "probe"] }));
  enter("repeats", "3");
  enter("max_probe_steps", "200");
  ref("probe").click();
  expect(sent).toEqual([
    { command: "set", name: "repeats", value: "3" },
    { command: "set", name: "max_probe_steps", value: "200" },
    { command: "probe" },
  ]);
});

test("the training that the rate is for is typed and chosen, also during a run", () => {
  view.show(makeState({ status: "running" }, { can: ["stop", "pause"] }));
  expect([ref("train_steps").disabled, ref("train_schedule").disabled]).toEqual([false, false]);
  enter("train_steps", "5,000");
  enter("train_steps", "");
  ref("train_schedule").value = "cosine";
  ref("train_schedule").dispatchEvent(new Event("change"));
  expect(sent).toEqual([
    { command: "set", name: "train_steps", value: "5,000" },
    { command: "set", name: "train_steps", value: "" },
    { command: "set", name: "train_schedule", value: "cosine" },
  ]);
});

test("the training is shown, with its thousands apart, and a word on what answers for it", () => {
  expect([ref("train_steps").value, ref("train_schedule").value]).toEqual(["", "constant"]);
  expect(ref("trainHint").textContent).toMatch(/^How long will you train/);
  view.show(makeState({ train_steps: 1234567, train_schedule: "linear_with_warmup" }));
  expect([ref("train_steps").value, ref("train_schedule").value]).toEqual(["1,234,567", "linear_with_warmup"]);
  expect(ref("trainHint").textContent).toBe("Only the rules auto and probe are for it.");
});

test("a schedule that Python refused is shown as it was", () => {
  ref("train_schedule").value = "cosine";
  ref("train_schedule").dispatchEvent(new Event("change"));
  view.show(makeState());
  expect(ref("train_schedule").value).toBe("constant");
});

test("keys in the list of schedules are no shortcuts of the page", () => {
  const heard = vi.fn();
  root.addEventListener("keydown", heard);
  ref("train_schedule").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
  expect(heard).not.toHaveBeenCalled();
});

test("where the curve gives no rate, Probe is the button that stands out", () => {
  const rules = [{ name: "auto", lr: "none", reason: "Too short." }];
  const isPrimary = () => ref("probe").classList.contains("lrw-primary");
  view.show(makeState({}, { rules, suggestion: { lr: "", range: "", reason: "Too short." } }));
  expect(isPrimary()).toBe(true);
  view.show(makeState({}, { rules, suggestion: { lr: "3.2e-03", range: "", reason: "It falls." } }));
  expect(isPrimary()).toBe(false);
  view.show(makeState());
  expect(isPrimary()).toBe(false);
});

test("the plan of the probes is shown as Python words it", () => {
  view.show(makeState({}, { plan: "Up to 300 steps around 3.2e-03: <b>" }));
  expect(ref("plan").textContent).toBe("Up to 300 steps around 3.2e-03: <b>");
});

test("a typed value is sent once, as it was typed", () => {
  enter("start_lr", "3e-4");
  ref("start_lr").dispatchEvent(new Event("change"));
  expect(sent).toEqual([{ command: "set", name: "start_lr", value: "3e-4" }]);
});

test("what is being typed is not overwritten, and comes back with Escape", () => {
  ref("variable").value = "be";
  ref("variable").dispatchEvent(new Event("input"));
  view.show(makeState({ variable: "other" }));
  expect(ref("variable").value).toBe("be");
  ref("variable").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  expect(ref("variable").value).toBe("other");
  expect(sent).toEqual([]);
});

test("a value that Python refused is shown as it was", () => {
  enter("end_lr", "abc");
  view.show(makeState());
  expect(ref("end_lr").value).toBe("10");
});

test("the thumbs of the sliders do not pass each other", () => {
  ref("startSlider").value = "2";
  ref("startSlider").dispatchEvent(new Event("input"));
  ref("startSlider").dispatchEvent(new Event("change"));
  expect(ref("start_lr").value).toBe("7.9");
  expect(sent).toEqual([{ command: "set", name: "start_lr", value: 7.9 }]);
});

test("markup in messages stays text", () => {
  const failure = { title: "<img src=x>", where: "<b>", hint: "<i>", traceback: "<script>" };
  view.show(makeState({ status: "failed" }, { failure, note: { kind: "error", text: "<u>" } }));
  expect(root.querySelector("img, b, i, u, script")).toBeNull();
  expect(ref("failureTitle").textContent).toBe("<img src=x>");
});

test("the rules are buttons, the chosen one is pressed", () => {
  const rules = [
    { name: "auto", lr: "3.2e-03", reason: "a" },
    { name: "steepest", lr: "1.0e-02", reason: "b" },
  ];
  view.show(makeState({ rule: "steepest" }, { rules }));
  const chips = [...ref<HTMLElement>("rules").querySelectorAll("button")];
  expect(chips.map((chip) => [chip.textContent, chip.ariaPressed ?? chip.getAttribute("aria-pressed")])).toEqual([
    ["auto 3.2e-03", "false"],
    ["steepest 1.0e-02", "true"],
  ]);
  chips[0]?.click();
  expect(sent).toEqual([{ command: "set", name: "rule", value: "auto" }]);
});

test("a click on the plot picks the rate there", () => {
  const chart = ref<HTMLElement>("chart");
  vi.spyOn(chart, "getBoundingClientRect").mockReturnValue(new DOMRect(100, 0, 484, 300));
  chart.dispatchEvent(new MouseEvent("click", { clientX: 100 + 64 + 200, clientY: 100 }));
  chart.dispatchEvent(new MouseEvent("click", { clientX: 110, clientY: 100 }));
  chart.dispatchEvent(new MouseEvent("click", { clientX: 100 + 64 + 200, clientY: 400 }));
  expect(sent).toEqual([{ command: "set", name: "selected_lr", value: 1e-3 }]);
});

test("a click on a chart that the page scales picks the rate that is seen there", () => {
  const chart = ref<HTMLElement>("chart");
  Object.defineProperty(chart, "offsetWidth", { value: 484 });
  vi.spyOn(chart, "getBoundingClientRect").mockReturnValue(new DOMRect(100, 0, 242, 150));
  chart.dispatchEvent(new MouseEvent("click", { clientX: 100 + 32 + 100, clientY: 50 }));
  expect(sent).toEqual([{ command: "set", name: "selected_lr", value: 1e-3 }]);
});

test("own words stand in for the status line until they are taken back", () => {
  view.say("Waiting");
  view.show(makeState());
  expect(ref("note").textContent).toBe("Waiting");
  view.say("");
  expect(ref("note").textContent).toBe("Ready.");
});
