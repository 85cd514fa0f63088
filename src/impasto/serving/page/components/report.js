/** Reports in a sandbox without scripts. */

import { urls } from "../api.js";
import { h } from "../dom.js";

/** @param {import("../api.js").File} file */
export const isReport = (file) => file.type.startsWith("text/html");

/** @param {import("../api.js").File} file @param {string} title */
export const reportFrame = (file, title) =>
  h("iframe", { sandbox: "", loading: "lazy", src: urls.content(file.id), title, class: "report" });
