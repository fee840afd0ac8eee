// Disables actions until a rate limit has passed.

/** @typedef {import("../app.js").App} App */

/**
 * @param {App} app
 * @param {import("../net/problem.js").Problem} problem
 */
export function waitFor(app, problem) {
  if (problem.kind !== "limited" || problem.concernsTestEmails) return;
  const seconds = problem.retryAfter ?? 1;
  app.update({ waitUntil: Date.now() + seconds * 1000 });
  const tick = setInterval(() => {
    app.host.requestRender();
    if (secondsLeft(app) === 0) clearInterval(tick);
  }, 1000);
}

/** @param {App} app */
export function secondsLeft(app) {
  return Math.max(0, Math.ceil((app.state.waitUntil - Date.now()) / 1000));
}
