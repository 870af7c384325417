import { beforeEach, expect, test, vi } from "vitest";
import type { Setting } from "../../src/protocol";
import { openPage, type Page, rests } from "../page";
import { makeState } from "../state";

let page: Page;

beforeEach(() => {
  page = openPage();
});

test("a typed value is sent once, as it was typed", () => {
  page.enter("start_lr", "3e-4");
  page.ref("start_lr").dispatchEvent(new Event("change"));
  expect(page.sent).toEqual([{ command: "set", name: "start_lr", value: "3e-4" }]);
});

test("what is being typed is not overwritten, and comes back with Escape", () => {
  const { view, ref, sent } = page;
  ref("variable").value = "be";
  ref("variable").dispatchEvent(new Event("input"));
  view.show(makeState({ variable: "other" }));
  expect(ref("variable").value).toBe("be");
  ref("variable").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  expect(ref("variable").value).toBe("other");
  expect(sent).toEqual([]);
});

test("an entry that was not sent before a run is dropped", () => {
  const { view, ref, sent } = page;
  ref("num_steps").value = "5";
  ref("num_steps").dispatchEvent(new Event("input"));
  view.show(makeState({ status: "running" }, { can: ["stop"] }));
  expect(ref("num_steps").value).toBe("100");
  ref("num_steps").dispatchEvent(new Event("change"));
  expect(sent).toEqual([]);
});

test("a value that Python refused is shown as it was", () => {
  page.enter("end_lr", "abc");
  page.view.show(makeState());
  expect(page.ref("end_lr").value).toBe("10");
});

test.each<[string, Setting]>([
  ["end_lr", "end_lr"],
  ["loss_max", "loss_max"],
  ["pick", "selected_lr"],
  ["train_schedule", "train_schedule"],
])("the field %s whose entry was refused says so, and the status line describes it", (name, refused) => {
  const { view, root, ref } = page;
  view.show(makeState({}, { refused, note: { kind: "warning", text: "It must be positive." } }));
  const wrong = [...root.querySelectorAll<HTMLElement>("[aria-invalid]")];
  expect(wrong.map((field) => [field.dataset.ref, field.getAttribute("aria-invalid")])).toEqual([[name, "true"]]);
  const described = wrong[0]?.getAttribute("aria-describedby") ?? "";
  expect(root.querySelector(`#${described}`)).toBe(ref("note"));
  view.show(makeState());
  expect(root.querySelector("[aria-invalid], [aria-describedby]")).toBeNull();
});

test("counts have their thousands apart, and rates are written in one way", () => {
  const { view, ref } = page;
  view.show(makeState({ num_steps: 1_000_000, max_probe_steps: 12345, train_steps: 1234567, start_lr: 0.00325 }));
  const fields = ["num_steps", "max_probe_steps", "train_steps", "start_lr"];
  expect(fields.map((name) => ref(name).value)).toEqual(["1,000,000", "12,345", "1,234,567", "3.25e-3"]);
});

test("the name of the variable can be read in full", () => {
  const name = "learning_rate_of_the_second_training_of_the_big_model";
  page.view.show(makeState({ variable: name }));
  expect(page.ref("variable").title).toBe(name);
});

test("the thumbs of the sliders do not pass each other", () => {
  const { ref, sent } = page;
  ref("startSlider").value = "2";
  ref("startSlider").dispatchEvent(new Event("input"));
  ref("startSlider").dispatchEvent(new Event("change"));
  expect(ref("start_lr").value).toBe("7.9");
  expect(sent).toEqual([{ command: "set", name: "start_lr", value: 7.9 }]);
});

test("a slider stays where it was moved to until Python has its last value", () => {
  const { view, ref } = page;
  for (const value of ["0.5", "0.3"]) {
    ref("smoothing").value = value;
    ref("smoothing").dispatchEvent(new Event("input"));
  }
  view.show(makeState({ smoothing: 0.5 }));
  expect([ref("smoothing").value, ref("smoothingText").textContent]).toEqual(["0.3", "0.30"]);
  page.settle();
  view.show(makeState({ smoothing: 0.7 }));
  expect([ref("smoothing").value, ref("smoothingText").textContent]).toEqual(["0.7", "0.70"]);
});

test("the bounds that a slider was moved to are not overwritten either", () => {
  const { view, ref } = page;
  ref("endSlider").value = "-1";
  ref("endSlider").dispatchEvent(new Event("input"));
  ref("endSlider").dispatchEvent(new Event("change"));
  view.show(makeState());
  expect([ref("endSlider").value, ref("end_lr").value]).toEqual(["-1", "0.1"]);
  page.settle();
  view.show(makeState({ end_lr: 0.5 }));
  expect(ref("end_lr").value).toBe("0.5");
});

