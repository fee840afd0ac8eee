// Small parts that the views share.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { copy } from "../flows/copy.js";
import { isChanged } from "../flows/edit.js";
import { countdown, dateOf, timeOfDay } from "../format.js";
import * as icons from "./icons.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../../vendor/lit-html/lit-html.js").TemplateResult | typeof nothing} View
 */

/**
 * A notice: icon, colour and words have the same meaning.
 *
 * @param {"ok" | "bad" | "warn" | "info"} tone
 * @param {unknown} content
 * @param {{ id?: string }} [options] with an id it can get the focus
 */
export function notice(tone, content, { id } = {}) {
  const icon = { ok: icons.check, bad: icons.cross, warn: icons.warning, info: icons.info }[tone];
  return html`<div class="notice ${tone}" id=${id ?? nothing} tabindex=${id ? "-1" : nothing}>
    <span class="mark">${icon}</span><div class="body">${content}</div>
  </div>`;
}

/**
 * A text with more than words in its places.
 *
 * @param {App} app
 * @param {string} key
 * @param {Record<string, unknown>} values a `count` chooses the form
 */
export function sentence(app, key, values) {
  const { count } = values;
  const template = app.t(key, typeof count === "number" ? { count } : {});
  return template.split(/(\{\w+\})/).map((part) => values[part.slice(1, -1)] ?? part);
}

/**
 * An external link.
 *
 * @param {App} app
 * @param {string} href of the web; anything else is shown as text
 * @param {string} [label]
 */
export function link(app, href, label) {
  if (!/^https?:\/\//.test(href)) return html`<span>${label ?? href}</span>`;
  return html`<a href=${href} target="_blank" rel="noopener noreferrer">${label ?? app.t("link.help", {
    site: new URL(href).hostname.replace(/^www\./, ""),
  })}${icons.external}<span class="hidden"> ${app.t("link.newTab")}</span></a>`;
}

/**
 * @param {App} app
 * @param {string} id
 * @param {string} text what is copied
 * @param {string} label
 */
export function copyButton(app, id, text, label) {
  const done = app.state.copied === id;
  return html`<button type="button" class="quiet small" @click=${() => copy(app, id, text)}>
    ${done ? icons.check : icons.copy}<span>${done ? app.t("copy.done") : label}</span>
  </button>`;
}

/**
 * A button that shows that its action is running, and keeps the focus meanwhile.
 *
 * @param {object} parts
 * @param {string} [parts.id]
 * @param {string} parts.kind class of the button
 * @param {string} parts.label
 * @param {string} [parts.busyLabel]
 * @param {boolean} [parts.busy]
 * @param {boolean} [parts.disabled]
 * @param {() => void} parts.onClick
 * @param {string} [parts.describedBy]
 */
export function button({ id, kind, label, busyLabel, busy = false, disabled = false, onClick, describedBy }) {
  return html`<button type="button" class=${kind} id=${id ?? nothing} aria-disabled=${disabled || busy ? "true" : nothing}
    aria-describedby=${describedBy ?? nothing} @click=${() => !disabled && !busy && onClick()}>
    ${busy ? icons.spinner : nothing}<span>${busy ? (busyLabel ?? label) : label}</span>
  </button>`;
}

/**
 * A failed request: the reason, and what to do.
 *
 * @param {App} app
 * @param {import("../net/problem.js").Problem} problem
 * @param {string} id
 * @param {() => void} [again]
 */
export function problemNotice(app, problem, id, again) {
  const waits = problem.kind === "limited" && problem.retryAt > Date.now();
  const tone = ["limited", "unavailable", "unreachable"].includes(problem.kind) ? "warn" : "bad";
  const faults = problem.kind === "input" ? problem.faults.map((fault) => fault.title).join("; ") : "";
  return notice(tone, html`
    <p class="strong">${app.t(problem.title)}</p>
    <p>${[app.t(problem.text), ...furtherTexts(app, problem, id)].join(" ")}</p>
    ${problem.limit && problem.diagnosis ? html`<p>${app.t("problem.lastAnswer", { title: problem.diagnosis.title })}</p>` : nothing}
    ${problem.hint ? html`<p class="small">${app.t("problem.developers")} <span lang="en">${problem.hint}</span></p>` : nothing}
    ${faults ? html`<p class="small">${app.t("problem.trace")} <span lang="en">${faults}</span></p>` : nothing}
    ${problem.kind === "unauthorized" && app.host.signIn() ? html`<p>${link(app, app.host.signIn(), app.t("console.signIn"))}</p>` : nothing}
    ${problem.traceId && problem.kind === "internal" ? html`<p class="small">${app.t("problem.trace")}
      <code>${problem.traceId}</code> ${copyButton(app, `trace-${id}`, problem.traceId, app.t("copy"))}</p>` : nothing}
    ${waits ? html`<p class="small">${app.t("problem.wait", { when: until(app, problem.retryAt) })}</p>` : nothing}
    ${again ? html`<p>${button({ kind: "secondary small", label: app.t("again"), onClick: again, disabled: waits })}</p>` : nothing}
  `, { id });
}

/**
 * What else is true where no answer came: what was asked for may have been done, and what was entered is kept.
 *
 * @param {App} app
 * @param {import("../net/problem.js").Problem} problem
 * @param {string} id of the notice
 */
function furtherTexts(app, { kind }, id) {
  const { provider, apiKeys } = app.state;
  if (kind !== "unreachable" && kind !== "unavailable") return [];
  /** @type {Record<string, string>} */
  const mayBeDone = { "save-problem": provider === "None" ? "change" : "save", "test-result": "test", "keys-problem": "change" };
  const done = kind === "unreachable" && mayBeDone[id];
  const kept = isChanged(app.state) || apiKeys.open;
  return [done ? app.t(`problem.unreachable.${done}`) : "", kept ? app.t("problem.kept") : ""].filter(Boolean);
}

/**
 * When something is possible again: `in 2 minutes`, `tomorrow at 21:05`.
 *
 * @param {App} app
 * @param {number} at in milliseconds since 1970
 */
function until(app, at) {
  const soon = countdown(at, app.locale);
  if (soon) return soon;
  const { day, time } = timeOfDay(at, app.locale);
  return app.t(`time.${day}`, { time, date: day === "later" ? dateOf(at, app.locale) : "" });
}
