import { beforeEach, expect, test } from "vitest";
import { openPage, type Page, rests } from "../page";
import { makeRun, makeState } from "../state";

let page: Page;

beforeEach(() => {
  page = openPage();
});

const show = (...runs: ReturnType<typeof makeRun>[]): void => page.view.show(makeState({ chart_state: { runs } }));
const rows = () => [...page.ref<HTMLElement>("runs").children] as HTMLElement[];
const part = <T extends Element = HTMLInputElement>(index: number, selector: string): T =>
  rows()[index]?.querySelector<T>(selector) as T;
const nameOf = (index: number) => part(index, '[type="text"]');

test("a single run needs no list, unless it is hidden", () => {
  show(makeRun(1));
  expect(page.ref("runs").hidden).toBe(true);
  show(makeRun(1, { is_hidden: true }));
  expect(page.ref("runs").hidden).toBe(false);
  show(makeRun(1), makeRun(2));
  expect(page.ref("runs").hidden).toBe(false);
});

test("the newest run is the first, each with its name, colour and rate", () => {
  show(makeRun(1, { name: "batch 32", color: 4, lr: "3.2e-3" }), makeRun(2, { name: "batch 64", is_current: true }));
  expect(rows().map((row, index) => [nameOf(index).value, row.dataset.color, row.textContent?.trim()])).toEqual([
    ["batch 64", "2", expect.stringMatching(/^none/)],
    ["batch 32", "4", expect.stringMatching(/^3\.2e-3/)],
  ]);
  expect(rows().map((row) => row.classList.contains("lrw-current"))).toEqual([true, false]);
});

test("the current run is the first, and the others follow, the newest first", () => {
  show(makeRun(1), makeRun(2, { is_current: true }), makeRun(3), makeRun(4));
  expect(rows().map((_, index) => nameOf(index).value)).toEqual(["run 2", "run 4", "run 3", "run 1"]);
});

test("a run is hidden, shown, and removed", () => {
  show(makeRun(1, { is_hidden: true }), makeRun(2));
  const boxes = [0, 1].map((index) => part(index, '[type="checkbox"]'));
  expect(boxes.map((box) => [box.checked, box.getAttribute("aria-label")])).toEqual([
    [true, "Show run 2"],
    [false, "Show run 1"],
  ]);
  for (const box of boxes) {
    box.click();
  }
  part<HTMLButtonElement>(1, "button").click();
  expect(page.sent).toEqual([
    { command: "hide", run_id: 2 },
    { command: "show", run_id: 1 },
    { command: "remove", run_id: 1 },
  ]);
});

test("a name is typed over, and comes back with Escape", () => {
  show(makeRun(1), makeRun(2));
  page.enter(nameOf(1), " wide ");
  page.enter(nameOf(1), "");
  expect(page.sent).toEqual([
    { command: "rename", run_id: 1, value: "wide" },
    { command: "rename", run_id: 1, value: "" },
  ]);
  nameOf(0).value = "x";
  nameOf(0).dispatchEvent(new Event("input"));
  show(makeRun(1, { name: "wide" }), makeRun(2));
  expect([nameOf(0).value, nameOf(1).value]).toEqual(["x", "wide"]);
  nameOf(0).dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  expect(nameOf(0).value).toBe("run 2");
});

test("the focus of a removed run goes to the next one", () => {
  show(makeRun(1), makeRun(2), makeRun(3));
  part<HTMLButtonElement>(1, "button").focus();
  show(makeRun(1), makeRun(3));
  expect(document.activeElement?.getAttribute("aria-label")).toBe("Remove run 1");
});

test("markup in a name stays text", () => {
  show(makeRun(1), makeRun(2, { name: '"><img src=x>' }));
  expect(page.root.querySelector("img")).toBeNull();
  expect(nameOf(0).value).toBe('"><img src=x>');
});

test("a run that grows rests, as a run that is drawn", () => {
  show(makeRun(1), makeRun(2, { is_growing: true, is_current: true }));
  const controls = (index: number) => [...(rows()[index]?.querySelectorAll("input, button") ?? [])];
  expect(controls(0).map(rests)).toEqual([true, true, true]);
  expect(part(0, '[type="checkbox"]').checked).toBe(true);
  expect(controls(1).some(rests)).toBe(false);
  show(makeRun(1), makeRun(2, { is_current: true }));
  expect(controls(0).some(rests)).toBe(false);
});

test("a name that can no longer be changed drops what was typed", () => {
  show(makeRun(1), makeRun(2));
  nameOf(0).value = "wi";
  nameOf(0).dispatchEvent(new Event("input"));
  show(makeRun(1), makeRun(2, { is_growing: true }));
  expect(nameOf(0).value).toBe("run 2");
  nameOf(0).dispatchEvent(new Event("change"));
  expect(page.sent).toEqual([]);
});

test("without a kernel the runs rest", () => {
  show(makeRun(1), makeRun(2));
  page.view.setLive(false);
  const controls = rows().flatMap((row) => [...row.querySelectorAll("input, button")]);
  expect(controls).toHaveLength(6);
  expect(controls.every(rests)).toBe(true);
});
