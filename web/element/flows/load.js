// Loads the stored configuration at the start, and again when it may have changed.

import { microsoftDraft, smtpDraft } from "../model/form.js";
import { presetOf } from "../model/presets.js";
import { Problem } from "../net/problem.js";
import { loadActivity } from "./activity.js";
import { loadApiKeys } from "./api-keys.js";
import { isChanged } from "./edit.js";
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
    const [config] = await Promise.all([app.client.request("GET", CONFIG), loadPresets(app)]);
    adopt(app, config.body, config.etag);
    recallRecipient(app);
    app.update({ phase: "ready" });
    void loadActivity(app);
    void loadApiKeys(app);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    app.update({ phase: "refused", refusal: error });
    app.announce(app.t(error.title));
  }
}

/** Without presets the picker is empty; general failures show in the request for the configuration. */
async function loadPresets(/** @type {App} */ app) {
  try {
    const { body } = await app.client.request("GET", "/providers");
    app.update({ presets: body?.providers ?? [] });
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
 * Looks up what is stored now. What has been entered stays; where another user has changed the settings beneath
 * it, that is said. Says nothing about failures: the next action will meet them.
 *
 * @param {App} app
 * @param {{ texts: boolean }} options fetches the texts of the service again
 */
export async function refresh(app, { texts }) {
  try {
    if (texts) {
      await loadPresets(app);
      if (app.state.setupOpen) void loadSetup(app);
    }
    const { body, etag } = await app.client.request("GET", CONFIG);
    applyRefreshed(app, body, etag);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
}

/**
 * @param {App} app
 * @param {Config} config
 * @param {string | null} etag
 */
function applyRefreshed(app, config, etag) {
  const same = configVersion(etag) === configVersion(app.state.etag);
  if (!isChanged(app.state)) {
    const { provider } = app.state;
    adopt(app, config, etag);
    // Choosing a provider without input is no change, but the choice stays.
    if (same && provider) app.update({ provider });
  } else if (same) {
    app.update({ config: config.serviceProvider ? config : null, etag, loadedAt: new Date().toISOString() });
  } else {
    app.update({ theirs: { config: config.serviceProvider ? config : null, etag } });
    app.announce(app.t("conflict.notice"));
  }
}

/** The part of an `ETag` that a check does not change. @param {string | null} etag */
function configVersion(etag) {
  return etag?.split(".")[0] ?? null;
}
