// A check: its stages while it runs, and its result; and the last check as the service has kept it.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { enteredValues, isChanged } from "../flows/edit.js";
import { doneText, save } from "../flows/save.js";
import { verify } from "../flows/verify.js";
import { duration } from "../format.js";
import { lastFailure } from "../model/history.js";
import { finished, expectedStages } from "../model/stages.js";
import { entryOf, factOf, unprovedOf } from "../model/statement.js";
import * as icons from "./icons.js";
import { later } from "../later.js";
import { notice, problemNotice, sentence } from "./parts.js";
import { timeElement } from "./status.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../app.js").Check} Check
 * @typedef {import("../model/stages.js").Stage} Stage
 */

/**
 * @param {App} app
 * @param {"save" | "verify"} kind nothing is shown for the other kind
 */
export function checkView(app, kind) {
  const { check } = app.state;
  if (check?.kind !== kind) return nothing;
  if (check.problem) return problemNotice(app, check.problem, "check-result", () => void verify(app));
  if (isPast(app, check)) return nothing;
  const stale = kind === "save" && !check.running && !isAboutForm(app, check);
  return html`<div class="check ${stale ? "stale" : ""}" id="check-result" tabindex="-1" role="group"
    aria-label=${app.t(check.running ? "check.running" : stale ? "check.stale" : "check.label")}>
    ${check.running ? html`<p class="running">${icons.spinner}<span>${app.t("check.running")}</span></p>` : nothing}
    ${stale ? html`<p class="strong">${app.t("check.stale")}</p>` : nothing}
    ${check.result?.success ? success(app, check) : nothing}
    ${stagesView(app, check.stages)} ${lastingView(app, kind, check.traceId)}
    ${check.result && !check.result.success ? diagnosis(app, {
      result: check.result, about: check.about, after: kind, saved: kind === "verify", stale, at: check.at,
      traceId: check.traceId,
    }) : nothing}
  </div>`;
}

/**
 * What becomes of an operation that takes some seconds where the page is left: the service does not stop it.
 *
 * @param {App} app
 * @param {"save" | "verify" | "test"} kind
 * @param {string} traceId
 */
export function lastingView(app, kind, traceId) {
  const { busy, lasting } = app.state;
  return busy === kind && lasting === traceId ? html`<p class="hint" id="lasting">${app.t(`lasting.${kind}`)}</p>` : nothing;
}

/**
 * Whether what the check has shown of the stored settings is past: they were changed or used since, or a change is being
 * entered beneath "saved".
 *
 * @param {App} app
 * @param {Check} check
 */
function isPast(app, check) {
  if (check.running || (check.kind === "save" && !check.result?.success)) return false;
  return check.fact !== factOf(app.state.config, app.state.etag) || (check.kind === "save" && isChanged(app.state));
}

/** Whether the form still holds what was checked. @param {App} app @param {Check} check */
function isAboutForm(app, check) {
  if (check.result?.success) return true;
  const { provider } = app.state;
  return provider === check.about.provider && JSON.stringify(enteredValues(app.state)) === JSON.stringify(check.about.config);
}

/**
 * @param {App} app
 * @param {Check} check
 */
function success(app, check) {
  const { config } = app.state;
  const unproved = check.result?.unproved ?? [];
  const open = config ? unprovedOf(config, unproved) : [];
  // A sending had failed further on than a check goes.
  const tone = config?.isValid === false ? "info" : "ok";
  return notice(tone, html`
    <p class="strong">${doneText(app, check.kind, unproved)}</p>
    ${open.map(({ key, values }) => html`<p>${app.t(key, values)}</p>`)}
    <p>${app.t(open.length > 0 ? "check.almost" : "check.next")} <button type="button" class="link"
      @click=${() => app.focus('[name="recipient"]')}>${app.t("check.next.button")}</button></p>`);
}

