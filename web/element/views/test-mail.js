// The form for a test mail.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { isChanged } from "../flows/edit.js";
import { editRecipient, recipientOf, sendTestMail } from "../flows/test-mail.js";
import { secondsLeft } from "../flows/wait.js";
import { factOf } from "../model/statement.js";
import { diagnosis, isOfTestMail, lastingView, stagesView, storedResult } from "./check.js";
import { textField } from "./field.js";
import * as icons from "./icons.js";
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
  const { result, sentTo, problem, stages, at, traceId, fact } = app.state.testMail;
  const { config, etag, busy } = app.state;
  if (problem) return problemNotice(app, problem, "test-result", () => void sendTestMail(app));
  const label = app.t(busy === "test" ? "test.running" : "check.label");
  if (!result) {
    const running = busy === "test" && stages.length > 0;
    const last = config?.lastCheck;
    if (!running) return busy === "test" || !last || !isOfTestMail(app) ? nothing : storedResult(app, last, "test-result");
    return html`<div class="check" role="group" aria-label=${label}>
      <p class="running">${icons.spinner}<span>${label}</span></p>${stagesView(app, stages)}
      ${lastingView(app, "test", traceId)}</div>`;
  }
  if (result.success) {
    return html`<div class="check">${notice("ok", html`<p class="strong">${app.t("test.done", { recipient: sentTo })}</p>
      <p>${app.t("test.look")}</p>`, { id: "test-result" })} ${stagesView(app, stages)}</div>`;
  }
  // A later attempt may have shown something else of the account, though not of a recipient, nor where this failure
  // outlasts it.
  const outlasts = config?.isValid === false && config.lastCheck?.success === true;
  const stale = fact !== factOf(config, etag) && result.diagnosis?.stage !== "rcpt_to" && !outlasts;
  const about = {
    provider: config?.serviceProvider ?? "",
    config: /** @type {Record<string, string | number>} */ ({ ...config?.providerConfig }),
  };
  return html`<div class="check ${stale ? "stale" : ""}" id="test-result" tabindex="-1" role="group" aria-label=${label}>
    ${stale ? html`<p class="strong">${app.t("test.stale")}</p>` : nothing}
    ${stagesView(app, stages)}
    ${diagnosis(app, { result, about, after: "test", saved: true, at, traceId, stale })}</div>`;
}
