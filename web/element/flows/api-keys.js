// Lists, makes and revokes API keys. A service without them, and a user who may not see them, has none.

import { initialState } from "../app.js";
import { Problem } from "../net/problem.js";
import { loadActivity } from "./activity.js";
import { waitFor } from "./wait.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../app.js").ApiKeys} ApiKeys
 */

const PATH = "/api-keys";

/** @param {App} app @param {Partial<ApiKeys>} changes */
export function updateKeys(app, changes) {
  app.update({ apiKeys: { ...app.state.apiKeys, ...changes } });
}

/** @param {App} app */
export async function loadApiKeys(app) {
  try {
    const { body } = await app.client.request("GET", `${PATH}?limit=100`);
    updateKeys(app, { list: body?.data ?? [] });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    updateKeys(app, { list: null });
  }
}

/** What is sent of a draft. @param {ApiKeys["draft"]} draft */
function requestOf({ permission, senders, days, test }) {
  const allowed = senders.split(/[\s,;]+/).filter(Boolean);
  return {
    permission, test,
    ...(allowed.length > 0 && { allowed_senders: allowed }),
    ...(days && { expires_at: new Date(Date.now() + Number(days) * 86_400_000).toISOString() }),
  };
}

/** @param {App} app */
export async function createApiKey(app) {
  const { draft } = app.state.apiKeys;
  if (app.state.busy) return;
  const name = draft.name.trim();
  if (!name) {
    updateKeys(app, { error: app.t("keys.nameMissing") });
    return app.focus('[name="apiKeyName"]');
  }
  app.update({ busy: "keys" });
  updateKeys(app, { error: null, problem: null, made: null });
  try {
    const { body } = await app.client.request("POST", PATH, { body: { ...requestOf(draft), name } });
    const made = { name: body.name, token: body.token, senders: body.allowed_senders ?? [] };
    updateKeys(app, { made, open: false, draft: initialState().apiKeys.draft });
    app.announce(app.t("keys.made", { name: body.name }));
    await loadApiKeys(app);
    void loadActivity(app);
  } catch (error) {
    await refuse(app, error);
    return;
  } finally {
    app.update({ busy: "" });
  }
  await app.focus("#key-made");
}

/** @param {App} app */
export async function revokeApiKey(app) {
  const { revoking } = app.state.apiKeys;
  if (!revoking || app.state.busy) return;
  app.update({ busy: "keys" });
  updateKeys(app, { problem: null });
  try {
    await app.client.request("DELETE", `${PATH}/${encodeURIComponent(revoking)}`);
  } catch (error) {
    // Another administrator was quicker.
    if (!(error instanceof Problem) || error.kind !== "not-found") {
      app.update({ busy: "" });
      await refuse(app, error);
      return;
    }
  }
  app.update({ busy: "" });
  updateKeys(app, { revoking: "" });
  app.announce(app.t("keys.revoked"));
  await loadApiKeys(app);
  void loadActivity(app);
  await app.focus("#keys-title");
}

/** A key that was made is shown until the administrator has put it away. @param {App} app */
export function putAway(app) {
  updateKeys(app, { made: null });
  void app.focus("#keys-title");
}

/** @param {App} app @param {unknown} error */
async function refuse(app, error) {
  if (!(error instanceof Problem)) throw error;
  waitFor(app, error);
  updateKeys(app, { problem: error });
  app.announce(app.t(error.title));
  await app.focus("#keys-problem");
}
