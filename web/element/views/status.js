// The status of the configuration: known facts, and their times.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { isChanged } from "../flows/edit.js";
import { verify } from "../flows/verify.js";
import { secondsLeft } from "../flows/wait.js";
import { ago, dateTime } from "../format.js";
import { failingSince } from "../model/history.js";
import { checkView } from "./check.js";
import * as icons from "./icons.js";
import { button, link, notice } from "./parts.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../app.js").Config} Config
 */

/** @type {Record<string, ["ok" | "bad" | "warn" | "off", unknown]>} */
const TONES = {
  OK: ["ok", icons.check],
  CONFIG_NOT_SET: ["off", icons.mail],
  INCOMPLETE_CONFIG: ["warn", icons.warning],
  INVALID_CREDENTIALS: ["bad", icons.cross],
  PROVIDER_ERROR: ["bad", icons.cross],
};

/** @param {App} app */
export function statusCard(app) {
  const { config } = app.state;
  const code = config ? (config.errorCode ?? "OK") : "CONFIG_NOT_SET";
  const [tone, icon] = TONES[code] ?? TONES.PROVIDER_ERROR ?? [];
  return html`<section class="card status" aria-labelledby="status-title">
    <div class="status-line">
      <span class="badge ${tone ?? "bad"}">${icon}</span>
      <div class="grow">
        <h2 id="status-title" tabindex="-1">${app.t(`status.${code}.title`)}</h2>
        <p>${code === "OK" || !config ? app.t(`status.${code}.text`) : config.status?.statusReason}</p>
      </div>
      ${config ? html`<div class="actions">${button({
        id: "verify", kind: "secondary", label: app.t("verify"), busyLabel: app.t("verify.running"),
        busy: app.state.busy === "verify", disabled: app.state.busy !== "" || secondsLeft(app) > 0,
        onClick: () => void verify(app), describedBy: isChanged(app.state) ? "verify-note" : undefined,
      })}</div>` : nothing}
    </div>
    ${config && isChanged(app.state) ? html`<p class="hint" id="verify-note">${app.t("verify.savedOnly")}</p>` : nothing}
    ${config ? facts(app, config, code) : nothing}
    ${checkView(app, "verify")}
    ${(config?.advice ?? []).map((advice) => notice("warn", html`<p class="strong">${advice.title}</p>
      <p>${advice.meaning} ${link(app, advice.link)}</p>`))}
  </section>`;
}

/**
 * @param {App} app
 * @param {Config} config
 * @param {string} code
 */
function facts(app, config, code) {
  const { providerConfig = {}, authFailures = 0 } = config;
  const checked = config.lastCheck;
  const since = failingSince(config, app.state.activity ?? []);
  const through = config.serviceProvider === "Microsoft365"
    ? "Microsoft 365"
    : providerConfig.serverAddress
      ? `${providerConfig.serverAddress}:${providerConfig.serverPort ?? "?"}`
      : null;
  return html`<dl class="facts">
    ${through ? factRow(app.t("fact.through"), html`${through}${providerConfig.securityType
      ? html` <span class="quiet-text">${app.t(`security.${providerConfig.securityType}`)}</span>` : nothing}`) : nothing}
    ${providerConfig.emailAddress ? factRow(app.t("fact.from"), providerConfig.emailAddress) : nothing}
    ${since && code !== "INCOMPLETE_CONFIG" ? factRow(app.t("fact.since"), timeElement(app, since)) : nothing}
    ${authFailures > 0 ? factRow(app.t("fact.refused"), html`<span class="bad-text">${app.t("fact.refused.count", {
      count: authFailures,
    })}</span>`) : nothing}
    ${checked ? factRow(app.t("fact.checked"), html`${timeElement(app, checked.at)} <span class="quiet-text">${
      app.t(checked.success ? "fact.checked.ok" : "fact.checked.bad")}</span>`) : nothing}
    ${config.modificationTime ? factRow(app.t("fact.changed"), timeElement(app, config.modificationTime)) : nothing}
  </dl>`;
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function factRow(name, value) {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

/**
 * @param {App} app
 * @param {string} iso
 */
export function timeElement(app, iso) {
  return html`<time datetime=${iso} title=${dateTime(iso, app.locale)}>${ago(iso, app.locale)}</time>`;
}
