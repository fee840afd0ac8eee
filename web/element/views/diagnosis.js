// A diagnosis: what happened, who can fix it, and remedies with one click where possible.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { apply } from "../flows/remedy.js";
import { dateTime, duration } from "../format.js";
import { readable } from "../model/names.js";
import { adviceRemedies, remedies } from "../model/remedies.js";
import * as icons from "./icons.js";
import { button, copyButton, link } from "./parts.js";
import { prose } from "./prose.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../model/types.js").CheckResult} CheckResult
 * @typedef {import("../model/types.js").Diagnosis} Diagnosis
 *
 * @typedef {object} Failure
 * @property {CheckResult} result
 * @property {{ provider: string, config: Record<string, string | number> }} about
 * @property {"save" | "verify" | "test"} after
 * @property {boolean} saved what was checked is what is stored
 * @property {string} at
 * @property {string} traceId
 * @property {boolean} [stale] the form has changed since
 * @property {boolean} [delivery] of an email of a program
 */

/**
 * @param {App} app
 * @param {Failure} failure
 */
export function diagnosisView(app, failure) {
  const { result, about, after, saved, stale = false, delivery = false } = failure;
  const { diagnosis } = result;
  if (!diagnosis) return html`<div class="diagnosis"><p class="strong">${result.message}</p></div>`;
  const unknown = diagnosis.code === "OUTCOME_UNKNOWN";
  const nobody = !unknown && diagnosis.owner === "nobody";
  const list = remedies(diagnosis, { ...about, presets: app.state.presets })
    .filter(({ focus }) => !(delivery && focus === "recipient"));
  // A reader who can choose another way needs no administrator of the first one.
  const owner = list[0]?.provider ? "tenant_admin" : diagnosis.owner;
  return html`<div class="diagnosis ${unknown ? "unknown" : nobody ? "nobody" : ""}">
    <h3><span class="mark">${unknown ? icons.question : nobody ? icons.warning : icons.cross}</span>${diagnosis.title}</h3>
    ${diagnosis.meaning ? html`<p>${diagnosis.meaning}</p>` : nothing}
    <p class="owner"><span class="chip">${app.t(unknown ? "owner.look" : `owner.${owner}`)}</span>
      ${saved ? nothing : html`<span class="quiet-text">${app.t("save.nothingStored")}</span>`}</p>
    ${list.length > 0 ? html`<div class="remedies" role="group" aria-label=${app.t("remedy.label")}>
      ${list.map((remedy, index) => button({
        kind: index === 0 ? "primary" : "secondary", label: app.t(remedy.text, readableValues(app, remedy.values)),
        disabled: stale || app.state.busy !== "", onClick: () => void apply(app, remedy, after),
      }))}</div>` : nothing}
    ${diagnosis.steps?.length ? html`<h4>${app.t("diagnosis.steps")}</h4>
      <ol class="steps">${diagnosis.steps.map((step, index) =>
        html`<li><div>${prose(app, `command-${after}-${index}`, step)}</div></li>`)}</ol>` : nothing}
    ${diagnosis.links?.length ? html`<ul class="links">${diagnosis.links.map((href) => html`<li>${link(app, href)}</li>`)}</ul>`
      : nothing}
    ${technical(app, diagnosis, failure)}
  </div>`;
}

/**
 * What can be done about an advice with one click.
 *
 * @param {App} app
 * @param {string} code
 */
export function adviceButtons(app, code) {
  const list = adviceRemedies(code);
  return list.length === 0 ? nothing : html`<p class="actions">${list.map((remedy) => button({
    kind: "secondary small", label: app.t(remedy.text), disabled: app.state.busy !== "",
    onClick: () => void apply(app, remedy, "verify"),
  }))}</p>`;
}

/**
 * @param {App} app
 * @param {Record<string, string>} [values]
 */
function readableValues(app, values = {}) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, readable(app.state, value)]));
}

/**
 * @param {App} app
 * @param {Diagnosis} diagnosis
 * @param {Failure} failure
 */
function technical(app, diagnosis, failure) {
  const { result, after, at, traceId } = failure;
  const reply = [result.smtpResponseCode, result.enhancedStatusCode].filter(Boolean).join(" ");
  const transcript = diagnosis.transcript ?? [];
  return html`<details class="technical">
    <summary>${icons.chevron}<span>${app.t("diagnosis.technical")}</span></summary>
    <dl class="facts">
      <div><dt>${app.t("diagnosis.code")}</dt><dd><code>${diagnosis.code}</code></dd></div>
      ${reply ? html`<div><dt>${app.t("diagnosis.reply")}</dt><dd><code>${reply}</code></dd></div>` : nothing}
      <div><dt>${app.t("diagnosis.at")}</dt><dd>${dateTime(at, app.locale)}</dd></div>
      ${traceId ? html`<div><dt>${app.t("diagnosis.trace")}</dt><dd><code>${traceId}</code></dd></div>` : nothing}
    </dl>
    ${transcript.length > 0 ? html`<div class="scroll" tabindex="0" role="region" aria-label=${app.t("diagnosis.transcript")}>
      <table><caption class="hidden">${app.t("diagnosis.transcript")}</caption><tbody>
        ${transcript.map((entry) => html`<tr><th scope="row">${entry.stage}</th><td class="time">${
          duration(entry.ms, app.locale)}</td><td><code>${entry.detail}</code></td></tr>`)}
      </tbody></table></div>` : nothing}
    ${copyButton(app, `report-${after}`, report(failure, diagnosis), app.t("diagnosis.copy"))}
  </details>`;
}

/**
 * The whole diagnosis as text, for support.
 *
 * @param {Failure} failure
 * @param {Diagnosis} diagnosis
 */
export function report({ result, about, at, traceId }, diagnosis) {
  const { serverAddress, serverPort, securityType, emailAddress, username } = about.config;
  const server = serverAddress ? `${serverAddress}:${serverPort ?? ""} (${securityType ?? ""})` : about.provider;
  return [
    `${diagnosis.code}: ${diagnosis.title}`,
    diagnosis.meaning ?? "",
    ...[result.smtpResponseCode, result.enhancedStatusCode].filter(Boolean),
    "",
    `time\t${at}`,
    ...(traceId ? [`trace id\t${traceId}`] : []),
    `server\t${server}`,
    `sender\t${emailAddress ?? ""}`,
    ...(username ? [`user name\t${username}`] : []),
    "",
    ...(diagnosis.transcript ?? []).map((entry) => `${entry.stage}\t${entry.ms} ms\t${entry.detail}`),
    "",
  ].join("\n");
}
