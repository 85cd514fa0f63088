/** Generate paintings from noise, and explore what lies around them. */

import { urls } from "../api.js";
import { actionButton, actionForm, errorLine } from "../components/actions.js";
import { number } from "../components/controls.js";
import { openDialog } from "../components/dialog.js";
import { createJobList } from "../components/job-list.js";
import { styleCards } from "../components/style-cards.js";
import { createUploads, DATA_SET } from "../components/uploads.js";
import { h } from "../dom.js";
import { take } from "../handover.js";
import { store, ui } from "../store.js";
import { createPicking } from "./picking.js";

const NUMBERED = new Set(["images", "nearest"]);

/** @returns {import("../router.js").View} */
export function generateView() {
  const saved = ui.get("generate", {});
  const message = errorLine();
  const cards = styleCards({ task: "generation", first: "monet-dream", onchange: () => {} });
  const save = () => ui.set("generate", { seed: seed.value, count: count.value, truncation: truncation.value });
  const count = number({ label: "Number of images", min: 1, value: saved.count ?? 16, onchange: save });
  const seed = number({
    label: "Seed", min: 0, value: saved.seed ?? 0, hint: "The same seed gives the same images.", onchange: save,
  });
  const truncation = number({
    label: "Truncation", min: 0.1, step: 0.1, value: saved.truncation, placeholder: "off",
    hint: "Lower is more typical and less diverse (try 1.5).", onchange: save,
  });
  const seconds = number({
    label: "Seconds between images", min: 0.5, step: 0.5, value: 2, hint: "Of a loop film through these images.",
  });

  /** @param {Record<string, any>} settings */
  const generate = (settings) => store.run("generate", {
    style: cards.style?.name, show: "images", count: count.value ?? 16, seed: seed.value ?? 0,
    truncation: truncation.value, ...settings,
  });
  /** The settings that make this image again. @param {import("../api.js").File} file */
  const same = ({ settings }) => ({
    style: settings.style, seed: settings.seed, start: settings.number, truncation: settings.truncation ?? null,
  });

  /** @param {import("../api.js").File} file */
  function askNearest(file) {
    const problem = errorLine();
    const against = createUploads({
      label: "Drop the training paintings here", hint: "A folder or a zip.", noun: "painting", ...DATA_SET,
    });
    const button = actionButton("Find the nearest", problem, async () => {
      if (!against.ids.length) throw new Error("Add the training paintings first.");
      await generate({ ...same(file), show: "nearest", count: 1, against: against.ids });
      dialog.close();
    }, { class: "primary" });
    const dialog = openDialog("Nearest training pictures", against.element, button, problem);
  }

  /** Neighbours, mixtures and films have no number of their own. */
  const fits = ({ settings }) => settings?.number !== undefined && NUMBERED.has(settings.show ?? "images");
  const mixes = (file) => fits(file) && store.styles.find((style) => style.name === file.settings.style)?.style_mixing;
  const actions = [
    { label: "More like this", fits, run: (file) => generate({ ...same(file), show: "neighbours" }) },
    { label: "Mix with …", fits: mixes, run: (file) => picking.beginMix(file) },
    { label: "Nearest training pictures", fits, run: (file) => { queueMicrotask(() => askNearest(file)); } },
    { label: "Loop film from here", fits, run: (file) => film(same(file)) },
  ];
  const film = (settings) => generate({ ...settings, show: "film", seconds: seconds.value ?? 2 });

  /** Each image beside its nearest training pictures. @param {import("../api.js").Job} job */
  function nearest(job) {
    if (!job.outcome?.nearest) return null;
    const picture = (id, alt) => h("img", { src: urls.content(id), alt });
    return h("ul", { class: "nearest", role: "list" }, job.outcome.nearest.map(({ image, neighbours }) => h("li", {},
      picture(image, "Generated image"),
      neighbours.map((id, index) => picture(id, `Nearest training picture, rank ${index + 1}`)))));
  }

  const jobs = createJobList({
    accepts: (job) => job.kind === "generate", empty: "Generated images appear here.", extra: nearest,
    grid: { actions, pick: (file) => picking.pick(file) },
  });
  const picking = createPicking({
    element: jobs.element, fits,
    mix: (first, second) => {
      generate({ ...same(first), show: "mixtures", second: second.settings.number }).catch((error) => {
        message.textContent = error.message;
      });
    },
    film: (files) => film({ ...same(files[0]), images: files.map((file) => file.settings.number) }),
  });
  const submit = h("button", { type: "submit", class: "primary" }, "Generate");
  const form = actionForm(submit, message, () => generate({}), "panel flat", cards.element,
    h("div", { class: "fields" }, count.element, seed.element, truncation.element, seconds.element),
    h("div", { class: "row" }, submit, actionButton("Loop film", message, () => film({}))), message);
  const element = h("div", { class: "view" },
    h("h1", {}, "Generate from noise"), form,
    h("section", { class: "results wall", ariaLabel: "Generated images" },
      h("div", { class: "section-head" }, h("h2", {}, "Images"), picking.start), picking.notice, jobs.element));
  cards.draw();

  return {
    element,
    show() {
      const given = take("generate");
      if (!given) return;
      cards.value = given.style;
      seed.value = given.seed ?? 0;
      truncation.value = given.truncation ?? null;
      save();
    },
  };
}
