// Sentences of the service in which commands stand between backticks.

import { html } from "../../vendor/lit-html/lit-html.js";
import { copyButton } from "./parts.js";

/**
 * The sentence, with its commands in the font of code, each with a button that copies it.
 *
 * @param {import("../app.js").App} app
 * @param {string} id unique in the page
 * @param {string} text
 */
export function prose(app, id, text) {
  const parts = text.split("`");
  if (parts.length < 3) return html`${text}`;
  return parts.map((part, index) => index % 2 === 0 ? html`${part}` : html`<span class="command"><code>${part}</code>
    ${copyButton(app, `${id}-${index}`, part, app.t("copy"))}</span>`);
}
