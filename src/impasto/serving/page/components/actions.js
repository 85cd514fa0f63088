/** Buttons and forms that do something on the server, and say in one sentence if it fails. */

import { h } from "../dom.js";

/** An empty place for one sentence about a failure. */
export const errorLine = () => h("p", { class: "error", role: "alert" });

/** While `run` runs, the button is disabled. */
async function guard(button, message, run) {
  message.textContent = "";
  button.disabled = true;
  try {
    await run();
  } catch (error) {
    message.textContent = error.message;
  } finally {
    button.disabled = false;
  }
}

/**
 * @param {string} label
 * @param {HTMLElement} message place for a failure
 * @param {() => Promise<any>|void} run
 * @param {Record<string, any>} [props] of the button
 * @returns {HTMLButtonElement}
 */
export function actionButton(label, message, run, props = {}) {
  const button = h("button", { type: "button", ...props, onclick: () => guard(button, message, run) }, label);
  return button;
}

/**
 * A form; its button `submit` is part of the content.
 * @param {HTMLButtonElement} submit
 * @param {HTMLElement} message place for a failure
 * @param {() => Promise<any>} run
 * @param {string} kind class of the form
 * @param {...any} content
 * @returns {HTMLFormElement}
 */
export function actionForm(submit, message, run, kind, ...content) {
  const onsubmit = (event) => {
    event.preventDefault();
    guard(submit, message, run);
  };
  return h("form", { class: kind, onsubmit }, ...content);
}
