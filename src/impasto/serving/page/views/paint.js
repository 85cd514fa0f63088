/** Paint photos, zips and films with a style: preview, settings, results. */

import { api, urls } from "../api.js";
import { actionForm, errorLine, forgetful } from "../components/actions.js";
import "../components/before-after.js";
import { acceptDrops } from "../components/drop-zone.js";
import { createJobList } from "../components/job-list.js";
import { createUploads } from "../components/uploads.js";
import { h, icon } from "../dom.js";
import { plural, size } from "../format.js";
import { take } from "../handover.js";
import { store } from "../store.js";
import { createPaintSettings } from "./paint-settings.js";
import { createPreview } from "./preview.js";

const LOOKED_INTO = 5;
const THUMBNAILS = 24;
const ACCEPT = "image/*,video/*,.zip,.tif,.tiff,.heic";

/** @param {import("../api.js").File} file */
const isImage = (file) => file.type.startsWith("image/");

/** @returns {import("../router.js").View} */
export function paintView() {
  /** @type {?import("../api.js").File} */
  let selected = null;
  const asked = new Set();
  const pair = document.createElement("before-after");
  const state = h("p", { class: "hint preview-state", role: "status" });
  const stage = h("div", { class: "stage", hidden: true }, pair, state);
  const strip = h("ul", { class: "strip", role: "list" });
  const notice = h("div", { class: "notice", role: "status", hidden: true });
  const message = errorLine();
  const submit = h("button", { type: "submit", class: "primary wide" }, "Paint");

  const preview = createPreview({
    show: (chosen, painting, photo) => {
      const before = photo ?? chosen;
      pair.hidden = !isImage(before) && !painting;
      if (!pair.hidden) pair.show(urls.content(before.id), painting && urls.content(painting.id), chosen.name);
    },
    say: (text) => {
      state.textContent = text;
    },
  });
  const refresh = () => preview.request(settings.problem ? null : selected, settings.values());
  const settings = createPaintSettings({ onchange: refresh });
  const uploads = createUploads({
    label: "Drop photos, zips or films here", accept: ACCEPT, key: "photos", onchange: changed,
    hint: `Or paste a picture. Files of up to ${size(store.about.limits.upload_bytes)}.`,
  });

  function changed() {
    const files = uploads.files;
    notice.hidden = true;
    if (!files.includes(selected)) selected = files.findLast(isImage) ?? files.at(-1) ?? null;
    uploads.element.classList.toggle("compact", files.length > 0);
    stage.hidden = !files.length;
    submit.textContent = files.length ? `Paint ${plural(files.length, "file")}` : "Paint";
    drawStrip();
    refresh();
    recognise(files);
  }

  function drawStrip() {
    const files = uploads.files;
    const left = files.length - THUMBNAILS;
    strip.replaceChildren(...files.slice(-THUMBNAILS).map((file) => {
      const name = h("span", { class: "file-name" }, file.name);
      const image = isImage(file)
        ? h("img", {
          alt: file.name, loading: "lazy", onerror: () => image.replaceWith(name), src: urls.content(file.id),
        }) : name;
      const choose = h("button", {
        type: "button", class: "thumb", ariaPressed: String(file === selected),
        onclick: () => {
          selected = file;
          for (const other of strip.querySelectorAll(".thumb")) other.ariaPressed = String(other === choose);
          refresh();
        },
      }, image);
      const remove = h("button", {
        type: "button", class: "icon remove", ariaLabel: `Remove ${file.name}`,
        onclick: () => uploads.set(uploads.files.filter((other) => other !== file)),
      }, icon("close"));
      return h("li", {}, choose, remove);
    }));
    if (left > 0) strip.append(h("li", { class: "hint" }, `and ${left.toLocaleString()} more`));
  }

  /** A painting that impasto made brings its settings; it is not painted again unless that is asked for. */
  async function recognise(files) {
    const fresh = files.filter((file) => isImage(file) && !asked.has(file.id));
    fresh.forEach((file) => asked.add(file.id));
    if (fresh.length > LOOKED_INTO) return;
    for (const file of fresh) {
      const found = await api.settings(file.id).catch(() => null);
      if (!found) continue;
      settings.apply(found);
      uploads.set(uploads.files.filter((other) => other !== file));
      const again = h("button", {
        type: "button",
        onclick: () => uploads.set([...uploads.files, file]),
      }, "Paint this picture itself");
      notice.hidden = false;
      notice.replaceChildren(`The settings are now those of ${file.name}. Add photos to paint with them. `, again);
    }
  }

  async function paint() {
    if (!uploads.files.length) throw new Error("Add a photo, a zip or a film first.");
    if (!settings.style) throw new Error("Choose a style first.");
    if (settings.problem) throw new Error(settings.problem);
    await store.run("paint", { ...settings.values(), files: uploads.ids });
    jobs.element.scrollIntoView({ block: "nearest" });
  }

  const jobs = createJobList({ accepts: (job) => job.kind === "paint", empty: "Your paintings appear here." });
  const form = actionForm(submit, message, paint, "panel",
    settings.element, h("div", { class: "submit" }, submit, message));
  const element = h("div", { class: "view" },
    h("h1", {}, "Paint your photos"),
    h("div", { class: "workbench" }, h("div", { class: "easel" }, notice, stage, strip, uploads.element), form),
    h("section", { class: "results", ariaLabel: "Paintings" }, h("h2", {}, "Paintings"), jobs.element));
  forgetful(uploads.element, message);
  acceptDrops(element, uploads.add);
  document.addEventListener("paste", (event) => {
    if (element.isConnected && event.clipboardData.files.length) uploads.add([...event.clipboardData.files]);
  });
  settings.draw();

  return {
    element,
    show() {
      const given = take("paint");
      if (given) settings.apply(given);
    },
  };
}
