// Rows of the recent activity: like ones in a row are told as one.

/**
 * @typedef {import("./types.js").Activity} Activity
 *
 * @typedef {object} Row
 * @property {Activity} entry the newest one
 * @property {number} count how often it happened
 * @property {string} since when it happened first
 */

/**
 * @param {Activity[]} activity newest first
 * @returns {Row[]}
 */
export function folded(activity) {
  /** @type {Row[]} */
  const rows = [];
  for (const entry of activity) {
    const last = rows.at(-1);
    const count = entry.count ?? 1;
    if (last && isLike(last.entry, entry)) {
      last.count += count;
      last.since = entry.at;
    } else {
      rows.push({ entry, count, since: entry.at });
    }
  }
  return rows;
}

/**
 * Whether the same user did the same with the same outcome. Changes are never told as one.
 *
 * @param {Activity} one
 * @param {Activity} other
 */
function isLike(one, other) {
  const changes = one.outcome === "OK" && !["verify-connection", "send-test-email"].includes(one.action);
  const content = (/** @type {Activity} */ { userId, action, outcome, recipient, changed, diagnosis }) =>
    JSON.stringify([userId, action, outcome, recipient, changed, diagnosis?.title]);
  return !changes && content(one) === content(other);
}

/**
 * The name of a token's person, from its claims, which are not verified: they only name a row.
 *
 * @param {string | null} token
 * @param {string} user
 */
export function nameInToken(token, user) {
  try {
    const part = (token ?? "").split(".")[1] ?? "";
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    const name = [claims.name, claims.preferred_username, claims.email].find((value) => typeof value === "string" && value);
    return claims.sub === user && name ? String(name) : null;
  } catch {
    return null;
  }
}
