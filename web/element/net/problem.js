// The failures of a request, as a closed set of kinds.

/**
 * @typedef {"unreachable" | "not-connected" | "unauthorized" | "forbidden" | "not-found" | "changed" | "limited" |
 *   "unavailable" | "input" | "keys-full" | "check" | "internal"} Kind
 *
 * @typedef {object} Fault
 * @property {string} code
 * @property {string} title begins with the field's name where it is about one
 * @property {string} [detail]
 * @property {{ pointer?: string }} [source] where wrong input stands in the body
 * @property {{ reason?: string, allowed?: string[], limit?: string,
 *   diagnosis?: import("../model/types.js").Diagnosis }} [meta]
 */

/** @type {Record<number, Kind>} */
const BY_STATUS = {
  401: "unauthorized", 403: "forbidden", 404: "not-found", 412: "changed", 429: "limited", 503: "unavailable",
};

/** Kinds that the status alone does not tell. @type {Record<string, Kind>} */
const BY_CODE = { "CONNECTIONCHECK-1": "check", "APIKEY-4": "keys-full" };

/** The codes of the service where what was asked for does not exist. Another 404 is that of a wrong address. */
const MISSING = ["DELETE-1", "SENDTESTEMAIL-1", "VERIFYCONNECTION-1", "APIKEY-404"];

/** Statuses of a proxy whose service is away. */
const GATEWAY = [502, 504];

/** The texts for the limits of the service; any other is the rate limit of requests. @type {Record<string, string>} */
const LIMITS = {
  running_check: "running",
  test_mails_per_tenant: "testEmails",
  test_mails_per_recipient: "recipient",
  destinations_per_tenant: "servers",
  refused_sign_ins_per_tenant: "signIns",
  refused_sign_ins_per_account: "signIns",
  refused_sign_ins_per_destination: "signIns",
  checks_of_users_per_tenant: "checks",
};

/** Limits that concern test emails alone. */
const OF_TEST_EMAILS = ["testEmails", "recipient"];

export class Problem extends Error {
  /** @type {Fault[]} */ faults = [];
  /** @type {string | null} finds the request in the service's log */ traceId = null;
  /** @type {number | null} when to come again, in seconds */ retryAfter = null;
  /** When to come again, in milliseconds since 1970. */ retryAt = 0;
  /** The limit that was reached; empty for other problems. */ limit = "";
  /** What a developer has to change; empty where that is nothing. */ hint = "";
  /** What the page did wrong before the request was sent, for its developer; empty where that is nothing. */ slip = "";
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
    problem.retryAt = problem.retryAfter ? Date.now() + problem.retryAfter * 1000 : 0;
    if (problem.kind === "limited") problem.limit = LIMITS[problem.faults[0]?.meta?.limit ?? ""] ?? "requests";
    return problem;
  }

  /**
   * The page and the service do not find each other, by a slip of who has put the element into the page.
   *
   * @param {number} status
   * @param {string} hint
   */
  static ofIntegration(status, hint) {
    const problem = new Problem("not-connected", status);
    problem.hint = hint;
    return problem;
  }

  /** The key of the text that says what is wrong. */
  get title() {
    return this.limit ? `problem.limited.${this.limit}.title` : `problem.${this.kind}.title`;
  }

  /** The key of the text that says what to do. */
  get text() {
    return this.limit ? `problem.limited.${this.limit}.text` : `problem.${this.kind}.text`;
  }

  /** Whether only test emails have to wait. */
  get concernsTestEmails() {
    return OF_TEST_EMAILS.includes(this.limit);
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
  const code = faults[0]?.code ?? "";
  if (BY_CODE[code]) return BY_CODE[code];
  if (status === 400 || status === 422) return "input";
  if (status === 404 && !MISSING.includes(code)) return "not-connected";
  if (GATEWAY.includes(status)) return "unavailable";
  return BY_STATUS[status] ?? "internal";
}
