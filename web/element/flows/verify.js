// Tests the connection with the stored settings.

import { expectedStages, finished } from "../model/stages.js";
import { Problem } from "../net/problem.js";
import { refresh } from "./load.js";
import { stageListener } from "./save.js";
import { waitFor } from "./wait.js";

/** @typedef {import("../app.js").App} App */

/** @param {App} app */
export async function verify(app) {
  const { config, busy } = app.state;
  if (!config?.serviceProvider || busy) return;
  const provider = config.serviceProvider;
  const about = { provider, config: /** @type {Record<string, string | number>} */ ({ ...config.providerConfig }) };
  /** @type {import("../app.js").Check} */
  const check = {
    kind: "verify",
    stages: expectedStages(provider, about.config),
    running: true,
    live: false,
    result: null,
    about,
    problem: null,
  };
  app.update({ busy: "verify", problem: null, check });
  app.announce(app.t("check.running"));
  try {
    const { body } = await app.client.request("POST", "/email-config/actions/verify-connection", {
      onStage: stageListener(app),
    });
    await applyResult(app, body);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    waitFor(app, error);
    app.update({ check: { ...check, running: false, stages: [], problem: error } });
    app.announce(app.t(error.title));
    // Another user may have removed the settings.
    if (error.kind === "not-found") await refresh(app, { texts: false });
  } finally {
    app.update({ busy: "" });
  }
  await app.focus("#check-result");
}

/**
 * @param {App} app
 * @param {import("../model/types.js").CheckResult} result
 */
async function applyResult(app, result) {
  const { check } = app.state;
  if (!check) return;
  const diagnosis = result.diagnosis ?? null;
  const stages = finished(check.stages, result.success ? null : diagnosis);
  app.update({ check: { ...check, running: false, stages, result } });
  app.announce(result.success ? app.t("verify.done") : (diagnosis?.title ?? result.message));
  app.host.emit("check-finished", { kind: "verify", success: result.success, diagnosis });
  await refresh(app, { texts: false });
}
