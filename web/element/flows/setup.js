// Loads the setup help of Microsoft 365 with the values of the form.

import { Problem } from "../net/problem.js";

/** @typedef {import("../app.js").App} App */

/** @type {WeakMap<App, ReturnType<typeof setTimeout>>} */
const waiting = new WeakMap();

/** After a pause in the typing. @param {App} app */
export function loadSetupSoon(app) {
  clearTimeout(waiting.get(app));
  waiting.set(app, setTimeout(() => void loadSetup(app), 400));
}

/** @param {App} app */
export async function loadSetup(app) {
  const { clientId, providerTenantId, emailAddress } = app.state.microsoft;
  const values = Object.entries({ clientId, providerTenantId, emailAddress }).filter(([, value]) => value.trim());
  try {
    app.update({ setup: await ask(app, values) });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // The service refuses incomplete values; the help then has placeholders.
    if (error.kind !== "input") return;
    try {
      app.update({ setup: await ask(app, []) });
    } catch (again) {
      if (!(again instanceof Problem)) throw again;
    }
  }
}

/**
 * @param {App} app
 * @param {[string, string][]} values
 */
async function ask(app, values) {
  const query = new URLSearchParams(values).toString();
  return (await app.client.request("GET", `/email-config/microsoft365-setup${query && `?${query}`}`)).body;
}

/** @param {App} app */
export async function openSetup(app) {
  app.update({ setupOpen: true });
  await loadSetup(app);
  await app.focus("#setup-title");
}
