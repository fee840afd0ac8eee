// Sends a test mail, to the administrator's own address by default; another recipient is remembered.

import { readableConfig } from "../model/names.js";
import { expectedStages, finished } from "../model/stages.js";
import { factOf } from "../model/statement.js";
import { Problem } from "../net/problem.js";
import { begin, ended } from "./follow.js";
import { refresh } from "./load.js";
import { announcingStages, byField } from "./save.js";
import { waitFor } from "./wait.js";

/** @typedef {import("../app.js").App} App */

const REMEMBERED = "email-transport-settings.recipient";

/** @param {App} app */
export function recallRecipient(app) {
  if (app.state.testMail.touched) return;
  const recipient = remembered() ?? emailClaim(app.host.token()) ?? "";
  app.update({ testMail: { ...app.state.testMail, recipient } });
}

/** What the field holds: the sender address, which its owner can read, where nothing better is known. @param {App} app */
export function recipientOf(app) {
  const { testMail, config } = app.state;
  if (testMail.touched || testMail.recipient || !config?.serviceProvider) return testMail.recipient;
  return readableConfig(config, config.serviceProvider).emailAddress ?? "";
}

/**
 * @param {App} app
 * @param {string} recipient
 */
export function editRecipient(app, recipient) {
  app.update({ testMail: { ...app.state.testMail, recipient, touched: true, error: null } });
}

/** @param {App} app */
export async function sendTestMail(app) {
  const { config, busy } = app.state;
  if (!config || busy) return;
  const recipient = recipientOf(app).trim();
  if (!/^[^\s@]+@[^\s@]+$/.test(recipient)) return wrong(app, app.t("error.recipient"));
  const traceId = begin(app, "test");
  const stages = expectedStages(config.serviceProvider ?? "", { ...config.providerConfig }, true);
  const before = { ...app.state.testMail, error: null, result: null, problem: null, sentTo: recipient, stages, traceId };
  app.update({ busy: "test", followed: "", testMail: before });
  app.announce(app.t("test.running"));
  try {
    const onStage = announcingStages(app, () => app.state.testMail.stages, (stages) =>
      app.update({ testMail: { ...app.state.testMail, stages } }));
    const { body } = await app.client.request("POST", "/email-config/actions/send-test-email", {
      body: { recipient }, onStage, traceId,
    });
    ended();
    await applyResult(app, body);
    if (before.touched && body.success) remember(recipient);
    app.announce(body.success ? app.t("test.done", { recipient }) : (body.diagnosis?.title ?? body.message));
    app.host.emit("check-finished", { kind: "test-mail", success: body.success, diagnosis: body.diagnosis ?? null });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.kind !== "unreachable") ended();
    const found = error.kind === "input" ? byField(app, error, ["recipient"]).errors.recipient : undefined;
    if (found) return wrong(app, found);
    waitFor(app, error);
    app.update({ testMail: { ...before, stages: [], problem: error } });
    app.announce(app.t(error.title));
  } finally {
    app.update({ busy: "" });
  }
  await app.focus("#test-result");
}

/**
 * The result, and what the service says of the settings since.
 *
 * @param {App} app
 * @param {import("../model/types.js").CheckResult} result
 */
async function applyResult(app, result) {
  await refresh(app, { texts: false });
  const { config, etag, testMail } = app.state;
  const stages = finished(testMail.stages, result.success ? null : (result.diagnosis ?? null));
  const at = config?.lastCheck?.at ?? new Date().toISOString();
  app.update({ testMail: { ...testMail, result, stages, at, fact: factOf(config, etag) } });
}

/**
 * @param {App} app
 * @param {string} error
 */
function wrong(app, error) {
  app.update({ testMail: { ...app.state.testMail, stages: [], error } });
  app.announce(error);
  return app.focus('[name="recipient"]');
}

/** The `email` of a token's claims, unverified, which suffices to fill in a field. */
function emailClaim(/** @type {string | null} */ token) {
  try {
    const part = (token ?? "").split(".")[1] ?? "";
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const { email } = JSON.parse(new TextDecoder().decode(bytes));
    return typeof email === "string" && email.includes("@") ? email : null;
  } catch {
    return null;
  }
}

// If the browser forbids storage, nothing is remembered.

function remembered() {
  try {
    return localStorage.getItem(REMEMBERED);
  } catch {
    return null;
  }
}

/** @param {string} recipient */
function remember(recipient) {
  try {
    localStorage.setItem(REMEMBERED, recipient);
  } catch {
    // See above.
  }
}
