/** Modal dialogs: a title, a way to close, focus back to where it was. */

import { h, icon } from "../dom.js";

let count = 0;

/**
 * @param {string} title
 * @param {...any} content
 * @returns {HTMLDialogElement} open; it is removed from the page when it closes
 */
export function openDialog(title, ...content) {
  const id = `dialog-title-${++count}`;
  const close = h("button", { type: "button", class: "icon", ariaLabel: "Close", onclick: () => dialog.close() });
  close.append(icon("close"));
  const heading = h("h2", { id }, title);
  const dialog = h("dialog", {
    "aria-labelledby": id,
    onclose: () => dialog.remove(),
    onclick: (event) => event.target === dialog && dialog.close(),
  }, h("div", { class: "dialog-body" }, h("div", { class: "dialog-head" }, heading, close), ...content));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Ask before something that cannot be undone.
 * @param {string} question
 * @param {string} action text of the button
 * @param {string} [refusal] text of the other one
 * @returns {Promise<boolean>}
 */
export function confirm(question, action, refusal = "Keep") {
  return new Promise((resolve) => {
    let answer = false;
    const agree = () => {
      answer = true;
      dialog.close();
    };
    const yes = h("button", { type: "button", class: "primary", onclick: agree }, action);
    const no = h("button", { type: "button", onclick: () => dialog.close() }, refusal);
    const dialog = openDialog(question, h("div", { class: "row" }, yes, no));
    dialog.classList.add("small");
    dialog.addEventListener("close", () => resolve(answer));
    no.focus();
  });
}
