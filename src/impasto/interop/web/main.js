/**
 * Paint photos in the browser: the page. The network runs in a worker (painter.js). `dom.js`, the components and the
 * style sheet are those of impasto studio; `impasto export --web` puts them beside this file.
 */

import { h } from "./dom.js";
import "./components/before-after.js";
import { acceptDrops, dropZone } from "./components/drop-zone.js";

/** Longest sides of paintings in pixels. Strokes have a fixed size: they are larger in a smaller painting. */
const SIZES = { 384: "Large", 512: "Medium", 768: "Small" };

const about = await (await fetch("about.json")).json();
const painter = new Worker(new URL("painter.js", import.meta.url), { type: "module" });
let photo = null; // its name, and its pixels once it is decoded
let addresses = []; // of the pictures that are shown

const view = h("before-after", { hidden: true });
const status = h("p", { class: "hint preview-state", role: "status" });
const error = h("p", { class: "error", role: "alert" });
const size = h("select", { id: "size", onchange: () => paint() },
  Object.entries(SIZES).map(([side, name]) => h("option", { value: side, selected: side === "512" }, name)));
const save = h("a", { class: "button primary wide", hidden: true }, "Save PNG");
const uploads = h("div", { class: "uploads" }, dropZone({
  label: "Drop a photo here", hint: "It does not leave this device.", accept: "image/*", multiple: false,
  onfiles: ([file]) => choose(file),
}));
const easel = h("div", { class: "easel" }, view, status, error, uploads);

document.title = `${about.title}, by impasto`;
document.getElementById("main").replaceChildren(
  h("h1", {}, about.title),
  h("div", { class: "workbench" }, easel,
    h("div", { class: "panel flat" },
      h("div", { class: "field" }, h("label", { htmlFor: "size" }, "Brush strokes"), size,
        h("p", { class: "hint" }, "Larger strokes make a smaller painting.")),
      save,
      about.license && h("p", { class: "hint" }, `License of the style: ${about.license}`))));
acceptDrops(document.body, ([file]) => choose(file));

/** @param {?File} file */
async function choose(file) {
  if (!file) return;
  error.textContent = "";
  try {
    photo = { name: file.name, image: await createImageBitmap(file) };
  } catch {
    error.textContent = `${file.name} is no image that this browser can show: choose a JPEG, PNG or WebP file.`;
    return;
  }
  uploads.classList.add("compact");
  paint();
}

/** The photo's pixels at the size of the painting, at most its own. */
function pixels() {
  const { width, height } = photo.image;
  const scale = Math.min(1, Number(size.value) / Math.max(width, height));
  const canvas = h("canvas", {
    width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)),
  });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white"; // under transparent parts
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(photo.image, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function paint() {
  if (!photo) return;
  save.hidden = true;
  error.textContent = "";
  status.textContent = "Loading the network …";
  const { data, width, height } = pixels();
  painter.postMessage({ data, width, height, name: photo.name }, [data.buffer]);
}

painter.onerror = () => fail("The network cannot be loaded: reload the page, or use a current browser.");
painter.onmessage = ({ data: message }) => {
  if (message.error) fail(message.error);
  else if (message.painted) show(message);
  else status.textContent = message.status;
};

/** @param {string} text */
function fail(text) {
  status.textContent = "";
  error.textContent = text;
}

/**
 * Another photo may have been chosen meanwhile: the message has all that belongs to the painting.
 * @param {{before: Uint8ClampedArray, painted: Uint8ClampedArray, width: number, height: number, name: string,
 *   seconds: number, device: string}} message
 */
async function show({ before, painted, width, height, name, seconds, device }) {
  addresses.forEach((address) => URL.revokeObjectURL(address));
  addresses = await Promise.all([before, painted].map((data) => address(data, width, height)));
  view.hidden = false;
  view.show(addresses[0], addresses[1], name);
  status.textContent = `${width} × ${height} pixels, painted in ${seconds.toFixed(1)} s on the ${device}`;
  save.href = addresses[1];
  save.download = `${name.replace(/\.[^.]*$/, "")}-painted.png`;
  save.hidden = false;
}

async function address(data, width, height) {
  const canvas = h("canvas", { width, height });
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  return URL.createObjectURL(await new Promise((resolve) => canvas.toBlob(resolve, "image/png")));
}
