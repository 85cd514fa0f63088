/** Several runs over each other: one curve of all of them in one chart. */

import { api } from "../api.js";
import { errorLine } from "../components/actions.js";
import { select } from "../components/controls.js";
import { groupCurves } from "../components/curve-charts.js";
import { createLineChart } from "../components/line-chart.js";
import { table, tablePlace } from "../components/table.js";
import { h } from "../dom.js";
import { duration, score } from "../format.js";

/**
 * @param {string[]} ids
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function compareView(ids) {
  const message = errorLine();
  const chart = createLineChart({ label: "Curves of several runs" });
  const curve = select({ label: "Curve", options: [], onchange: draw });
  const last = tablePlace("Last scores");
  const element = h("div", { class: "view" }, h("a", { href: "#learn", class: "back" }, "All runs"),
    h("h1", {}, "Compare runs"), message, curve.element, chart.element, last);
  /** @type {import("../api.js").Run[]} */
  let runs = [];

  function draw() {
    const name = curve.value;
    chart.show(runs.filter((run) => run.curves[name]).map((run) => ({ name: run.name, points: run.curves[name] })));
  }

  async function load() {
    runs = await Promise.all(ids.map(api.run));
    const all = [...new Set(runs.flatMap((run) => Object.keys(run.curves)))];
    const names = groupCurves(all).flatMap(([, members]) => members);
    curve.fill(names.map((name) => [name, name.replaceAll("_", " ")]));
    draw();
    const scores = runs.map((run) => run.scores.at(-1)?.values ?? {});
    const labels = [...new Set(scores.flatMap((values) => Object.keys(values)))];
    const rows = [
      ["recipe", ...runs.map((run) => run.recipe)], ["steps", ...runs.map((run) => run.step.toLocaleString())],
      ["time", ...runs.map((run) => duration(run.seconds))],
      ...labels.map((label) => [label, ...scores.map((values) => score(values[label]))]),
    ];
    last.replaceChildren(table("Last scores of each run", ["run", ...runs.map((run) => run.name)], rows));
  }

  load().catch((error) => {
    message.textContent = error.message;
  });
  return { element, close: () => {} };
}
