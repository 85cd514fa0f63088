/** Tables. */

import { h } from "../dom.js";

/**
 * @param {string} caption for screen readers
 * @param {any[]} head one cell a column
 * @param {any[][]} rows the first cell of each is its heading
 */
export function table(caption, head, rows) {
  const row = ([first, ...cells]) =>
    h("tr", {}, h("th", { scope: "row" }, first), cells.map((cell) => h("td", {}, cell)));
  return h("table", {}, h("caption", { class: "visually-hidden" }, caption),
    h("thead", {}, h("tr", {}, head.map((cell) => h("th", { scope: "col" }, cell)))), h("tbody", {}, rows.map(row)));
}

/** A place for a wide table, which scrolls. @param {string} label */
export const tablePlace = (label) => h("div", { class: "table", role: "region", tabIndex: 0, ariaLabel: label });
