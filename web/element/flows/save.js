// Saves the settings: the service checks them against the mail server, and stores them if the check succeeds.

import { FIELDS, faults } from "../model/form.js";
import { fieldFault } from "../model/faults.js";
import { expectedStages, finished, withEvent } from "../model/stages.js";
import { factOf, proofOf, unprovedOf } from "../model/statement.js";
import { Problem } from "../net/problem.js";
import { openConflict, takeMine } from "./conflict.js";
import { enteredValues, usesStoredSecret } from "./edit.js";
import { begin, ended } from "./follow.js";
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
  const traceId = begin(app, "save");
  /** @type {import("../app.js").Check} */
  const check = {
    kind: "save",
    stages: expectedStages(provider, config),
    running: true,
    live: false,
    result: null,
    about: { provider, config },
    problem: null,
    traceId,
    at: new Date().toISOString(),
    fact: "",
  };
  app.update({ busy: "save", errors: {}, problem: null, followed: "", check });
  app.announce(app.t("check.running"));
  try {
    const answer = await app.client.request("PUT", "/email-config", {
      body: { serviceProvider: provider, providerConfig: config },
      ifMatch: app.state.etag,
      create: app.state.etag === null,
      traceId,
      onStage: stageListener(app),
    });
    ended();
    await applySaved(app, answer.etag);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // Without an answer it may go on: a page that is loaded now follows it.
    if (error.kind !== "unreachable") ended();
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
  return announcingStages(app, () => app.state.check?.stages ?? [], (stages) => {
    const { check } = app.state;
    if (check) app.update({ check: { ...check, live: true, stages } });
  });
}

/**
 * @param {App} app
 * @param {() => import("../model/stages.js").Stage[]} current
 * @param {(stages: import("../model/stages.js").Stage[]) => void} show
 * @returns {(event: import("../net/event-stream.js").StageEvent) => void}
 */
export function announcingStages(app, current, show) {
  return (event) => {
    const stages = withEvent(current(), event);
    show(stages);
    const running = stages.find((stage) => stage.state === "running");
    if (running) app.announce(app.t(`stage.${running.id}`));
  };
}

/**
 * What a success has proved, in words.
 *
 * @param {App} app
 * @param {"save" | "verify"} kind
 * @param {string[]} [unproved]
 */
export function doneText(app, kind, unproved = []) {
  const { config } = app.state;
  if (!config) return "";
  const whole = unprovedOf(config, unproved).length === 0;
  return app.t(`${kind}.${whole ? "done" : "partly"}`, { proof: app.t(proofOf(config, unproved)) });
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
  await refresh(app, { texts: false, own: true });
  const { lastCheck } = app.state.config ?? {};
  app.update({
    check: {
      ...check,
      running: false,
      stages: finished(check.stages, null),
      result: { success: true, connectionFailed: false, message: "", unproved: lastCheck?.unproved },
      at: lastCheck?.at ?? check.at,
      fact: factOf(app.state.config, app.state.etag),
    },
    testMail: { ...app.state.testMail, result: null, problem: null, stages: [] },
  });
  app.announce(doneText(app, "save", lastCheck?.unproved));
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
    app.update({ check: { ...check, running: false, stages, result, at: new Date().toISOString() } });
    app.announce(diagnosis?.title ?? message);
    app.host.emit("check-finished", { kind: "save", success: false, diagnosis });
    return app.focus("#check-result");
  }
  app.update({ check: null });
  if (problem.kind === "changed") return openConflict(app, takeMine);
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
