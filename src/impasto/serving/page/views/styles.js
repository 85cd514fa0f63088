/** Styles: their facts; import, pull, evaluate, export, push and delete. */

import { api, urls } from "../api.js";
import { actionButton, errorLine, taskForm } from "../components/actions.js";
import { text } from "../components/controls.js";
import { confirm, openDialog } from "../components/dialog.js";
import { createJobList } from "../components/job-list.js";
import { example } from "../components/style-cards.js";
import { createUploads } from "../components/uploads.js";
import { h } from "../dom.js";
import { size } from "../format.js";
import { isStyleJob, store } from "../store.js";
import { askEvaluation, evaluationOf } from "./evaluation.js";

/** @param {() => void} begun called when the job waits */
function importForm(begun) {
  const file = createUploads({
    label: "Drop a .pth or .safetensors file here", accept: ".pth,.pt,.safetensors", multiple: false, noun: "file",
    onchange: () => {
      const [chosen] = file.files;
      if (chosen && !name.value) name.value = chosen.name.replace(/\.[^.]+$/, "").replace(/[^\w.-]+/g, "-");
    },
  });
  const name = text({ label: "Name" });
  const key = text({ label: "Key", hint: "Only if the checkpoint contains several networks." });
  const content = [file.element, h("div", { class: "fields" }, name.element, key.element)];
  return taskForm("Import a checkpoint", "Import", content, async () => {
    if (!file.ids.length) throw new Error("Add a checkpoint first.");
    await store.run("styles/import", { file: file.ids[0], name: name.value, ...(key.value && { key: key.value }) });
    file.set([]);
    begun();
  });
}

/** @param {() => void} begun called when the job waits */
function pullForm(begun) {
  const repository = text({ label: "Repository", placeholder: "owner/name" });
  const name = text({ label: "Name" });
  const content = h("div", { class: "fields" }, repository.element, name.element);
  return taskForm("Pull from the Hugging Face Hub", "Pull", content, async () => {
    await store.run("styles/pull", {
      repository: repository.value, name: name.value || repository.value.split("/").at(-1).replace(/@.*/, ""),
    });
    begun();
  });
}

/** @param {import("../api.js").Style} style */
function askPush(style) {
  const repository = text({ label: "Repository", placeholder: "owner/name" });
  const form = taskForm("", "Push", [repository.element], async () => {
    await store.run("styles/push", { style: style.name, repository: repository.value });
    dialog.close();
  });
  const dialog = openDialog(`Push ${style.name} to the Hugging Face Hub`, form);
  dialog.classList.add("small");
}

/** @param {import("../api.js").Style} style @param {() => void} begun called when a job waits */
function card(style, begun) {
  const { extras } = store.about;
  const message = errorLine();
  const button = (label, run) =>
    actionButton(label, message, run, { class: "quiet", ariaLabel: `${label}: ${style.name}` });
  const download = h("a", { class: "button quiet", href: urls.style(style.name), download: "" }, "Download");
  download.ariaLabel = `Download: ${style.name}`;
  const remove = async () => {
    if (!(await confirm(`Delete the style ${style.name}?`, "Delete"))) return;
    await api.deleteStyle(style.name);
    await store.loadStyles();
  };
  return h("li", { class: "style-entry" }, h("div", { class: "cover" }, example(style)),
    h("div", {}, h("h3", {}, style.name),
      h("p", { class: "hint" }, style.description[0] ?? style.recipe),
      h("p", { class: "hint" }, [style.license, size(style.bytes), style.origin].filter(Boolean).join(" · ")),
      style.description.length > 1 && h("details", { class: "more" }, h("summary", {}, "Scores and training"),
        style.description.slice(1).map((line) => h("p", { class: "hint" }, line))),
      h("div", { class: "row" },
        download,
        extras.train && button("Evaluate", () => askEvaluation(style, begun)),
        extras.onnx && button("Export ONNX", () => store.run("styles/export", { style: style.name }).then(begun)),
        extras.hub && button("Push", () => askPush(style)),
        style.origin !== "bundled" && button("Delete", remove)),
      message));
}

export function stylesSection() {
  const list = h("ul", { class: "style-list", role: "list" });
  const draw = () => list.replaceChildren(...store.styles.map((style) => card(style, jobs.reveal)));
  const jobs = createJobList({
    accepts: (job) => isStyleJob(job) || job.kind === "evaluate", shown: 4, extra: evaluationOf,
  });
  store.addEventListener("styles", draw);
  draw();
  return {
    element: h("div", {}, h("h2", { class: "visually-hidden" }, "Styles"), jobs.element, list,
      h("div", { class: "pair" }, importForm(jobs.reveal), store.about.extras.hub && pullForm(jobs.reveal))),
  };
}
