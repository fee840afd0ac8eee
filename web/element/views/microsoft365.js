// The four fields of Microsoft 365, and the setup help for a Microsoft 365 administrator.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { editMicrosoft, tidyMicrosoft } from "../flows/edit.js";
import { openSetup } from "../flows/setup.js";
import { textField } from "./field.js";
import * as icons from "./icons.js";
import { copyButton, link } from "./parts.js";
import { secretView } from "./secret.js";

/** @typedef {import("../app.js").App} App */

/** @param {App} app */
export function microsoftForm(app) {
  const { microsoft, errors } = app.state;
  return html`<fieldset class="group">
      <legend>${app.t("microsoft.app.legend")}</legend>
      <div class="row">
        ${textField(app, {
          name: "clientId", label: app.t("field.clientId"), value: microsoft.clientId, error: errors.clientId,
          placeholder: "00000000-0000-0000-0000-000000000000", hint: app.t("field.clientId.hint"),
          onInput: (clientId) => editMicrosoft(app, { clientId }),
          onChange: (text) => tidyMicrosoft(app, "clientId", text),
        })}
        ${textField(app, {
          name: "providerTenantId", label: app.t("field.providerTenantId"), value: microsoft.providerTenantId,
          error: errors.providerTenantId, placeholder: "contoso.example", hint: app.t("field.providerTenantId.hint"),
          onInput: (providerTenantId) => editMicrosoft(app, { providerTenantId }),
          onChange: (text) => tidyMicrosoft(app, "providerTenantId", text),
        })}
      </div>
      <div class="row halves">
        ${secretView(app, {
          name: "clientSecret", label: app.t("field.clientSecret"), hint: app.t("clientSecret.hint"),
          value: microsoft.clientSecret, open: microsoft.newSecret,
          edit: ({ newSecret, value }) => editMicrosoft(app, {
            ...(newSecret === undefined ? {} : { newSecret }), ...(value === undefined ? {} : { clientSecret: value }),
          }),
        })}
        ${textField(app, {
          name: "emailAddress", label: app.t("field.mailbox"), value: microsoft.emailAddress,
          error: errors.emailAddress, placeholder: "mail@contoso.example", inputMode: "email",
          hint: app.t("field.mailbox.hint"), onInput: (emailAddress) => editMicrosoft(app, { emailAddress }),
          onChange: (text) => tidyMicrosoft(app, "emailAddress", text),
        })}
      </div>
    </fieldset>
    ${setupHelp(app)}`;
}

/** @param {App} app */
function setupHelp(app) {
  const { setup, setupOpen } = app.state;
  return html`<details class="setup" .open=${live(setupOpen)} @toggle=${(/** @type {Event} */ event) => {
    const { open } = /** @type {HTMLDetailsElement} */ (event.target);
    if (open !== app.state.setupOpen) {
      if (open) void openSetup(app);
      else app.update({ setupOpen: false });
    }
  }}>
    <summary id="setup-title">${icons.chevron}<span><span class="strong">${app.t("setup.title")}</span>
      <span class="about">${app.t("setup.about")}</span></span></summary>
    ${setup ? ways(app, setup) : html`<p class="hint">${app.t("loading")}</p>`}
  </details>`;
}

/**
 * @param {App} app
 * @param {import("../model/types.js").Setup} setup
 */
function ways(app, setup) {
  const offered = setup.ways.filter((way) => (way.id === "smtp") === (setup.transport === "smtp"));
  const chosen = offered.find((way) => way.id === app.state.setupWay) ?? offered[0];
  if (!chosen) return nothing;
  return html`<div class="setup-body">
    ${offered.length > 1 ? html`<div class="field" role="radiogroup" aria-label=${app.t("setup.which")}>
      <div class="options">${offered.map((way) => html`<label class="option"><input type="radio" name="way"
        value=${way.id} .checked=${live(way === chosen)} @change=${() => app.update({ setupWay: way.id })}>
        <span>${way.title}</span></label>`)}</div>
    </div>` : nothing}
    <p>${chosen.meaning}</p>
    <p class="small"><span class="strong">${app.t("setup.permission")}</span> ${chosen.permission}</p>
    <ol class="steps">${chosen.steps.map((step, number) => html`<li><h3>${step.title}</h3><p>${step.text}</p>
      ${step.link ? html`<p>${link(app, step.link, app.t("setup.open", { site: new URL(step.link).hostname }))}</p>` : nothing}
      ${step.commands?.length ? html`<div class="commands"><pre tabindex="0" aria-label=${app.t("setup.commands")}><code>${
        step.commands.join("\n")}</code></pre>
        ${copyButton(app, `step-${number}`, step.commands.join("\n"), app.t("setup.copyCommands"))}</div>` : nothing}
    </li>`)}</ol>
    <div class="handover"><p class="small">${app.t("setup.handover")}</p>
      ${copyButton(app, "setup-text", chosen.text, app.t("setup.copyAll"))}</div>
  </div>`;
}
