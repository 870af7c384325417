// Texts and values of elements, changed only where they differ.

/** Set a text whose rates, such as 2.2e-01, are not broken at the end of a line. */
export function setProse(element: HTMLElement, text: string): void {
  if (element.textContent === text) {
    return;
  }
  const parts = text.split(/(\d[\d.]*e[+-]\d+)/).map((part, index) => {
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
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** Show a value, but never replace a text that the user is editing. */
export function setValue(field: HTMLInputElement, value: string): void {
  field.dataset.shown = value;
  if (field.dataset.edited !== "yes" && field.value !== value) {
    field.value = value;
  }
}

/** Choose another option; the same one is not set again, as that could disturb an open list. */
export function showChoice(list: HTMLSelectElement, value: string): void {
  if (list.value !== value) {
    list.value = value;
  }
}

export function showSlider(slider: HTMLInputElement, position: number, text: string): void {
  if (!slider.matches(":active")) {
    slider.value = String(position);
  }
  slider.setAttribute("aria-valuetext", text);
}
