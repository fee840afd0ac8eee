// What stands in place of the settings, or beside them, when a request comes to nothing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startBrowser } from "./support/browser.mjs";
import { startDev } from "./support/dev.mjs";
import { openConsole } from "./support/element.mjs";

let dev;
let browser;
before(async () => {
  [dev, browser] = await Promise.all([startDev(), startBrowser()]);
});
after(() => Promise.all([dev?.stop(), browser?.stop()]));

const CONFIG = /\/email-config$/;

test("while it loads there is a shape and a word of it, and no jump to another page", async () => {
  const page = await openConsole(browser, dev, { at: "about:blank" });
  let go;
  await page.route(CONFIG, async (route) => {
    await new Promise((resolve) => {
      go = resolve;
    });
    await route.continue();
  });
  await page.goto(dev.console);
  await page.locator('[aria-busy="true"]').waitFor();
  await page.picture("40-loading");
  await page.axe("loading");
  await page.waitForFunction(() => true);
  while (!go) await new Promise((resolve) => setTimeout(resolve, 10));
  go();
  await page.ready();
  await page.done();
});

test("no right: who can help", async () => {
  const page = await openConsole(browser, dev, { admin: false });
  await page.getByText("Only administrators can see these settings").first().waitFor();
  assert.equal(await page.getByRole("button", { name: "Try again" }).count(), 0, "trying again changes nothing");
  await page.picture("41-forbidden");
  await page.axe("forbidden");
  await page.done();
});

test("a token that has expired is asked for anew once, without a word", async () => {
  const page = await openConsole(browser, dev, { at: "about:blank" });
  let asked = 0;
  await page.route("**/console/session", (route) => {
    asked += 1;
    return route.fulfill({ json: { mode: "dev", token: asked === 1 ? `${page.token.slice(0, -4)}AAAA` : page.token } });
  });
  await page.goto(dev.console);
  await page.ready();
  assert.ok(asked >= 2, "a second one was fetched");
  await page.done();
});

test("a session that has ended says so, tells the page, and goes on where it stood", async () => {
  const page = await openConsole(browser, dev);
  await page.ready();
  await page.enterAccount();
  await page.evaluate(() => {
    globalThis.told = [];
    addEventListener("sign-in-required", (event) => globalThis.told.push(event.detail.hasUnsavedChanges));
  });
  await page.route(CONFIG, (route) => route.fulfill({ status: 401, json: { errors: [{ code: "HTTP-401", title: "Unauthorized" }] } }));
  await page.save();
  await page.focusIs("save-problem");
  await page.getByText("Your session has ended").first().waitFor();
  assert.deepEqual(await page.evaluate(() => globalThis.told), [true], "what is not saved is told");
  assert.match(page.wrong.splice(0).join(), /^<email-transport-settings>: The service refused the token \(Unauthorized\)\. [^<]*$/);
  await page.picture("42-session-ended");
  assert.equal(await page.field("serverAddress").inputValue(), "localhost", "what was entered stays");
  await page.unroute(CONFIG);
  await page.save();
  await page.saved();
  await page.done();
});

test("a rate limit counts down, and opens again", async () => {
  const page = await openConsole(browser, dev);
  await page.clock.install();
  await page.reload();
  await page.ready();
  await page.enterAccount();
  await page.route(CONFIG, (route) => route.request().method() === "PUT"
    ? route.fulfill({ status: 429, headers: { "retry-after": "17" }, json: { errors: [{ code: "HTTP-429", title: "API rate limit reached", detail: "Try again in 17 seconds." }] } })
    : route.fallback());
  await page.save();
  await page.getByText("Too many requests in a short time").first().waitFor();
  await page.getByText("You can try again in 17 seconds.").waitFor();
  assert.equal(await page.locator("#save").getAttribute("aria-disabled"), "true");
  await page.picture("43-rate-limit");
  await page.axe("a rate limit");
  await page.unroute(CONFIG);
  await page.clock.runFor(18_000);
  assert.equal(await page.locator("#save").getAttribute("aria-disabled"), null);
  await page.button("Try again").click();
  await page.saved();
  await page.done();
});