test("the training that the rate is for is typed and chosen, also during a run", () => {
  const { view, ref, enter, sent } = page;
  view.show(makeState({ status: "running" }, { can: ["stop", "pause"] }));
  expect([rests(ref("train_steps")), rests(ref("train_schedule"))]).toEqual([false, false]);
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

test("a schedule that Python refused is shown as it was", () => {
  const { view, ref } = page;
  ref("train_schedule").value = "cosine";
  ref("train_schedule").dispatchEvent(new Event("change"));
  view.show(makeState());
  expect(ref("train_schedule").value).toBe("constant");
});

test.each(["train_schedule", "loss_scale", "suggest_from", "start_lr"])(
  "keys in %s are no shortcuts of the page",
  (name) => {
    const heard = vi.fn();
    page.root.addEventListener("keydown", heard);
    page.ref(name).dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
    expect(heard).not.toHaveBeenCalled();
  },
);

test("the loss axis has a scale, limits that may be automatic, and no more of a zoom than there is", () => {
  const { view, ref, enter, press, sent } = page;
  expect([ref("loss_min").value, ref("loss_max").value, ref("resetZoom").hidden]).toEqual(["", "", true]);
  const zoomed = { is_zoomed: true };
  view.show(makeState({ loss_scale: "log", loss_min: 0.1, loss_max: 5, chart_state: zoomed }, { can: ["zoom"] }));
  expect([ref("loss_scale").value, ref("loss_min").value, ref("loss_max").value]).toEqual(["log", "0.1", "5"]);
  ref("loss_scale").value = "linear";
  ref("loss_scale").dispatchEvent(new Event("change"));
  enter("loss_max", "");
  press("resetZoom");
  expect(sent).toEqual([
    { command: "set", name: "loss_scale", value: "linear" },
    { command: "set", name: "loss_max", value: "" },
  ]);
  expect(page.resetZoom).toHaveBeenCalledOnce();
});

test("a zoom is reset where the kernel hears it, or by this browser where there is none", () => {
  const { view, ref } = page;
  view.show(makeState({ chart_state: { is_zoomed: true } }, { can: [] }));
  expect(rests(ref("resetZoom"))).toBe(true);
  view.setLive(false);
  expect(rests(ref("resetZoom"))).toBe(false);
});

test("the focus of Reset zoom does not go with the zoom", () => {
  const { view, ref } = page;
  view.show(makeState({ chart_state: { is_zoomed: true } }));
  ref("resetZoom").focus();
  view.show(makeState());
  expect(document.activeElement).toBe(ref("smoothing"));
  view.setLive(false);
  view.show(makeState({ chart_state: { is_zoomed: true } }));
  ref("resetZoom").focus();
  view.show(makeState());
  expect(document.activeElement).toBe(ref("loss_max"));
});

test("the loss that the suggestion reads can be chosen where there are two", () => {
  const { view, ref, sent } = page;
  expect(ref("lossChoice").hidden).toBe(true);
  view.show(makeState({ suggest_from: "val_loss", chart_state: { has_validation: true } }));
  expect([ref("lossChoice").hidden, ref("suggest_from").value]).toEqual([false, "val_loss"]);
  ref("suggest_from").value = "loss";
  ref("suggest_from").dispatchEvent(new Event("change"));
  expect(sent).toEqual([{ command: "set", name: "suggest_from", value: "loss" }]);
});

test("a pick is typed, emptied and taken back, and the focus does not go with it", () => {
  const { view, ref, enter, press, sent } = page;
  view.show(makeState({ answer: { selected: "0.01", is_picked: true } }, { can: ["set", "pick", "clear"] }));
  expect([ref("pick").value, ref("clear").hidden]).toEqual(["0.01", false]);
  enter("pick", "3e-3");
  enter("pick", " ");
  ref("clear").focus();
  press("clear");
  expect(document.activeElement).toBe(ref("pick"));
  expect(sent).toEqual([
    { command: "set", name: "selected_lr", value: "3e-3" },
    { command: "set", name: "selected_lr", value: null },
    { command: "set", name: "selected_lr", value: null },
  ]);
  view.show(makeState({ answer: { selected: "3.2e-3", lr: "3.2e-3" } }));
  expect([ref("pick").value, ref("clear").hidden]).toEqual(["", true]);
});
