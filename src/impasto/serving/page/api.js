/**
 * Client of the HTTP API, version 1.
 *
 * @typedef {{id: string, name: string, type: string, bytes: number, width: ?number, height: ?number,
 *   kind: "upload"|"result", job: ?string, favourite: boolean, created: string, settings: ?Record<string, any>,
 *   source: ?string}} File
 * @typedef {{id: string, kind: string, state: "queued"|"running"|"paused"|"done"|"failed"|"cancelled",
 *   settings: Record<string, any>, inputs?: File[], results: File[], result_count?: number, done: number,
 *   part: number, total: ?number, unit: string, message: string, wish?: "cancel"|"pause"|null, place: ?number,
 *   seconds_left: ?number, created: string, started: ?string, finished: ?string, error: ?{detail: string},
 *   outcome: ?Record<string, any>}} Job
 *   Lists and events carry the newest results only, and no inputs.
 * @typedef {{name: string, task: "translation"|"generation", domains: string, recipe: string, size: number,
 *   moods: number, reverse: boolean, style_mixing: boolean, license: string, bytes: number,
 *   origin: "bundled"|"imported"|"trained", description: string[], example: ?string}} Style
 * @typedef {{id: string, name: string, job: Job, recipe: string, step: number, steps: ?number, seconds: number,
 *   curves: Record<string, [number, number][]>, scores: {step: number, values: Record<string, number>}[],
 *   samples: {step: number, url: string}[], has_style: boolean, report: ?string}} Run
 */

const BASE = "/v1";
const PAGE = 500;
const SHOWABLE = /^image\/(jpeg|png|gif|webp|avif|bmp)/;
const UNREACHABLE = "The server does not answer. Check that impasto studio is still running.";

/** A request that failed; the message is one sentence for people. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status 0: no answer
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @param {number} status @param {any} body */
function failure(status, body) {
  return new ApiError(body?.detail || body?.title || `The server answered with status ${status}.`, status);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {any} [body]
 * @returns {Promise<any>} the JSON of the answer, or null if it is empty
 * @throws {ApiError}
 */
async function request(method, path, body) {
  const options = body === undefined ? {} : {
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  };
  const answer = await fetch(BASE + path, { method, ...options }).catch(() => null);
  if (!answer) throw new ApiError(UNREACHABLE, 0);
  const value = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw failure(answer.status, value);
  return value;
}

const enc = encodeURIComponent;

/** Calls by name; all of them throw ApiError. */
export const api = {
  about: () => request("GET", "/about"),
  /** @returns {Promise<Style[]>} */
  styles: async () => (await request("GET", "/styles")).styles,
  recipes: async () => (await request("GET", "/recipes")).recipes,
  /** @returns {Promise<Run[]>} */
  runs: async () => (await request("GET", "/runs")).runs,
  /** @param {string} id @returns {Promise<Run>} */
  run: (id) => request("GET", `/runs/${enc(id)}`),
  /** @param {string} id */
  deleteRun: (id) => request("DELETE", `/runs/${enc(id)}`),
  /** @param {string} id @param {string} name @returns {Promise<Style>} */
  keepStyle: (id, name) => request("POST", `/runs/${enc(id)}/style`, { name }),
  /** @param {Record<string, any>} query @returns {Promise<Job[]>} */
  jobs: async (query) => (await request("GET", `/jobs?${new URLSearchParams(query)}`)).jobs,
  /** @param {string} id @returns {Promise<Job>} */
  job: (id) => request("GET", `/jobs/${enc(id)}`),
  /** @param {string} id @param {"cancel"|"pause"|"resume"} action @returns {Promise<Job>} */
  act: (id, action) => request("POST", `/jobs/${enc(id)}/${action}`),
  /** @param {string} id */
  deleteJob: (id) => request("DELETE", `/jobs/${enc(id)}`),
  /**
   * @param {string} task such as "paint" or "styles/import"
   * @param {Record<string, any>} settings
   * @returns {Promise<Job>}
   */
  start: (task, settings) => request("POST", `/${task}`, settings),
  /** @param {Record<string, any>} query @returns {Promise<{files: File[], next: ?string}>} */
  files: (query) => request("GET", `/files?${new URLSearchParams(query)}`),
  /** All results of a job, oldest first. @param {string} job @returns {Promise<File[]>} */
  async results(job) {
    const found = [];
    let more = {};
    do {
      const { files, next } = await api.files({ job, kind: "result", limit: PAGE, ...more });
      found.push(...files);
      more = next && { before: next };
    } while (more);
    return found.reverse();
  },
  /** @param {string} id @returns {Promise<File>} */
  file: (id) => request("GET", `/files/${enc(id)}`),
  /** @param {string} id @returns {Promise<Record<string, any>>} */
  settings: (id) => request("GET", `/files/${enc(id)}/settings`),
  /** @param {string} id @param {boolean} favourite @returns {Promise<File>} */
  favourite: (id, favourite) => request("PATCH", `/files/${enc(id)}`, { favourite }),
  /** @param {string} id */
  deleteFile: (id) => request("DELETE", `/files/${enc(id)}`),
  /** @param {string} name */
  deleteStyle: (name) => request("DELETE", `/styles/${enc(name)}`),
};

/** Addresses of bytes. */
export const urls = {
  events: `${BASE}/events`,
  /** @param {string} id */
  content: (id) => `${BASE}/files/${enc(id)}/content`,
  /** What an image shows: browsers cannot show TIFF and the like. @param {File} file */
  picture(file) {
    return SHOWABLE.test(file.type) || file.kind === "upload" ? urls.content(file.id) : urls.thumbnail(file);
  },
  /** @param {string} id */
  download: (id) => `${BASE}/files/${enc(id)}/content?download=true`,
  /** A small picture; of an upload there is none but itself. @param {File} file */
  thumbnail: (file) => (file.kind === "upload" ? urls.content(file.id) : `${BASE}/files/${enc(file.id)}/thumbnail`),
  /** @param {string} id */
  archive: (id) => `${BASE}/jobs/${enc(id)}/archive`,
  /** @param {string} name */
  style: (name) => `${BASE}/styles/${enc(name)}/file`,
};

/**
 * Upload one file. XMLHttpRequest, because fetch does not report the progress of an upload.
 * @param {globalThis.File} file
 * @param {(bytes: number) => void} progress called with the bytes sent so far
 * @param {number} [attempts] if the server is asked too often, wait as it says and try again
 * @returns {Promise<File>}
 */
export function upload(file, progress, attempts = 10) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", `${BASE}/files?name=${enc(file.name)}`);
    call.setRequestHeader("Content-Type", "application/octet-stream");
    call.responseType = "json";
    call.upload.onprogress = (event) => progress(event.loaded);
    call.onload = () => {
      const again = () => resolve(upload(file, progress, attempts - 1));
      const wait = 1000 * (call.getResponseHeader("Retry-After") || 1);
      if (call.status < 300) resolve(call.response);
      else if (call.status === 429 && attempts > 1) setTimeout(again, wait);
      else reject(failure(call.status, call.response));
    };
    call.onerror = () => reject(new ApiError(UNREACHABLE, 0));
    call.send(file);
  });
}
