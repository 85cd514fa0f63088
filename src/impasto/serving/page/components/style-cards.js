/** Styles as cards with an example: a radio group. */

import { h } from "../dom.js";
import { store, ui } from "../store.js";

/** The example picture of a style, or a place without one. @param {import("../api.js").Style} style */
export function example(style) {
  const empty = () => h("span", { class: "no-example", ariaHidden: "true" }, style.name[0]);
  if (!style.example) return empty();
  const image = h("img", { src: style.example, alt: "", loading: "lazy", onerror: () => image.replaceWith(empty()) });
  return image;
}

/**
 * @param {{task: "translation"|"generation", first: string, onchange: () => void}} options
 *   `first`: the style that is chosen until somebody chooses
 */
export function styleCards({ task, first, onchange }) {
  const group = `style-${task}`;
  const cards = h("div", { class: "style-cards" });
  const element = h("fieldset", { class: "styles" }, h("legend", {}, "Style"), cards);
  let chosen = ui.get(group, first);
  const named = (name) => mine().find((style) => style.name === name);
  const current = () => named(chosen) ?? named(first) ?? mine()[0];

  const choose = (name) => {
    chosen = name;
    ui.set(group, name);
    onchange();
  };
  const mine = () => store.styles.filter((style) => style.task === task);
  const draw = () => {
    const styles = mine();
    const focused = cards.contains(document.activeElement);
    cards.replaceChildren(...styles.map((style) => {
      const input = h("input", {
        type: "radio", name: group, value: style.name, checked: style === current(),
        onchange: () => choose(style.name),
      });
      return h("label", { class: "style-card" }, input, example(style),
        h("span", { class: "style-name" }, style.name),
        h("span", { class: "hint" }, style.description[0] ?? style.recipe));
    }));
    if (focused) cards.querySelector(":checked")?.focus();
    if (!styles.length) cards.append(h("p", { class: "hint" }, "There is no such style yet: train or import one."));
    onchange();
  };
  store.addEventListener("styles", draw);
  return {
    element,
    draw,
    /** @returns {import("../api.js").Style|undefined} */
    get style() {
      return current();
    },
    /** @param {string} name */
    set value(name) {
      const input = [...cards.querySelectorAll("input")].find((one) => one.value === name);
      if (input) input.checked = true;
      if (input) choose(name);
    },
  };
}
