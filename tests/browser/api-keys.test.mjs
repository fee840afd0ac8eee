// API keys: made, shown once, copied, and revoked after a question.
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

/** The console of a tenant whose account is set up. */
async function open(options = {}) {
  const page = await openConsole(browser, dev, options);
  await dev.api(page.token, "PUT", "/email-config", dev.account());
  await page.reload();
  await page.ready();
  return page;
}

const send = (token) => dev.api(token, "POST", "/emails", { to: "ada@example.org", subject: "Hi", text: "Hi" });

test("a key is made, shown once, used, and revoked after a question", async () => {
  const page = await open({ permissions: ["clipboard-read", "clipboard-write"] });
  await page.getByRole("heading", { name: "API keys" }).waitFor();
  await page.button("New key").click();
  await page.focusIs("apiKeyName");
  await page.button("Create key").click();
  await page.focusIs("apiKeyName");
  await page.getByText("Enter a name.").waitFor();
  await page.axe("the form of a key with an error");
  await page.field("apiKeyName").fill("Billing");
  await page.field("apiKeyName").press("Enter");
  await page.focusIs("key-made");
  assert.match(await page.told(), /The key “Billing” is ready/);
  const token = (await page.locator("#key-token").textContent()).trim();
  assert.match(token, /^tsk_[0-9a-f]{32}_[A-Za-z0-9_-]{48}$/);
  await page.button("Copy").click();
  await page.button("Copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), token);
  await page.axe("a new key");
  await page.picture("20-api-key-made");
  assert.equal((await send(token)).status, 202);
  assert.equal((await dev.api(token, "GET", "/api-keys")).status, 403, "it may send alone");
  const sample = await page.locator("#key-sample").textContent();
  assert.ok(sample.includes(`${dev.origin}/api/v1/transports/emails`) && sample.includes(token), sample);

  await page.button("I have copied it").click();
  assert.equal(await page.locator("#key-token").count(), 0);
  await page.reload();
  await page.ready();
  await page.locator("#api-keys li").waitFor();
  assert.ok(!(await page.content()).includes(token), "it is shown once");
  await page.getByText("Send emails, and read the ones it sent").waitFor();

  await page.button("Revoke (key “Billing”)").click();
  await page.focusIs("revoke-title");
  await page.axe("the question before a key is revoked");
  await page.picture("21-api-key-question");
  await page.button("Keep it").click();
  assert.equal((await send(token)).status, 202, "nothing was revoked");
  await page.button("Revoke (key “Billing”)").click();
  await page.locator("#revoke-key").click();
  await page.locator("#api-keys").waitFor({ state: "detached" });
  assert.match(await page.told(), /revoked/);
  assert.equal((await send(token)).status, 401);
  await page.done();
});

test("a key is made with its senders and its end", async () => {
  const page = await open();
  await page.button("New key").click();
  await page.field("apiKeyName").fill("Reports");
  await page.getByText("Full access: send, read all emails, manage keys").waitFor();
  await page.field("apiKeySenders").fill("platform@example.com, *@mail.example.com");
  await page.field("apiKeyDays").selectOption("90");
  await page.getByText("Full access, except to keys: send, read all emails").waitFor();
  await page.axe("the form of a key");
  await page.button("Create key").click();
  await page.focusIs("key-made");
  const key = (await dev.api(page.token, "GET", "/api-keys")).body.data[0];
  assert.deepEqual(key.allowed_senders, ["platform@example.com", "*@mail.example.com"]);
  const days = (Date.parse(key.expires_at) - Date.now()) / 86_400_000;
  assert.ok(Math.abs(days - 90) < 1, key.expires_at);
  await page.getByText("only from platform@example.com, *@mail.example.com").waitFor();
  const sample = await page.locator("#key-sample").textContent();
  assert.ok(!sample.includes('"from"'), "the account's address is one of them");
  await page.button("New key").click();
  await page.field("apiKeyName").fill("Others");
  await page.field("apiKeySenders").fill("billing@example.net");
  await page.button("Create key").click();
  await page.locator("#key-sample", { hasText: '"from": "billing@example.net", "to"' }).waitFor();
  await page.done();
});

test("a key of another administrator is listed with what it may do", async () => {
  const page = await open({ locale: "de" });
  const request = { name: "Tests", test: true, allowed_senders: ["*@example.com"], expires_at: "2099-01-01T00:00:00Z" };
  await dev.api(page.token, "POST", "/api-keys", request);
  await page.reload();
  await page.ready();
  await page.getByRole("heading", { name: "API-Schlüssel" }).waitFor();
  await page.getByText("Voller Zugriff, außer auf Schlüssel: senden, alle Mails lesen · Testschlüssel · nur von *@example.com").waitFor();
  await page.getByText("Noch nie benutzt").waitFor();
  await page.button("Neuer Schlüssel").click();
  await page.picture("22-api-keys-german");
  await page.done();
});

test("a key that has expired is said to have, and one without a limit manages keys", async () => {
  const page = await open();
  await dev.api(page.token, "POST", "/api-keys", { name: "Old", expires_at: "2099-01-01T00:00:00Z" });
  await dev.api(page.token, "POST", "/api-keys", { name: "New" });
  await page.clock.setFixedTime("2099-01-01T00:07:00Z");
  await page.reload();
  await page.ready();
  const row = (name) => page.locator("#api-keys li", { hasText: name });
  await row("Old").getByText("expired 7 minutes ago").waitFor();
  assert.match(await row("Old").textContent(), /Full access, except to keys/);
  assert.match(await row("New").textContent(), /Full access: send, read all emails, manage keys/);
  await page.done();
});

for (const [locale, heading, about, create, name, sample] of [
  ["en", "API keys", /can send once sending is set up above/, "New key", "Create key", /set up sending first/],
  ["de", "API-Schlüssel", /sobald der Versand oben eingerichtet ist/, "Neuer Schlüssel", "Schlüssel erstellen",
    /richten Sie zuerst den Versand ein/],
]) {
  test(`without an account, no sentence about keys speaks of one (${locale})`, async () => {
    const page = await openConsole(browser, dev, { locale });
    await dev.api(page.token, "POST", "/api-keys", { name: "Billing" });
    await page.reload();
    await page.ready();
    const card = page.locator(".card", { has: page.getByRole("heading", { name: heading }) });
    assert.match(await card.locator("#keys-about").textContent(), about);
    await page.button(create).click();
    await page.field("apiKeyName").fill("Shop");
    assert.doesNotMatch(await card.textContent(), /this account|dieses Konto/);
    await page.button(name).click();
    await page.focusIs("key-made");
    assert.match(await card.textContent(), sample);
    assert.doesNotMatch(await card.textContent(), /this account|dieses Konto/);
    // With one, they do.
    await dev.api(page.token, "PUT", "/email-config", dev.account());
    await page.reload();
    await page.ready();
    await card.locator("#keys-about").filter({ hasText: /this account|dieses Konto/ }).waitFor();
    await page.done();
  });
}

test("a refusal stands beside the keys, and a key that somebody else has revoked is gone", async () => {
  const page = await open();
  await dev.api(page.token, "POST", "/api-keys", { name: "Billing" });
  await page.reload();
  await page.ready();
  await page.button("New key").click();
  await page.field("apiKeyName").fill("x".repeat(51));
  await page.button("Create key").click();
  await page.focusIs("keys-problem");
  await page.getByText("has more than 50 characters").waitFor();
  const { body } = await dev.api(page.token, "GET", "/api-keys");
  await dev.api(page.token, "DELETE", `/api-keys/${body.data[0].id}`);
  await page.button("Revoke (key “Billing”)").click();
  await page.locator("#revoke-key").click();
  await page.locator("#api-keys").waitFor({ state: "detached" });
  await page.done();
});
