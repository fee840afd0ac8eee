// Facts about checks from the audit.

/**
 * @typedef {import("./types.js").Activity} Activity
 * @typedef {import("./types.js").Config} Config
 */

/** Actions that use the account; the others only change or delete what is stored. */
const USES = ["verify-connection", "send-test-email"];

/** Fields whose change ends what was known of the sign-in. */
const OF_SIGN_IN = ["serverAddress", "serverPort", "securityType", "username", "emailPassword"];

/** Outcomes that say nothing against the account: docs/diagnosis.md has them as "unchanged". */
export const UNCHANGED = [
  "API_KEY_REFUSED", "CONFIG_INCOMPLETE", "CONFIG_NOT_SET", "GRAPH_RECIPIENT_REFUSED", "GREYLISTED", "OUTCOME_UNKNOWN",
  "RECIPIENT_FLOOD", "RECIPIENT_MAILBOX_FULL", "RECIPIENT_RATE_LIMITED", "RECIPIENT_REFUSED", "RECIPIENT_UNAVAILABLE",
  "RECIPIENT_UNKNOWN", "SECRET_UNREADABLE", "SENDER_NOT_ALLOWED", "TOO_MANY_RECIPIENTS",
];

/**
 * The start of the current failure of these settings: the first failure after the last success or change, if the audit
 * reaches back that far; otherwise the last change of the health.
 *
 * @param {Config} config
 * @param {Activity[]} activity newest first
 * @returns {string | null}
 */
export function failingSince(config, activity) {
  if (config.isValid || config.errorCode === "INCOMPLETE_CONFIG") return null;
  // A failed PUT stores nothing and is not about the stored configuration.
  const checks = activity.filter((entry) => judgesAnew(entry, config.errorCode) ||
    USES.includes(entry.action) && !UNCHANGED.includes(entry.outcome));
  const success = checks.findIndex((entry) => entry.outcome === "OK");
  const first = success > 0 ? checks[success - 1] : undefined;
  if (first) return first.at;
  // Where only the last check is known, earlier ones may have failed as well.
  if (config.lastUpdated === config.lastCheck?.at) return null;
  return config.lastUpdated && config.lastUpdated !== config.modificationTime ? config.lastUpdated : null;
}

/**
 * The last attempt that has failed: the last check, or the one that a check of the connection did not undo since.
 *
 * @param {Config} config
 * @param {Activity[]} activity newest first
 * @returns {import("./types.js").LastCheck | null}
 */
export function lastFailure(config, activity) {
  const last = config.lastCheck;
  if (!last?.success || config.isValid) return last && !last.success ? last : null;
  const entry = activity.find((one) => USES.includes(one.action) && one.diagnosis && !UNCHANGED.includes(one.outcome) &&
    Date.parse(one.at) >= Date.parse(config.modificationTime ?? ""));
  if (!entry) return null;
  return { at: entry.at, operation: entry.action, success: false, unproved: [], diagnosis: entry.diagnosis };
}

/**
 * Whether what was known against the settings says nothing about them after this change.
 *
 * @param {Activity} entry
 * @param {string} [errorCode] of the failure
 */
function judgesAnew({ action, outcome, changed = [] }, errorCode) {
  if (outcome !== "OK") return false;
  if (action === "put") return true;
  return action === "patch" && changed.some((field) => errorCode === "PROVIDER_ERROR" || OF_SIGN_IN.includes(field));
}
