/** Everything made, newest first, and the styles. */

import { api } from "../api.js";
import { errorLine } from "../components/actions.js";
import { checkbox, select, text } from "../components/controls.js";
import { createGrid } from "../components/pictures.js";
import { debounce, h } from "../dom.js";
import { isPreview, store } from "../store.js";
import { stylesSection } from "./styles.js";

const PAGE = 60;
const TYPING = 250;
const KINDS = [["result", "Results"], ["upload", "Uploads"]];
const EMPTY = { result: "Nothing is made yet. Paint a photo, or generate images.", upload: "Nothing is uploaded." };

/** @returns {import("../router.js").View} */
export function galleryView() {
  const pictures = createPictures();
  const styles = stylesSection();
  const links = [["#gallery", "Pictures"], ["#gallery/styles", "Styles"]].map(([href, name]) => h("a", { href }, name));
  const place = h("div");
  const element = h("div", { class: "view" }, h("h1", {}, "Gallery"),
    h("nav", { class: "tabs", ariaLabel: "Gallery" }, links), place);
  return {
    element,
    show([part]) {
      const atStyles = part === "styles";
      links.forEach((link, index) => {
        if ((index === 1) === atStyles) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      });
      place.replaceChildren(atStyles ? styles.element : pictures.element);
      if (!atStyles) pictures.reload();
    },
  };
}

function createPictures() {
  const message = errorLine();
  const grid = createGrid();
  const nothing = h("p", { class: "empty", role: "status", hidden: true });
  const query = text({
    label: "Search", type: "search", placeholder: "file, style …", onchange: debounce(reload, TYPING),
  });
  const kind = select({ label: "Show", options: KINDS, onchange: reload });
  const favourites = checkbox({ label: "Favourites only", onchange: reload });
  const more = h("button", { type: "button", class: "wide", hidden: true, onclick: load }, "Show more");
  /** @type {?string} */
  let next = null;
  let turn = 0;

  async function load() {
    const mine = turn;
    const ask = { kind: kind.value, limit: PAGE, query: query.value };
    if (favourites.value) ask.favourite = true;
    if (next) ask.before = next;
    more.disabled = true;
    try {
      const page = await api.files(ask);
      if (mine !== turn) return;
      if (!ask.before) grid.clear();
      page.files.forEach(grid.add);
      next = page.next;
      message.textContent = "";
    } catch (error) {
      if (mine === turn) message.textContent = error.message;
    }
    if (mine !== turn) return;
    more.disabled = false;
    more.hidden = !next;
    const filtered = query.value || favourites.value;
    nothing.textContent = filtered ? "Nothing matches." : EMPTY[ask.kind];
    nothing.hidden = grid.size > 0;
  }

  function reload() {
    turn += 1;
    next = null;
    load();
  }

  // Further pages come by scrolling; the button is for the keyboard, and where there is no observer.
  const ahead = ([entry]) => entry.isIntersecting && !more.disabled && next && load();
  new IntersectionObserver(ahead, { rootMargin: "600px" }).observe(more);
  store.addEventListener("file", ({ detail }) => grid.update(detail));
  store.addEventListener("ended", ({ detail }) => !isPreview(detail) && element.isConnected && reload());
  const filters = h("div", { class: "row end" }, query.element, kind.element, favourites.element);
  const element = h("div", {}, filters, message, grid.element, nothing, more);
  return { element, reload };
}
