// The runs on the chart: each with its colour and name, to be shown, hidden, renamed and removed.

import { makeSwatch } from "../chart/legend";
import { commitOnEnter, rest, setAttribute, setHidden, setReadOnly, setText, setValue, showList } from "../dom";
import type { ShownRun } from "../protocol";
import type { Refs } from "../template";
import type { Actions, Show } from "./part";

const ROW = `<input type="checkbox">
<input type="text" spellcheck="false" autocomplete="off">
<span class="lrw-number"></span>
<button type="button" class="lrw-clear">×</button>`;

export function connectRuns(refs: Refs, { send }: Actions): Show {
  const make = ({ run_id }: ShownRun): HTMLElement => {
    const row = document.createElement("div");
    row.className = "lrw-run";
    row.innerHTML = ROW;
    row.firstElementChild?.after(makeSwatch());
    const { shown, name, remove } = controlsOf(row);
    shown.addEventListener("change", () => send({ command: shown.checked ? "show" : "hide", run_id }));
    commitOnEnter(name, () => send({ command: "rename", run_id, value: name.value.trim() }));
    remove.addEventListener("click", () => send({ command: "remove", run_id }));
    return row;
  };
  return ({ state, isLive }) => {
    const { runs } = state.chart_state;
    const update = (row: HTMLElement, run: ShownRun): void => {
      const { shown, name, lr, remove } = controlsOf(row);
      setAttribute(row, "data-color", String(run.color));
      row.classList.toggle("lrw-current", run.is_current);
      shown.checked = !run.is_hidden;
      const isAtRest = !isLive || run.is_growing;
      shown.disabled = isAtRest;
      setAttribute(shown, "aria-label", `Show ${run.name}`);
      setValue(name, run.name);
      setReadOnly(name, isAtRest);
      setAttribute(name, "title", run.name);
      setAttribute(name, "aria-label", `Name of the run ${run.name}`);
      setText(lr, run.lr);
      rest(remove, isAtRest);
      setAttribute(remove, "aria-label", `Remove ${run.name}`);
    };
    const newestFirst = [...runs].reverse();
    const currentFirst = newestFirst.sort((one, other) => Number(other.is_current) - Number(one.is_current));
    showList(refs.runs, currentFirst, ({ run_id }) => String(run_id), make, update, refs.start);
    setHidden(refs.runs, runs.length < 2 && !runs.some((run) => run.is_hidden), refs.start);
  };
}

interface Controls {
  shown: HTMLInputElement;
  name: HTMLInputElement;
  lr: HTMLElement;
  remove: HTMLButtonElement;
}

function controlsOf(row: HTMLElement): Controls {
  const [shown, , name, lr, remove] = row.children as unknown as [
    HTMLInputElement,
    SVGElement,
    HTMLInputElement,
    HTMLElement,
    HTMLButtonElement,
  ];
  return { shown, name, lr, remove };
}
