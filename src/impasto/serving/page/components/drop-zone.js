/** A place to drop files and folders on, with a file input for keyboards and screen readers. */

import { h } from "../dom.js";

/**
 * All files of a drop, with those in folders.
 * @param {DataTransfer} transfer
 * @returns {Promise<File[]>}
 */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(walk))).flat();
}

/** @param {any} entry a FileSystemEntry */
async function walk(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A reader gives at most 100 entries at a time, and none at the end.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(walk))).flat());
  }
}

/**
 * @param {{label: string, hint?: string, accept?: string, multiple?: boolean, folders?: boolean,
 *   onfiles: (files: File[]) => void}} options
 */
export function dropZone({ label, hint, accept = "", multiple = true, folders = false, onfiles }) {
  const picker = (text, more) => {
    const input = h("input", {
      type: "file", class: "visually-hidden", ...more,
      onchange: () => {
        onfiles([...input.files]);
        input.value = "";
      },
    });
    return h("label", { class: "button" }, input, text);
  };
  const zone = h("div", { class: "drop-zone" },
    h("p", { class: "drop-label" }, label),
    hint && h("p", { class: "hint" }, hint),
    h("div", { class: "row" },
      picker(`Choose ${multiple ? "files" : "a file"}`, { accept, multiple, ariaLabel: `${label}: choose files` }),
      folders && picker("Choose a folder", { webkitdirectory: true, ariaLabel: `${label}: choose a folder` })));
  acceptDrops(zone, onfiles);
  return zone;
}

/**
 * @param {HTMLElement} zone
 * @param {(files: File[]) => void} onfiles
 */
export function acceptDrops(zone, onfiles) {
  let depth = 0;
  const mark = (change) => {
    depth = change ? depth + change : 0;
    zone.classList.toggle("over", depth > 0);
  };
  zone.addEventListener("dragenter", () => mark(1));
  zone.addEventListener("dragleave", () => mark(-1));
  zone.addEventListener("dragover", (event) => event.preventDefault());
  // While capturing: a zone inside this one keeps the drop for itself.
  zone.addEventListener("drop", () => mark(0), true);
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    onfiles(await filesOf(event.dataTransfer));
  });
}
