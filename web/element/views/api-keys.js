// The API keys that programs send with: the list, a form for a new one, and the question before one is revoked.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { createApiKey, putAway, revokeApiKey, updateKeys } from "../flows/api-keys.js";
import { secondsLeft } from "../flows/wait.js";
import { senderToName } from "../model/address.js";
import { fieldFrame, textField } from "./field.js";
import * as icons from "./icons.js";
import { button, copyButton, notice, problemNotice } from "./parts.js";
import { timeElement } from "./status.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../model/types.js").ApiKey} ApiKey
 */

/** @param {App} app */
export function apiKeysCard(app) {
  const { config, apiKeys, busy } = app.state;
  if (!apiKeys.list || (!config && apiKeys.list.length === 0)) return nothing;
  return html`<section class="card" aria-labelledby="keys-title">
    <h2 id="keys-title" tabindex="-1">${app.t("keys.title")}</h2>
    <p class="quiet-text" id="keys-about">${app.t(config ? "keys.about" : "keys.about.none")}</p>
    ${madeNotice(app)}
    ${apiKeys.list.length === 0 ? nothing : html`<ul class="activity" id="api-keys">${
      apiKeys.list.map((key) => row(app, key))}</ul>`}
    ${apiKeys.problem ? problemNotice(app, apiKeys.problem, "keys-problem") : nothing}
    ${apiKeys.open ? form(app) : html`<div class="actions">${button({
      id: "new-key", kind: "secondary", label: app.t("keys.new"), disabled: busy !== "", onClick: () => {
        updateKeys(app, { open: true, problem: null });
        void app.focus('[name="apiKeyName"]');
      },
    })}</div>`}
  </section>`;
}

/**
 * What a key may do. With a limit of its own it makes no other key.
 *
 * @param {App} app
 * @param {string} permission
 * @param {boolean} isLimited
 */
function permissionText(app, permission, isLimited) {
  return app.t(`keys.${permission}${isLimited && permission === "full_access" ? ".limited" : ""}`);
}

/** The key itself, which is shown this once. @param {App} app */
function madeNotice(app) {
  const { made } = app.state.apiKeys;
  if (!made) return nothing;
  return notice("ok", html`<p class="strong">${app.t("keys.made", { name: made.name })}</p>
    <p>${app.t("keys.once")}</p>
    <p><code id="key-token">${made.token}</code></p>
    ${sample(app, made)}
    <p class="actions">${copyButton(app, "copy-key", made.token, app.t("copy"))}
      ${button({ id: "key-away", kind: "quiet small", label: app.t("keys.putAway"), onClick: () => putAway(app) })}</p>`,
  { id: "key-made" });
}

/** A request to try the key with. @param {App} app @param {{ token: string, senders: string[] }} made */
function sample(app, { token, senders }) {
  const from = senderToName(senders, String(app.state.config?.providerConfig?.emailAddress ?? "")).replaceAll("'", "'\\''");
  const command = [
    `curl -X POST ${app.client.addressOf("/emails")} \\`,
    `  -H "Authorization: Bearer ${token}" -H "Content-Type: application/json" \\`,
    `  -d '{${from && `"from": "${from}", `}"to": "${app.t("keys.sampleRecipient")}", "subject": "Test", "text": "Test"}'`,
  ].join("\n");
  const label = app.t(app.state.config ? "keys.sample" : "keys.sample.none");
  return html`<p>${label}</p>
    <div class="commands"><pre tabindex="0" aria-label=${label}><code id="key-sample">${command}</code></pre>
      ${copyButton(app, "copy-sample", command, app.t("keys.copySample"))}</div>`;
}

/**
 * @param {App} app
 * @param {ApiKey} key
 */
