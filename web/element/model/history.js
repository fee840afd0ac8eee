// Facts about checks from the audit.

/**
 * @typedef {import("./types.js").Activity} Activity
 * @typedef {import("./types.js").Config} Config
 */

/** Actions that use the account; the others only change or delete what is stored. */
const USES = ["put", "verify-connection", "send-test-email"];

/**
 * The start of the current failure: the first failure after the last success, if the audit reaches back that far;
 * otherwise the last change of the health.
 *
 * @param {Config} config
 * @param {Activity[]} activity newest first
 * @returns {string | null}
 */
export function failingSince(config, activity) {
  if (config.isValid || config.errorCode === "INCOMPLETE_CONFIG") return null;
  // A failed PUT stores nothing and is not about the stored configuration.
  const checks = activity.filter((entry) =>
    USES.includes(entry.action) && !(entry.action === "put" && entry.outcome !== "OK"));
  const success = checks.findIndex((entry) => entry.outcome === "OK");
  const first = success > 0 ? checks[success - 1] : undefined;
  if (first) return first.at;
  // Where only the last check is known, earlier ones may have failed as well.
  if (config.lastUpdated === config.lastCheck?.at) return null;
  return config.lastUpdated && config.lastUpdated !== config.modificationTime ? config.lastUpdated : null;
}
