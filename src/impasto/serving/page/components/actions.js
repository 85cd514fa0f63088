/** Buttons and forms that do something on the server, and say in one sentence if it fails. */

import { h } from "../dom.js";

/** An empty place for one sentence about a failure. */
export const errorLine = () => h("p", { class: "error", role: "alert" });

/** Whatever is changed within the element, the failure is of before. @param {HTMLElement} element */
export function forgetful(element, message) {
  for (const name of ["input", "change"]) {
    element.addEventListener(name, () => {
      message.textContent = "";
    });
  }
  return element;
}

/** While `run` runs, the button is disabled. */
async function guard(button, message, run) {
  message.textContent = "";
  button.disabled = true;
  try {
    await run();
  } catch (error) {
    message.textContent = error.message;
    message.scrollIntoView({ block: "nearest" });
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
  return forgetful(h("form", { class: kind, onsubmit }, ...content), message);
}

/**
 * A form of one task: fields, a button, a sentence if it fails.
 * @param {string} title may be empty
 * @param {string} action text of the button
 * @param {any} content
 * @param {() => Promise<any>} run
 */
export function taskForm(title, action, content, run) {
  const message = errorLine();
  const submit = h("button", { type: "submit", class: "primary" }, action);
  const heading = title && h("h3", {}, title);
  return actionForm(submit, message, run, "panel flat", heading, content, h("div", { class: "row" }, submit), message);
}
