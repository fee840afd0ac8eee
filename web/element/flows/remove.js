// Deletes the settings and the secret, after a confirmation.

import { Problem } from "../net/problem.js";
import { adopt } from "./load.js";
import { openConflict } from "./conflict.js";
import { waitFor } from "./wait.js";

/** @typedef {import("../app.js").App} App */

/** @param {App} app */
export async function remove(app) {
  if (app.state.busy) return;
  app.update({ busy: "remove", problem: null });
  try {
    await app.client.request("DELETE", "/email-config", { ifMatch: app.state.etag });
    await applyRemoved(app);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.kind === "not-found") {
      await applyRemoved(app);
    } else if (error.kind === "changed") {
      app.update({ dialog: "" });
      await openConflict(app);
    } else {
      waitFor(app, error);
      app.update({ dialog: "", problem: error });
      app.announce(app.t(error.title));
    }
  } finally {
    app.update({ busy: "" });
  }
}

/** Also where another user was quicker. @param {App} app */
async function applyRemoved(app) {
  adopt(app, { passwordExists: false, isValid: false }, null);
  app.update({ dialog: "", check: null, followed: "", testMail: { ...app.state.testMail, result: null, problem: null, stages: [] } });
  app.announce(app.t("remove.done"));
  app.host.emit("config-removed", {});
  await app.focus("#status-title");
}
