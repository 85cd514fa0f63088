/** Train on your own paintings: inspect them, start a training, follow the runs. */

import { api } from "../api.js";
import { actionButton, errorLine, forgetful } from "../components/actions.js";
import { createJobList } from "../components/job-list.js";
import { isReport, reportFrame } from "../components/report.js";
import { createUploads, DATA_SET } from "../components/uploads.js";
import { h } from "../dom.js";
import { store } from "../store.js";
import { compareView } from "./compare.js";
import { runView } from "./run.js";
import { createRuns } from "./runs.js";
import { createTrainForm } from "./train-form.js";

/** @returns {import("../router.js").View} */
export function learnView() {
  const message = errorLine();
  const paintings = createUploads({
    label: "Paintings", hint: "A folder or a zip of at least a few dozen.", noun: "painting", key: "paintings", ...DATA_SET,
  });
  const photos = createUploads({
    label: "Photos", hint: "Only to train photo → painting.", noun: "photo", key: "training-photos", ...DATA_SET,
  });
  const data = () => ({ paintings: paintings.ids, photos: photos.ids });
  const training = createTrainForm({ data });
  const runs = createRuns();

  const explore = actionButton("Explore", message, async () => {
    if (!paintings.ids.length) throw new Error("Add paintings first.");
    await store.run("explore", { ...data(), recipe: null, crop_frames: false });
  }, { class: "primary" });

  /** Without a new choice, a recommendation is for the files that were explored. */
  const restore = (uploads, inputs, ids) => {
    if (!uploads.ids.length) uploads.set(inputs.filter((file) => ids.includes(file.id)));
  };

  /** The report and what it recommends. @param {import("../api.js").Job} job */
  function findings(job) {
    const report = job.results.find(isReport);
    const advice = (job.outcome?.recommendations ?? []).map(({ title, reason, train }) => {
      const fill = train && actionButton(`Train ${train.recipe} for ${train.budget}`, message, async () => {
        const { inputs } = await api.job(job.id);
        restore(paintings, inputs, job.settings.paintings);
        restore(photos, inputs, job.settings.photos ?? []);
        training.fill(train);
      });
      return h("li", {}, h("h4", {}, title), h("p", {}, reason), fill);
    });
    return h("div", {}, h("ul", { class: "advice", role: "list" }, advice),
      report && reportFrame(report, "Report on the paintings"));
  }

  const explorations = createJobList({ accepts: (job) => job.kind === "explore", shown: 1, extra: findings });
  const inspection = h("section", {}, h("h2", {}, "1. Inspect the data"),
    h("div", { class: "pair" }, paintings.element, photos.element),
    h("div", { class: "row" }, explore), message, explorations.element);
  const overview = h("div", { class: "view" },
    h("h1", {}, "Train your own style"), forgetful(inspection, message),
    h("section", {}, h("h2", {}, "2. Train"), training.element),
    h("section", {}, h("h2", {}, "3. Runs"), runs.element));

  const element = h("div", {});
  /** @type {?{element: HTMLElement, close: () => void}} */
  let page = null;
  return {
    element,
    show([part, id]) {
      page?.close();
      page = null;
      if (part === "run" && id) page = runView(id);
      if (part === "compare" && id) page = compareView(id.split(","));
      if (!page) runs.load();
      element.replaceChildren(page?.element ?? overview);
    },
  };
}
