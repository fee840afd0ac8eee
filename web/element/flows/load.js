// Loads the stored configuration at the start, and again when it may have changed.

import { loadKeysSoon } from "../later.js";
import { microsoftDraft, smtpDraft } from "../model/form.js";
import { configVersion } from "../model/statement.js";
import { presetOf } from "../model/presets.js";
import { Problem } from "../net/problem.js";
import { loadActivity } from "./activity.js";
import { isChanged } from "./edit.js";
import { followRunning } from "./follow.js";
import { lastChange } from "./last-change.js";
import { loadAccount } from "./sending.js";
import { loadSetup } from "./setup.js";
import { recallRecipient } from "./test-mail.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../app.js").Config} Config
 */

const CONFIG = "/email-config";

/** From nothing to a form, or to the reason why there is none. @param {App} app */
export async function load(app) {
  app.update({ phase: "loading", refusal: null });
  try {
    const config = await app.client.request("GET", CONFIG);
    if (config.body.serviceProvider === "BasicAuth") await loadPresets(app);
    adopt(app, config.body, config.etag);
    recallRecipient(app);
    app.update({ phase: "ready" });
    void loadActivity(app);
    void loadAccount(app);
    loadKeysSoon(app);
    void followRunning(app);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    app.update({ phase: "refused", refusal: error });
    app.announce(app.t(error.title));
  }
}

/** For the form of an SMTP server. Without presets its picker is empty. */
export async function loadPresets(/** @type {App} */ app) {
  try {
    const { body } = await app.client.request("GET", "/providers");
    app.update({ presets: [...app.ownPresets, ...(body?.providers ?? [])] });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
}

/**
 * Adopts the stored configuration and discards the form's content.
 *
 * @param {App} app
 * @param {Config} config
 * @param {string | null} etag
 */
export function adopt(app, config, etag) {
  const stored = config.serviceProvider ? config : null;
  const smtp = smtpDraft(stored);
  app.update({
    config: stored,
    etag,
    loadedAt: new Date().toISOString(),
    theirs: null,
    provider: stored?.serviceProvider ?? "",
    smtp: { ...smtp, preset: presetOf(app.state.presets, smtp.serverAddress)?.id ?? "" },
    microsoft: microsoftDraft(stored),
    errors: {},
    notes: {},
    problem: null,
    revealed: false,
  });
}

/**
 * Looks up what is stored now. What has been entered stays; where it was changed beneath that, this is said. Says nothing
 * about failures: the next action will meet them.
 *
 * @param {App} app
 * @param {object} options
 * @param {boolean} options.texts fetches the texts of the service again
 * @param {boolean} [options.own] a change is this page's own
 */
export async function refresh(app, { texts, own = false }) {
  try {
    if (texts) {
      if (app.state.presets.length > 0) await loadPresets(app);
      if (app.state.setupOpen) void loadSetup(app);
    }
    const [{ body, etag }] = await Promise.all([app.client.request("GET", CONFIG), loadAccount(app)]);
    await applyRefreshed(app, body, etag, own);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
}

/** What was shown of other settings than those that are stored now. @param {App} app */
function forgetResults(app) {
  const { check, testMail } = app.state;
  app.update({
    check: check?.running ? check : null,
    testMail: { ...testMail, result: null, problem: null, stages: [] },
  });
}

/**
 * @param {App} app
 * @param {Config} config
 * @param {string | null} etag
 * @param {boolean} own
 */
async function applyRefreshed(app, config, etag, own) {
  const same = configVersion(etag) === configVersion(app.state.etag);
  const stored = config.serviceProvider ? config : null;
  if (!isChanged(app.state)) {
    const { provider, theirs } = app.state;
    // An open field for another password stays open.
    if (same && !own && !theirs) return app.update({ config: stored, etag, loadedAt: new Date().toISOString() });
    if (!same) forgetResults(app);
    adopt(app, config, etag);
    // Choosing a provider without input is no change, but the choice stays.
    if (same && provider) app.update({ provider });
    if (!same && !own) {
      void loadActivity(app);
      app.announce(app.t(stored ? "changed.shown" : "changed.removed"));
    }
  } else if (same || own) {
    app.update({ config: stored, etag, theirs: null, loadedAt: new Date().toISOString() });
  } else if (app.state.theirs === null || configVersion(app.state.theirs.etag) !== configVersion(etag)) {
    app.update({ theirs: { config: stored, etag, change: await lastChange(app) }, loadedAt: new Date().toISOString() });
    app.announce(app.t("conflict.notice"));
  }
}
