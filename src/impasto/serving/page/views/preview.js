/** Fast previews: the latest request wins, older ones are cancelled. */

import { api } from "../api.js";
import { debounce } from "../dom.js";
import { hasEnded, store } from "../store.js";

const DELAY = 250;

/**
 * @typedef {import("../api.js").File} File
 * @param {{show: (photo: File, result: ?File) => void, say: (text: string) => void}} output
 */
export function createPreview({ show, say }) {
  let turn = 0;
  let shown = "";
  /** @type {?string} */
  let running = null;

  async function cancel() {
    const id = running;
    running = null;
    const job = id && store.jobs.get(id);
    if (!job || hasEnded(job)) return;
    // The job may have ended meanwhile: then there is nothing to cancel.
    await api.act(id, "cancel").catch(() => {});
    store.forget(id);
  }

  /** @param {File} photo @param {Record<string, any>} settings @param {number} mine */
  async function paint(photo, settings, mine) {
    say("Painting a preview …");
    const begun = await store.run("paint", { ...settings, files: [photo.id], format: "jpg", preview: true });
    running = begun.id;
    if (mine !== turn) return cancel();
    const job = await store.ended(begun.id);
    if (mine !== turn) return;
    running = null;
    store.forget(job.id);
    if (job.results.length) show(photo, job.results[0]);
    say(job.results.length ? "Preview at screen size" : job.error?.detail ?? "");
  }

  const start = debounce((photo, settings, mine) => {
    if (mine === turn) paint(photo, settings, mine).catch((error) => mine === turn && say(error.message));
  }, DELAY);

  return {
    /** @param {?File} photo null: nothing is chosen @param {Record<string, any>} settings */
    request(photo, settings) {
      turn += 1;
      cancel();
      if (!photo) return;
      const image = photo.type.startsWith("image/");
      if (photo.id !== shown) show(photo, null);
      shown = photo.id;
      say(image ? "" : `${photo.name} is painted without a preview.`);
      if (image && settings.style) start(photo, settings, turn);
    },
  };
}
