/**
 * A line chart: axes, a legend that hides and shows lines, values under the pointer or by arrow keys, and a table for
 * screen readers.
 */

import { h, svg } from "../dom.js";
import { number } from "../format.js";
import { table } from "./table.js";

const HEIGHT = 280;
const EDGE = { left: 56, right: 12, top: 12, bottom: 32 };
const COLOURS = 6;
const HINT = "Move the pointer over the chart, or use the arrow keys.";
const TABLE_ROWS = 20;
const MOVES = {
  ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity,
};

/** Round numbers that cover a range. @param {number} low @param {number} high @param {number} count */
function ticks(low, high, count) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, index) => (first + index) * step);
}

/** The point of a line at a step or before it. @param {[number, number][]} points @param {number} step */
const valueAt = (points, step) => points.findLast(([at]) => at <= step)?.[1];

/** @param {{label: string}} options */
export function createLineChart({ label }) {
  /** @type {{name: string, points: [number, number][]}[]} */
  let series = [];
  /** @type {number[]} */
  let steps = [];
  let cursor = -1;
  const hidden = new Set();
  const plot = h("div", {
    class: "plot", role: "slider", tabIndex: 0, ariaLabel: `${label}: values at step`, ariaValueMin: "0",
  });
  const readout = h("p", { class: "hint readout" });
  const legend = h("div", { class: "legend", role: "group", ariaLabel: `Lines of ${label}` });
  const values = h("div", { class: "visually-hidden" });
  const element = h("div", { class: "chart" }, legend, plot, readout, values);
  let scale = (step, value) => [step, value];

  function draw() {
    const width = plot.clientWidth;
    const lines = series.filter((line) => !hidden.has(line.name));
    const heights = lines.flatMap((line) => line.points.map(([, value]) => value)).filter(Number.isFinite);
    if (!width || !heights.length) return plot.replaceChildren();
    const [left, right] = [Math.min(...steps), Math.max(...steps)];
    let [low, high] = [Math.min(...heights), Math.max(...heights)];
    if (low === high) [low, high] = [low - 1, high + 1];
    const inner = { width: width - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
    scale = (step, value) => [
      EDGE.left + ((step - left) / (right - left || 1)) * inner.width,
      EDGE.top + (1 - (value - low) / (high - low)) * inner.height,
    ];
    const axes = [
      ...ticks(low, high, 5).map((value) => {
        const y = scale(left, value)[1];
        return [svg("line", { class: "rule", x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y }),
          svg("text", { x: EDGE.left - 8, y: y + 4, "text-anchor": "end" }, number(value))];
      }),
      ...ticks(left, right, Math.max(3, width / 140)).map((step) => {
        const x = scale(step, low)[0];
        return [svg("text", { x, y: HEIGHT - 10, "text-anchor": "middle" }, step.toLocaleString())];
      }),
    ].flat();
    const finite = ([, value]) => Number.isFinite(value);
    const places = (line) => line.points.filter(finite).map((one) => scale(...one).join(","));
    const paths = lines.map((line) => svg("polyline", {
      class: `line c${series.indexOf(line) % COLOURS}`, points: places(line).join(" "),
    }));
    const mark = svg("g", { class: "mark" });
    plot.replaceChildren(svg("svg", { width, height: HEIGHT, "aria-hidden": "true" }, ...axes, ...paths, mark));
    if (cursor >= 0) point();
  }

  /** Show the values at the cursor. */
  function point() {
    const step = steps[cursor];
    const here = series.filter((line) => !hidden.has(line.name)).map((line) => [line, valueAt(line.points, step)])
      .filter(([, value]) => Number.isFinite(value));
    const words = here.map(([line, value]) => `${line.name} ${number(value)}`).join(" · ");
    readout.textContent = `Step ${step.toLocaleString()}: ${words}`;
    plot.ariaValueNow = String(cursor);
    plot.ariaValueText = readout.textContent;
    const x = scale(step, 0)[0];
    plot.querySelector(".mark")?.replaceChildren(
      svg("line", { class: "cursor", x1: x, x2: x, y1: EDGE.top, y2: HEIGHT - EDGE.bottom }),
      ...here.map(([line, value]) => svg("circle", {
        class: `dot c${series.indexOf(line) % COLOURS}`, cx: x, cy: scale(step, value)[1], r: 4,
      })));
  }

  plot.addEventListener("pointermove", (event) => {
    if (!steps.length) return;
    const x = event.clientX - plot.getBoundingClientRect().left;
    const distance = (step) => Math.abs(scale(step, 0)[0] - x);
    cursor = steps.reduce((best, step, index) => (distance(step) < distance(steps[best]) ? index : best), 0);
    point();
  });
  plot.addEventListener("keydown", (event) => {
    if (!(event.key in MOVES) || !steps.length) return;
    event.preventDefault();
    cursor = Math.min(steps.length - 1, Math.max(0, cursor + MOVES[event.key]));
    point();
  });
  new ResizeObserver(draw).observe(plot);

  function drawLegend() {
    const names = series.map((line) => line.name).join("\n");
    if (legend.dataset.names === names) return;
    legend.dataset.names = names;
    legend.replaceChildren(...series.map(({ name }, index) => {
      const button = h("button", {
        type: "button", class: `key c${index % COLOURS}`, ariaPressed: String(!hidden.has(name)),
        onclick: () => {
          if (!hidden.delete(name)) hidden.add(name);
          button.ariaPressed = String(!hidden.has(name));
          draw();
        },
      }, name);
      return button;
    }));
  }

  function drawTable() {
    const every = Math.ceil(steps.length / TABLE_ROWS) || 1;
    const rows = steps.filter((_, index) => index % every === 0 || index === steps.length - 1);
    values.replaceChildren(table(label, ["step", ...series.map((line) => line.name)],
      rows.map((step) => [step, ...series.map((line) => number(valueAt(line.points, step) ?? NaN))])));
  }

  return {
    element,
    /** @param {{name: string, points: [number, number][]}[]} next */
    show(next) {
      series = next;
      steps = [...new Set(series.flatMap((line) => line.points.map(([step]) => step)))].sort((a, b) => a - b);
      cursor = Math.min(cursor, steps.length - 1);
      plot.ariaValueMax = String(Math.max(0, steps.length - 1));
      plot.ariaValueNow ??= "0";
      if (cursor < 0) readout.textContent = steps.length ? HINT : "No values yet.";
      drawLegend();
      drawTable();
      draw();
    },
  };
}
