/** The drawer of jobs: everything queued and running, and what ended last. */

import { h, icon } from "../dom.js";
import { title } from "../format.js";
import { hasEnded, isPreview, store } from "../store.js";
import { createJobStatus } from "./job-status.js";

const ENDED_SHOWN = 5;
const VIEWS = { paint: "paint", generate: "generate", explore: "learn" };

/** Where a job is shown. @param {import("../api.js").Job} job */
function address(job) {
  if (job.kind === "train") return `#learn/run/${job.id}`;
  return `#${VIEWS[job.kind] ?? "gallery/styles"}`;
}

/**
 * @param {HTMLElement} drawer a popover
 * @param {HTMLElement} button that opens it, and shows how many jobs there are
 */
export function createDrawer(drawer, button) {
  /** @type {Map<string, {element: HTMLElement, update: (job: import("../api.js").Job) => void}>} */
  const entries = new Map();
  const active = h("ul", { class: "job-entries", role: "list" });
  const ended = h("ul", { class: "job-entries", role: "list" });
  const quiet = h("p", { class: "empty" }, "Nothing is waiting or running.");
  const endedTitle = h("h3", {}, "Ended");
  const close = h("button", { type: "button", class: "icon", ariaLabel: "Close", onclick: () => drawer.hidePopover() });
  close.append(icon("close"));
  const heading = h("h2", { id: "jobs-title" }, "Jobs");
  drawer.append(h("div", { class: "dialog-head" }, heading, close), quiet, active, endedTitle, ended);

  const entry = (job) => {
    if (entries.has(job.id)) return entries.get(job.id);
    const status = createJobStatus(job);
    const link = h("a", { href: address(job), onclick: () => drawer.hidePopover() }, title(job));
    const made = { element: h("li", {}, link, status.element), update: status.update };
    entries.set(job.id, made);
    return made;
  };

  function draw() {
    const jobs = store.list();
    const running = jobs.filter((job) => !hasEnded(job)).reverse();
    const over = jobs.filter(hasEnded).slice(0, ENDED_SHOWN);
    arrange(active, running);
    arrange(ended, over);
    quiet.hidden = running.length > 0;
    endedTitle.hidden = !over.length;
    const count = running.length;
    button.replaceChildren("Jobs", count ? h("span", { class: "badge" }, count) : "");
    button.ariaLabel = count ? `Jobs: ${count} waiting or running` : "Jobs";
  }

  /** Put the entries of `jobs` into `list`, without moving those that are in place: they may have the focus. */
  function arrange(list, jobs) {
    const wanted = jobs.map((job) => {
      const one = entry(job);
      one.update(job);
      return one.element;
    });
    [...list.children].filter((child) => !wanted.includes(child)).forEach((child) => child.remove());
    wanted.forEach((element, index) => {
      if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
    });
  }

  store.addEventListener("job", ({ detail }) => isPreview(detail) || draw());
  store.addEventListener("removed", draw);
  draw();
}
