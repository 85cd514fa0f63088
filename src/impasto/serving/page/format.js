/** Numbers and facts as people read them. */

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  const power = Math.min(3, Math.floor(Math.log10(bytes) / 3));
  const value = (bytes / 1000 ** power).toLocaleString(undefined, { maximumFractionDigits: 1 });
  return `${value} ${["", "kB", "MB", "GB"][power]}`;
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** @param {string} iso */
export function date(iso) {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** @param {number} value */
export function number(value) {
  if (value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3)) return value.toExponential(1);
  return value.toLocaleString(undefined, { maximumSignificantDigits: 4 });
}

/** @param {number} [value] nothing if it was not measured */
export const score = (value) => (value === undefined ? "–" : number(value));

/** @param {number} count @param {string} noun singular */
export const plural = (count, noun) => `${count.toLocaleString()} ${noun}${count === 1 ? "" : "s"}`;

const KINDS = {
  paint: "Painting", generate: "Generation", explore: "Exploration", train: "Training", evaluate: "Evaluation",
  import: "Import", pull: "Pull from the Hub", export: "Export", push: "Push to the Hub",
};

/** Title of a job. @param {import("./api.js").Job} job */
export function title(job) {
  const kind = KINDS[job.kind.split(/[./-]/).at(-1)] ?? job.kind;
  const what = job.settings.name || job.settings.style || job.settings.repository;
  return what ? `${kind}: ${what}` : kind;
}

const WISHES = { cancel: "cancelling …", pause: "pausing …" };

/** One line on where a job stands. @param {import("./api.js").Job} job */
export function standing(job) {
  const whole = job.total === 1 ? "" : `${job.done.toLocaleString()} of ${job.total?.toLocaleString()} ${job.unit}`;
  const part = job.part ? `${Math.round(100 * job.part)} %${whole && " of the next"}` : "";
  const count = job.total ? [whole, part].filter(Boolean).join(", ") : "";
  const left = job.seconds_left === null ? "" : `about ${duration(job.seconds_left)} left`;
  const place = job.place ? `waiting, place ${job.place} in the queue` : "waiting";
  const finishing = job.total && job.done >= job.total ? "finishing …" : "";
  const parts = {
    queued: [place],
    running: job.wish ? [WISHES[job.wish], count] : [count || job.message || "working", left || finishing],
    paused: ["paused", count],
    done: [count && job.done < job.total ? `done: ${count}` : ""],
    failed: ["failed"],
    cancelled: ["cancelled", count],
  }[job.state];
  return parts.filter(Boolean).join(" · ");
}

/** One line on a run. @param {import("./api.js").Run} run */
export function runFacts(run) {
  const steps = run.steps ? ` of ${run.steps.toLocaleString()}` : "";
  return `${run.recipe} · step ${run.step.toLocaleString()}${steps} · ${duration(run.seconds)}`;
}

/** The settings of a picture as pairs of label and text. @param {Record<string, any>} settings */
export function facts(settings) {
  return Object.entries(settings)
    .filter(([, value]) => value === 0 || (value?.length !== 0 && Boolean(value)))
    .map(([key, value]) => [key.replaceAll("_", " "), value === true ? "yes" : [value].flat().map(text).join(", ")]);
}

/** @param {any} value */
const text = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
