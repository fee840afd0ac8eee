// The most common failures: the text and the remedy of each.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, test } from "node:test";

import { startBrowser } from "./support/browser.mjs";
import { startDev } from "./support/dev.mjs";
import { openConsole } from "./support/element.mjs";
import { startSmtp } from "./support/smtp.mjs";
import { startStreaming } from "./support/streaming.mjs";

let dev;
let browser;
before(async () => {
  [dev, browser] = await Promise.all([startDev({ EGRESS__TIMEOUT_SECONDS: "4" }), startBrowser()]);
});
after(() => Promise.all([dev?.stop(), browser?.stop()]));

async function open(options) {
  const page = await openConsole(browser, dev, options);
  await page.ready();
  return page;
}

test("a wrong password: what happened, who can fix it, the steps, and the way to the field", async () => {
  const page = await open();
  await page.enterAccount({ emailPassword: "wrong" });
  await page.save();
  assert.equal(await page.code(), "AUTH_REJECTED");
  await page.focusIs("check-result");
  await page.getByRole("heading", { name: "localhost refused the sign-in" }).waitFor();
  await page.getByText("You can fix this here").waitFor();
  await page.getByText("Nothing was saved.").waitFor();
  assert.equal(await page.locator(".diagnosis ol.steps li").count(), 5);
  assert.equal(await page.locator(".stages .failed .name").textContent(), "Sign in");
  assert.match(await page.told(), /refused the sign-in/);
  await page.getByText("Technical details").click();
  assert.match(await page.locator(".scroll table").innerText(), /auth.*535/s);
  assert.ok(!(await page.locator(".diagnosis").innerText()).includes("wrong"), "the password is in no transcript");
  await page.picture("20-wrong-password");
  await page.axe("a diagnosis");
  await page.button("Enter the password again").click();
  await page.focusIs("emailPassword");
  await page.field("emailPassword").fill(dev.password);
  await page.field("emailPassword").press("Enter");
  await page.saved();
  await page.done();
});

test("the wrong kind of encryption, either way round, is one click", async () => {
  const page = await open();
  await page.enterAccount();
  await page.security("SSL/TLS");
  await page.save();
  assert.equal(await page.code(), "TLS_MODE_MISMATCH_USE_STARTTLS");
  await page.button("Use StartTLS").click();
  await page.saved();
  assert.equal((await page.stored()).securityType, "StartTLS");

  await page.fill({ serverPort: dev.smtpsPort });
  await page.field("emailPassword").fill(dev.password);
  await page.save();
  const code = await page.code();
  assert.ok(["TLS_MODE_MISMATCH_USE_IMPLICIT", "REPLY_TIMEOUT", "CONNECTION_LOST"].includes(code), code);
  if (code !== "TLS_MODE_MISMATCH_USE_IMPLICIT") await page.security("SSL/TLS").then(page.save);
  else await page.button("Use SSL/TLS").click();
  await page.saved();
  assert.equal((await page.stored()).securityType, "SSL/TLS");
  await page.done();
});

test("a server without encryption: other ports, or none on purpose", async (t) => {
  const smtp = await startSmtp();
  t.after(() => smtp.stop());
  const page = await open();
  await page.enterAccount({ serverPort: smtp.port, username: "", emailPassword: "" });
  await page.save();
  assert.equal(await page.code(), "STARTTLS_MISSING");
  const offered = await page.locator(".remedies button").allInnerTexts();
  assert.deepEqual(offered, ["Use port 465 with SSL/TLS", "Use port 587 with StartTLS", "Use no encryption"]);
  await page.picture("21-no-encryption");
  await page.button("Use no encryption").click();
  await page.saved();
  assert.equal((await page.stored()).securityType, "none");
  await page.getByText("Email is sent without encryption").waitFor();
  await page.getByText("Not encrypted: anyone along the way can read the email.").waitFor();
  await page.picture("22-advice");
  await page.done();
});

test("a port where nobody listens, and a server for reading mail", async (t) => {
  const closed = createServer();
  await new Promise((resolve) => closed.listen(0, "127.0.0.1", resolve));
  const { port } = closed.address();
  await new Promise((resolve) => closed.close(resolve));
  const page = await open();
  await page.enterAccount({ serverPort: port });
  await page.save();
  assert.equal(await page.code(), "CONNECT_REFUSED");
  assert.deepEqual((await page.locator(".remedies button").allInnerTexts()),
    ["Use port 587 with StartTLS", "Use port 465 with SSL/TLS", "Try again"]);
  assert.deepEqual(await page.locator(".stages li").evaluateAll((stages) => stages.map((stage) => stage.className)),
    ["done", "failed", "skipped", "skipped", "skipped", "skipped"]);

  const imap = await startSmtp({ greeting: "* OK IMAP4rev1 Service Ready" });
  t.after(() => imap.stop());
  await page.fill({ serverPort: imap.port });
  await page.save();
  await page.getByRole("heading", { name: /is not a server for outgoing mail/ }).waitFor();
  assert.equal(await page.code(), "NOT_SMTP");
  await page.picture("23-imap");
  await page.done();
});

