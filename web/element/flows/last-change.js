// Who has changed the settings last, from the audit.

import { Problem } from "../net/problem.js";

/** Actions that change what is stored. */
const CHANGES = ["put", "patch", "delete"];

/**
 * @param {import("../app.js").App} app
 * @returns {Promise<import("../model/types.js").Activity | null>} nothing where there is no audit to be had
 */
export async function lastChange(app) {
  try {
    const { body } = await app.client.request("GET", "/email-config/audit?limit=20");
    return body?.data?.find((/** @type {import("../model/types.js").Activity} */ entry) =>
      CHANGES.includes(entry.action) && entry.outcome === "OK") ?? null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return null;
  }
}
