/** The newest jobs of a kind with their progress and results, live. */

import { api, urls } from "../api.js";
import { h } from "../dom.js";
import { date, plural, title } from "../format.js";
import { hasEnded, isPreview, store } from "../store.js";
import { actionButton, errorLine } from "./actions.js";
import { confirm } from "./dialog.js";
import { createJobStatus } from "./job-status.js";
import { createGrid } from "./pictures.js";

const SHOWN = 12;

/**
 * @typedef {import("../api.js").Job} Job
 * @param {{accepts: (job: Job) => boolean, shown?: number, empty?: string, grid?: object,
 *   extra?: (job: Job) => ?HTMLElement}} options
 *   `grid`: options of the grids of results; `extra`: more to show below a job that is done
 */
export function createJobList({ accepts, shown = SHOWN, empty = "", grid = {}, extra = () => null }) {
  /** @type {Map<string, ReturnType<typeof createSection>>} */
  const sections = new Map();
  const nothing = h("p", { class: "empty" }, empty);
  const element = h("div", { class: "jobs" }, empty && nothing);

  /** @param {Job} job */
  function put(job) {
    if (isPreview(job) || !accepts(job)) return;
    if (sections.has(job.id)) return sections.get(job.id).update(job);
    const section = createSection(job, grid, extra);
    sections.set(job.id, section);
    const later = [...sections.values()].filter((one) => one.created < job.created);
    const next = later.sort((a, b) => (a.created < b.created ? 1 : -1))[0];
    element.insertBefore(section.element, next?.element ?? null);
    const oldest = [...sections].sort(([, a], [, b]) => (a.created < b.created ? 1 : -1)).slice(shown);
    oldest.forEach(([id]) => remove(id));
    nothing.hidden = true;
  }

  /** @param {string} id */
  function remove(id) {
    sections.get(id)?.element.remove();
    sections.delete(id);
    nothing.hidden = sections.size > 0;
  }

  store.list().filter(accepts).slice(0, shown).forEach(put);
  store.addEventListener("job", ({ detail }) => put(detail));
  store.addEventListener("removed", ({ detail }) => remove(detail));
  store.addEventListener("file", ({ detail }) => sections.forEach((section) => section.grid.update(detail)));
  return {
    element,
    /** Show the newest job. */
    reveal: () => element.scrollIntoView({ block: "start" }),
  };
}

/**
 * @param {Job} first
 * @param {object} options
 * @param {(job: Job) => ?HTMLElement} extra
 */
function createSection(first, options, extra) {
  const status = createJobStatus(first);
  const grid = createGrid(options);
  const message = errorLine();
  const after = h("div", { class: "extra" });
  const leftOut = h("ul", { class: "error" });
  const archive = h("a", { class: "button quiet", href: urls.archive(first.id), download: "" }, "Download all");
  let count = 0;
  let whole = false;
  const all = actionButton("Show all", message, async () => {
    const files = await api.results(first.id);
    whole = true;
    grid.clear();
    files.forEach(grid.add);
    all.hidden = true;
  }, { class: "quiet" });
  const remove = actionButton("Remove", message, async () => {
    const sure = !count || (await confirm(`Delete ${plural(count, "result")}?`, "Delete"));
    if (sure) await store.deleteJob(first.id);
  }, { class: "quiet", ariaLabel: `Remove: ${title(first)}` });
  const heading = h("h3", {}, title(first), h("time", { class: "hint", dateTime: first.created }, date(first.created)));
  const element = h("section", { class: "job" },
    h("div", { class: "job-head" }, heading, h("div", { class: "row" }, archive, remove)),
    status.element, message, leftOut, grid.element, all, after);

  /** @param {Job} job */
  function update(job) {
    status.update(job);
    const reasons = job.outcome?.left_out ?? [];
    leftOut.replaceChildren(...reasons.map(({ name, reason }) => h("li", {}, `${name} was left out: ${reason}`)));
    const own = job.state === "done" && !after.firstChild && extra(job);
    if (own) after.append(own);
    grid.element.hidden = Boolean(after.firstChild) || !job.results.length;
    if (!whole) grid.set(job.results);
    count = job.result_count ?? job.results.length;
    all.textContent = `Show all ${count.toLocaleString()}`;
    all.hidden = whole || grid.element.hidden || !hasEnded(job) || count <= job.results.length;
    archive.hidden = !hasEnded(job) || count < 2;
    remove.hidden = !hasEnded(job);
  }
  update(first);
  return { element, grid, update, created: first.created };
}
