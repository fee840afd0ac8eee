// The whole element.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { discard, isChanged } from "../flows/edit.js";
import { load } from "../flows/load.js";
import { save } from "../flows/save.js";
import { secondsLeft } from "../flows/wait.js";
import { activityCard } from "./activity.js";
import { checkView, saveProblem } from "./check.js";
import { later } from "../later.js";
import { microsoftForm } from "./microsoft365.js";
import { button, problemNotice } from "./parts.js";
import { noneView, providerChoice } from "./provider.js";
import { smtpForm } from "./smtp.js";
import { statusCard } from "./status.js";
import { testMailCard } from "./test-mail.js";

/** @typedef {import("../app.js").App} App */

/** Every language of the texts is written from left to right, also in a page that is not. @param {App} app */
export function page(app) {
  return html`<div class="root" lang=${app.locale} dir="ltr">
    ${{ loading: skeleton, refused: refusal, ready }[app.state.phase](app)}
    <div class="hidden" role="status" aria-live="polite">${app.announcement}</div>
  </div>`;
}

/** @param {App} app */
function ready(app) {
  return html`<div class="stack">${statusCard(app)} ${settingsCard(app)} ${testMailCard(app)} ${keysCard(app)}
    ${activityCard(app)}</div>
    ${conflict(app, "conflictDialog")}`;
}

/** @param {App} app */
function keysCard(app) {
  return app.state.apiKeys.list ? later(app, "apiKeys", ({ apiKeysCard }) => apiKeysCard(app)) : nothing;
}

/** @param {App} app @param {"conflictDialog" | "conflictNotice"} view */
function conflict(app, view) {
  return app.state.theirs ? later(app, "conflict", (part) => part[view](app)) : nothing;
}

/** @param {App} app */
function settingsCard(app) {
  const { provider, busy } = app.state;
  const forms = { Microsoft365: microsoftForm, BasicAuth: smtpForm, None: noneView };
  const changed = isChanged(app.state);
  const fresh = app.state.config?.serviceProvider !== provider;
  return html`<section class="card settings" aria-labelledby="settings-title">
    ${conflict(app, "conflictNotice")}
    ${providerChoice(app)}
    ${provider === "" ? nothing : html`<form novalidate autocomplete="off" @submit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      if (provider !== "None") void save(app);
    }}>
      ${forms[provider](app)}
      ${provider === "None" ? saveProblem(app) : html`
        <div class="footer">
          <div class="actions">
            ${button({
              id: "save", kind: "primary", label: app.t("save"), busyLabel: app.t("save.running"),
              busy: busy === "save", disabled: busy !== "" || !(changed || fresh) || secondsLeft(app) > 0,
              onClick: () => void save(app), describedBy: "save-note",
            })}
            ${changed ? button({
              id: "discard", kind: "quiet", label: app.t("form.discard"), disabled: busy !== "", onClick: () => discard(app),
            }) : nothing}
            <button type="submit" class="hidden" tabindex="-1" aria-hidden="true"></button>
          </div>
          <p class="hint" id="save-note">${app.t(changed || fresh ? "save.about" : "save.unchanged")}</p>
        </div>
        ${saveProblem(app)} ${checkView(app, "save")}`}
    </form>`}
  </section>`;
}

/** What cannot be shown, and the way on. @param {App} app */
function refusal(app) {
  const { refusal } = app.state;
  if (!refusal) return nothing;
  const again = refusal.kind === "forbidden" ? undefined : () => void load(app);
  return html`<section class="card">${problemNotice(app, refusal, "refusal", again)}</section>`;
}

/** @param {App} app */
function skeleton(app) {
  const card = (/** @type {number[]} */ lines) => html`<section class="card skeleton" aria-hidden="true">
    ${lines.map((width) => html`<span class="bar w${width}"></span>`)}</section>`;
  return html`<div class="stack" aria-busy="true">
    <p class="hidden">${app.t("loading")}</p>${card([40, 70])}${card([30, 100, 100, 60, 100, 80])}
  </div>`;
}
