// The dialog for a conflict: both versions side by side, and the choice.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { removeTheirs, takeMine, takeTheirs } from "../flows/conflict.js";
import { enteredValues } from "../flows/edit.js";
import { FIELDS } from "../model/form.js";
import { readable } from "../model/names.js";
import { personOf } from "./activity.js";
import { button, notice, sentence } from "./parts.js";
import { timeElement } from "./status.js";

/** @typedef {import("../app.js").App} App */

/** Said beside the form where it was found out before a save. @param {App} app */
export function conflictNotice(app) {
  if (!app.state.theirs || app.state.dialog) return nothing;
  return notice("warn", html`<p class="strong">${app.t("conflict.notice")}</p>
    <p>${whoAndWhen(app)} <button type="button" class="link" @click=${() => app.update({ dialog: "conflict" })}>${
      app.t("conflict.show")}</button></p>`);
}

/** As the audit has it; the time alone where there is none. @param {App} app */
function whoAndWhen(app) {
  const { config, change } = app.state.theirs ?? {};
  const at = change?.at ?? config?.modificationTime;
  if (!at) return nothing;
  const when = timeElement(app, at);
  const user = change && personOf(app, change, "activity.apiKey.inSentence");
  return user ? sentence(app, "conflict.by", { user, when }) : sentence(app, "conflict.at", { when });
}

/** @param {App} app */
export function conflictDialog(app) {
  const { theirs, dialog, provider } = app.state;
  if (!theirs || dialog !== "conflict") return nothing;
  const cancel = () => {
    app.update({ dialog: "" });
    void app.focus(provider === "None" ? "#delete-settings" : "#save");
  };
  return html`<dialog aria-labelledby="conflict-title" @cancel=${cancel} @close=${() => app.state.dialog && cancel()}>
    <h2 id="conflict-title" tabindex="-1" autofocus>${app.t("conflict.title")}</h2>
    <p>${app.t(theirs.config ? "conflict.text" : "conflict.removed")} ${whoAndWhen(app)}</p>
    ${theirs.config ? comparison(app, theirs.config) : nothing}
    <div class="actions">
      ${provider === "None"
        ? button({ kind: "danger", label: app.t("conflict.remove"), onClick: () => void removeTheirs(app) })
        : button({ id: "take-mine", kind: "primary", label: app.t("conflict.mine"), onClick: () => void takeMine(app) })}
      ${button({ id: "take-theirs", kind: "secondary", label: app.t(theirs.config ? "conflict.theirs" : "form.discard"), onClick: () => void takeTheirs(app) })}
      ${button({ kind: "quiet", label: app.t("conflict.cancel"), onClick: cancel })}
    </div>
  </dialog>`;
}

/**
 * The fields in which the two differ.
 *
 * @param {App} app
 * @param {import("../app.js").Config} theirs
 */
function comparison(app, theirs) {
  const { provider } = app.state;
  if (provider === "" || provider === "None") return nothing;
  const stored = /** @type {Record<string, any>} */ (theirs.providerConfig ?? {});
  const mine = enteredValues(app.state);
  const shown = (/** @type {unknown} */ value) => typeof value === "string" ? readable(app.state, value) : value;
  const name = (/** @type {string} */ id) => app.t(`provider.${id}`);
  /** @type {[string, unknown, unknown][]} */
  const rows = [];
  if (theirs.serviceProvider !== provider) {
    rows.push([app.t("conflict.provider"), name(provider), name(theirs.serviceProvider ?? "None")]);
  }
  for (const field of FIELDS[provider]) {
    const secret = ["emailPassword", "clientSecret"].includes(field);
    if (!secret && String(mine[field] ?? "") !== String(stored[field] ?? "")) {
      rows.push([app.t(`field.${field}`), shown(mine[field]), shown(stored[field])]);
    }
    if (secret && mine[field] !== undefined) {
      rows.push([app.t(`field.${field}`), app.t("conflict.newSecret"), theirs.passwordExists ? app.t(`${field}.set`) : ""]);
    }
  }
  return rows.length === 0 ? html`<p class="quiet-text">${app.t("conflict.same")}</p>` : html`<table class="compare">
    <thead><tr><td></td><th scope="col">${app.t("conflict.yours")}</th><th scope="col">${app.t("conflict.stored")}</th></tr></thead>
    <tbody>${rows.map(([label, yours, others]) => html`<tr><th scope="row">${label}</th>
      <td>${yours ?? "–"}</td><td>${others ?? "–"}</td></tr>`)}</tbody>
  </table>`;
}
