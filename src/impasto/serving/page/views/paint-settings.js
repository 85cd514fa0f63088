/** Style, strength, brush, colours and moods of a painting. */

import { errorLine } from "../components/actions.js";
import { checkbox, range, select, text } from "../components/controls.js";
import { styleCards } from "../components/style-cards.js";
import { createUploads } from "../components/uploads.js";
import { h } from "../dom.js";
import { ui } from "../store.js";

const MOST_MOODS = 20;
const FORMATS = [["keep", "As the photo"], ["jpg", "JPEG"], ["png", "PNG"]];

/** The numbers in a text, with spaces or commas between. @param {string} given @returns {string[]} */
const listed = (given) => given.split(/[\s,]+/).filter(Boolean);

/** @param {{onchange: () => void}} options */
export function createPaintSettings({ onchange }) {
  const saved = ui.get("paint", {});
  const changed = () => {
    ui.set("paint", {
      strength: strength.value, brush: brush.value, keep_colour: keepColour.value, format: format.value,
    });
    moodProblem.textContent = problem();
    onchange();
  };
  const percent = (value) => `${Math.round(value * 100)} %`;
  const cards = styleCards({ task: "translation", first: "monet", onchange: fit });
  const strength = range({
    label: "Strength", min: 0, max: 1, step: 0.05, value: saved.strength ?? 1, text: percent, onchange: changed,
  });
  const brush = range({
    label: "Brush", min: 0.5, max: 4, step: 0.25, value: saved.brush ?? 1, text: (value) => `× ${value}`,
    onchange: changed,
  });
  const keepColour = checkbox({ label: "Keep the colours of the photo", value: saved.keep_colour, onchange: changed });
  const reverse = checkbox({ label: "Reverse: paintings → photos", onchange: changed });
  const mood = text({ label: "Mood", placeholder: "automatic", onchange: changed });
  const moodProblem = errorLine();
  const like = createUploads({
    label: "Reference painting", hint: "Its light and palette are used.", accept: "image/*", multiple: false,
    noun: "painting", onchange: changed,
  });
  const format = select({ label: "Format", options: FORMATS, value: saved.format ?? "keep", onchange: changed });
  const moodHint = h("p", { class: "hint" });
  const moods = h("details", { class: "more" },
    h("summary", {}, "Light and palette"), moodHint, mood.element, moodProblem, like.element);

  /** One sentence on moods that the style does not have; empty if there are none. */
  function problem() {
    const most = cards.style?.moods;
    if (!most) return "";
    const numbers = listed(mood.value);
    const wrong = numbers.find((one) => !/^\d+$/.test(one) || Number(one) >= most);
    if (wrong !== undefined) return `The mood ${wrong} is not a number from 0 to ${most - 1}.`;
    return numbers.length > MOST_MOODS ? `Give at most ${MOST_MOODS} moods.` : "";
  }

  /** Show the controls that the chosen style has. */
  function fit() {
    const style = cards.style;
    moods.hidden = !style?.moods;
    reverse.element.hidden = !style?.reverse;
    moodHint.textContent = style?.moods
      ? `Number of a training painting, from 0 to ${style.moods - 1}; several are averaged. `
        + "Left empty, the nearest in content is used." : "";
    moodProblem.textContent = problem();
    onchange();
  }

  return {
    element: h("div", { class: "settings" }, cards.element, strength.element, brush.element, keepColour.element,
      reverse.element, moods, h("details", { class: "more" }, h("summary", {}, "File format"), format.element)),
    draw: cards.draw,
    get style() {
      return cards.style;
    },
    get problem() {
      return problem();
    },
    values() {
      const style = cards.style;
      return {
        style: style?.name,
        strength: strength.value,
        brush: brush.value,
        keep_colour: keepColour.value,
        mood: style?.moods ? listed(mood.value).map(Number) : [],
        like: style?.moods ? like.ids : [],
        reverse: Boolean(style?.reverse && reverse.value),
        format: format.value,
      };
    },
    /** Take over the settings of a painting. @param {Record<string, any>} given */
    apply(given) {
      if (given.style) cards.value = given.style;
      strength.value = given.strength ?? 1;
      brush.value = given.brush ?? 1;
      keepColour.value = given.keep_colour;
      reverse.value = given.reverse;
      mood.value = [given.mood ?? []].flat().join(" ");
      if (mood.value) moods.open = true;
      changed();
    },
  };
}
