// A client of the public API over fetch: with a token or a session cookie, and one kind of error.

import { readEvents } from "./event-stream.js";
import { FUNCTION, HINTS, malformed } from "./hints.js";
import { Problem } from "./problem.js";

/** The API's path below the address of the service. */
const PREFIX = "/api/v1/transports";

/** Longer than any operation of the service. */
const TIME_LIMIT_MS = 30_000;

const PROBE_TIME_LIMIT_MS = 5_000;

const JSON_TYPE = "application/json";
const STREAM_TYPE = "text/event-stream";
const CSRF_HEADER = "qlik-csrf-token";

/** The code of a request with an API key that takes a user's token. */
const NOT_FOR_API_KEYS = "APIKEY-3";

/**
 * @typedef {object} Access
 * @property {string} api address of the service, such as `https://mail.example.com`
 * @property {string} locale for `Accept-Language`
 * @property {string | null} token
 * @property {((reason: "start" | "expired") => Promise<string> | string) | null} getToken
 *
 * @typedef {object} Answer
 * @property {number} status
 * @property {any} body what was parsed from JSON; `null` where there is none
 * @property {string | null} etag
 *
 * @typedef {object} Options
 * @property {unknown} [body] sent as JSON
 * @property {string | null} [ifMatch]
 * @property {string} [traceId] by which the service's log and audit name the request
 * @property {boolean} [create] only where there is nothing yet (`If-None-Match: *`)
 * @property {(event: import("./event-stream.js").StageEvent) => void} [onStage] asks for a stream of stages
 */

export class Client {
  /** @type {string | null} what `getToken` gave */ #given = null;
  /** Whether the service has answered a request with success. */ #connected = false;
  /** What a developer was told last. */ #toldHint = "";
  /** @type {Promise<string> | null} one call for all requests that wait for it */ #giving = null;
  /** @type {string | null} */ #csrf = null;

  /**
   * @param {() => Access} access read at each request, since a page may change it
   * @param {() => void} onSignInRequired called when the session has ended
   */
  constructor(access, onSignInRequired) {
    this.access = access;
    this.onSignInRequired = onSignInRequired;
  }

  /** Forgets the token and what depends on it. */
  forget() {
    this.#given = null;
    this.#giving = null;
    this.#csrf = null;
  }

  /**
   * @param {string} method
   * @param {string} path below the API's prefix, or whole where it begins with `/api/`
   * @param {Options} [options]
   * @returns {Promise<Answer>} of a success; anything else is thrown as a {@link Problem}
   */
  async request(method, path, options = {}) {
    try {
      const answer = await this.#twice(method, path, options);
      this.#connected = true;
      return answer;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const problem = await this.#explained(error);
      if (problem.status === 401) this.onSignInRequired();
      throw problem;
    }
  }

  /**
   * The problem as it is where a developer's slip is the cause; that is told on the browser's console, too.
   *
   * @param {Problem} problem
   */
  async #explained(problem) {
    const refused = this.#refusal(problem);
    if (refused) this.#tell(refused);
    if (this.#connected) return problem;
    const hint = await this.#hint(problem);
    if (!hint) return problem;
    this.#tell(hint);
    return Problem.ofIntegration(problem.status, hint);
  }

  /** Tells the developer of the page, once. @param {string} hint */
  #tell(hint) {
    if (hint !== this.#toldHint) console.error(`<email-transport-settings>: ${hint}`);
    this.#toldHint = hint;
  }

  /**
   * Why there is no valid token, which people hear as the end of their session.
   *
   * @param {Problem} problem
   */
  #refusal(problem) {
    if (problem.kind !== "unauthorized" || !this.#usesToken()) return "";
    return problem.slip || HINTS.refused(problem);
  }

  /**
   * @param {Problem} problem
   * @returns {Promise<string>} empty where no slip is seen
   */
  async #hint(problem) {
    const { api } = this.access();
    if (problem.faults[0]?.code === NOT_FOR_API_KEYS) return HINTS.apiKey;
    if (problem.kind === "not-connected") return problem.slip || HINTS.address(api, problem.status);
    if (!URL.canParse(api, location.href)) return HINTS.noAddress(api);
    const elsewhere = new URL(api, location.href).origin !== location.origin;
    if (problem.kind === "unauthorized" && elsewhere && !this.#usesToken()) return HINTS.token;
    if (problem.kind !== "unreachable" || !elsewhere) return "";
    if (await this.#answersUnread()) return HINTS.origin(api);
    // The browser may be offline: people are told of the network, and the developer of the address.
    this.#tell(HINTS.silence(api));
    return "";
  }

  /** Whether there is an answer that this page may not read. */
  async #answersUnread() {
    try {
      const signal = AbortSignal.timeout(PROBE_TIME_LIMIT_MS);
      await fetch(`${this.access().api}/health/live`, { mode: "no-cors", cache: "no-store", credentials: "omit", signal });
      return true;
    } catch {
      return false;
    }
  }