/**
 * The failure of the stored settings as the service has kept it, unless it is shown as this page's own result.
 *
 * @param {App} app
 */
export function lastCheckView(app) {
  const { config, etag, check, testMail, activity, busy } = app.state;
  const last = config && lastFailure(config, activity ?? []);
  if (!config || !last?.diagnosis || busy === "verify" || isOfTestMail(app)) return nothing;
  const outlasts = config.lastCheck?.success === true;
  const fact = factOf(config, etag);
  if (check?.kind === "verify" && check.fact === fact && !outlasts) return nothing;
  if (testMail.result?.success === false && (testMail.fact === fact || outlasts)) return nothing;
  return storedResult(app, last, "last-check");
}

/** Whether the last check is a test email that says nothing against the account. @param {App} app */
export function isOfTestMail(app) {
  const { config } = app.state;
  const last = config?.lastCheck;
  return Boolean(config?.isValid && last && !last.success && last.diagnosis && last.operation === "send-test-email");
}

/**
 * A failure that the service has kept, with its stages and its diagnosis.
 *
 * @param {App} app
 * @param {import("../model/types.js").LastCheck} last
 * @param {string} id
 */
export function storedResult(app, last, id) {
  const { config } = app.state;
  if (!config || !last.diagnosis) return nothing;
  const provider = config.serviceProvider ?? "";
  const about = { provider, config: /** @type {Record<string, string | number>} */ ({ ...config.providerConfig }) };
  const sending = last.operation !== "verify-connection";
  const stages = last.diagnosis.transcript?.length
    ? finished(expectedStages(provider, about.config, sending), last.diagnosis) : [];
  const result = { success: false, connectionFailed: false, message: "", diagnosis: last.diagnosis };
  return html`<div class="check" id=${id} tabindex="-1" role="group" aria-label=${app.t("check.label")}>
    <p class="strong">${sentence(app, `last.${last.operation}`, { when: timeElement(app, last.at) })}</p>
    ${stagesView(app, stages)}
    ${diagnosis(app, {
      result, about, after: last.operation === "send-test-email" ? "test" : "verify", saved: true, at: last.at,
      traceId: entryOf(last, app.state.activity ?? [])?.traceId ?? "", delivery: last.operation === "delivery",
    })}
  </div>`;
}

/**
 * @param {App} app
 * @param {import("./diagnosis.js").Failure} failure
 */
export function diagnosis(app, failure) {
  return later(app, "diagnosis", ({ diagnosisView }) => diagnosisView(app, failure));
}

/**
 * @param {App} app
 * @param {Stage[]} stages
 */
export function stagesView(app, stages) {
  if (stages.length === 0) return nothing;
  // Without a stream no stage is known before the end, so none is shown as running.
  return html`<ol class="stages" aria-label=${app.t("check.stages")}>
    ${stages.map((stage) => html`<li class=${stage.state}>
      <span class="mark">${mark(stage)}</span>
      <span class="name">${app.t(`stage.${stage.id}`)}</span>
      <span class="time">${stage.ms === null ? (stage.state === "skipped" ? app.t("stage.skipped") : nothing)
        : duration(stage.ms, app.locale)}</span>
      ${stage.state === "skipped" ? nothing : html`<span class="hidden">${app.t(`stage.state.${stage.state}`)}</span>`}
    </li>`)}
  </ol>`;
}

/** @param {Stage} stage */
function mark({ state }) {
  return {
    waiting: icons.dot, running: icons.spinner, done: icons.check, failed: icons.cross, unknown: icons.question,
    skipped: icons.dash,
  }[state];
}

/** The problem of a save that was refused before or beside the check. @param {App} app */
export function saveProblem(app) {
  const { problem } = app.state;
  if (!problem) return nothing;
  const again = ["unreachable", "unavailable", "limited", "internal"].includes(problem.kind);
  return problemNotice(app, problem, "save-problem", again ? () => void save(app) : undefined);
}
