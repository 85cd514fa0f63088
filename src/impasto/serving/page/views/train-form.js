/** The form that starts a training. */

import { actionForm, errorLine } from "../components/actions.js";
import { checkbox, number, select, text } from "../components/controls.js";
import { h } from "../dom.js";
import { store } from "../store.js";

/** Recipe to begin with: it needs no photos, and learns from few paintings. */
const FIRST = "projected-64";

/** @param {{data: () => {paintings: string[], photos: string[]}}} options */
export function createTrainForm({ data }) {
  const message = errorLine();
  const summary = h("p", { class: "hint" });
  const recipe = select({ label: "Recipe", options: [], onchange: describe });
  const budget = text({ label: "Budget", value: "1h", hint: "A time (30m, 2h) or steps (900steps)." });
  const name = text({ label: "Name of the run", placeholder: "my paintings" });
  const start = select({ label: "Start from a style", options: [], hint: "Fine-tuning is faster." });
  const seed = number({ label: "Seed", min: 0, value: 0 });
  const settings = text({
    label: "Settings", placeholder: "generator.width=96 batch=8", hint: "NAME=VALUE, with spaces between.",
  });
  const crop = checkbox({ label: "Crop picture frames off the paintings" });
  const submit = h("button", { type: "submit", class: "primary" }, "Train");
  const chosen = () => store.recipes.find((one) => one.name === recipe.value);

  function describe() {
    const one = chosen();
    const data = one?.translates ? "needs paintings and photos" : "needs paintings only";
    summary.textContent = one ? `${one.summary} · ${data}` : "";
    const task = one?.translates ? "translation" : "generation";
    const styles = store.styles.filter((style) => style.task === task && style.recipe === one?.name);
    start.fill([["", "No: from scratch"], ...styles.map((style) => [style.name, style.name])]);
  }

  async function train() {
    const { paintings, photos } = data();
    const translates = chosen()?.translates;
    if (!paintings.length) throw new Error("Add paintings first.");
    if (translates && !photos.length) throw new Error(`${recipe.value} trains photo → painting: add photos too.`);
    await store.run("train", {
      paintings, photos: translates ? photos : [], recipe: recipe.value, budget: budget.value,
      settings: settings.value.split(/\s+/).filter(Boolean), crop_frames: crop.value, seed: seed.value ?? 0,
      start: start.value || null, name: name.value || recipe.value,
    });
  }

  const element = actionForm(submit, message, train, "panel flat",
    h("div", { class: "fields" }, recipe.element, start.element, budget.element, name.element), summary,
    h("details", { class: "more" }, h("summary", {}, "More settings"),
      h("div", { class: "fields" }, settings.element, seed.element), crop.element),
    h("div", { class: "row" }, submit), message);
  if (store.about.extras.train === false) {
    submit.disabled = true;
    message.textContent = "Training is not installed: pip install 'impasto[train]'.";
  }
  recipe.fill(store.recipes.map((one) => [one.name, one.name]));
  if (store.recipes.some((one) => one.name === FIRST)) recipe.value = FIRST;
  describe();
  store.addEventListener("styles", describe);

  return {
    element,
    /**
     * Take over a recommendation.
     * @param {{recipe: string, budget: string, settings: string[], crop_frames: boolean}} train
     */
    fill(train) {
      recipe.value = train.recipe;
      budget.value = train.budget;
      settings.value = train.settings.join(" ");
      crop.value = train.crop_frames;
      if (train.settings.length || train.crop_frames) element.querySelector("details").open = true;
      describe();
      element.scrollIntoView({ block: "nearest" });
      submit.focus();
    },
  };
}
