/** Files that somebody drops or chooses, uploaded at once, with progress; the page keeps their ids. */

import { api, upload } from "../api.js";
import { h } from "../dom.js";
import { plural, size } from "../format.js";
import { ui } from "../store.js";
import { errorLine } from "./actions.js";
import { dropZone } from "./drop-zone.js";

const AT_ONCE = 3;
const REMEMBERED = 500;
/** Options for images as folders, files or one zip. */
export const DATA_SET = { accept: "image/*,.zip,.tif,.tiff", folders: true, oneZip: true };

/** @param {import("../api.js").File} file */
const isZip = (file) => file.name.toLowerCase().endsWith(".zip");
const HIDDEN = /^(\.|thumbs\.db$|desktop\.ini$)/i;

/**
 * @param {{label: string, hint?: string, noun?: string, accept?: string, multiple?: boolean, folders?: boolean,
 *   oneZip?: boolean, key?: string, onchange?: () => void}} options `oneZip`: a zip takes the place of all others;
 *   `key`: name under which the choice survives a reload
 */
export function createUploads({
  noun = "file", multiple = true, oneZip = false, key, onchange = () => {}, ...zone
}) {
  /** @type {import("../api.js").File[]} */
  let files = [];
  const bar = h("progress", { max: 1, value: 0, ariaLabel: `Upload of ${noun}s` });
  const progress = h("div", { class: "upload-progress", hidden: true }, bar, h("span", { class: "hint" }));
  const summary = h("p", { class: "row summary", hidden: true });
  const message = errorLine();

  const changed = () => {
    if (key) ui.set(key, files.length > REMEMBERED ? [] : files.map((file) => file.id));
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    summary.hidden = !files.length;
    const clear = h("button", { type: "button", class: "quiet", onclick: () => self.set([]) }, "Remove");
    clear.ariaLabel = `Remove ${plural(files.length, noun)}`;
    const name = files.length === 1 ? files[0].name : plural(files.length, noun);
    summary.replaceChildren(`${name}, ${size(bytes)}`, clear);
    self.element.dispatchEvent(new Event("change", { bubbles: true }));
    onchange();
  };

  /** @param {globalThis.File[]} chosen */
  async function add(chosen) {
    const queue = chosen.filter((file) => !HIDDEN.test(file.name)).slice(0, multiple ? undefined : 1);
    if (!queue.length) return;
    const total = queue.reduce((sum, file) => sum + file.size, 0) || 1;
    const sent = new Map();
    const failures = [];
    const made = new Map();
    const count = queue.length;
    const show = () => {
      bar.value = [...sent.values()].reduce((sum, bytes) => sum + bytes, 0) / total;
      progress.lastChild.textContent = `Uploading ${plural(count, "file")}: ${Math.round(bar.value * 100)} %`;
    };
    const work = async () => {
      for (let file = queue.shift(); file; file = queue.shift()) {
        const one = file;
        const send = upload(one, (bytes) => {
          sent.set(one, Math.min(bytes, one.size));
          show();
        });
        await send.then((stored) => made.set(one, stored), (error) => failures.push(error.message));
      }
    };
    const ordered = [...queue];
    message.textContent = "";
    progress.hidden = false;
    show();
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    progress.hidden = true;
    const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : "";
    if (failures.length) message.textContent = failures[0] + more;
    const stored = ordered.map((file) => made.get(file)).filter(Boolean);
    if (!stored.length) return;
    const zip = oneZip && stored.findLast(isZip);
    files = zip ? [zip] : multiple ? [...files.filter((file) => !oneZip || !isZip(file)), ...stored] : stored;
    changed();
  }

  async function restore() {
    const found = await Promise.all(ui.get(key, []).map((id) => api.file(id).catch(() => null)));
    if (files.length || !found.some(Boolean)) return;
    files = found.filter(Boolean);
    changed();
  }

  const self = {
    element: h("div", { class: "uploads" }, dropZone({ ...zone, multiple, onfiles: add }), progress, summary, message),
    get files() {
      return files;
    },
    get ids() {
      return files.map((file) => file.id);
    },
    /** @param {import("../api.js").File[]} chosen */
    set(chosen) {
      files = chosen;
      changed();
    },
    add,
  };
  if (key) restore();
  return self;
}