test("each limit of the service has its own text, and that of test emails leaves the rest open", async () => {
  const page = await openConsole(browser, dev);
  await dev.api(page.token, "PUT", "/email-config", dev.account());
  await page.clock.install({ time: new Date(2026, 2, 10, 21, 5) });
  await page.reload();
  await page.ready();
  const limited = (where, limit, seconds) => page.route(where, (route) => route.fulfill({
    status: 429, headers: { "retry-after": String(seconds) },
    json: { errors: [{ code: "HTTP-429", title: "Quota of test mails", detail: "Try again in 86400 seconds.", meta: { limit } }] },
  }));
  await limited("**/send-test-email", "test_mails_per_tenant", 86_400);
  await page.locator("#send-test").click();
  await page.getByText("No more test emails for now").first().waitFor();
  await page.getByText("You can try again tomorrow at 21:05.").waitFor();
  await page.picture("43-quota");
  assert.equal(await page.locator("#verify").getAttribute("aria-disabled"), null, "a check is possible");
  await limited("**/verify-connection", "running_check", 1);
  await page.locator("#verify").click();
  await page.getByText("Another check is in progress").first().waitFor();
  await page.done();
});

test("a service that is away, one that has a fault, and no network", async () => {
  const page = await openConsole(browser, dev);
  await page.ready();
  await page.enterAccount();
  const answer = (status, json) => page.route(CONFIG, (route) => route.fulfill({ status, json }));
  await answer(503, { errors: [{ code: "HTTP-503", title: "Service unavailable" }] });
  await page.save();
  await page.getByText("The service is not available right now").first().waitFor();
  await page.picture("44-unavailable");
  await page.unroute(CONFIG);

  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  await answer(500, { errors: [{ code: "HTTP-500", title: "Internal error" }], traceId });
  await page.button("Try again").click();
  await page.getByText("Something went wrong in the service").first().waitFor();
  await page.getByText(traceId).waitFor();
  await page.picture("45-internal");
  await page.unroute(CONFIG);

  await page.context().setOffline(true);
  await page.button("Try again").click();
  await page.getByText("The service cannot be reached").first().waitFor();
  await page.picture("46-offline");
  await page.context().setOffline(false);
  await page.button("Try again").click();
  await page.saved();
  await page.done();
});

test("without network at the start, it comes by itself with the network", async () => {
  const page = await openConsole(browser, dev, { at: "about:blank" });
  await page.route(CONFIG, (route) => route.abort());
  await page.goto(dev.console);
  await page.getByText("The service cannot be reached").first().waitFor();
  await page.unroute(CONFIG);
  await page.evaluate(() => window.dispatchEvent(new Event("online")));
  await page.ready();
  await page.done();
});

test("the page has the operator's name for the service, in every language", async (t) => {
  const named = await startDev({ CONSOLE__TITLE: "Post & Versand" });
  t.after(() => named.stop());
  const page = await openConsole(browser, named);
  await page.ready();
  assert.equal(await page.locator("header .product").innerText(), "Post & Versand");
  assert.equal(await page.title(), "Email settings – Post & Versand");
  await page.locator("#language").selectOption("de");
  await page.waitForFunction(() => document.title === "E-Mail-Einstellungen – Post & Versand");
  assert.ok(!(await page.locator("email-transport-settings").innerText()).includes("Post & Versand"), "the element has none");
  await page.picture("47-named");
  await page.done();
});

test("where nobody can sign in, the page says what the operator has to do", async () => {
  const page = await openConsole(browser, dev, { at: "about:blank" });
  await page.route("**/console/session", (route) => route.fulfill({ json: { mode: "none" } }));
  await page.goto(dev.console);
  await page.getByRole("heading", { name: "Sign-in is not set up" }).waitFor();
  await page.getByText("console.oidc").waitFor();
  await page.picture("47-no-sign-in");
  await page.axe("no sign-in");
  await page.locator("#language").selectOption("de");
  await page.getByRole("heading", { name: "Die Anmeldung ist nicht eingerichtet" }).waitFor();
  await page.done();
});

