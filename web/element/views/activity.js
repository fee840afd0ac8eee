// Recent activity.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { loadMoreActivity } from "../flows/activity.js";
import { text } from "../i18n.js";
import * as icons from "./icons.js";
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
    <ul class="activity" id="activity">${activity.map((entry) => row(app, entry))}</ul>
    ${moreActivity ? html`<p><button type="button" class="link" @click=${() => loadMoreActivity(app)}>${
      app.t("activity.more")}</button></p>` : nothing}
  </section>`;
}

/**
 * @param {App} app
 * @param {Activity} entry
 */
function row(app, entry) {
  const ok = entry.outcome === "OK";
  const changed = (entry.changed ?? []).map((field) => textOr(app, `field.${field}`, field)).join(", ");
  return html`<li tabindex="-1">
    <span class="mark ${ok ? "ok" : "bad"}">${ok ? icons.check : icons.cross}</span>
    <span class="what">${textOr(app, `activity.${entry.action}.${ok ? "ok" : "bad"}`, entry.action)}
      ${ok ? nothing : html`<code>${entry.outcome}</code>`}
      <span class="about">${[entry.userId, changed && app.t("activity.changed", { fields: changed })].filter(Boolean).join(" · ")}</span>
    </span>
    <span class="when">${timeElement(app, entry.at)}</span>
  </li>`;
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
