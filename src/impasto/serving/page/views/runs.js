/** The list of runs, with a choice of several to compare. */

import { api } from "../api.js";
import { actionButton, errorLine } from "../components/actions.js";
import { confirm } from "../components/dialog.js";
import { createJobStatus } from "../components/job-status.js";
import { h } from "../dom.js";
import { runFacts } from "../format.js";
import { hasEnded, store } from "../store.js";

const BETWEEN = 500;

/** Runs in their order; `load` asks the server again. */
export function createRuns() {
  const message = errorLine();
  const list = h("ul", { class: "runs", role: "list" });
  const compare = h("a", { class: "button", hidden: true }, "Compare");
  /** @type {Set<string>} */
  const chosen = new Set();
  /** @type {Map<string, (job: import("../api.js").Job) => void>} */
  const live = new Map();
  let timer = 0;

  function mark() {
    compare.hidden = chosen.size < 2;
    compare.href = `#learn/compare/${[...chosen].map(encodeURIComponent).join(",")}`;
    compare.textContent = `Compare ${chosen.size} runs`;
  }

  /** @param {import("../api.js").Run} run */
  function row(run) {
    const box = h("input", {
      type: "checkbox", ariaLabel: `Compare ${run.name}`, checked: chosen.has(run.id),
      onchange: () => {
        if (box.checked) chosen.add(run.id);
        else chosen.delete(run.id);
        mark();
      },
    });
    const last = run.samples.at(-1);
    const status = createJobStatus(run.job);
    const remove = actionButton("Remove", message, async () => {
      if (await confirm(`Delete the run ${run.name} with its samples and checkpoints?`, "Delete")) {
        await store.deleteRun(run.id);
      }
    }, { class: "quiet", ariaLabel: `Remove: ${run.name}` });
    const update = (job) => {
      status.update(job);
      remove.hidden = !hasEnded(job);
    };
    live.set(run.job.id, update);
    update(run.job);
    const cover = last ? h("img", { src: last.url, alt: "", loading: "lazy" }) : h("span", { class: "no-example" });
    return h("li", { class: "run" }, h("label", { class: "check" }, box), cover,
      h("div", {}, h("a", { href: `#learn/run/${encodeURIComponent(run.id)}` }, run.name),
        h("p", { class: "hint" }, runFacts(run)), status.element, remove));
  }

  async function load() {
    timer = 0;
    try {
      const runs = await api.runs();
      message.textContent = "";
      live.clear();
      list.replaceChildren(...runs.map(row));
      [...chosen].filter((id) => !live.has(id)).forEach((id) => chosen.delete(id));
      mark();
      if (!runs.length) list.append(h("li", { class: "empty" }, "No runs yet."));
    } catch (error) {
      message.textContent = error.message;
    }
  }

  store.addEventListener("job", ({ detail: job }) => {
    if (job.kind !== "train") return;
    live.get(job.id)?.(job);
    if (!live.has(job.id) || hasEnded(job)) timer ||= setTimeout(load, BETWEEN);
  });
  store.addEventListener("removed", ({ detail }) => live.has(detail) && load());
  return { element: h("div", {}, h("div", { class: "row" }, compare), message, list), load };
}
