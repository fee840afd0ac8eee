// Saves the settings: the service checks them against the mail server, and stores them if the check succeeds.

import { FIELDS, faults } from "../model/form.js";
import { fieldFault } from "../model/faults.js";
import { expectedStages, finished, withEvent } from "../model/stages.js";
import { Problem } from "../net/problem.js";
import { openConflict } from "./conflict.js";
import { enteredValues, usesStoredSecret } from "./edit.js";
import { adopt, refresh } from "./load.js";
import { waitFor } from "./wait.js";

/** @typedef {import("../app.js").App} App */

/** @param {App} app */
export async function save(app) {
  const { provider, busy } = app.state;
  if (provider === "" || provider === "None" || busy) return;
  const config = enteredValues(app.state);
  const wrong = faults(provider, config, usesStoredSecret(app.state));
  if (Object.keys(wrong).length > 0) {
    const errors = Object.fromEntries(Object.entries(wrong).map(([field, key]) => [field, app.t(key)]));
    return showErrors(app, errors);
  }
  /** @type {import("../app.js").Check} */
  const check = {
    kind: "save",
    stages: expectedStages(provider, config),
    running: true,
    live: false,
    result: null,
    about: { provider, config },
    problem: null,
  };
  app.update({ busy: "save", errors: {}, problem: null, check });
  app.announce(app.t("check.running"));
  try {
    const answer = await app.client.request("PUT", "/email-config", {
      body: { serviceProvider: provider, providerConfig: config },
      ifMatch: app.state.etag,
      create: app.state.etag === null,
      onStage: stageListener(app),
    });
    await applySaved(app, answer.etag);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    await applyRefusal(app, error);
  } finally {
    app.update({ busy: "" });
  }
}

/**
 * Follows a check while it happens.
 *
 * @param {App} app
 * @returns {(event: import("../net/event-stream.js").StageEvent) => void}
 */
export function stageListener(app) {
  return (event) => {
    const { check } = app.state;
    if (!check) return;
    const stages = withEvent(check.stages, event);
    app.update({ check: { ...check, live: true, stages } });
    const running = stages.find((stage) => stage.state === "running");
    if (running) app.announce(app.t(`stage.${running.id}`));
  };
}

/**
 * @param {App} app
 * @param {string | null} etag
 */
async function applySaved(app, etag) {
  const { check } = app.state;
  if (!check) return;
  const { provider, config } = check.about;
  const { emailPassword, clientSecret, ...shown } = config;
  // The sent settings are stored now. Their health is read again, and is unknown if that fails.
  const stored = /** @type {import("../app.js").Config} */ ({
    serviceProvider: provider,
    providerConfig: shown,
    passwordExists: Boolean(emailPassword ?? clientSecret) || usesStoredSecret(app.state),
    isValid: true,
    errorCode: "OK",
  });
  adopt(app, stored, etag);
  const done = { ...check, running: false, stages: finished(check.stages, null) };
  app.update({
    check: { ...done, result: { success: true, connectionFailed: false, message: "" } },
    testMail: { ...app.state.testMail, result: null, problem: null },
  });
  await refresh(app, { texts: false });
  app.announce(app.t("save.done"));
  app.host.emit("config-saved", { serviceProvider: provider, config: app.state.config });
  app.host.emit("check-finished", { kind: "save", success: true, diagnosis: null });
  await app.focus("#check-result");
}

/**
 * @param {App} app
 * @param {Problem} problem
 */
async function applyRefusal(app, problem) {
  const { check, provider } = app.state;
  if (problem.kind === "check" && check) {
    const { diagnosis } = problem;
    const message = problem.faults[0]?.detail ?? "";
    const stages = finished(check.stages, diagnosis);
    const result = { success: false, connectionFailed: false, message, diagnosis: diagnosis ?? undefined };
    app.update({ check: { ...check, running: false, stages, result } });
    app.announce(diagnosis?.title ?? message);
    app.host.emit("check-finished", { kind: "save", success: false, diagnosis });
    return app.focus("#check-result");
  }
  app.update({ check: null });
  if (problem.kind === "changed") return openConflict(app);
  if (problem.kind === "input" && provider !== "" && provider !== "None") {
    const { errors, others } = byField(app, problem, FIELDS[provider]);
    if (others.length === 0) return showErrors(app, errors);
    app.update({ errors });
  }
  waitFor(app, problem);
  app.update({ problem });
  app.announce(app.t(problem.title));
  return app.focus("#save-problem");
}

/**
 * The faults that the service found, by field, as texts.
 *
 * @param {App} app
 * @param {Problem} problem
 * @param {readonly string[]} fields
 */
export function byField(app, problem, fields) {
  /** @type {Record<string, string>} */
  const errors = {};
  const others = [];
  for (const entry of problem.faults) {
    const fault = fieldFault(entry, fields);
    if (fault.field === null) others.push(entry.title);
    else errors[fault.field] ??= app.t(fault.text, fault.values);
  }
  return { errors, others };
}

/**
 * @param {App} app
 * @param {Record<string, string>} errors by field
 */
function showErrors(app, errors) {
  const { provider, smtp, microsoft } = app.state;
  if (provider === "" || provider === "None") return;
  const first = FIELDS[provider].find((field) => errors[field]);
  // A secret that must be entered again needs its field.
  app.update({
    errors,
    smtp: { ...smtp, newSecret: smtp.newSecret || "emailPassword" in errors },
    microsoft: { ...microsoft, newSecret: microsoft.newSecret || "clientSecret" in errors },
  });
  app.announce(app.t("form.errors", { count: Object.keys(errors).length }));
  return app.focus(`[name="${first}"]`);
}
