// Formats times and sizes in a language.

/** From the largest to the smallest, in seconds. @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];

/**
 * @param {string} iso
 * @param {string} locale
 */
export function dateTime(iso, locale) {
  const date = new Date(iso);
  if (Number.isNaN(date.valueOf())) return iso;
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(date);
}

/**
 * How long ago, for the last week; the date for what is older.
 *
 * @param {string} iso
 * @param {string} locale
 * @param {number} [now] in milliseconds
 */
export function ago(iso, locale, now = Date.now()) {
  const seconds = (Date.parse(iso) - now) / 1000;
  if (!Number.isFinite(seconds)) return iso;
  if (seconds < -7 * 86_400) return dateTime(iso, locale);
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  // The service's clock may be slightly ahead: past events must not appear in the future.
  return unit === "second" ? format.format(0, "second") : format.format(Math.trunc(seconds / size), unit);
}

/**
 * @param {number} ms
 * @param {string} locale
 * @returns {string}
 */
export function duration(ms, locale) {
  const seconds = ms >= 1000;
  if (ms < 1) return `< ${duration(1, locale)}`;
  return new Intl.NumberFormat(locale, {
    style: "unit",
    unit: seconds ? "second" : "millisecond",
    unitDisplay: "short",
    maximumFractionDigits: seconds ? 1 : 0,
  }).format(seconds ? ms / 1000 : ms);
}

/**
 * The time until a moment within the next hour, such as `in 2 minutes`; empty for a later one.
 *
 * @param {number} at in milliseconds since 1970
 * @param {string} locale
 * @param {number} [now]
 */
export function countdown(at, locale, now = Date.now()) {
  const seconds = Math.max(1, Math.ceil((at - now) / 1000));
  if (seconds >= 3_600) return "";
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "always" });
  return seconds < 90 ? format.format(seconds, "second") : format.format(Math.ceil(seconds / 60), "minute");
}

/**
 * The time of a moment to come, and its day as seen from now.
 *
 * @param {number} at in milliseconds since 1970
 * @param {string} locale
 * @param {number} [now]
 * @returns {{ day: "today" | "tomorrow" | "later", time: string }}
 */
export function timeOfDay(at, locale, now = Date.now()) {
  const time = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at);
  const start = (/** @type {number} */ moment) => new Date(moment).setHours(0, 0, 0, 0);
  const days = Math.round((start(at) - start(now)) / 86_400_000);
  return { day: days === 0 ? "today" : days === 1 ? "tomorrow" : "later", time };
}

/**
 * @param {number} at in milliseconds since 1970
 * @param {string} locale
 */
export function dateOf(at, locale) {
  return new Intl.DateTimeFormat(locale, { dateStyle: "long" }).format(at);
}
