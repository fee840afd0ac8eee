// Recent activity: who did what, and what a failed check showed.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { loadMoreActivity } from "../flows/activity.js";
import { text } from "../i18n.js";
import { folded, nameInToken } from "../model/activity.js";
import * as icons from "./icons.js";
import { link, sentence as filledText } from "./parts.js";
import { prose } from "./prose.js";
import { timeElement } from "./status.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../model/types.js").Activity} Activity
 */

/** @param {App} app */
export function activityCard(app) {
  const { activity, moreActivity } = app.state;
  if (!activity || activity.length === 0) return nothing;
  return html`<section class="card" aria-labelledby="activity-title">
    <h2 id="activity-title">${app.t("activity.title")}</h2>
    <ul class="activity" id="activity">${folded(activity).map((found) => row(app, found))}</ul>
    ${moreActivity ? html`<p><button type="button" class="link" @click=${() => loadMoreActivity(app)}>${
      app.t("activity.more")}</button></p>` : nothing}
  </section>`;
}

/**
 * @param {App} app
 * @param {import("../model/activity.js").Row} found
 */
function row(app, { entry, count, since }) {
  const ok = entry.outcome === "OK";
  const unknown = entry.outcome === "OUTCOME_UNKNOWN";
  const person = personOf(app, entry);
  const changed = ok && entry.changed?.length ? app.t("activity.changed", { fields: fieldNames(app, entry) }) : "";
  return html`<li tabindex="-1">
    <span class="mark ${ok ? "ok" : unknown ? "unknown" : "bad"}">${
      ok ? icons.check : unknown ? icons.question : icons.cross}</span>
    <div class="what">${sentence(app, entry, ok)}
      ${ok ? nothing : outcome(app, entry)}
      <span class="about">${[person, changed].filter(Boolean).join(" · ")}</span>
      ${count > 1 ? html`<span class="about">${
        filledText(app, "activity.count", { count, when: timeElement(app, since) })}</span>` : nothing}
    </div>
    <span class="when">${timeElement(app, entry.at)}</span>
  </li>`;
}

/**
 * @param {App} app
 * @param {Activity} entry
 * @param {boolean} ok
 */
function sentence(app, entry, ok) {
  const { action, outcome, recipient } = entry;
  const result = ok ? "ok" : action === "send-test-email" && outcome === "OUTCOME_UNKNOWN" ? "unknown" : "bad";
  if (action === "send-test-email" && recipient && !recipient.startsWith("sha256:")) {
    return app.t(`activity.send-test-email.to.${result}`, { recipient });
  }
  if (action === "put" && !ok && entry.changed?.length) {
    return app.t("activity.put.tried", { fields: fieldNames(app, entry) });
  }
  return textOr(app, `activity.${action}.${result}`, action);
}

/**
 * What the check showed, as it was; older rows have only its code.
 *
 * @param {App} app
 * @param {Activity} entry
 */
function outcome(app, entry) {
  const { diagnosis } = entry;
  const reason = textOr(app, `activity.outcome.${entry.outcome}`, "");
  if (reason) return html`<span class="about">${reason}</span>`;
  if (!diagnosis) return html`<code>${entry.outcome}</code>`;
  const open = app.state.openActivity === entry.id;
  return html`<details class="past" .open=${live(open)} @toggle=${(/** @type {Event} */ event) => {
    const opened = /** @type {HTMLDetailsElement} */ (event.target).open;
    if (opened !== open) app.update({ openActivity: opened ? entry.id : "" });
  }}><summary>${icons.chevron}<span>${diagnosis.title}</span></summary>${open ? past(app, entry.id, diagnosis) : nothing}</details>`;
}

/**
 * @param {App} app
 * @param {string} id
 * @param {import("../model/types.js").Diagnosis} diagnosis
 */
function past(app, id, diagnosis) {
  return html`${diagnosis.meaning ? html`<p>${diagnosis.meaning}</p>` : nothing}
    <p class="quiet-text">${app.t(`owner.${diagnosis.owner}`)}</p>
    ${diagnosis.steps?.length ? html`<ol class="steps">${diagnosis.steps.map((step, index) =>
      html`<li><div>${prose(app, `past-${id}-${index}`, step)}</div></li>`)}</ol>` : nothing}
    ${diagnosis.links?.length ? html`<ul class="links">${diagnosis.links.map((href) => html`<li>${link(app, href)}</li>`)}</ul>`
      : nothing}`;
}

/**
 * Who did it.
 *
 * @param {App} app
 * @param {Activity} entry
 * @param {string} [unnamedKey] the text for an API key without a name
 */
export function personOf(app, { userId = "", userName }, unnamedKey = "activity.apiKey") {
  if (userName) return userName;
  if (userId === "operator") return app.t("activity.operator");
  const [, key] = /^api-key:(.*)$/.exec(userId) ?? [];
  if (key) {
    const name = app.state.apiKeys.list?.find((known) => known.id === key)?.name;
    return name ? app.t("activity.apiKeyNamed", { name }) : app.t(unnamedKey);
  }
  return nameInToken(app.host.token(), userId) ?? userId;
}

/**
 * @param {App} app
 * @param {Activity} entry
 */
function fieldNames(app, { changed = [] }) {
  return changed.map((field) => textOr(app, `field.${field}`, field)).join(", ");
}

/**
 * A text that may be missing, since a newer service may use new codes.
 *
 * @param {App} app
 * @param {string} key
 * @param {string} otherwise
 */
function textOr(app, key, otherwise) {
  const found = text(app.texts, key);
  return found === key ? otherwise : found;
}
