// The failures of a request, as a closed set of kinds.

/**
 * @typedef {"unreachable" | "unauthorized" | "forbidden" | "not-found" | "changed" | "limited" | "unavailable" |
 *   "input" | "check" | "internal"} Kind
 *
 * @typedef {object} Fault
 * @property {string} code
 * @property {string} title begins with the field's name where it is about one
 * @property {string} [detail]
 * @property {{ pointer?: string }} [source] where wrong input stands in the body
 * @property {{ reason?: string, allowed?: string[], diagnosis?: import("../model/types.js").Diagnosis }} [meta]
 */

/** @type {Record<number, Kind>} */
const BY_STATUS = {
  401: "unauthorized", 403: "forbidden", 404: "not-found", 412: "changed", 429: "limited", 503: "unavailable",
};

/** Statuses of a proxy whose service is away. */
const GATEWAY = [502, 504];

export class Problem extends Error {
  /** @type {Fault[]} */ faults = [];
  /** @type {string | null} finds the request in the service's log */ traceId = null;
  /** @type {number | null} when to come again, in seconds */ retryAfter = null;
  /** The CSRF token must be fetched again. */ staleCsrf = false;

  /**
   * @param {Kind} kind
   * @param {number} status of HTTP; 0 where there was no answer
   */
  constructor(kind, status) {
    super(`${kind} (${status})`);
    this.kind = kind;
    this.status = status;
  }

  /**
   * @param {number} status
   * @param {any} body
   * @param {string | number | null} retryAfter in seconds
   */
  static of(status, body, retryAfter) {
    const faults = Array.isArray(body?.errors) ? body.errors : [];
    const problem = new Problem(kindOf(status, faults), status);
    problem.faults = faults;
    problem.traceId = typeof body?.traceId === "string" ? body.traceId : null;
    problem.staleCsrf = body?.code === "CSRF-TOKEN-2";
    const seconds = Number.parseInt(String(retryAfter ?? ""), 10);
    problem.retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds : null;
    return problem;
  }

  /** The diagnosis of a failed check; nothing was stored. */
  get diagnosis() {
    return this.faults[0]?.meta?.diagnosis ?? null;
  }
}

/**
 * @param {number} status
 * @param {Fault[]} faults
 * @returns {Kind}
 */
function kindOf(status, faults) {
  if (status === 400) return faults[0]?.code === "CONNECTIONCHECK-1" ? "check" : "input";
  if (status === 422) return "input";
  if (GATEWAY.includes(status)) return "unavailable";
  return BY_STATUS[status] ?? "internal";
}
