// Tests the connection with the stored settings.

import { expectedStages, finished } from "../model/stages.js";
import { factOf } from "../model/statement.js";
import { Problem } from "../net/problem.js";
import { begin, ended } from "./follow.js";
import { refresh } from "./load.js";
import { doneText, stageListener } from "./save.js";
import { waitFor } from "./wait.js";

/** @typedef {import("../app.js").App} App */

/** @param {App} app */
export async function verify(app) {
  const { config, busy } = app.state;
  if (!config?.serviceProvider || busy) return;
  const provider = config.serviceProvider;
  const about = { provider, config: /** @type {Record<string, string | number>} */ ({ ...config.providerConfig }) };
  const traceId = begin(app, "verify");
  /** @type {import("../app.js").Check} */
  const check = {
    kind: "verify",
    stages: expectedStages(provider, about.config),
    running: true,
    live: false,
    result: null,
    about,
    problem: null,
    traceId,
    at: new Date().toISOString(),
    fact: "",
  };
  app.update({ busy: "verify", problem: null, followed: "", check });
  app.announce(app.t("check.running"));
  try {
    const { body } = await app.client.request("POST", "/email-config/actions/verify-connection", {
      onStage: stageListener(app),
      traceId,
    });
    ended();
    await applyResult(app, body);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.kind !== "unreachable") ended();
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
  await refresh(app, { texts: false });
  const { config, etag } = app.state;
  const at = config?.lastCheck?.at ?? new Date().toISOString();
  app.update({ check: { ...check, running: false, stages, result, at, fact: factOf(config, etag) } });
  app.announce(result.success ? doneText(app, "verify", result.unproved) : (diagnosis?.title ?? result.message));
  app.host.emit("check-finished", { kind: "verify", success: result.success, diagnosis });
}
