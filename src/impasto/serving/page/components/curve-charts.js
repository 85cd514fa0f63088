/** Curves of a training in two charts, each with a choice of what it shows: curves of one kind share a chart. */

import { h } from "../dom.js";
import { select } from "./controls.js";
import { createLineChart } from "./line-chart.js";

/** @param {string} name */
const readable = (name) => name.replaceAll("_", " ");

/**
 * Names of curves by kind, as `loss_generator` and `loss_discriminator`; kinds of several curves come first.
 * @param {string[]} names
 * @returns {[kind: string, names: string[]][]}
 */
export function groupCurves(names) {
  const kinds = Map.groupBy(names, (name) => name.split("_")[0]);
  const groups = [...kinds].map(([kind, members]) => [members.length > 1 ? kind : members[0], members]);
  return groups.sort(([, a], [, b]) => Number(b.length > 1) - Number(a.length > 1));
}

/** @param {number} rank of the kind that it shows first */
function createChart(rank) {
  /** @type {Record<string, [number, number][]>} */
  let curves = {};
  const chart = createLineChart({ label: `Training curves, chart ${rank + 1}` });
  const choice = select({ label: `Chart ${rank + 1}`, options: [], onchange: draw });

  function draw() {
    const [, names] = groupCurves(Object.keys(curves)).find(([kind]) => kind === choice.value) ?? ["", []];
    chart.show(names.map((name) => ({ name: readable(name), points: curves[name] })));
  }

  return {
    element: h("div", {}, choice.element, chart.element),
    /** @param {Record<string, [number, number][]>} next */
    show(next) {
      const first = !Object.keys(curves).length;
      curves = next;
      const kinds = groupCurves(Object.keys(curves)).map(([kind]) => kind);
      choice.fill(kinds.map((kind) => [kind, readable(kind)]));
      if (first && kinds[rank]) choice.value = kinds[rank];
      draw();
    },
  };
}

export function createCurveCharts() {
  const charts = [createChart(0), createChart(1)];
  return {
    element: h("div", { class: "charts" }, charts.map((chart) => chart.element)),
    /** @param {Record<string, [number, number][]>} curves */
    show: (curves) => charts.forEach((chart) => chart.show(curves)),
  };
}
