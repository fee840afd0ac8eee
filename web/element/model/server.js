// The server's name as people enter it: with a scheme, a port or invisible characters, or with a typing error.

/** @typedef {import("./types.js").Preset} Preset */

/** Blanks, and what is not seen: zero-width characters, soft hyphens, and marks for the direction of text. */
const INVISIBLE = /[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;

/** The most differences between a name with a typing error and the name that was meant. */
const MAX_DIFFERENCES = 2;

/** Shorter names differ too little from each other. */
const MIN_LENGTH = 8;

/** Servers that exist, although their names are close to one that we know. */
const OTHER_SERVERS = ["smtp.mail.com", "smtp.email.com", "mail.gmx.at", "mail.gmx.ch"];

/**
 * @typedef {object} Entered
 * @property {string} serverAddress
 * @property {string} [serverPort]
 * @property {string} [securityType]
 */

/** Without blanks and invisible characters. @param {string} text */
export function visible(text) {
  return text.replace(INVISIBLE, "");
}

/**
 * Takes apart what was entered as the server: `smtp://host`, `https://host/`, `host:587`, `[::1]:25`.
 *
 * @param {string} text
 * @returns {Entered} only what the text holds
 */
export function takeApart(text) {
  const whole = visible(text);
  const [, scheme = "", rest = ""] = /^(?:([a-z][a-z\d+.-]*):\/\/)?(.*)$/i.exec(whole) ?? [];
  const authority = scheme ? (rest.split(/[/?#]/)[0]?.split("@").at(-1) ?? "") : rest.replace(/\/+$/, "");
  const [, bracketed, named, port] = /^(?:\[([\da-f:.]+)\]|([^:]*))(?::(\d{1,5}))?$/i.exec(authority) ?? [];
  const host = bracketed ?? named;
  if (!host) return { serverAddress: scheme ? authority : whole };
  /** @type {Entered} */
  const entered = { serverAddress: host };
  const implicit = scheme.toLowerCase() === "smtps";
  if (port !== undefined || implicit) entered.serverPort = port ?? "465";
  if (implicit) entered.securityType = "SSL/TLS";
  return entered;
}

/**
 * A known server whose name differs from this one by a typing error.
 *
 * @param {Preset[]} presets
 * @param {string} server
 * @returns {string | null}
 */
export function similarServer(presets, server) {
  const name = visible(server).toLowerCase();
  const known = presets
    .filter((preset) => preset.serviceProvider === "BasicAuth" || preset.id === "microsoft365")
    .flatMap((preset) => preset.servers.map((found) => found.serverAddress));
  if (name.length < MIN_LENGTH || known.includes(name) || OTHER_SERVERS.includes(name)) return null;
  const close = known
    .filter((host) => !differsByRegion(host, name))
    .map((host) => ({ host, differences: differences(host, name) }))
    .filter((found) => found.differences <= MAX_DIFFERENCES)
    .sort((one, other) => one.differences - other.differences);
  return close[0]?.host ?? null;
}

/**
 * Whether the names differ only in a country or a region, which may well be right: `smtp.zoho.eu`, `mail.gmx.at`.
 *
 * @param {string} one
 * @param {string} other
 */
function differsByRegion(one, other) {
  const [a, b] = [one.split("."), other.split(".")];
  const different = a.flatMap((label, index) => (label === b[index] ? [] : [index]));
  const [index = -1] = different;
  if (a.length !== b.length || different.length !== 1) return false;
  const label = b[index] ?? "";
  if (index === a.length - 1) return /^[a-z]{2}$/.test(label) && !["co", "cm", "om"].includes(label);
  return label.replace(/\d/g, "") === a[index]?.replace(/\d/g, "");
}

/**
 * The distance of Damerau and Levenshtein: characters that are missing, too many, wrong or swapped.
 *
 * @param {string} one
 * @param {string} other
 */
function differences(one, other) {
  /** @type {number[][]} */
  const rows = [Array.from({ length: other.length + 1 }, (_, index) => index)];
  const at = (/** @type {number} */ i, /** @type {number} */ j) => rows[i]?.[j] ?? Infinity;
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= other.length; j += 1) {
      const same = one[i - 1] === other[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      row.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + same, swapped ? at(i - 2, j - 2) + 1 : Infinity));
    }
  }
  return at(one.length, other.length);
}
