// A check: its stages while it runs, and its result.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { save } from "../flows/save.js";
import { verify } from "../flows/verify.js";
import { duration } from "../format.js";
import { diagnosisView } from "./diagnosis.js";
import * as icons from "./icons.js";
import { notice, problemNotice } from "./parts.js";

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
  return html`<div class="check" id="check-result" tabindex="-1" role="group"
    aria-label=${app.t(check.running ? "check.running" : "check.label")}>
    ${check.running ? html`<p class="running">${icons.spinner}<span>${app.t("check.running")}</span></p>` : nothing}
    ${check.result?.success ? success(app, check) : nothing}
    ${stagesView(app, check)}
    ${check.result && !check.result.success ? diagnosisView(app, {
      result: check.result, about: check.about, after: kind, saved: kind === "verify",
    }) : nothing}
  </div>`;
}

/**
 * @param {App} app
 * @param {Check} check
 */
function success(app, check) {
  const unproved = (check.result?.unproved ?? []).filter((what) => what !== "delivery");
  return notice("ok", html`
    <p class="strong">${app.t(check.kind === "save" ? "save.done" : "verify.done")}</p>
    ${unproved.map((what) => html`<p>${app.t(`unproved.${what}`)}</p>`)}
    <p>${app.t("check.next")} <button type="button" class="link" @click=${() => app.focus('[name="recipient"]')}>${
      app.t("check.next.button")}</button></p>`);
}

/**
 * @param {App} app
 * @param {Check} check
 */
function stagesView(app, check) {
  // Without a stream no stage is known before the end, so none is shown as running.
  return html`<ol class="stages" aria-label=${app.t("check.stages")}>
    ${check.stages.map((stage) => html`<li class=${stage.state}>
      <span class="mark">${mark(stage)}</span>
      <span class="name">${app.t(`stage.${stage.id}`)}</span>
      <span class="time">${stage.ms === null ? (stage.state === "skipped" ? app.t("stage.skipped") : nothing)
        : duration(stage.ms, app.locale)}</span>
      <span class="hidden">${app.t(`stage.state.${stage.state}`)}</span>
    </li>`)}
  </ol>`;
}

/** @param {Stage} stage */
function mark({ state }) {
  return {
    waiting: icons.dot, running: icons.spinner, done: icons.check, failed: icons.cross, skipped: icons.dash,
  }[state];
}

/** The problem of a save that was refused before or beside the check. @param {App} app */
export function saveProblem(app) {
  const { problem } = app.state;
  if (!problem) return nothing;
  const again = ["unreachable", "unavailable", "limited", "internal"].includes(problem.kind);
  return problemNotice(app, problem, "save-problem", again ? () => void save(app) : undefined);
}