test("what the service refuses before it connects stands at its field", async () => {
  const page = await open();
  await page.enterAccount({ serverAddress: "", serverPort: "99999", emailAddress: "nobody" });
  await page.save();
  await page.focusIs("serverAddress");
  const errors = () => page.locator(".error").allInnerTexts();
  assert.deepEqual(await errors(), [
    "Enter the name of the mail server.", "Enter a number from 1 to 65535.",
    "Enter one complete email address, such as mail@example.com.",
  ]);
  assert.match(await page.told(), /3 fields need to be corrected/);
  assert.equal(await page.field("serverPort").getAttribute("aria-describedby"), "e-serverPort");
  await page.picture("24-field-errors");
  await page.axe("field errors");
  // These pass here, and the service finds them.
  await page.fill({
    serverAddress: "169.254.169.254", serverPort: dev.smtpPort, emailAddress: "a@b@c", emailPassword: "********",
  });
  await page.save();
  await page.fill({ emailAddress: "a..b@example.com" });
  await page.save();
  await page.locator("#e-emailPassword").waitFor();
  assert.match(await page.locator("#e-serverAddress").innerText(), /does not connect to internal addresses/);
  assert.match(await page.locator("#e-emailPassword").innerText(), /placeholder dots/);
  assert.match(await page.locator("#e-emailAddress").innerText(), /./);
  await page.focusIs("serverAddress");
  await page.done();
});

test("a sender that the account may not use, found by the connection test", async (t) => {
  const smtp = await startSmtp({ MAIL: "553 5.7.1 Sender address rejected: not owned by user" });
  t.after(() => smtp.stop());
  const page = await open();
  await dev.api(page.token, "PATCH", "/email-config", [
    { op: "replace", path: "/serverAddress", value: "127.0.0.1" }, { op: "replace", path: "/serverPort", value: smtp.port },
    { op: "replace", path: "/securityType", value: "none" }, { op: "replace", path: "/emailAddress", value: "news@example.com" },
  ]);
  await page.reload();
  await page.ready();
  await page.button("Test connection").click();
  assert.equal(await page.code(), "SENDER_NOT_OWNED");
  await page.getByRole("heading", { name: "Email cannot be sent" }).waitFor();
  assert.equal(await page.locator(".stages .failed .name").textContent(), "Sender");
  await page.picture("25-sender");
  await page.button("Change the sender address").click();
  await page.focusIs("emailAddress");
  await page.done();
});

test("a recipient that does not exist says nothing against the settings", async () => {
  const page = await open();
  await dev.api(page.token, "PUT", "/email-config", dev.account());
  await page.reload();
  await page.ready();
  await page.field("recipient").fill("not an address");
  await page.locator("#send-test").click();
  await page.focusIs("recipient");
  await page.locator("#e-recipient", { hasText: "Enter one complete email address." }).waitFor();
  await page.field("recipient").fill("nouser@example.com");
  await page.locator("#send-test").click();
  assert.equal(await page.code(), "RECIPIENT_UNKNOWN");
  await page.getByRole("heading", { name: "Email is ready" }).waitFor();
  await page.picture("26-recipient");
  await page.button("Change the recipient").click();
  await page.focusIs("recipient");
  await page.done();
});

test("microsoft 365: a wrong secret, its id in place of its value, an unknown directory", async () => {
  const page = await open();
  await page.choose("Microsoft365");
  await page.fill({
    clientId: dev.clientId, providerTenantId: dev.directoryId, emailAddress: dev.mailbox, clientSecret: "wrong~secret",
  });
  await page.save();
  assert.equal(await page.code(), "ENTRA_SECRET_INVALID");
  await page.getByText("Your Microsoft 365 administrator has to fix this").waitFor();
  await page.button("Enter the client secret again").click();
  await page.focusIs("clientSecret");
  await page.field("clientSecret").fill("12345678-1234-1234-1234-123456789012");
  await page.save();
  await page.getByText("This looks like the Secret ID.").waitFor();
  await page.fill({ clientSecret: dev.clientSecret, providerTenantId: "nowhere.example" });
  await page.save();
  assert.equal(await page.code(), "ENTRA_TENANT_NOT_FOUND");
  await page.picture("27-microsoft365-directory");
  await page.button("Correct the directory").click();
  await page.focusIs("providerTenantId");
  await page.field("providerTenantId").fill(dev.directoryId);
  await page.save();
  await page.saved();
  await page.done();
});

