// The form of an SMTP server, in the order of the public product, with a picker that fills it.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { choosePreset, editSmtp, tidySender, tidyServer, useNoSignIn } from "../flows/edit.js";
import { usernameOf } from "../model/form.js";
import { usualSecurity, withPreset } from "../model/presets.js";
import { similarServer } from "../model/server.js";
import { textField } from "./field.js";
import * as icons from "./icons.js";
import { link } from "./parts.js";
import { secretView } from "./secret.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../model/types.js").Preset} Preset
 */

const SECURITIES = /** @type {const} */ (["StartTLS", "SSL/TLS", "none"]);

/** @param {App} app */
export function smtpForm(app) {
  const { smtp, presets } = app.state;
  const preset = presets.find((known) => known.id === smtp.preset);
  return html`${presets.length > 0 ? picker(app, presets, preset) : nothing}
    ${serverFields(app)} ${senderFields(app)} ${signInFields(app, preset)}`;
}

/**
 * @param {App} app
 * @param {Preset[]} presets
 * @param {Preset | undefined} preset
 */
function picker(app, presets, preset) {
  const { smtp } = app.state;
  const regions = preset && preset.servers.length > 1;
  return html`<div class="group picker-group">
    <div class="row ${regions ? "picker" : ""}">
      <div class="field">
        <div class="label"><label for="preset">${app.t("preset.label")}</label></div>
        <span class="select"><select id="preset" name="preset" aria-describedby="preset-note"
          @change=${(/** @type {Event} */ event) => choosePreset(app, value(event))}>
          <option value="" .selected=${live(!preset)}>${app.t("preset.other")}</option>
          ${presets.map(({ id, name }) => html`<option value=${id} .selected=${live(preset?.id === id)}>${name}</option>`)}
        </select>${icons.chevron}</span>
      </div>
      ${regions ? html`<div class="field">
        <div class="label"><label for="region">${app.t("preset.region")}</label></div>
        <span class="select"><select id="region" name="region"
          @change=${(/** @type {Event} */ event) => editSmtp(app, withPreset(smtp, preset, value(event)))}>
          ${preset.servers.map(({ region, serverAddress }) => html`<option value=${serverAddress}
            .selected=${live(serverAddress === smtp.serverAddress)}>${region}</option>`)}
        </select>${icons.chevron}</span>
      </div>` : nothing}
    </div>
    <div id="preset-note">${preset
      ? html`<p class="tip">${icons.info}<span>${preset.note} ${link(app, preset.helpLink, preset.values
        ? preset.name : app.t("preset.help", { name: preset.name }))}</span></p>`
      : html`<p class="hint">${app.t("preset.hint")}</p>`}</div>
  </div>`;
}

/** @param {App} app */
function serverFields(app) {
  const { smtp, errors, notes, presets } = app.state;
  const usual = usualSecurity(smtp.serverPort.trim(), smtp.securityType);
  const similar = similarServer(presets, smtp.serverAddress);
  return html`<fieldset class="group">
    <legend>${app.t("smtp.server.legend")}</legend>
    <div class="row server">
      ${textField(app, {
        name: "serverAddress", label: app.t("field.serverAddress"), value: smtp.serverAddress,
        error: errors.serverAddress, placeholder: "smtp.example.com", inputMode: "url",
        note: notes.serverAddress, onInput: (serverAddress) => editSmtp(app, { serverAddress }),
        onChange: (text) => tidyServer(app, text),
      })}
      ${textField(app, {
        name: "serverPort", label: app.t("field.serverPort"), value: smtp.serverPort, error: errors.serverPort,
        inputMode: "numeric", onInput: (serverPort) => editSmtp(app, { serverPort }),
      })}
    </div>
    ${similar ? html`<p class="tip" id="similar-server">${icons.info}<span>${app.t("server.similar", { server: similar })}
      <button type="button" class="link" @click=${() => {
        editSmtp(app, { serverAddress: similar });
        void app.focus('[name="serverAddress"]');
      }}>${app.t("remedy.server", { server: similar })}</button></span></p>` : nothing}
    <div class="field" role="radiogroup" aria-labelledby="l-security" aria-describedby="h-security">
      <div class="label"><span id="l-security">${app.t("field.securityType")}</span></div>
      <div class="segments">
        ${SECURITIES.map((security) => html`<label><input type="radio" name="securityType" value=${security}
          .checked=${live(smtp.securityType === security)} @change=${() => editSmtp(app, { securityType: security })}>
          <span>${app.t(`security.${security}`)}</span></label>`)}
      </div>
      ${errors.securityType ? html`<p class="error">${errors.securityType}</p>` : nothing}
      <p class="hint" id="h-security">${app.t(`security.${smtp.securityType}.about`)}</p>
    </div>
    ${usual ? html`<p class="tip">${icons.info}<span>${app.t("security.mismatch", {
      port: smtp.serverPort.trim(), security: usual,
    })} <button type="button" class="link" @click=${() => {
      editSmtp(app, { securityType: usual, serverPort: smtp.serverPort });
      void app.focus(`[name="securityType"][value="${usual}"]`);
    }}>${app.t("security.use", { security: usual })}</button></span></p>` : nothing}
  </fieldset>`;
}

