// What the audit says about checks.

/**
 * @typedef {import("./types.js").Activity} Activity
 * @typedef {import("./types.js").Config} Config
 */

/** Actions that use the account; the others only change or delete what is stored. */
const USES = ["put", "verify-connection", "send-test-email"];

/**
 * @param {Activity[]} activity newest first
 * @returns {Activity | undefined}
 */
export function lastCheck(activity) {
  return activity.find((entry) => USES.includes(entry.action));
}

/**
 * Since when the configuration is known to fail: the first failure after the last success, where the audit reaches
 * back to that; else the moment in which its health changed last.
 *
 * @param {Config} config
 * @param {Activity[]} activity newest first
 * @returns {string | null}
 */
export function failingSince(config, activity) {
  if (config.isValid || config.errorCode === "INCOMPLETE_CONFIG") return null;
  // A failed PUT stores nothing, so it says nothing about what is stored.
  const checks = activity.filter((entry) =>
    USES.includes(entry.action) && !(entry.action === "put" && entry.outcome !== "OK"));
  const success = checks.findIndex((entry) => entry.outcome === "OK");
  const first = success > 0 ? checks[success - 1] : undefined;
  if (first) return first.at;
  return config.lastUpdated && config.lastUpdated !== config.modificationTime ? config.lastUpdated : null;
}