  /** @param {string} path */
  #url(path) {
    return this.access().api + (path.startsWith("/api/") ? path : PREFIX + path);
  }

  /**
   * Repeats the request with a new token where the first one was refused.
   *
   * @param {string} method
   * @param {string} path
   * @param {Options} options
   */
  async #twice(method, path, options) {
    const asked = this.#ask("start");
    try {
      return await this.#attempt(method, path, options, "start");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.kind === "unauthorized" && this.access().getToken) {
        // Unless another request has fetched a new token already.
        if (this.#giving === asked) this.forget();
        return this.#attempt(method, path, options, "expired");
      }
      if (error.staleCsrf && !this.#usesToken()) {
        this.#csrf = null;
        return this.#attempt(method, path, options, "start");
      }
      throw error;
    }
  }

  /** The whole address of something below the API's prefix. @param {string} path */
  addressOf(path) {
    return new URL(this.access().api + PREFIX + path, location.href).href;
  }

  /** The current token, if there is one. */
  usedToken() {
    return this.#given ?? this.access().token;
  }

  /**
   * Asks for a token, unless there is one or it is being asked for.
   *
   * @param {"start" | "expired"} reason
   */
  #ask(reason) {
    const { getToken } = this.access();
    if (getToken) this.#giving ??= Promise.resolve(reason).then(getToken);
    return this.#giving;
  }

  #usesToken() {
    const { token, getToken } = this.access();
    return Boolean(token || getToken);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Options} options
   * @param {"start" | "expired"} reason
   * @returns {Promise<Answer>}
   */
  async #attempt(method, path, options, reason) {
    const headers = new Headers({ "Accept-Language": this.access().locale });
    headers.set("Accept", options.onStage ? `${STREAM_TYPE}, ${JSON_TYPE}` : JSON_TYPE);
    if (options.body !== undefined) headers.set("Content-Type", JSON_TYPE);
    if (options.ifMatch) headers.set("If-Match", options.ifMatch);
    if (options.traceId) headers.set("traceparent", `00-${options.traceId}-${options.traceId.slice(16)}-01`);
    if (options.create) headers.set("If-None-Match", "*");
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    await this.#authorise(headers, method, reason);
    const response = await this.#fetch(path, { method, headers, body });
    if (options.onStage && response.headers.get("Content-Type")?.startsWith(STREAM_TYPE)) {
      return this.#streamed(response, options.onStage);
    }
    const parsed = await parse(response);
    if (!response.ok) throw Problem.of(response.status, parsed, response.headers.get("Retry-After"));
    // Another server, or a page that is answered to any path.
    if (response.status === 200 && parsed === null) throw new Problem("not-connected", response.status);
    return { status: response.status, body: parsed, etag: response.headers.get("ETag") };
  }

  /**
   * @param {Headers} headers
   * @param {string} method
   * @param {"start" | "expired"} reason
   */
  async #authorise(headers, method, reason) {
    const used = await this.#token(reason);
    if (used) {
      headers.set("Authorization", `Bearer ${used}`);
    } else if (method !== "GET") {
      this.#csrf ??= (await this.#fetch("/api/v1/csrf-token", { method: "GET" })).headers.get(CSRF_HEADER);
      if (this.#csrf) headers.set(CSRF_HEADER, this.#csrf);
    }
  }

  /**
   * The token to send; empty for the session's cookie.
   *
   * @param {"start" | "expired"} reason
   */
  async #token(reason) {
    const { token, getToken } = this.access();
    try {
      this.#given = await this.#ask(reason);
    } catch (error) {
      throw this.#noToken(HINTS.thrown(error));
    }
    const used = this.#given || token;
    if (getToken && !used) throw this.#noToken(HINTS.nothing);
    const slip = used ? malformed(used, this.#given ? FUNCTION : "The attribute token") : "";
    if (slip) throw this.#noToken(slip, this.#connected ? "unauthorized" : "not-connected");
    return used?.trim() ?? "";
  }

  /**
   * The page has given no token. It is asked again by the next request.
   *
   * @param {string} slip
   * @param {import("./problem.js").Kind} kind a session that has ended is often the reason
   */
  #noToken(slip, kind = "unauthorized") {
    this.forget();
    const problem = new Problem(kind, 401);
    problem.slip = slip;
    return problem;
  }

  /**
   * @param {string} path
   * @param {RequestInit} init
   */
  async #fetch(path, init) {
    try {
      return await fetch(this.#url(path), {
        ...init,
        credentials: this.#usesToken() ? "omit" : "include",
        cache: "no-store",
        signal: AbortSignal.timeout(TIME_LIMIT_MS),
      });
    } catch {
      throw new Problem("unreachable", 0);
    }
  }

  /**
   * @param {Response} response
   * @param {(event: import("./event-stream.js").StageEvent) => void} onStage
   * @returns {Promise<Answer>}
   */
  async #streamed(response, onStage) {
    if (!response.body) throw new Problem("unreachable", 0);
    try {
      for await (const event of readEvents(response.body)) {
        const data = JSON.parse(event.data);
        if (event.name === "stage") onStage(data);
        if (event.name === "error") throw Problem.of(data.status, data, data.retryAfter ?? null);
        if (event.name === "result") {
          return { status: data.status ?? 200, body: data, etag: data.etag ?? response.headers.get("ETag") };
        }
      }
    } catch (error) {
      if (error instanceof Problem) throw error;
    }
    // The stream broke or ended without its last event: the outcome is unknown.
    throw new Problem("unreachable", 0);
  }
}

/**
 * What an answer holds; `null` where that is nothing, or no JSON.
 *
 * @param {Response} response
 */
async function parse(response) {
  let text;
  try {
    text = await response.text();
  } catch {
    // The connection broke, or the page was left: that says nothing about who answered.
    throw new Problem("unreachable", 0);
  }
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
