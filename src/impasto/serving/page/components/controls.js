/** Labelled form controls. Each has `element` to place and `value` to read and set. */

import { h } from "../dom.js";

let count = 0;

/**
 * A label above a control, with an optional hint below.
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [hint]
 */
export function field(label, control, hint) {
  control.id ||= `control-${++count}`;
  const note = hint && h("span", { class: "hint", id: `${control.id}-hint` }, hint);
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { htmlFor: control.id }, label), control, note);
}

/**
 * A slider with its value beside the label.
 * @param {{label: string, min: number, max: number, step: number, value: number, hint?: string,
 *   text?: (value: number) => string, onchange: () => void}} options
 */
export function range({ label, min, max, step, value, hint, text = String, onchange }) {
  const output = h("output", { class: "value" });
  const input = h("input", { type: "range", min, max, step, value });
  const show = () => {
    output.textContent = text(Number(input.value));
    input.ariaValueText = output.textContent;
  };
  input.addEventListener("input", () => {
    show();
    onchange();
  });
  const element = field(label, input, hint);
  element.firstChild.append(output);
  show();
  return {
    element,
    get value() {
      return Number(input.value);
    },
    set value(next) {
      input.value = next;
      show();
    },
  };
}

/**
 * A number that may be empty (null).
 * @param {{label: string, min?: number, max?: number, step?: number|"any", value?: ?number, hint?: string,
 *   placeholder?: string, onchange?: () => void}} options
 */
export function number({ label, min, max, step = 1, value = null, hint, placeholder, onchange = () => {} }) {
  const input = h("input", { type: "number", min, max, step, placeholder, value: value ?? "", oninput: onchange });
  return {
    element: field(label, input, hint),
    get value() {
      return input.value === "" || !input.validity.valid ? null : Number(input.value);
    },
    set value(next) {
      input.value = next ?? "";
    },
  };
}

/**
 * @param {{label: string, value?: string, hint?: string, placeholder?: string, type?: string,
 *   onchange?: () => void}} options
 */
export function text({ label, value = "", hint, placeholder, type = "text", onchange = () => {} }) {
  const input = h("input", { type, placeholder, value, autocomplete: "off", spellcheck: false, oninput: onchange });
  return {
    element: field(label, input, hint),
    get value() {
      return input.value.trim();
    },
    set value(next) {
      input.value = next;
    },
  };
}

/** @param {{label: string, value?: boolean, onchange?: () => void}} options */
export function checkbox({ label, value = false, onchange = () => {} }) {
  const input = h("input", { type: "checkbox", checked: value, onchange });
  return {
    element: h("label", { class: "check" }, input, label),
    get value() {
      return input.checked;
    },
    set value(next) {
      input.checked = Boolean(next);
    },
  };
}

/**
 * @param {{label: string, options: [value: string, text: string][], value?: string, hint?: string,
 *   onchange?: () => void}} options
 */
export function select({ label, options, value, hint, onchange = () => {} }) {
  const input = h("select", { onchange });
  const fill = (choices) => {
    const before = input.value;
    if (choices.join() === [...input.options].map((option) => [option.value, option.text]).join()) return;
    input.replaceChildren(...choices.map(([key, name]) => h("option", { value: key }, name)));
    if (choices.some(([key]) => key === before)) input.value = before;
  };
  fill(options);
  if (value !== undefined) input.value = value;
  return {
    element: field(label, input, hint),
    fill,
    get value() {
      return input.value;
    },
    set value(next) {
      input.value = next;
    },
  };
}
