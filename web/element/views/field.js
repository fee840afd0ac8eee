// One field of a form: label, control, hint and error, associated for screen readers.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import * as icons from "./icons.js";

/**
 * @typedef {import("../app.js").App} App
 *
 * @typedef {object} Field
 * @property {string} name as in the API
 * @property {string} label
 * @property {string} value
 * @property {(value: string) => void} onInput
 * @property {(value: string) => void} [onChange] when the field is left
 * @property {string} [note] what the page has changed in the input
 * @property {unknown} [hint]
 * @property {string} [error]
 * @property {boolean} [optional]
 * @property {boolean} [disabled]
 * @property {string} [placeholder]
 * @property {"email" | "numeric" | "url"} [inputMode]
 * @property {string} [kind] class of the whole
 * @property {unknown} [beside] at the label's other end
 * @property {unknown} [below] between the control and the hint
 */

/**
 * @param {App} app
 * @param {Field} field
 */
export function textField(app, field) {
  return fieldFrame(app, field, html`<input id="f-${field.name}" name=${field.name} type="text" .value=${live(field.value)}
    ?disabled=${field.disabled} placeholder=${field.placeholder ?? nothing} inputmode=${field.inputMode ?? nothing}
    autocomplete="off" autocapitalize="none" autocorrect="off" spellcheck="false"
    aria-invalid=${field.error ? "true" : nothing} aria-required=${field.optional ? nothing : "true"}
    aria-describedby=${describedBy(field)} @input=${handler(field)} @change=${(/** @type {Event} */ event) =>
      field.onChange?.(/** @type {HTMLInputElement} */ (event.target).value)}>`);
}

/**
 * A field for a secret: it can be revealed, and password managers ignore it.
 *
 * @param {App} app
 * @param {Field} field
 */
export function secretField(app, field) {
  const { revealed } = app.state;
  return fieldFrame(app, field, html`<div class="with-button">
    <input id="f-${field.name}" name=${field.name} type=${revealed ? "text" : "password"} .value=${live(field.value)}
      autocomplete="new-password" autocapitalize="none" autocorrect="off" spellcheck="false" data-1p-ignore
      data-lpignore="true" aria-invalid=${field.error ? "true" : nothing} aria-describedby=${describedBy(field)}
      @input=${handler(field)}>
    <button type="button" class="icon-only" aria-pressed=${revealed ? "true" : "false"}
      aria-label=${app.t("password.show")} title=${app.t("password.show")}
      @click=${() => app.update({ revealed: !revealed })}>${revealed ? icons.eyeOff : icons.eye}</button>
  </div>`);
}

/**
 * @param {App} app
 * @param {Field} field
 * @param {unknown} control
 */
export function fieldFrame(app, field, control) {
  return html`<div class="field ${field.kind ?? ""}">
    <div class="label"><label for="f-${field.name}">${field.label}${field.optional
      ? html` <span class="optional">${app.t("field.optional")}</span>` : nothing}</label>${field.beside ?? nothing}</div>
    ${control} ${field.below ?? nothing}
    ${field.error ? html`<p class="error" id="e-${field.name}">${icons.warning}<span>${field.error}</span></p>` : nothing}
    ${field.note ? html`<p class="note" id="n-${field.name}">${icons.info}<span>${field.note}</span></p>` : nothing}
    ${field.hint ? html`<p class="hint" id="h-${field.name}">${field.hint}</p>` : nothing}
  </div>`;
}

/** @param {Field} field */
function describedBy(field) {
  const parts = [[field.error, "e"], [field.note, "n"], [field.hint, "h"]];
  const ids = parts.filter(([shown]) => shown).map(([, letter]) => `${letter}-${field.name}`);
  return ids.length > 0 ? ids.join(" ") : nothing;
}

/** @param {Field} field */
function handler(field) {
  return (/** @type {InputEvent} */ event) => field.onInput(/** @type {HTMLInputElement} */ (event.target).value);
}
