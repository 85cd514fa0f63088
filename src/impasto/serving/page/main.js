/** Start of the page: the header, the routes, the drawer of jobs and announcements. */

import { ApiError } from "./api.js";
import { createDrawer } from "./components/jobs-drawer.js";
import { brushStroke, h, icon } from "./dom.js";
import { title } from "./format.js";
import { route } from "./router.js";
import { isPreview, store, ui } from "./store.js";
import { galleryView } from "./views/gallery.js";
import { generateView } from "./views/generate.js";
import { learnView } from "./views/learn.js";
import { paintView } from "./views/paint.js";

const main = document.getElementById("main");
const THEMES = { auto: "auto", light: "sun", dark: "moon" };

function setUpTheme() {
  const button = document.getElementById("theme");
  const apply = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.replaceChildren(icon(THEMES[theme]));
    button.ariaLabel = `Theme: ${theme}`;
    button.title = button.ariaLabel;
  };
  apply(ui.get("theme", "auto"));
  button.onclick = () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
    ui.set("theme", next);
    apply(next);
  };
}

function announceEnds() {
  const announcer = document.getElementById("announcer");
  store.addEventListener("ended", ({ detail: job }) => {
    if (isPreview(job)) return;
    const end = { done: "is done.", cancelled: "was cancelled." }[job.state] ?? `failed: ${job.error?.detail ?? ""}`;
    announcer.textContent = `${title(job)} ${end}`;
  });
}

function markLink(name) {
  for (const link of document.querySelectorAll("header nav a")) {
    const here = link.hash === `#${name}`;
    link.toggleAttribute("aria-current", here);
    if (here) link.setAttribute("aria-current", "page");
    link.querySelector("svg")?.remove();
    if (here) link.append(brushStroke());
  }
  document.title = `${name[0].toUpperCase()}${name.slice(1)} – impasto studio`;
}

async function start() {
  setUpTheme();
  announceEnds();
  createDrawer(document.getElementById("jobs"), document.getElementById("jobs-button"));
  document.querySelector(".skip").onclick = (event) => {
    event.preventDefault();
    main.focus();
  };
  // A file that misses a drop zone must not replace the page.
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
  store.addEventListener("connection", ({ detail }) => {
    document.getElementById("connection").hidden = detail;
  });
  try {
    await store.start();
  } catch (error) {
    const token = error instanceof ApiError && error.status === 401;
    const hint = token ? " Open the page with the address that impasto studio printed: it contains the token." : "";
    main.replaceChildren(h("p", { class: "error", role: "alert" }, error.message + hint));
    return;
  }
  route(main, { paint: paintView, generate: generateView, learn: learnView, gallery: galleryView }, markLink);
}

start();
