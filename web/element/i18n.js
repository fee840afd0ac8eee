// Texts by language: English is bundled, the others are loaded on demand.

import english from "../texts/en.js";

/**
 * @typedef {Record<string, string>} Texts
 * @typedef {keyof typeof english} Key
 */

/** The languages beside English. @type {Record<string, () => Promise<{ default: Texts }>>} */
const OTHERS = {
  de: () => import("../texts/de.js"),
};

/** The supported languages, as in `locale`. */
export const LANGUAGES = ["en", ...Object.keys(OTHERS)];

/**
 * The language to use for a wish such as `de-CH`; without one, or for one that there is not, English.
 *
 * @param {string | null | undefined} wish
 */
export function languageOf(wish) {
  const language = (wish ?? "").split("-")[0]?.toLowerCase() ?? "";
  return LANGUAGES.includes(language) ? language : "en";
}

/**
 * @param {string} language
 * @returns {Promise<Texts>} what there is; English where the file cannot be loaded
 */
export async function loadTexts(language) {
  try {
    return (await OTHERS[language]?.())?.default ?? english;
  } catch {
    return english;
  }
}

/**
 * The text of a key: from the language, else from English, else the key itself. `{name}` is replaced by a value;
 * `key.one` is taken where `count` is 1 and there is such a text.
 *
 * @param {Texts} texts
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function text(texts, key, values = {}) {
  const one = `${key}.one`;
  const all = /** @type {Texts} */ (english);
  const wanted = values.count === 1 && (one in texts || one in all) ? one : key;
  const found = texts[wanted] ?? all[wanted] ?? key;
  return found.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
