/** One result in a dialog: the picture beside its source, its settings, and what can be done with it. */

import { urls } from "../api.js";
import { h } from "../dom.js";
import { date, facts, size } from "../format.js";
import { give } from "../handover.js";
import { store } from "../store.js";
import { actionButton, errorLine } from "./actions.js";
import "./before-after.js";
import { confirm, openDialog } from "./dialog.js";
import { describe, favouriteButton } from "./pictures.js";
import { isReport, reportFrame } from "./report.js";

/**
 * @typedef {import("../api.js").File} File
 * @typedef {{label: string, fits: (file: File) => boolean, run: (file: File) => Promise<any>|void}} Action
 */

/** @param {File} file */
function display(file) {
  const content = urls.content(file.id);
  const film = file.type.startsWith("video/");
  if (film) return h("video", { controls: true, loop: true, playsInline: true, src: content });
  if (isReport(file)) return reportFrame(file, file.name);
  if (!file.type.startsWith("image/")) return null;
  const pair = document.createElement("before-after");
  queueMicrotask(() => pair.show(file.source && urls.content(file.source), urls.picture(file), describe(file)));
  return pair;
}

/** The view that can repeat the settings of a file. @param {File} file */
function home(file) {
  const task = store.styles.find((style) => style.name === file.settings?.style)?.task;
  return { translation: "paint", generation: "generate" }[task];
}

/**
 * @param {File} file
 * @param {Action[]} [actions]
 */
export function openDetail(file, actions = []) {
  const message = errorLine();
  const remove = async () => {
    if (!(await confirm(`Delete ${file.name}?`, "Delete"))) return;
    await store.deleteFile(file);
    dialog.close();
  };
  const own = ({ label, run }) => actionButton(label, message, async () => {
    await run(file);
    dialog.close();
  });
  const view = home(file);
  const again = view && actionButton("Use these settings", message, () => {
    dialog.close();
    give(view, file.settings);
  });
  const measure = file.width ? `${file.width} × ${file.height} pixels, ` : "";
  const rows = [...facts(file.settings ?? {}), ["file", measure + size(file.bytes)], ["made", date(file.created)]];
  const dialog = openDialog(file.name, display(file),
    h("div", { class: "row" }, favouriteButton(file),
      h("a", { class: "button", href: urls.download(file.id), download: file.name }, "Download"),
      actions.filter((action) => action.fits(file)).map(own), again,
      actionButton("Delete", message, remove, { class: "quiet" })),
    message,
    h("dl", { class: "facts" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
}
