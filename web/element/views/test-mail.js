// The form for a test mail.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { isChanged } from "../flows/edit.js";
import { editRecipient, recipientOf, sendTestMail } from "../flows/test-mail.js";
import { secondsLeft } from "../flows/wait.js";
import { diagnosisView } from "./diagnosis.js";
import { textField } from "./field.js";
import { button, notice, problemNotice } from "./parts.js";

/** @typedef {import("../app.js").App} App */

/** @param {App} app */
export function testMailCard(app) {
  const { config, testMail, busy } = app.state;
  if (!config) return nothing;
  return html`<section class="card" aria-labelledby="test-title">
    <h2 id="test-title">${app.t("test.title")}</h2>
    <p class="quiet-text">${app.t(isChanged(app.state) ? "test.savedOnly" : "test.about")}</p>
    <form class="inline" novalidate @submit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      void sendTestMail(app);
    }}>
      ${textField(app, {
        name: "recipient", label: app.t("field.recipient"), value: recipientOf(app), inputMode: "email",
        error: testMail.error ?? undefined, onInput: (recipient) => editRecipient(app, recipient),
      })}
      ${button({
        id: "send-test", kind: "secondary", label: app.t("test.send"), busyLabel: app.t("test.running"),
        busy: busy === "test", disabled: busy !== "" || secondsLeft(app) > 0, onClick: () => void sendTestMail(app),
      })}
    </form>
    ${result(app)}
  </section>`;
}

/** @param {App} app */
function result(app) {
  const { result, sentTo, problem } = app.state.testMail;
  if (problem) return problemNotice(app, problem, "test-result", () => void sendTestMail(app));
  if (!result) return nothing;
  if (result.success) {
    return notice("ok", html`<p class="strong">${app.t("test.done", { recipient: sentTo })}</p>
      <p>${app.t("test.look")}</p>`, { id: "test-result" });
  }
  const { config } = app.state;
  const about = {
    provider: config?.serviceProvider ?? "",
    config: /** @type {Record<string, string | number>} */ ({ ...config?.providerConfig }),
  };
  return html`<div class="check" id="test-result" tabindex="-1" role="group" aria-label=${app.t("check.label")}>
    ${diagnosisView(app, { result, about, after: "test", saved: true })}</div>`;
}
