/** One run: curves, samples and scores while it trains, and the style it leaves. */

import { api } from "../api.js";
import { actionForm, errorLine } from "../components/actions.js";
import { field } from "../components/controls.js";
import { createCurveCharts } from "../components/curve-charts.js";
import { createJobStatus } from "../components/job-status.js";
import { table, tablePlace } from "../components/table.js";
import { h } from "../dom.js";
import { runFacts, score } from "../format.js";
import { store } from "../store.js";

const BETWEEN = 2000;

/**
 * @param {string} id
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function runView(id) {
  const message = errorLine();
  const heading = h("h1", {}, "Run");
  const facts = h("p", { class: "hint" });
  const controls = h("div");
  const charts = createCurveCharts();
  const samples = createSamples();
  const scores = tablePlace("Scores");
  const keep = createKeep(id);
  const report = h("p", { class: "row" });
  const element = h("div", { class: "view" }, h("a", { href: "#learn", class: "back" }, "All runs"), heading,
    facts, message, controls, h("section", {}, h("h2", {}, "Curves"), charts.element), samples.element,
    h("section", {}, h("h2", {}, "Scores"), scores), keep.element, report);
  /** @type {?ReturnType<typeof createJobStatus>} */
  let status = null;
  let job = "";
  let timer = 0;

  async function load() {
    timer = 0;
    try {
      show(await api.run(id));
      message.textContent = "";
    } catch (error) {
      message.textContent = error.message;
    }
  }

  /** @param {import("../api.js").Run} run */
  function show(run) {
    job = run.job.id;
    heading.textContent = run.name;
    facts.textContent = runFacts(run);
    if (!status) controls.append((status = createJobStatus(run.job)).element);
    status.update(store.jobs.get(job) ?? run.job);
    charts.show(run.curves);
    samples.show(run.samples);
    scores.replaceChildren(scoreTable(run.scores));
    keep.show(run);
    if (run.report && !report.firstChild) {
      const link = { class: "button", href: run.report, target: "_blank", rel: "noopener" };
      report.append(h("a", link, "Open the report"));
    }
  }

  const follow = ({ detail }) => {
    if (detail.id !== job) return;
    status?.update(detail);
    timer ||= setTimeout(load, BETWEEN);
  };
  store.addEventListener("job", follow);
  load();
  return {
    element,
    close() {
      clearTimeout(timer);
      store.removeEventListener("job", follow);
    },
  };
}

/** @param {import("../api.js").Run["scores"]} scores */
function scoreTable(scores) {
  if (!scores.length) return h("p", { class: "empty" }, "No scores yet.");
  const labels = [...new Set(scores.flatMap((score) => Object.keys(score.values)))];
  return table("Scores by step", ["step", ...labels],
    scores.map(({ step, values }) => [step.toLocaleString(), ...labels.map((label) => score(values[label]))]));
}

/** Samples over the steps: the newest, until somebody moves the slider. */
function createSamples() {
  let samples = [];
  let following = true;
  const image = h("img", { class: "samples" });
  const input = h("input", {
    type: "range", min: 0, step: 1,
    oninput: () => {
      following = Number(input.value) === samples.length - 1;
      draw();
    },
  });
  const slider = field("Step", input);
  const output = h("output", { class: "value" });
  slider.firstChild.append(output);
  const element = h("section", { hidden: true }, h("h2", {}, "Samples"), slider, image);

  function draw() {
    const { step, url } = samples[Number(input.value)];
    output.textContent = step.toLocaleString();
    input.ariaValueText = `step ${step}`;
    image.alt = `Samples at step ${step}`;
    if (image.getAttribute("src") !== url) image.src = url;
  }

  return {
    element,
    /** @param {{step: number, url: string}[]} next */
    show(next) {
      samples = next;
      element.hidden = !samples.length;
      if (!samples.length) return;
      input.max = String(samples.length - 1);
      if (following) input.value = input.max;
      draw();
    },
  };
}

/** Keep the best checkpoint of a run as a style. @param {string} id */
function createKeep(id) {
  const message = errorLine();
  const name = h("input", { type: "text", required: true, autocomplete: "off", spellcheck: false });
  const submit = h("button", { type: "submit", class: "primary" }, "Keep the best as a style");
  const kept = h("p", { class: "hint", role: "status" });
  const form = actionForm(submit, message, async () => {
    const style = await api.keepStyle(id, name.value.trim());
    kept.textContent = `Kept as the style ${style.name}.`;
    await store.loadStyles();
  }, "row end", field("Name of the style", name), submit);
  const element = h("section", { hidden: true }, h("h2", {}, "Style"), form, message, kept);
  return {
    element,
    /** @param {import("../api.js").Run} run */
    show(run) {
      element.hidden = !run.has_style;
      name.value ||= run.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
    },
  };
}
