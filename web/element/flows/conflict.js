// Resolves a conflict: another user changed the settings, and this one decides.

import { Problem } from "../net/problem.js";
import { remove } from "./remove.js";
import { adopt } from "./load.js";
import { lastChange } from "./last-change.js";
import { save } from "./save.js";

/** @typedef {import("../app.js").App} App */

/**
 * Reads what is stored now, and asks.
 *
 * @param {App} app
 * @param {(app: App) => Promise<void>} [again] instead, where the change is this page's own, whose answer was lost
 */
export async function openConflict(app, again) {
  try {
    const [{ body, etag }, change] = await Promise.all([app.client.request("GET", "/email-config"), lastChange(app)]);
    const config = body.serviceProvider ? body : null;
    const own = again !== undefined && change?.traceId !== undefined && app.own.has(change.traceId);
    app.update({ theirs: { config, etag, change }, dialog: own ? "" : "conflict" });
    // After what has led here has ended.
    if (own) setTimeout(() => void again(app));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    app.update({ problem: error });
  }
}

/** Lets go of what was entered. @param {App} app */
export async function takeTheirs(app) {
  const { theirs } = app.state;
  app.update({ dialog: "" });
  if (!theirs) return;
  adopt(app, theirs.config ?? { passwordExists: false, isValid: false }, theirs.etag);
  app.announce(app.t(theirs.config ? "conflict.taken" : "form.discarded"));
  await app.focus("#settings-title");
}

/** Saves what was entered in place of what is stored now. @param {App} app */
export async function takeMine(app) {
  const { theirs } = app.state;
  app.update({ dialog: "" });
  if (!theirs) return;
  // From here on their version is the stored one, also for deciding whether the secret is kept.
  app.update({ config: theirs.config, etag: theirs.etag, theirs: null });
  await save(app);
}

/** Removes what is stored now all the same. @param {App} app */
export async function removeTheirs(app) {
  const { theirs } = app.state;
  if (theirs) app.update({ config: theirs.config, etag: theirs.etag, theirs: null });
  await remove(app);
}