function row(app, key) {
  const { revoking } = app.state.apiKeys;
  const facts = [
    permissionText(app, key.permission, Boolean(key.test || key.allowed_senders || key.expires_at)),
    key.test ? app.t("keys.isTest") : "",
    key.allowed_senders ? app.t("keys.senders", { senders: key.allowed_senders.join(", ") }) : "",
  ].filter(Boolean).join(" · ");
  return html`<li>
    <span class="mark">${icons.key}</span>
    <span class="what">${key.name}
      <span class="about">${facts}</span>
      <span class="about">${key.last_used_at
        ? html`${app.t("keys.lastUsed")} ${timeElement(app, key.last_used_at)}` : app.t("keys.unused")}${key.expires_at
        ? html` · ${app.t(Date.parse(key.expires_at) > Date.now() ? "keys.expires" : "keys.expired")} ${timeElement(app, key.expires_at)}` : nothing}</span>
      ${revoking === key.id ? question(app, key) : nothing}
    </span>
    ${revoking === key.id ? nothing : html`<button type="button" class="quiet small" id="revoke-${key.id}"
      aria-label=${app.t("keys.revokeNamed", { name: key.name })} @click=${() => {
        updateKeys(app, { revoking: key.id, problem: null });
        void app.focus("#revoke-title");
      }}>${app.t("keys.revoke")}</button>`}
  </li>`;
}

/**
 * @param {App} app
 * @param {ApiKey} key
 */
function question(app, key) {
  return html`<div class="ask" role="group" aria-labelledby="revoke-title">
    <h3 id="revoke-title" tabindex="-1">${app.t("keys.question", { name: key.name })}</h3>
    <p>${app.t("keys.questionText")}</p>
    <div class="actions">
      ${button({
        id: "revoke-key", kind: "danger", label: app.t("keys.revoke"), busyLabel: app.t("keys.revoking"),
        busy: app.state.busy === "keys", onClick: () => void revokeApiKey(app),
      })}
      ${button({ kind: "secondary", label: app.t("keys.keep"), onClick: () => {
        updateKeys(app, { revoking: "" });
        void app.focus(`[id="revoke-${key.id}"]`);
      } })}
    </div>
  </div>`;
}

/** @param {App} app */
function form(app) {
  const { draft, error } = app.state.apiKeys;
  const edit = (/** @type {Partial<typeof draft>} */ changes) =>
    updateKeys(app, { draft: { ...draft, ...changes }, error: null });
  return html`<form class="group" novalidate autocomplete="off" @submit=${(/** @type {Event} */ event) => {
    event.preventDefault();
    void createApiKey(app);
  }}>
    <button type="submit" class="hidden" tabindex="-1" aria-hidden="true"></button>
    ${textField(app, {
      name: "apiKeyName", label: app.t("keys.name"), value: draft.name, error: error ?? undefined,
      hint: app.t("keys.nameHint"), onInput: (name) => edit({ name }),
    })}
    <fieldset class="options"><legend>${app.t("keys.permission")}</legend>
      ${["sending_access", "full_access"].map((permission) => html`<label class="option">
        <input type="radio" name="apiKeyPermission" value=${permission} .checked=${draft.permission === permission}
          @change=${() => edit({ permission })}><span>${permissionText(app, permission, Boolean(draft.test || draft.days || draft.senders.trim()))}</span></label>`)}
    </fieldset>
    ${textField(app, {
      name: "apiKeySenders", label: app.t("keys.allowedSenders"), value: draft.senders, optional: true,
      hint: app.t("keys.allowedSendersHint"), onInput: (senders) => edit({ senders }),
    })}
    ${fieldFrame(app, { name: "apiKeyDays", label: app.t("keys.end"), value: draft.days, onInput: (days) => edit({ days }) },
      html`<span class="select"><select id="f-apiKeyDays" name="apiKeyDays"
        @change=${(/** @type {Event} */ event) => edit({ days: /** @type {HTMLSelectElement} */ (event.target).value })}>
        ${["", "30", "90", "365"].map((days) => html`<option value=${days} .selected=${draft.days === days}>${
          days ? app.t("keys.endsIn", { days }) : app.t("keys.endsNever")}</option>`)}
      </select>${icons.chevron}</span>`)}
    <label class="checkbox"><input type="checkbox" name="apiKeyTest" .checked=${draft.test}
      @change=${(/** @type {Event} */ event) => edit({ test: /** @type {HTMLInputElement} */ (event.target).checked })}>
      <span>${app.t("keys.test")}</span></label>
    <div class="actions">
      ${button({
        id: "create-key", kind: "primary", label: app.t("keys.create"), busyLabel: app.t("keys.creating"),
        busy: app.state.busy === "keys", disabled: app.state.busy !== "" || secondsLeft(app) > 0,
        onClick: () => void createApiKey(app),
      })}
      ${button({ kind: "quiet", label: app.t("keys.cancel"), onClick: () => {
        updateKeys(app, { open: false, error: null });
        void app.focus("#new-key");
      } })}
    </div>
  </form>`;
}
