/** Fast previews: the latest request wins, older ones are cancelled. */

import { api } from "../api.js";
import { debounce } from "../dom.js";
import { hasEnded, store } from "../store.js";

const DELAY = 250;

/**
 * @typedef {import("../api.js").File} File
 * @param {{show: (chosen: File, painting: ?File, photo: ?File) => void, say: (text: string) => void}} output
 *   `photo`: what was painted, if the server sends it too
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
    const painting = job.results.find((file) => file.name.startsWith("preview")) ?? job.results.at(-1);
    // Of a zip and of a film the server also sends what it painted: the first photo or frame.
    if (painting) show(photo, painting, job.results.find((file) => file !== painting) ?? null);
    say(painting ? "Preview at screen size" : job.error?.detail ?? "");
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
      if (photo.id !== shown) show(photo, null, null);
      shown = photo.id;
      say("");
      if (settings.style) start(photo, settings, turn);
    },
  };
}
