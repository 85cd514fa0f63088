/** Score a style against real paintings: the question for them, and what was found. */

import { taskForm } from "../components/actions.js";
import { number } from "../components/controls.js";
import { openDialog } from "../components/dialog.js";
import { isReport, reportFrame } from "../components/report.js";
import { table, tablePlace } from "../components/table.js";
import { createUploads, DATA_SET } from "../components/uploads.js";
import { h } from "../dom.js";
import { store } from "../store.js";

/** @param {import("../api.js").Style} style @param {() => void} begun called when the job waits */
export function askEvaluation(style, begun) {
  const [source, target] = style.domains.split(" → ");
  const against = createUploads({
    label: `Real ${target}`, hint: "A folder or a zip. The more images, the smaller the errors of the scores.",
    noun: "image", key: "evaluation-against", ...DATA_SET,
  });
  const photos = style.task === "translation" && createUploads({
    label: `Source ${source}`, hint: "A folder or a zip.", noun: "image", key: "evaluation-sources", ...DATA_SET,
  });
  const count = number({
    label: "Number of images", min: 2, max: 10_000, placeholder: "automatic",
    hint: "At most this many real ones, and by the style. Left empty: 10,000 and 1,000.",
  });
  const form = taskForm("", "Evaluate", [against.element, photos && photos.element, count.element], async () => {
    if (!against.ids.length) throw new Error(`Add real ${target} first.`);
    if (photos && !photos.ids.length) throw new Error(`${style.name} needs ${source}: add them too.`);
    await store.run("evaluate", {
      style: style.name, against: against.ids, photos: photos ? photos.ids : [], count: count.value,
    });
    dialog.close();
    begun();
  });
  const dialog = openDialog(`Evaluate ${style.name}`, form);
  dialog.classList.add("small");
}

/** The verdict, the scores and the report of an evaluation. @param {import("../api.js").Job} job */
export function evaluationOf(job) {
  if (job.kind !== "evaluate") return null;
  const { verdict, scores } = job.outcome;
  const report = job.results.find(isReport);
  const place = tablePlace("Scores");
  place.append(table("Scores", ["score", "value (fakes v reals)"], scores.map(({ label, detail }) => [label, detail])));
  return h("div", { class: "evaluation" }, verdict.map((line) => h("p", {}, line)), place,
    report && h("details", { class: "more" },
      h("summary", {}, "Report"), reportFrame(report, "Report on the evaluation")));
}
