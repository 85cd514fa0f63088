/** Several runs over each other: one curve of all of them in one chart. */

import { api } from "../api.js";
import { select } from "../components/controls.js";
import { createLineChart } from "../components/line-chart.js";
import { errorLine, h } from "../dom.js";
import { duration, number } from "../format.js";

/**
 * @param {string[]} ids
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function compareView(ids) {
  const message = errorLine();
  const chart = createLineChart({ label: "Curves of several runs" });
  const curve = select({ label: "Curve", options: [], onchange: draw });
  const table = h("div", { class: "table" });
  const element = h("div", { class: "view" }, h("p", {}, h("a", { href: "#learn" }, "All runs")),
    h("h1", {}, "Compare runs"), message, curve.element, chart.element, table);
  /** @type {import("../api.js").Run[]} */
  let runs = [];

  function draw() {
    const name = curve.value;
    chart.show(runs.filter((run) => run.curves[name]).map((run) => ({ name: run.name, points: run.curves[name] })));
  }

  async function load() {
    runs = await Promise.all(ids.map(api.run));
    const names = [...new Set(runs.flatMap((run) => Object.keys(run.curves)))];
    curve.fill(names.map((name) => [name, name]));
    draw();
    const last = runs.map((run) => run.scores.at(-1)?.values ?? {});
    const labels = [...new Set(last.flatMap((values) => Object.keys(values)))];
    const rows = [
      ["recipe", ...runs.map((run) => run.recipe)], ["steps", ...runs.map((run) => run.step.toLocaleString())],
      ["time", ...runs.map((run) => duration(run.seconds))],
      ...labels.map((label) => [label, ...last.map((values) => values[label] ?? "–")]),
    ];
    const cell = (value) => h("td", {}, typeof value === "number" ? number(value) : value);
    table.replaceChildren(h("table", {}, h("caption", { class: "visually-hidden" }, "Last scores of each run"),
      h("thead", {}, h("tr", {}, ["", ...runs.map((run) => run.name)].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows.map(([label, ...values]) => h("tr", {}, h("th", { scope: "row" }, label), values.map(cell))))));
  }

  load().catch((error) => {
    message.textContent = error.message;
  });
  return { element, close: () => {} };
}
