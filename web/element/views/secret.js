// A password or a client secret: whether one is stored, or the field for a new one; never a mask that could be sent back.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { usesStoredSecret } from "../flows/edit.js";
import { usernameOf } from "../model/form.js";
import { secretField } from "./field.js";
import * as icons from "./icons.js";

/**
 * @typedef {import("../app.js").App} App
 *
 * @typedef {object} Secret
 * @property {"emailPassword" | "clientSecret"} name
 * @property {string} label
 * @property {unknown} hint
 * @property {string} value
 * @property {boolean} [optional]
 * @property {boolean} open the field for a new one was asked for
 * @property {(changes: { newSecret?: boolean, value?: string }) => void} edit
 */

/**
 * @param {App} app
 * @param {Secret} secret
 */
export function secretView(app, { name, label, hint, value, optional, open, edit }) {
  const { config, provider } = app.state;
  const stored = config?.passwordExists === true && config.serviceProvider === provider;
  const kept = stored && usesStoredSecret(app.state);
  if (kept && !open) return setView(app, name, label, edit);
  const lost = stored && !kept;
  const unused = provider === "BasicAuth" && usernameOf(app.state.smtp) === "";
  const notice = lost ? html`<span class="warn-text">${app.t(unused ? "emailPassword.unused" : `${name}.lost`)}</span>` : hint;
  return secretField(app, {
    name,
    label,
    value,
    optional,
    hint: notice,
    error: app.state.errors[name],
    onInput: (value) => edit({ value }),
    beside: kept
      ? html`<button type="button" class="link" @click=${() => {
        edit({ newSecret: false, value: "" });
        void app.focus(`#change-${name}`);
      }}>${app.t(`${name}.keep`)}</button>`
      : nothing,
  });
}

/**
 * @param {App} app
 * @param {string} name
 * @param {string} label
 * @param {Secret["edit"]} edit
 */
function setView(app, name, label, edit) {
  return html`<div class="field">
    <div class="label"><span id="l-${name}">${label}</span></div>
    <div class="stored" role="group" aria-labelledby="l-${name}" aria-describedby="h-${name}">
      <span class="is-set">${icons.lock}<span>${app.t(`${name}.set`)}</span></span>
      <button type="button" class="link" id="change-${name}" @click=${() => {
        edit({ newSecret: true });
        void app.focus(`[name="${name}"]`);
      }}>${app.t("password.change")}<span class="hidden"> (${label})</span></button>
    </div>
    <p class="hint" id="h-${name}">${app.t(`${name}.bound`)}</p>
  </div>`;
}