test("microsoft 365: two IDs that were swapped are one click", async () => {
  const page = await open();
  await page.choose("Microsoft365");
  await page.fill({
    clientId: dev.directoryId, providerTenantId: dev.clientId, emailAddress: dev.mailbox, clientSecret: dev.clientSecret,
  });
  await page.save();
  assert.equal(await page.code(), "ENTRA_TENANT_NOT_FOUND");
  await page.getByText("The two IDs may have been swapped.").waitFor();
  await page.picture("29-swapped-ids");
  await page.button("Swap the two IDs").click();
  await page.saved();
  assert.equal((await page.stored()).providerConfig.clientId, dev.clientId);
  await page.done();
});

test("a remedy that leads to another destination asks for the stored password again", async () => {
  const page = await open();
  await dev.api(page.token, "PUT", "/email-config", dev.account());
  await page.route("**/verify-connection", (route) => route.fulfill({ json: {
    success: false, connectionFailed: true, message: "",
    diagnosis: { code: "CONNECT_REFUSED", title: "It is closed", owner: "tenant_admin", stage: "connect", steps: [], links: ["javascript:alert(1)"], transcript: [] },
  } }));
  await page.reload();
  await page.ready();
  await page.button("Test connection").click();
  await page.getByRole("heading", { name: "It is closed" }).waitFor();
  assert.equal(await page.locator('a[href^="javascript"]').count(), 0, "a link that is none of the web is shown as text");
  await page.button("Use port 465 with SSL/TLS").click();
  await page.focusIs("emailPassword");
  assert.match(await page.told(), /Enter the password again, then save/);
  assert.equal(await page.field("serverPort").inputValue(), "465");
  await page.done();
});

test("the stages are shown while they happen", async (t) => {
  const streaming = await startStreaming(dev.origin);
  t.after(() => streaming.stop());
  const page = await open({ at: streaming.console });
  await page.enterAccount({ emailPassword: "wrong" });
  await page.save();
  const first = await streaming.next();
  const stages = () => page.locator(".stages li").evaluateAll((list) => list.map((stage) => stage.className));
  const now = (expected) => page.waitForFunction((wanted) => {
    const { shadowRoot } = document.querySelector("email-transport-settings");
    return [...shadowRoot.querySelectorAll(".stages li")].map((stage) => stage.className).join() === wanted;
  }, expected.join());
  assert.deepEqual(await stages(), Array(6).fill("waiting"));
  first.stage("dns", "started");
  await now(["running", ...Array(5).fill("waiting")]);
  first.stage("dns", "done", 12);
  first.stage("connect", "started");
  await now(["done", "running", ...Array(4).fill("waiting")]);
  assert.match(await page.locator(".stages .done .time").innerText(), /12\s?ms/);
  assert.match(await page.told(), /Connect/);
  await page.picture("28-while-it-runs");
  await page.axe("a check that runs");
  first.stage("connect", "done", 1200);
  first.stage("greeting", "done", 3);
  first.stage("ehlo", "done", 4);
  first.stage("starttls", "done", 2);
  first.stage("tls", "done", 30);
  first.stage("auth", "failed", 50);
  first.finish();
  assert.equal(await page.code(), "AUTH_REJECTED");
  assert.deepEqual(await stages(), ["done", "done", "done", "done", "failed", "skipped"]);
  const times = (await page.locator(".stages .time").allInnerTexts()).map((time) => time.replace(/\s/g, " "));
  assert.deepEqual(times, ["12 ms", "1.2 sec", "7 ms", "32 ms", "50 ms", "not reached"]);

  await page.field("emailPassword").fill(dev.password);
  await page.save();
  (await streaming.next()).finish();
  await page.saved();
  await page.button("Test connection").click();
  (await streaming.next()).finish();
  await page.getByText("The connection works").first().waitFor();

  // A stream that breaks off says nothing about the outcome.
  await page.button("Test connection").click();
  (await streaming.next()).tear();
  await page.getByText("The service cannot be reached").first().waitFor();
  await page.done();
});