/** @param {App} app */
function senderFields(app) {
  const { smtp, errors, notes } = app.state;
  return html`<fieldset class="group">
    <legend>${app.t("smtp.sender.legend")}</legend>
    <div class="row halves">
      ${textField(app, {
        name: "emailAddress", label: app.t("field.emailAddress"), value: smtp.emailAddress, error: errors.emailAddress,
        placeholder: "mail@example.com", inputMode: "email", hint: app.t("field.emailAddress.hint"),
        note: notes.emailAddress, onInput: (emailAddress) => editSmtp(app, { emailAddress }),
        onChange: (text) => tidySender(app, text),
      })}
      ${textField(app, {
        name: "senderName", label: app.t("field.senderName"), value: smtp.senderName, error: errors.senderName,
        optional: true, hint: app.t("field.senderName.hint"), onInput: (senderName) => editSmtp(app, { senderName }),
      })}
    </div>
  </fieldset>`;
}

/**
 * @param {App} app
 * @param {Preset | undefined} preset
 */
function signInFields(app, preset) {
  const { smtp, errors } = app.state;
  const kind = preset?.passwordKind ?? "account_password";
  return html`<fieldset class="group">
    <legend>${app.t("smtp.signIn.legend")}</legend>
    <div class="row halves">
      ${textField(app, {
          name: "username", label: app.t("field.username"), value: smtp.sameAsSender ? usernameOf(smtp) : smtp.username,
          disabled: smtp.sameAsSender, error: errors.username, optional: preset === undefined,
          hint: app.t(preset ? `username.${preset.usernameForm}` : "username.hint", { word: preset?.username ?? "" }),
          onInput: (username) => editSmtp(app, { username }),
          below: html`<label class="checkbox"><input type="checkbox" name="sameAsSender" .checked=${live(smtp.sameAsSender)}
            @change=${() => editSmtp(app, { sameAsSender: !smtp.sameAsSender })}>
            <span>${app.t("field.sameAsSender")}</span></label>`,
          beside: preset || !(smtp.sameAsSender || smtp.username) ? nothing : html`<button type="button" class="link" id="no-sign-in"
            @click=${() => useNoSignIn(app)}>${app.t("username.none")}</button>`,
        })}
      ${secretView(app, {
        name: "emailPassword", label: app.t(`password.${kind}`), hint: app.t(`password.${kind}.hint`),
        value: smtp.emailPassword, open: smtp.newSecret, optional: preset === undefined,
        edit: ({ newSecret, value }) => editSmtp(app, {
          ...(newSecret === undefined ? {} : { newSecret }), ...(value === undefined ? {} : { emailPassword: value }),
        }),
      })}
    </div>
  </fieldset>`;
}

/** @param {Event} event */
function value(event) {
  return /** @type {HTMLSelectElement} */ (event.target).value;
}
