/** The state of the server as the page knows it: jobs (live), styles, recipes and facts about the server. */

import { api, urls } from "./api.js";

const ENDED = new Set(["done", "failed", "cancelled"]);
const TASKS = new Set(["paint", "preview", "generate", "explore", "train", "evaluate"]);
const RETRY = 3000;
const RECENT = 100;
const LOOK_AGAIN = 10_000;

/** @param {import("./api.js").Job} job */
export const hasEnded = (job) => ENDED.has(job.state);

/** Import, pull, export or push of a style. @param {import("./api.js").Job} job */
export const isStyleJob = (job) => !TASKS.has(job.kind);

/** @param {import("./api.js").Job} job */
export const isPreview = (job) => job.kind === "preview" || Boolean(job.settings?.preview);

/**
 * Events: "job" (detail: Job, on every change), "ended" (detail: Job, once, when a job ends while the page is open),
 * "removed" (detail: id of a job), "file" (detail: {id, file: File|null if deleted}), "styles", and "connection"
 * (detail: boolean).
 */
class Store extends EventTarget {
  /** @type {Map<string, import("./api.js").Job>} */
  jobs = new Map();
  /** @type {import("./api.js").Style[]} */
  styles = [];
  /** @type {{name: string, summary: string, translates: boolean, size: number}[]} */
  recipes = [];
  about = { version: "", device: "", limits: {}, extras: { hub: false, onnx: false, train: false } };

  #look = 0;
  /** @type {?EventSource} */
  #source = null;

  /** Load everything, and follow the events of the server while the page is seen. */
  async start() {
    document.addEventListener("visibilitychange", () => this.#connect());
    this.#connect();
    const [about, recipes] = await Promise.all([api.about(), api.recipes(), this.loadStyles()]);
    this.about = about;
    this.recipes = recipes;
  }

  /** The examples of new styles are made in the background: while some are missing, look again. */
  async loadStyles() {
    clearTimeout(this.#look);
    const styles = await api.styles();
    if (styles.some((style) => !style.example)) {
      this.#look = setTimeout(() => this.loadStyles().catch(() => {}), LOOK_AGAIN);
    }
    if (JSON.stringify(styles) === JSON.stringify(this.styles)) return;
    this.styles = styles;
    this.#emit("styles", styles);
  }

  /** Jobs, newest first, without previews. */
  list() {
    return [...this.jobs.values()].filter((job) => !isPreview(job)).sort((a, b) => (a.created < b.created ? 1 : -1));
  }

  /**
   * Take over a job as it is now.
   * @param {import("./api.js").Job} job
   */
  put(job) {
    const before = this.jobs.get(job.id);
    this.jobs.set(job.id, job);
    this.#emit("job", job);
    if (hasEnded(job) && before && !hasEnded(before)) {
      this.#emit("ended", job);
      if (isStyleJob(job)) this.loadStyles();
    }
    return job;
  }

  /**
   * The job when it has ended.
   * @param {string} id
   * @returns {Promise<import("./api.js").Job>}
   * @throws {Error} if the server has forgotten it
   */
  ended(id) {
    return new Promise((resolve, reject) => {
      const watch = new AbortController();
      const look = () => {
        const job = this.jobs.get(id);
        if (job && !hasEnded(job)) return;
        watch.abort();
        if (job) resolve(job);
        else reject(new Error("The server was restarted: try again."));
      };
      this.addEventListener("job", look, watch);
      this.addEventListener("removed", look, watch);
      look();
    });
  }

  /**
   * Start a task; its job is then followed.
   * @param {string} task such as "paint"
   * @param {Record<string, any>} settings
   */
  async run(task, settings) {
    const job = await api.start(task, settings);
    return this.jobs.get(job.id) ?? this.put(job);
  }

  /** @param {string} id of a job @param {"cancel"|"pause"|"resume"} action */
  act(id, action) {
    return this.#ask(id, api.act(id, action));
  }

  /** Delete a finished job with its results. @param {string} id */
  async deleteJob(id) {
    await api.deleteJob(id);
    this.forget(id);
  }

  /** Delete an ended training with its folder. @param {string} id of the run: that of its job */
  async deleteRun(id) {
    await api.deleteRun(id);
    this.forget(id);
  }

  /** @param {string} id of a job */
  forget(id) {
    this.jobs.delete(id);
    this.#emit("removed", id);
  }

  /** @param {string} id @param {boolean} favourite */
  async setFavourite(id, favourite) {
    this.#emit("file", { id, file: await api.favourite(id, favourite) });
  }

  /** @param {import("./api.js").File} file */
  async deleteFile({ id, job: made }) {
    await api.deleteFile(id);
    this.#emit("file", { id, file: null });
    const job = this.jobs.get(made);
    if (!job) return;
    const count = (job.result_count ?? job.results.length) - 1;
    this.put({ ...job, results: job.results.filter((file) => file.id !== id), result_count: count });
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /**
   * Take over the answer on a job, unless events brought something newer while it was on its way.
   * @param {string} id
   * @param {Promise<import("./api.js").Job>} answer
   */
  async #ask(id, answer) {
    const before = this.jobs.get(id);
    const job = await answer;
    if (this.jobs.get(id) === before) this.put(job);
  }

  /** A browser holds six connections to a server in all its tabs together: only tabs that are seen take one. */
  #connect() {
    this.#source?.close();
    this.#source = null;
    if (document.hidden) return;
    const source = new EventSource(urls.events);
    this.#source = source;
    source.addEventListener("job", (event) => this.put(JSON.parse(event.data)));
    source.onopen = () => {
      this.#emit("connection", true);
      this.#synchronise().catch(() => {});
    };
    source.onerror = () => {
      this.#emit("connection", false);
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => source === this.#source && this.#connect(), RETRY);
    };
  }

  /** What happened to jobs while the page was not connected is lost: ask for it. */
  async #synchronise() {
    const before = new Map(this.jobs);
    const recent = await api.jobs({ limit: RECENT });
    const known = new Set(recent.map((job) => job.id));
    const news = recent.filter((job) => this.jobs.get(job.id) === before.get(job.id));
    news.reverse().forEach((job) => this.put(job));
    for (const id of before.keys()) {
      if (known.has(id)) continue;
      await this.#ask(id, api.job(id)).catch((error) => {
        if (error.status === 404) this.forget(id);
      });
    }
  }
}

export const store = new Store();

/** Small settings of the page, kept in this browser. */
export const ui = {
  /** @param {string} key @param {any} fallback */
  get(key, fallback) {
    try {
      return JSON.parse(localStorage.getItem(`impasto.${key}`)) ?? fallback;
    } catch {
      return fallback;
    }
  },
  /** @param {string} key @param {any} value */
  set(key, value) {
    try {
      localStorage.setItem(`impasto.${key}`, JSON.stringify(value));
    } catch {
      // Storage is blocked or full: the setting lasts until the page is closed.
    }
  },
};
