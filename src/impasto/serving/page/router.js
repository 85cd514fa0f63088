/** Hash routes: `#learn/run/7` shows the view "learn" with the parts ["run", "7"]. */

/**
 * @typedef {{element: HTMLElement, show?: (parts: string[]) => void}} View
 */

/** @returns {string[]} */
const current = () => location.hash.slice(1).split("/").map(decodeURIComponent);

/**
 * Show the view that the address names, now and whenever it changes. Views are made at their first visit and kept.
 * @param {HTMLElement} main
 * @param {Record<string, () => View>} views
 * @param {(name: string) => void} shown
 */
export function route(main, views, shown) {
  /** @type {Map<string, View>} */
  const made = new Map();
  const go = (moved) => {
    if (!views[current()[0]]) history.replaceState(null, "", "#paint");
    const [name, ...parts] = current();
    if (!made.has(name)) made.set(name, views[name]());
    const view = made.get(name);
    if (view.element.parentElement !== main) main.replaceChildren(view.element);
    view.show?.(parts);
    shown(name);
    // What had the focus may be gone with the view before.
    if (moved && document.activeElement === document.body) main.focus({ preventScroll: true });
  };
  addEventListener("hashchange", () => {
    go(true);
    scrollTo(0, 0);
  });
  go(false);
}
