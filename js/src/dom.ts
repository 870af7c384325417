// Texts, values and states of elements, changed only where they differ.

const MAX_TEXT = 20_000; // characters of one element; much longer ones hold a page up
// A rate such as 3.2e-3. As many digits as it has at most: without a limit, a text of digits only would take for ever.
const RATE = /(\b\d[\d.]{0,12}e-\d{1,3})/;

/** A text without its middle, if it is too long for a page: a traceback ends with the error. */
function bounded(text: string): string {
  const half = MAX_TEXT / 2;
  return text.length > MAX_TEXT ? `${text.slice(0, half)} … ${text.slice(-half)}` : text;
}

/** Set a text whose rates are not broken at the end of a line. */
export function setProse(element: HTMLElement, text: string): void {
  const shown = bounded(text);
  if (element.textContent === shown) {
    return;
  }
  const parts = shown.split(RATE).map((part, index) => {
    if (index % 2 === 0) {
      return part;
    }
    const number = document.createElement("span");
    number.className = "lrw-number";
    number.textContent = part;
    return number;
  });
  element.replaceChildren(...parts);
}

export function setText(element: HTMLElement, text: string): void {
  const shown = bounded(text);
  if (element.textContent !== shown) {
    element.textContent = shown;
  }
}

/** Set an attribute; null takes it away. */
export function setAttribute(element: Element, name: string, value: string | null): void {
  const shown = value === null ? null : bounded(value);
  if (element.getAttribute(name) === shown) {
    return;
  }
  if (shown === null) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, shown);
  }
}

/** Show a value, but never replace a text that the user is editing. */
export function setValue(field: HTMLInputElement, value: string): void {
  const shown = bounded(value);
  if (field.dataset.shown !== shown) {
    field.dataset.shown = shown;
  }
  if (field.dataset.edited !== "yes" && field.value !== shown) {
    field.value = shown;
  }
}

/** Let a field rest; a disabled one would lose the focus. What was typed and not sent is dropped. */
export function setReadOnly(field: HTMLInputElement, isReadOnly: boolean): void {
  field.readOnly = isReadOnly;
  if (isReadOnly) {
    drop(field);
  }
}

/** Bring the value that is shown back in the place of what is typed. */
function drop(field: HTMLInputElement): void {
  if (field.dataset.edited === "yes") {
    delete field.dataset.edited;
    field.value = field.dataset.shown ?? "";
  }
}

/** Choose another option; the same one is not set again, as that could disturb an open list. */
export function showChoice(list: HTMLSelectElement, value: string): void {
  if (list.value !== value) {
    list.value = value;
  }
}

/** Show a position, but never move a slider that the user moves. */
export function showSlider(slider: HTMLInputElement, position: number, text: string): void {
  if (!slider.matches(":active") && slider.dataset.edited !== "yes") {
    slider.value = String(position);
    setAttribute(slider, "aria-valuetext", text);
  }
}

/** Let a button rest. It keeps the focus, which a disabled one loses, and `ignoreResting` keeps clicks from it. */
export function rest(button: HTMLButtonElement, isResting: boolean): void {
  setAttribute(button, "aria-disabled", isResting ? "true" : null);
}

/** Keep clicks on buttons that rest from their listeners. */
export function ignoreResting(root: HTMLElement): void {
  root.addEventListener(
    "click",
    (event) => {
      if ((event.target as Element).closest("button")?.getAttribute("aria-disabled") === "true") {
        event.stopPropagation();
        event.preventDefault();
      }
    },
    { capture: true },
  );
}

/** The focused element in the tree of `element`, which may be a shadow tree. */
export function focused(element: Element): Element | null {
  return (element.getRootNode() as Document | ShadowRoot).activeElement;
}

/** Hide an element or show it; if it has the focus, `next` gets that. */
export function setHidden(element: HTMLElement, isHidden: boolean, next?: HTMLElement): void {
  if (isHidden && next !== undefined && element.contains(focused(element))) {
    next.focus();
  }
  if (element.hidden !== isHidden) {
    element.hidden = isHidden;
  }
}

/**
 * Show one child for each item, in their order; the child of a key stays the same element. If the focused one goes, the
 * focus goes to the same place in the list, or to `next`.
 */
export function showList<Item, Row extends HTMLElement>(
  list: HTMLElement,
  items: readonly Item[],
  keyOf: (item: Item) => string,
  make: (item: Item) => Row,
  update: (row: Row, item: Item) => void,
  next: HTMLElement,
): void {
  const rows = new Map([...list.children].map((child) => [(child as Row).dataset.key ?? "", child as Row]));
  const wanted = items.map((item) => {
    const key = keyOf(item);
    let row = rows.get(key);
    if (row === undefined) {
      row = make(item);
      row.dataset.key = key;
    }
    update(row, item);
    return row;
  });
  const before = [...list.children];
  if (before.length === wanted.length && before.every((child, index) => child === wanted[index])) {
    return;
  }
  const active = focused(list);
  const place = before.findIndex((child) => child.contains(active));
  for (const child of before) {
    if (!wanted.includes(child as Row)) {
      child.remove();
    }
  }
  wanted.forEach((row, index) => {
    if (list.children[index] !== row) {
      list.insertBefore(row, list.children[index] ?? null);
    }
  });
  if (place >= 0 && focused(list) !== active) {
    const moved = active instanceof HTMLElement && list.contains(active);
    const heir = list.children[Math.min(place, list.children.length - 1)];
    const control = heir?.matches("button") ? heir : heir?.querySelector("button");
    (moved ? active : ((control as HTMLElement | null | undefined) ?? next)).focus();
  }
}

/** Keep the classic notebook and VS Code from taking a key for a shortcut. */
export function keepKey(event: Event): void {
  event.stopPropagation();
}

/** Call `commit` once after the text of a field was edited; Escape brings the old text back instead. */
export function commitOnEnter(field: HTMLInputElement, commit: () => void): void {
  field.addEventListener("input", () => {
    field.dataset.edited = "yes";
  });
  const end = (): void => {
    if (field.dataset.edited === "yes") {
      delete field.dataset.edited;
      commit();
    }
  };
  field.addEventListener("change", end);
  field.addEventListener("keydown", (event) => {
    keepKey(event);
    if (event.key === "Enter") {
      end();
    } else if (event.key === "Escape") {
      drop(field);
    }
  });
}
