// The one statement about the stored settings, the facts about them, and what the last check has shown.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { goTo, isChanged } from "../flows/edit.js";
import { verify } from "../flows/verify.js";
import { secondsLeft } from "../flows/wait.js";
import { ago, dateTime } from "../format.js";
import { later } from "../later.js";
import { failingSince } from "../model/history.js";
import { readableConfig } from "../model/names.js";
import { statement } from "../model/statement.js";
import { personOf } from "./activity.js";
import { checkView, lastCheckView } from "./check.js";
import * as icons from "./icons.js";
import { button, link, notice, sentence } from "./parts.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../app.js").Config} Config
 * @typedef {import("../model/statement.js").Sentence} Sentence
 * @typedef {import("../model/statement.js").Statement} Statement
 */

/** @type {Record<Statement["kind"], unknown>} */
const ICONS = {
  none: icons.mail, incomplete: icons.warning, failing: icons.cross, held: icons.warning, untested: icons.info,
  almost: icons.warning, ready: icons.check, unknown: icons.question, inconclusive: icons.warning,
};

/** @param {App} app */
export function statusCard(app) {
  const { config, account, activity } = app.state;
  const said = statement(config, account, activity ?? []);
  const icon = said.kind === "ready" && said.tone === "warn" ? icons.warning : ICONS[said.kind];
  return html`<section class="card status" aria-labelledby="status-title" data-statement=${said.kind}>
    <div class="status-line">
      <span class="badge ${said.tone}">${icon}</span>
      <div class="grow">
        <h2 id="status-title" tabindex="-1">${app.t(said.title)}</h2>
        <p id="status-text">${said.reason ?? ""} ${said.sentences.map((one) => [filled(app, one), " "])}</p>
        ${missing(app, said)}
        ${said.testMail && config ? html`<p><button type="button" class="link" id="to-test-mail"
          @click=${() => app.focus('[name="recipient"]')}>${app.t("status.testMail")}</button></p>` : nothing}
      </div>
      ${config ? html`<div class="actions">${button({
        id: "verify", kind: "secondary", label: app.t("verify"), busyLabel: app.t("verify.running"),
        busy: app.state.busy === "verify", disabled: app.state.busy !== "" || secondsLeft(app) > 0,
        onClick: () => void verify(app), describedBy: isChanged(app.state) ? "verify-note" : undefined,
      })}</div>` : nothing}
    </div>
    ${config && isChanged(app.state) ? html`<p class="hint" id="verify-note">${app.t("verify.savedOnly")}</p>` : nothing}
    ${followedView(app)}
    ${config ? facts(app, config) : nothing}
    ${checkView(app, "verify")} ${lastCheckView(app)}
    ${(config?.advice ?? []).map((advice) => notice("warn", html`<p class="strong">${advice.title}</p>
      <p>${advice.meaning} ${link(app, advice.link)}</p>${
      later(app, "diagnosis", (part) => part.adviceButtons(app, advice.code))}`))}
  </section>`;
}

/** @param {App} app @param {Sentence} one */
function filled(app, { key, values, proof, by, at, next }) {
  return sentence(app, key, {
    ...values,
    ...(by ? { user: personOf(app, by, "activity.apiKey.inSentence") } : {}),
    ...(proof ? { proof: app.t(proof) } : {}),
    ...(at ? { when: timeElement(app, at) } : {}),
    ...(next ? { next: dateTime(next, app.locale) } : {}),
  });
}

/** @param {App} app @param {Statement} said */
function missing(app, said) {
  const [first] = said.missing;
  if (!first) return nothing;
  const names = said.missing.map((field) => app.t(`field.${field}`)).join(", ");
  const enter = said.missing.length === 1 && ["emailPassword", "clientSecret"].includes(first);
  return html`<p>${app.t("status.missing", { fields: names })} <button type="button" class="link"
    @click=${() => void goTo(app, first)}>${app.t(enter ? `status.enter.${first}` : "status.enter")}</button></p>`;
}

/** What was begun before the page was loaded. @param {App} app */
function followedView(app) {
  const { following, followed } = app.state;
  if (following) {
    return html`<p class="running" id="following">${icons.spinner}<span>${app.t(`following.${following.kind}`)}</span></p>`;
  }
  if (!followed) return nothing;
  return notice(followed === "saved" ? "ok" : "warn", html`<p class="strong">${app.t(`followed.${followed}`)}</p>`, {
    id: "followed",
  });
}

/**
 * @param {App} app
 * @param {Config} config
 */
function facts(app, config) {
  const { authFailures = 0 } = config;
  const providerConfig = readableConfig(config, config.serviceProvider ?? "BasicAuth");
  const since = failingSince(config, app.state.activity ?? []);
  const through = config.serviceProvider === "Microsoft365"
    ? "Microsoft 365"
    : providerConfig.serverAddress
      ? `${providerConfig.serverAddress}:${providerConfig.serverPort ?? "?"}`
      : null;
  return html`<dl class="facts">
    ${through ? factRow(app.t("fact.through"), html`${through}${providerConfig.securityType
      ? html` <span class="quiet-text">${app.t(providerConfig.securityType === "none" ? "security.none.fact"
        : `security.${providerConfig.securityType}`)}</span>` : nothing}`) : nothing}
    ${providerConfig.emailAddress ? factRow(app.t("fact.from"), providerConfig.emailAddress) : nothing}
    ${since ? factRow(app.t("fact.since"), timeElement(app, since)) : nothing}
    ${authFailures > 0 ? factRow(app.t("fact.refused"), html`<span class="bad-text">${app.t("fact.refused.count", {
      count: authFailures,
    })}</span>`) : nothing}
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
  const isNow = Math.abs(Date.now() - Date.parse(iso)) < 60_000;
  return html`<time datetime=${iso} title=${dateTime(iso, app.locale)}>${
    isNow ? app.t("time.now") : ago(iso, app.locale)}</time>`;
}
