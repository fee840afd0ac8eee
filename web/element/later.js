// Parts that the first view does without: loaded with the first use of the page, or when they are needed before.

import { nothing } from "../vendor/lit-html/lit-html.js";

/** @typedef {import("./app.js").App} App */

const LOADERS = {
  apiKeys: () => import("./views/api-keys.js"),
  conflict: () => import("./views/conflict.js"),
  diagnosis: () => import("./views/diagnosis.js"),
};

/** @typedef {{ [Name in keyof typeof LOADERS]: Awaited<ReturnType<typeof LOADERS[Name]>> }} Parts */

const DELAY_MS = 500;

/** @type {Partial<Parts>} */
const loaded = {};

/**
 * @template {keyof Parts} Name
 * @param {App} app rendered again when the part is there
 * @param {Name} name
 * @param {(part: Parts[Name]) => unknown} view
 */
export function later(app, name, view) {
  const part = loaded[name];
  if (part) return view(/** @type {Parts[Name]} */ (part));
  void load(app, name);
  return nothing;
}

/** With the first use, so that no outage after it keeps them away. @param {App} app */
export function loadParts(app) {
  for (const name of /** @type {(keyof Parts)[]} */ (Object.keys(LOADERS))) void load(app, name);
}

/** The API keys stand below everything else. @param {App} app */
export function loadKeysSoon(app) {
  const loadKeys = () => import("./flows/api-keys.js").then(({ loadApiKeys }) => loadApiKeys(app), () => {});
  setTimeout(() => void loadKeys(), DELAY_MS);
}

/**
 * @template {keyof Parts} Name
 * @param {App} app
 * @param {Name} name
 */
async function load(app, name) {
  if (loaded[name]) return;
  try {
    Object.assign(loaded, { [name]: await LOADERS[name]() });
    app.host.requestRender();
  } catch {
    // Without network the next rendering tries again.
  }
}
