/** Choose further images by clicking: the second one of a mixture, or those of a film. */

import { actionButton, errorLine } from "../components/actions.js";
import { h } from "../dom.js";

const DIFFERENT = "All images need the same style, seed and truncation: choose another one.";

/**
 * @typedef {import("../api.js").File} File
 * @param {{element: HTMLElement, fits: (file: File) => boolean, mix: (first: File, second: File) => void,
 *   film: (files: File[]) => Promise<any>}} options
 *   `element` holds the images; `fits`: whether a file is an image with a number of its own
 */
export function createPicking({ element, fits, mix, film }) {
  /** @type {?(file: File) => void} what a click on an image does; null: it opens */
  let take = null;
  /** @type {File[]} */
  let chosen = [];
  const words = h("span");
  const message = errorLine();
  const cancel = h("button", { type: "button", onclick: end }, "Cancel");
  const make = actionButton("Make the film", message, async () => {
    await film(chosen);
    end();
  }, { class: "primary" });
  const notice = h("div", { class: "notice floating", role: "status", hidden: true }, words, make, cancel, message);
  const start = h("button", { type: "button", class: "begin-film", onclick: beginFilm }, "Film of chosen images");
  // Images that come while some are chosen, as by "Show all", are marked too.
  const watch = new MutationObserver(mark);

  /** @param {File[]} first @param {(file: File) => void} action */
  function begin(first, action) {
    chosen = first;
    take = action;
    message.textContent = "";
    notice.hidden = false;
    start.hidden = true;
    element.classList.add("picking");
    watch.observe(element, { childList: true, subtree: true });
    mark();
    cancel.focus({ preventScroll: true });
  }

  function end() {
    chosen = [];
    take = null;
    notice.hidden = true;
    start.hidden = false;
    element.classList.remove("picking");
    watch.disconnect();
    mark();
    start.focus({ preventScroll: true });
  }

  function mark() {
    make.disabled = chosen.length < 2;
    for (const button of element.querySelectorAll(".picture")) {
      const place = chosen.findIndex((file) => file.id === button.dataset.file) + 1;
      button.ariaPressed = take && String(place > 0);
      if (place) button.dataset.place = String(place);
      else delete button.dataset.place;
    }
  }

  /** @param {File} first */
  function beginMix(first) {
    words.textContent = `Choose the image whose appearance number ${first.settings.number} gets.`;
    make.hidden = true;
    begin([first], (second) => {
      end();
      mix(first, second);
    });
  }

  function beginFilm() {
    const say = () => {
      const numbers = chosen.map((file) => file.settings.number).join(", ");
      words.textContent = numbers ? `The film goes through ${numbers}.` : "Choose the images of the film, in order.";
    };
    make.hidden = false;
    begin([], (file) => {
      const others = chosen.filter((one) => one.id !== file.id);
      chosen = others.length < chosen.length ? others : [...chosen, file];
      say();
      mark();
    });
    say();
  }

  /** Whether images can be shown together. @param {File} one @param {File} other */
  const alike = ({ settings: one }, { settings: other }) =>
    one.style === other.style && one.seed === other.seed && one.truncation === other.truncation;

  return {
    notice,
    start,
    beginMix,
    /** At a click on an image: is it one that was asked for? @param {File} file */
    pick(file) {
      if (!take) return false;
      const good = fits(file) && alike(chosen[0] ?? file, file);
      message.textContent = good ? "" : DIFFERENT;
      if (good) take(file);
      return true;
    },
  };
}
