// Work that outlives the page: the service finishes a check or a sending also where the page is loaded again meanwhile.

import { Problem } from "../net/problem.js";
import { loadActivity } from "./activity.js";
import { refresh } from "./load.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../app.js").Running} Running
 */

const KEY = "email-transport-settings.running";

/** Longer than any operation of the service. */
const LIMIT_MS = 35_000;

const INTERVAL_MS = 700;

/** After this time the page says what happens where somebody leaves it. */
const LASTING_MS = 3000;

/**
 * Notes that an operation begins. Its trace id finds its entry in the audit, which is written when it ends.
 *
 * @param {App} app
 * @param {Running["kind"]} kind
 * @returns {string} the trace id, for the request
 */
export function begin(app, kind) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const traceId = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  app.own.add(traceId);
  store(JSON.stringify({ kind, traceId, at: Date.now(), api: app.client.access().api }));
  setTimeout(() => {
    const { busy, check, testMail } = app.state;
    if (busy !== kind || traceId !== (kind === "test" ? testMail : check)?.traceId) return;
    app.update({ lasting: traceId });
    app.announce(app.t(`lasting.${kind}`));
  }, LASTING_MS);
  return traceId;
}

/** The page knows how it ended. */
export function ended() {
  store(null);
}

/** Follows what was begun before the page was loaded. @param {App} app */
export async function followRunning(app) {
  const running = recalled(app);
  if (!running) return;
  app.own.add(running.traceId);
  app.update({ following: running, busy: running.kind });
  app.announce(app.t(`following.${running.kind}`));
  // Another start of the element has a state of its own.
  while (app.state.following === running) {
    const entry = await entryOf(app, running);
    if (app.state.following !== running) return;
    if (entry || Date.now() - running.at > LIMIT_MS) return finish(app, running, entry);
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}

/**
 * @param {App} app
 * @param {Running} running
 * @param {import("../model/types.js").Activity | undefined} entry nothing where no end was seen
 */
async function finish(app, running, entry) {
  ended();
  const saved = running.kind === "save" && entry?.outcome === "OK";
  await refresh(app, { texts: false, own: saved });
  const followed = running.kind === "save" && entry ? (saved ? "saved" : "failed") : "";
  app.update({ following: null, busy: "", followed });
  void loadActivity(app);
  app.announce(app.t(followed ? `followed.${followed}` : "followed.ended"));
}

/**
 * @param {App} app
 * @param {Running} running
 */
async function entryOf(app, { traceId }) {
  try {
    const { body } = await app.client.request("GET", "/email-config/audit?limit=20");
    return body?.data?.find((/** @type {any} */ entry) => entry.traceId === traceId);
  } catch (error) {
    // The service may be away for a moment.
    if (!(error instanceof Problem)) throw error;
  }
}

// If the browser forbids storage, nothing is followed.

/** @param {App} app @returns {Running | null} */
function recalled(app) {
  try {
    const running = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    const current = running && running.api === app.client.access().api && Date.now() - running.at < LIMIT_MS;
    return current ? running : null;
  } catch {
    return null;
  }
}

/** @param {string | null} value */
function store(value) {
  try {
    if (value === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  } catch {
    // See above.
  }
}
