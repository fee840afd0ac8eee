// The choice of a provider: Microsoft 365, SMTP, or none.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { choose, chooseNone, choosePreset } from "../flows/edit.js";
import { remove } from "../flows/remove.js";
import { save } from "../flows/save.js";
import * as icons from "./icons.js";
import { button } from "./parts.js";

/** @typedef {import("../app.js").App} App */

const CHOICES = /** @type {const} */ ([
  ["Microsoft365", icons.cloud],
  ["BasicAuth", icons.server],
  ["None", icons.off],
]);

/** @param {App} app */
export function providerChoice(app) {
  return html`${ownAccount(app)}<fieldset class="choices">
    <legend><h2 id="settings-title" tabindex="-1">${app.t("provider.legend")}</h2></legend>
    <div class="cards">
      ${CHOICES.filter(([provider]) => provider !== "None" || app.state.config).map(([provider, icon]) => html`<label class="choice">
        <input type="radio" name="provider" id="provider-${provider}" value=${provider}
          .checked=${live(app.state.provider === provider)} aria-describedby="about-${provider}"
          @change=${() => (provider === "None" ? chooseNone(app) : choose(app, provider))}>
        <span class="face">${icon}<span class="words"><span class="name">${app.t(`provider.${provider}`)}</span>
          <span class="about" id="about-${provider}">${app.t(`provider.${provider}.about`)}</span></span></span>
      </label>`)}
    </div>
  </fieldset>`;
}

/** Saves an account that the page knows whole, with one click. @param {App} app */
function ownAccount(app) {
  const [preset] = app.ownPresets;
  if (!preset || app.state.config) return nothing;
  return html`<p class="tip">${icons.info}<span>${preset.note} <button type="button" class="link" id="own-account"
    @click=${() => {
      choose(app, "BasicAuth");
      choosePreset(app, preset.id);
      void save(app);
    }}>${app.t("preset.use", { name: preset.name })}</button></span></p>`;
}

/** What None asks before it deletes. @param {App} app */
export function noneView(app) {
  if (!app.state.config) return nothing;
  const organisation = app.host.organisation();
  return html`<div class="ask" role="group" aria-labelledby="none-title">
    <h3 id="none-title">${organisation
      ? app.t("none.titleOf", { organisation }) : app.t("none.title")}</h3>
    <p>${app.t("none.text")}</p>
    <div class="actions">
      ${button({
        id: "delete-settings", kind: "danger", label: app.t("none.confirm"), busyLabel: app.t("none.running"),
        busy: app.state.busy === "remove", onClick: () => void remove(app),
      })}
      ${button({ kind: "secondary", label: app.t("none.cancel"), onClick: () => {
        choose(app, app.state.config?.serviceProvider ?? "BasicAuth");
        void app.focus(`#provider-${app.state.provider}`);
      } })}
    </div>
  </div>`;
}
