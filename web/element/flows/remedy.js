// Applies a remedy of a diagnosis with one click.

import { choose, editMicrosoft, editSmtp, enteredValues, goTo, usesStoredSecret } from "./edit.js";
import { save } from "./save.js";
import { openSetup } from "./setup.js";
import { sendTestMail } from "./test-mail.js";
import { verify } from "./verify.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../model/remedies.js").Remedy} Remedy
 */

/**
 * @param {App} app
 * @param {Remedy} remedy
 * @param {"save" | "verify" | "test"} after what failed
 */
export async function apply(app, remedy, after) {
  if (remedy.action === "again") return { save, verify, test: sendTestMail }[after](app);
  if (remedy.action === "setup-help") {
    if (app.state.provider !== "Microsoft365") choose(app, "Microsoft365");
    return openSetup(app);
  }
  if (remedy.provider) {
    choose(app, remedy.provider);
    return app.focus(`#provider-${remedy.provider}`);
  }
  if (remedy.focus) return goTo(app, remedy.focus);
  if (remedy.microsoft) {
    if (app.state.provider !== "Microsoft365") choose(app, "Microsoft365");
    editMicrosoft(app, remedy.microsoft);
    return save(app);
  }
  editSmtp(app, { ...remedy.changes });
  if (app.state.provider !== "BasicAuth") choose(app, "BasicAuth");
  const config = enteredValues(app.state);
  const secretMissing = config.username !== undefined && config.emailPassword === undefined;
  if (secretMissing && !usesStoredSecret(app.state)) {
    // The stored password is for another destination; the check needs a new one.
    await goTo(app, "emailPassword");
    return app.announce(app.t("password.needed"));
  }
  return save(app);
}
