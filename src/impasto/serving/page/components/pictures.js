/** Results as a grid of cards: thumbnail, favourite, download; a click opens the details. */

import { urls } from "../api.js";
import { h, icon } from "../dom.js";
import { store } from "../store.js";
import { openDetail } from "./detail.js";

/** A toggle button for the favourites. @param {import("../api.js").File} file */
export function favouriteButton(file) {
  const button = h("button", {
    type: "button", class: "icon favourite", ariaLabel: "Favourite", ariaPressed: String(file.favourite),
    onclick: async () => {
      const wanted = button.ariaPressed !== "true";
      button.ariaPressed = String(wanted);
      await store.setFavourite(file.id, wanted).catch(() => {
        button.ariaPressed = String(!wanted);
      });
    },
  }, icon("heart"));
  return button;
}

/** A link that downloads a file. @param {import("../api.js").File} file */
function downloadLink(file) {
  return h("a", {
    class: "icon button", href: urls.download(file.id), download: file.name, ariaLabel: `Download ${file.name}`,
  }, icon("download"));
}

/** The small picture of a result; without one a film shows its first frame, and other files their name. */
function thumbnail(file) {
  const name = () => h("span", { class: "file-name" }, file.name);
  if (!/^(image|video)\//.test(file.type)) return name();
  const film = () => h("video", {
    ariaLabel: describe(file), muted: true, playsInline: true, preload: "metadata", src: urls.content(file.id),
  });
  if (file.kind === "upload" && file.type.startsWith("video/")) return film();
  const image = h("img", {
    alt: describe(file), loading: "lazy", width: file.width ?? 480, height: file.height ?? 480,
    onerror: () => image.replaceWith(file.type.startsWith("video/") ? film() : name()), src: urls.thumbnail(file),
  });
  return image;
}

/** @param {import("../api.js").File} file */
export function describe(file) {
  const { style, number } = file.settings ?? {};
  if (number !== undefined) return `${style}, number ${number}`;
  return style ? `${file.name}, style ${style}` : file.name;
}

/**
 * @param {{actions?: import("./detail.js").Action[], pick?: (file: import("../api.js").File) => boolean}} [options]
 *   `actions`: more buttons in the details; `pick`: called first at a click, true if it took the picture
 */
export function createGrid({ actions = [], pick = () => false } = {}) {
  const element = h("ul", { class: "grid", role: "list" });
  /** @type {Map<string, {file: import("../api.js").File, card: HTMLElement, heart: HTMLElement}>} */
  const cards = new Map();

  /** @param {import("../api.js").File} file */
  function add(file) {
    if (cards.has(file.id)) return;
    const heart = favouriteButton(file);
    const open = h("button", {
      type: "button", class: "picture", "data-file": file.id,
      onclick: () => {
        const now = cards.get(file.id).file;
        if (!pick(now)) openDetail(now, actions);
      },
    }, thumbnail(file));
    const card = h("li", { class: "card" }, open, h("div", { class: "card-tools" }, heart, downloadLink(file)));
    cards.set(file.id, { file, card, heart });
    element.append(card);
  }

  /** @param {string} id */
  function remove(id) {
    cards.get(id)?.card.remove();
    cards.delete(id);
  }

  return {
    element,
    add,
    /** Show these files only. @param {import("../api.js").File[]} files */
    set(files) {
      const wanted = new Set(files.map((file) => file.id));
      [...cards.keys()].filter((id) => !wanted.has(id)).forEach(remove);
      files.forEach(add);
    },
    /** Take over a change. @param {{id: string, file: ?import("../api.js").File}} change */
    update({ id, file }) {
      if (!file) return remove(id);
      const known = cards.get(id);
      if (!known) return;
      known.file = file;
      known.heart.ariaPressed = String(file.favourite);
    },
    clear() {
      cards.clear();
      element.replaceChildren();
    },
    get size() {
      return cards.size;
    },
  };
}
