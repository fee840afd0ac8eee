// Loads whether the account sends, and what waits. A service without delivery has no such account.

import { Problem } from "../net/problem.js";

/** @param {import("../app.js").App} app */
export async function loadAccount(app) {
  try {
    const { body } = await app.client.request("GET", "/account");
    app.update({ account: body?.object === "account" ? body : null });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    app.update({ account: null });
  }
}
