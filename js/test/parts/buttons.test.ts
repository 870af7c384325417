import { beforeEach, expect, test } from "vitest";
import { openPage, type Page, rests } from "../page";
import { makeRun, makeState } from "../state";

let page: Page;

beforeEach(() => {
  page = openPage();
});

test("only what Python allows can be pressed", () => {
  const { view, ref, press, sent } = page;
  expect(rests(ref("start"))).toBe(false);
  expect(["stop", "pause", "probe", "copy", "apply", "code"].every((name) => rests(ref(name)))).toBe(true);
  view.show(makeState({ status: "running" }, { can: ["stop", "pause"] }));
  expect(["start", "start_lr", "startSlider", "pick"].every((name) => rests(ref(name)))).toBe(true);
  expect(rests(ref("stop"))).toBe(false);
  for (const name of ["start", "probe", "copy", "apply", "code", "csv", "png", "svg"]) {
    press(name);
  }
  expect(sent).toEqual([]);
  expect(page.exportAs).not.toHaveBeenCalled();
});

test("the buttons send commands for the run that is shown", () => {
  const { view, ref, press, sent } = page;
  view.show(makeState({ status: "running" }, { can: ["stop", "pause"] }));
  press("pause");
  view.show(makeState({ status: "paused" }, { can: ["stop", "resume"] }));
  expect(ref("pauseText").textContent).toBe("Resume");
  press("pause");
  press("stop");
  expect(sent).toEqual([
    { command: "pause", run_id: 3 },
    { command: "resume", run_id: 3 },
    { command: "stop", run_id: 3 },
  ]);
});

test("Run keeps the focus while it rests, so that a second Enter neither stops nor starts", () => {
  const { view, ref, sent } = page;
  ref("start").focus();
  ref("start").click();
  view.show(makeState({ status: "running" }, { can: ["stop", "pause"] }));
  expect(document.activeElement).toBe(ref("start"));
  ref("start").click(); // as Enter does
  expect(sent).toEqual([{ command: "start" }]);
  expect(ref("start").disabled).toBe(false);
});

test.each([["stop"], ["pause"], ["copy"], ["probe"]])("%s keeps the focus when it can no longer be pressed", (name) => {
  const { view, ref } = page;
  view.show(makeState({}, { can: ["stop", "pause", "copy", "probe"] }));
  ref(name).focus();
  view.show(makeState({}, { can: [] }));
  expect([document.activeElement === ref(name), ref(name).disabled]).toEqual([true, false]); // a browser's would be gone
});

test("probing is a command of its own, with its limit as a setting", () => {
  const { view, enter, press, sent } = page;
  view.show(makeState({ status: "finished" }, { can: ["start", "set", "probe"] }));
  enter("repeats", "3");
  enter("max_probe_steps", "200");
  press("probe");
  expect(sent).toEqual([
    { command: "set", name: "repeats", value: "3" },
    { command: "set", name: "max_probe_steps", value: "200" },
    { command: "probe" },
  ]);
});

test("the curves can be saved when there are some, also without a kernel", () => {
  const { view, press, ref, exportAs } = page;
  view.show(makeState({ chart_state: { runs: [makeRun(1, { is_hidden: true }), makeRun(2, { num_points: 0 })] } }));
  expect(["csv", "png", "svg"].every((name) => rests(ref(name)))).toBe(true);
  view.show(makeState({ chart_state: { runs: [makeRun(1)] } }));
  view.setLive(false);
  for (const name of ["csv", "png", "svg"]) {
    press(name);
  }
  expect(exportAs.mock.calls).toEqual([["csv"], ["png"], ["svg"]]);
});

test("before the first point of the first run there is nothing to save", () => {
  const { view, ref } = page;
  const runs = [makeRun(1, { is_growing: true })];
  const resting = () => ["csv", "png", "svg"].map((name) => rests(ref(name)));
  view.show(makeState({ status: "running", progress: { step: 0, total: 100, text: "" }, chart_state: { runs } }));
  expect(resting()).toEqual([true, true, true]);
  view.show(makeState({ status: "running", progress: { step: 1, total: 100, text: "" }, chart_state: { runs } }));
  expect(resting()).toEqual([false, false, false]);
});

test("Apply says what it writes to", () => {
  const { view, ref } = page;
  view.show(makeState({ answer: { receiver: "trainer" } }));
  expect(ref("apply").textContent).toBe("Apply to trainer");
  view.show(makeState());
  expect(ref("apply").textContent).toBe("Apply to optimizer");
});

test("Copy and Apply say which rate they mean", () => {
  const { view, ref } = page;
  view.show(makeState({ answer: { selected: "3.2e-3" } }));
  expect([ref("copy").title, ref("apply").title]).toEqual(["Set the variable to 3.2e-3", "Train on with 3.2e-3"]);
});
