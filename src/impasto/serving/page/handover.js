/** Settings and files that one view hands to another: "use these settings", "train with this recipe". */

/** @type {Map<string, any>} */
const waiting = new Map();

/**
 * Go to a view, which finds `data` when it is shown.
 * @param {string} view
 * @param {any} data
 */
export function give(view, data) {
  waiting.set(view, data);
  if (location.hash === `#${view}`) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = view;
}

/** @param {string} view @returns {any} undefined if nothing waits */
export function take(view) {
  const data = waiting.get(view);
  waiting.delete(view);
  return data;
}
