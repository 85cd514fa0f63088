/** Where a job stands: a bar, one line of text, and the buttons to pause and cancel it. */

import { api } from "../api.js";
import { h } from "../dom.js";
import { standing, title } from "../format.js";
import { hasEnded, store } from "../store.js";
import { actionButton, errorLine } from "./actions.js";

/** @param {import("../api.js").Job} first */
export function createJobStatus(first) {
  let job = first;
  const bar = h("progress", { max: 1, ariaLabel: `Progress of ${title(job)}` });
  const line = h("p", { class: "hint standing" });
  const message = errorLine();
  const button = (label, action) => actionButton(label, message, async () => store.put(await api.act(job.id, action)), {
    class: "quiet", ariaLabel: `${label}: ${title(job)}`,
  });
  const pause = button("Pause", "pause");
  const resume = button("Resume", "resume");
  const cancel = button(job.kind === "train" ? "Stop" : "Cancel", "cancel");
  const buttons = h("div", { class: "row" }, pause, resume, cancel);
  const element = h("div", { class: "job-status" }, line, bar, buttons, message);

  /** @param {import("../api.js").Job} next */
  function update(next) {
    job = next;
    const ended = hasEnded(job);
    line.textContent = standing(job);
    bar.hidden = ended;
    if (job.total) bar.value = job.done / job.total;
    else bar.removeAttribute("value");
    buttons.hidden = ended;
    pause.hidden = job.kind !== "train" || job.state !== "running";
    resume.hidden = job.state !== "paused";
    if (job.state === "failed") message.textContent = job.error?.detail ?? "The job failed.";
  }
  update(job);
  return { element, update };
}
