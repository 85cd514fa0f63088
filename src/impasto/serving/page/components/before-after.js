/**
 * `<before-after>`: two pictures over each other, with a line between them that is moved by pointer, touch and arrow
 * keys. At 100 % the picture is panned by dragging or scrolling.
 */

import { h } from "../dom.js";

const STEP = 2;
const LARGE_STEP = 10;
/** A picture that is not so many times as wide as it is shown gains nothing at 100 %. */
const HARDLY = 1.3;

class BeforeAfter extends HTMLElement {
  #split = 50;

  connectedCallback() {
    if (this.canvas) return;
    this.before = h("img", { class: "before", alt: "", draggable: false, onerror: () => this.#alone() });
    this.after = h("img", { class: "after", alt: "", draggable: false, onload: () => this.#fit() });
    this.handle = h("div", {
      class: "handle", role: "slider", tabIndex: 0, ariaLabel: "Boundary between photo and painting",
      ariaValueMin: "0", ariaValueMax: "100", onkeydown: (event) => this.#key(event),
    });
    this.canvas = h("div", { class: "canvas" }, this.after, this.before, this.handle);
    this.viewport = h("div", { class: "viewport", onpointerdown: (event) => this.#drag(event) }, this.canvas);
    this.zoom = h("button", {
      type: "button", class: "zoom", ariaPressed: "false", onclick: () => this.#toggleZoom(),
    }, "100 %");
    this.append(this.viewport, this.zoom);
    this.#move(this.#split);
  }

  /**
   * Show a pair of pictures. Without `before` there is only the picture, without `after` only the photo.
   * @param {?string} before address
   * @param {?string} after address
   * @param {string} name for the text alternative
   */
  show(before, after, name) {
    this.#set(this.after, after || before, after ? `${name}, painted` : name);
    this.handle.hidden = this.before.hidden = false;
    if (before && after) this.#set(this.before, before, `${name}, the photo`);
    else this.#alone();
  }

  /** There is nothing to compare, or the browser cannot show the photo. */
  #alone() {
    this.handle.hidden = this.before.hidden = true;
  }

  #set(image, source, alt) {
    if (image.getAttribute("src") !== source) image.src = source;
    image.alt = alt;
  }

  /** In 100 % one pixel of the picture is one pixel of the page. */
  #fit() {
    const { naturalWidth: width, naturalHeight: height } = this.after;
    this.canvas.style.setProperty("--width", `${width}px`);
    this.canvas.style.setProperty("--ratio", width && height ? width / height : 1);
    this.zoom.hidden = width < HARDLY * this.canvas.clientWidth;
  }

  #toggleZoom() {
    const zoomed = this.classList.toggle("zoomed");
    this.zoom.ariaPressed = String(zoomed);
    if (zoomed) {
      this.viewport.tabIndex = 0;
      this.viewport.role = "region";
      this.viewport.ariaLabel = "Picture at 100 %, scroll to pan";
      this.viewport.scrollTo((this.canvas.offsetWidth - this.viewport.clientWidth) / 2,
        (this.canvas.offsetHeight - this.viewport.clientHeight) / 2);
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) this.viewport.removeAttribute(name);
    }
  }

  #move(percent) {
    this.#split = Math.min(100, Math.max(0, percent));
    this.canvas.style.setProperty("--split", `${this.#split}%`);
    this.handle.ariaValueNow = String(Math.round(this.#split));
    this.handle.ariaValueText = `${Math.round(this.#split)} % photo`;
  }

  #key(event) {
    const moves = {
      ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP,
      PageDown: -LARGE_STEP, PageUp: LARGE_STEP, Home: -100, End: 100,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.#move(this.#split + moves[event.key]);
    this.handle.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Drag the boundary; or pan, in 100 %, where the drag begins beside the handle. */
  #drag(down) {
    const onHandle = down.target === this.handle;
    const panning = this.classList.contains("zoomed") && !onHandle;
    if (down.button !== 0 || (panning && down.pointerType !== "mouse")) return;
    if (!panning && this.handle.hidden) return;
    const { scrollLeft, scrollTop } = this.viewport;
    const follow = (event) => {
      if (panning) {
        this.viewport.scrollTo(scrollLeft + down.clientX - event.clientX, scrollTop + down.clientY - event.clientY);
      } else {
        const box = this.canvas.getBoundingClientRect();
        this.#move(((event.clientX - box.left) / box.width) * 100);
      }
    };
    if (!panning) {
      follow(down);
      this.handle.focus({ preventScroll: true });
    }
    down.preventDefault();
    const end = new AbortController();
    this.viewport.setPointerCapture(down.pointerId);
    this.viewport.addEventListener("pointermove", follow, { signal: end.signal });
    for (const name of ["pointerup", "pointercancel"]) {
      this.viewport.addEventListener(name, () => end.abort(), { signal: end.signal });
    }
  }
}

customElements.define("before-after", BeforeAfter);
