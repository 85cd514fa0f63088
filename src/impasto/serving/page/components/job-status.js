/** Where a job stands: a bar, one line of text, and the buttons to pause, resume and cancel it. */

import { h } from "../dom.js";
import { standing, title } from "../format.js";
import { hasEnded, store } from "../store.js";
import { actionButton, errorLine } from "./actions.js";
import { confirm } from "./dialog.js";

const RESUMED = new Set(["paused", "failed", "cancelled"]);

/** @param {import("../api.js").Job} first */
export function createJobStatus(first) {
  let job = first;
  const training = job.kind === "train";
  /** @type {?string} what was asked for, until the server has answered */
  let asked = null;
  const bar = h("progress", { max: 1, ariaLabel: `Progress of ${title(job)}` });
  const line = h("p", { class: "hint standing" });
  const failure = h("p", { class: "error" });
  const message = errorLine();
  const act = async (action) => {
    asked = action;
    draw();
    try {
      await store.act(job.id, action);
    } finally {
      asked = null;
      draw();
    }
  };
  const button = (label, action, run = () => act(action)) =>
    actionButton(label, message, run, { class: "quiet", ariaLabel: `${label}: ${title(job)}` });
  const pause = button("Pause", "pause");
  const resume = button("Resume", "resume");
  const cancel = button(training ? "Stop" : "Cancel", "cancel", async () => {
    if (!training || (await confirm("Stop this training?", "Stop", "Keep training"))) await act("cancel");
  });
  const buttons = h("div", { class: "row" }, pause, resume, cancel);
  const element = h("div", { class: "job-status" }, line, bar, buttons, failure, message);

  function draw() {
    const ended = hasEnded(job);
    const wish = asked ?? job.wish;
    line.textContent = standing({ ...job, wish });
    bar.hidden = ended;
    if (job.total) bar.value = (job.done + job.part) / job.total;
    else bar.removeAttribute("value");
    buttons.hidden = ended && !training;
    pause.hidden = !training || job.state !== "running" || Boolean(wish);
    resume.hidden = !training || !RESUMED.has(job.state);
    cancel.hidden = ended || wish === "cancel";
    failure.textContent = job.state === "failed" ? job.error?.detail ?? "The job failed." : "";
  }
  draw();
  return {
    element,
    /** @param {import("../api.js").Job} next */
    update(next) {
      job = next;
      draw();
    },
  };
}