test("with a sign-in of the installation: the link, and then the cookie with the token against forged requests", async () => {
  const page = await openConsole(browser, dev, { at: "about:blank" });
  let session = { status: 401, json: { mode: "oidc", signIn: "/console/sign-in" } };
  await page.route("**/console/session", (route) => route.fulfill(session));
  await page.goto(dev.console);
  assert.equal(await page.getByRole("link", { name: "Sign in" }).getAttribute("href"), "/console/sign-in");
  await page.picture("48-sign-in");
  await page.axe("the sign-in");

  // The service's own side of the cookie is played here: what counts is what the page sends.
  session = { json: {
    mode: "oidc", user: "7f3c2b1e", tenant: "acme", userName: "Anna Müller", tenantName: "Acme Ltd", csrfToken: "one",
  } };
  let current = "one";
  const seen = [];
  await page.route("**/api/v1/csrf-token", (route) => route.fulfill({ status: 204, headers: { "qlik-csrf-token": current } }));
  await page.route("**/api/v1/transports/**", (route) => {
    const request = route.request();
    const { authorization, "qlik-csrf-token": csrf } = request.headers();
    seen.push([request.method(), authorization, csrf]);
    if (request.method() === "PUT" && csrf !== current) {
      return route.fulfill({ status: 403, json: { code: "CSRF-TOKEN-2", errors: [{ code: "CSRF-TOKEN-2", title: "The token is stale" }] } });
    }
    return route.continue({ headers: { ...request.headers(), authorization: `Bearer ${page.token}` } });
  });
  await page.goto(`${dev.console}?sign-in=denied`);
  await page.ready();
  assert.equal(new URL(page.url()).search, "", "a failure of before is not kept in the address");
  assert.equal(await page.locator("#who").innerText().then((text) => text.replace(/\s+/g, " ")), "Acme Ltd Anna Müller");
  await page.enterAccount();
  await page.save();
  await page.saved();
  await page.choose("None");
  await page.getByRole("heading", { name: "Delete the email settings of Acme Ltd?" }).waitFor();
  await page.choose("BasicAuth");
  assert.deepEqual(seen.filter(([method]) => method === "PUT"), [["PUT", undefined, "one"]]);
  assert.ok(seen.every(([, authorization]) => authorization === undefined));
  current = "two";
  await page.field("senderName").fill("Example Ltd");
  await page.save();
  await page.saved();
  assert.equal(seen.filter(([method]) => method === "PUT").at(-1)[2], "two", "a stale one is asked for again");

  // The session ends while the page is open. Something has been entered before: without it a question that is still
  // under way would rightly lead to the sign-in in place of the form.
  await page.field("senderName").fill("Not to be lost");
  session = { status: 401, json: { mode: "oidc", signIn: "/console/sign-in" } };
  await page.unroute("**/api/v1/transports/**");
  await page.route(CONFIG, (route) => route.fulfill({ status: 401, json: { errors: [] } }));
  await page.save();
  assert.equal(await page.getByRole("link", { name: "Sign in" }).first().getAttribute("target"), "_blank");
  await page.locator("#save-problem").getByRole("link", { name: "Sign in" }).waitFor();
  assert.equal(await page.field("senderName").inputValue(), "Not to be lost");
  await page.picture("49-sign-in-again");
  session = { json: { mode: "oidc", user: "ann", tenant: "acme" } };
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.locator(".sign-in").waitFor({ state: "detached" });
  session = { status: 401, json: { mode: "oidc", signIn: "/console/sign-in" } };
  await page.button("Discard changes").click();
  await page.button("Test connection").click();
  // There is nothing to lose: the sign-in takes the place of the form.
  await page.locator("email-transport-settings").waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Sign in" }).waitFor();
  await page.done();
});
