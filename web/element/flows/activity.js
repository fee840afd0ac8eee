// Loads recent activity from the audit; a service without an audit has none.

import { folded } from "../model/activity.js";
import { Problem } from "../net/problem.js";

/** @typedef {import("../app.js").App} App */

const PAGE = "/email-config/audit?limit=10";

/** @param {App} app */
export async function loadActivity(app) {
  try {
    const { body } = await app.client.request("GET", PAGE);
    app.update({ activity: body?.data ?? [], moreActivity: nextPath(body) });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    app.update({ activity: null, moreActivity: null });
  }
}

/** @param {App} app */
export async function loadMoreActivity(app) {
  const { activity, moreActivity } = app.state;
  if (!activity || !moreActivity) return;
  try {
    const { body } = await app.client.request("GET", moreActivity);
    const rows = folded(activity).length;
    app.update({ activity: [...activity, ...(body?.data ?? [])], moreActivity: nextPath(body) });
    await app.focus(`#activity > li:nth-child(${rows + 1}), #activity > li:last-child`);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    app.announce(app.t(error.title));
  }
}

/** The path of the next page. Its host is ignored: only the service itself is called. */
function nextPath(/** @type {any} */ body) {
  const href = body?.links?.next?.href;
  if (typeof href !== "string" || !href) return null;
  const { pathname, search } = new URL(href, "https://service.invalid/api/v1/transports/email-config/audit");
  return pathname.startsWith("/api/") ? pathname + search : null;
}
