// From an empty form to a mail in the inbox, and every other thing that an administrator does.
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

test("the console of dev signs in by itself", async () => {
  const page = await browser.open();
  await page.goto(dev.console);
  await page.getByRole("heading", { name: "Email is not set up yet" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "Test inbox" }).getAttribute("href"), "/dev/inbox");
  await page.picture("01-empty");
  await page.done();
});

test("from an empty form to a test mail, with a preset looked at on the way", async () => {
  const page = await openConsole(browser, dev);
  await page.ready();
  await page.choose("BasicAuth");
  await page.locator("#preset").selectOption("google-workspace");
  assert.equal(await page.field("serverAddress").inputValue(), "smtp.gmail.com");
  assert.equal(await page.field("serverPort").inputValue(), "587");
  await page.getByLabel("App password", { exact: true }).waitFor();
  assert.match(await page.told(), /filled in for Google Workspace.*app password/);
  await page.picture("02-preset");
  await page.locator("#preset").selectOption("sendgrid");
  assert.equal(await page.field("username").inputValue(), "apikey");
  await page.locator("#region").selectOption("smtp.eu.sendgrid.net");
  assert.equal(await page.field("serverAddress").inputValue(), "smtp.eu.sendgrid.net");
  await page.getByLabel("API key", { exact: true }).waitFor();

  await page.locator("#preset").selectOption("");
  await page.enterAccount();
  await page.save();
  await page.saved();
  await page.focusIs("check-result");
  assert.match(await page.told(), /Saved\. The connection works: the server accepted the sign-in and the sender address/);
  await page.picture("03-saved");
  const stored = await page.stored();
  assert.equal(stored.providerConfig.serverPort, dev.smtpPort);
  assert.equal(stored.passwordExists, true);

  await page.button("send a test email").click();
  await page.focusIs("recipient");
  assert.equal(await page.field("recipient").inputValue(), "platform@example.com", "the sender address by default");
  const recipient = `ann-${Date.now()}@example.com`;
  await page.field("recipient").fill(recipient);
  await page.field("recipient").press("Enter");
  await page.locator("#test-result.ok").waitFor();
  await page.focusIs("test-result");
  await page.picture("04-test-mail");
  const inbox = await (await fetch(`${dev.origin}/dev/inbox.json`)).text();
  assert.ok(inbox.includes(recipient), "the mail lies in the inbox");

  await page.reload();
  await page.ready();
  assert.equal(await page.field("recipient").inputValue(), recipient, "remembered");
  assert.equal(await page.field("emailPassword").count(), 0, "no field holds the stored password");
  await page.getByText("A password is saved").waitFor();
  await page.done();
});

test("the recipient is the administrator's own address where the token names it", async () => {
  const page = await openConsole(browser, dev, { email: "zoë@example.com" });
  await dev.api(page.token, "PUT", "/email-config", dev.account());
  await page.reload();
  await page.ready();
  assert.equal(await page.field("recipient").inputValue(), "zoë@example.com");
  await page.done();
});

test("a stored password shows as set, and is asked for again with another server", async () => {
  const page = await openConsole(browser, dev);
  await dev.api(page.token, "PUT", "/email-config", dev.account());
  await page.reload();
  await page.ready();
  await page.getByText("A password is saved").waitFor();
  await page.getByText("It is only ever sent to this server.").waitFor();
  assert.equal(await page.locator("#save").getAttribute("aria-disabled"), "true", "nothing to save");

  // Another sender keeps it.
  await page.field("senderName").fill("Example Ltd");
  assert.equal(await page.field("emailPassword").count(), 0);
  // Another port does not.
  await page.field("serverPort").fill("2526");
  await page.getByText("The saved password was entered for different connection settings.").waitFor();
  await page.picture("05-password-again");
  await page.save();
  await page.focusIs("emailPassword");
  assert.equal(await page.field("emailPassword").getAttribute("aria-invalid"), "true");
  // Back again, it is kept after all.
  await page.field("serverPort").fill(String(dev.smtpPort));
  await page.button("Keep the saved password").click();
  await page.getByText("A password is saved").waitFor();
  await page.save();
  await page.saved();
  assert.equal((await page.stored()).providerConfig.senderName, "Example Ltd");

  // A new one, on purpose.
  await page.button("Change (Password)").click();
  await page.focusIs("emailPassword");
  await page.getByRole("button", { name: "Show characters" }).click();
  assert.equal(await page.field("emailPassword").getAttribute("type"), "text");
  await page.button("Keep the saved password").click();
  await page.focusIs("change-emailPassword");
  await page.done();
});

test("microsoft 365 with its setup help, from the form to a test mail", async () => {
  const page = await openConsole(browser, dev, { permissions: ["clipboard-read", "clipboard-write"] });
  await page.ready();
  await page.choose("BasicAuth");
  await page.locator("#preset").selectOption("microsoft365");
  await page.focusIs("provider-Microsoft365");
  await page.locator(".setup-body").waitFor();
  await page.fill({ clientId: dev.clientId, providerTenantId: dev.directoryId, emailAddress: dev.mailbox });
  assert.equal(await page.getByLabel("The app may only send from this one mailbox").isChecked(), true, "the narrow way first");
  await page.locator("pre", { hasText: dev.mailbox }).first().waitFor();
  await page.picture("06-microsoft365-help");
  await page.button("Copy commands").first().click();
  await page.getByText("Copied", { exact: true }).first().waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.ok(copied.includes(`New-ServicePrincipal -AppId '${dev.clientId}'`), copied);
  await page.button("Copy all steps as text").click();
  await page.waitForFunction(async () => (await navigator.clipboard.readText()).includes("Register the app"));
  const steps = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(steps, /please send back:\n- the Application \(client\) ID.*\n- the Value.*safe way.*\n- the day/);

  await page.field("clientSecret").fill(dev.clientSecret);
  await page.save();
  await page.saved();
  assert.equal((await page.stored()).serviceProvider, "Microsoft365");
  await page.getByText("A client secret is saved").waitFor();
  await page.field("recipient").fill("bea@example.com");
  await page.locator("#send-test").click();
  await page.locator("#test-result.ok").waitFor();
  await page.picture("07-microsoft365");
  await page.done();
});

test("test connection checks what is stored, and says so beside unsaved changes", async () => {
  const page = await openConsole(browser, dev);
  await dev.api(page.token, "PUT", "/email-config", dev.account());
  await page.reload();
  await page.ready();
  await page.field("senderName").fill("Not saved");
  await page.getByText("The test uses the saved settings").waitFor();
  await page.button("Test connection").click();
  await page.getByText("The connection works").first().waitFor();
  await page.focusIs("check-result");
  assert.deepEqual(await page.locator(".stages .name").allTextContents(),
    ["Find server", "Connect", "Greet", "Encrypt", "Sign in", "Sender"]);
  assert.equal(await page.locator(".stages .done").count(), 6);
  assert.equal(await page.field("senderName").inputValue(), "Not saved", "what was entered stays");
  await page.done();
});

test("none asks, and then deletes", async () => {
  const page = await openConsole(browser, dev);
  await dev.api(page.token, "PUT", "/email-config", dev.account());
  await page.reload();
  await page.ready();
  await page.choose("None");
  await page.getByRole("heading", { name: "Delete the email settings?" }).waitFor();
  await page.picture("08-none");
  await page.button("Keep them").click();
  await page.focusIs("provider-BasicAuth");
  assert.equal((await page.stored()).passwordExists, true);
  await page.choose("None");
  await page.button("Delete the settings").click();
  await page.getByRole("heading", { name: "Email is not set up yet" }).waitFor();
  await page.focusIs("status-title");
  assert.deepEqual(await page.stored(), { isValid: false, passwordExists: false });
  await page.done();
});

test("unsaved changes are guarded, told to the page, and can be discarded", async () => {
  const page = await openConsole(browser, dev);
  await page.ready();
  await page.evaluate(() => {
    globalThis.told = [];
    document.addEventListener("unsaved-changes", (event) => globalThis.told.push(event.detail.hasUnsavedChanges));
  });
  await page.choose("BasicAuth");
  assert.equal(await page.evaluate(() => document.querySelector("email-transport-settings").hasUnsavedChanges), false,
    "a choice alone is no change");
  await page.field("serverAddress").fill("smtp.example.com");
  let asked = 0;
  page.on("dialog", (dialog) => {
    asked += 1;
    assert.equal(dialog.type(), "beforeunload");
    return dialog.dismiss();
  });
  await page.evaluate(() => location.assign("/dev/inbox")).catch(() => {});
  await page.waitForFunction(() => true);
  assert.equal(asked, 1, "the browser asks before it leaves");
  // Another way of sending and back: nothing is lost.
  await page.choose("Microsoft365");
  await page.choose("BasicAuth");
  assert.equal(await page.field("serverAddress").inputValue(), "smtp.example.com");
  await page.button("Discard changes").click();
  await page.focusIs("settings-title");
  assert.deepEqual(await page.evaluate(() => globalThis.told), [true, false, true, false]);
  await page.goto(`${dev.origin}/dev/inbox`);
  assert.equal(asked, 1);
  await page.done();
});

test("somebody else's change is shown, and whoever saves decides", async () => {
  const page = await openConsole(browser, dev);
  await dev.api(page.token, "PUT", "/email-config", dev.account());
  await page.reload();
  await page.ready();
  await page.field("senderName").fill("Mine");
  await dev.api(page.token, "PATCH", "/email-config", [
    { op: "replace", path: "/senderName", value: "Theirs" },
    { op: "replace", path: "/emailAddress", value: "theirs@example.com" },
  ]);
  await page.save();
  const dialog = page.getByRole("dialog", { name: "These settings were changed in the meantime" });
  await dialog.waitFor();
  assert.deepEqual(await dialog.locator("tbody tr").allInnerTexts().then((rows) => rows.map((row) => row.split("\t"))), [
    ["Sender address", "platform@example.com", "theirs@example.com"],
    ["Sender name", "Mine", "Theirs"],
  ]);
  await page.picture("09-conflict");
  await page.axe("the conflict");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  await page.focusIs("save");
  assert.equal(await page.field("senderName").inputValue(), "Mine");
  assert.equal((await page.stored()).providerConfig.senderName, "Theirs", "nothing was overwritten");

  await page.button("Compare and decide").click();
  await dialog.getByRole("button", { name: "Use the saved version" }).click();
  assert.equal(await page.field("senderName").inputValue(), "Theirs");

  await page.field("senderName").fill("Mine again");
  await dev.api(page.token, "PATCH", "/email-config", [{ op: "replace", path: "/senderName", value: "Theirs again" }]);
  await page.save();
  await dialog.getByRole("button", { name: "Check and save mine" }).click();
  await page.saved();
  assert.equal((await page.stored()).providerConfig.senderName, "Mine again");

  // Where they have deleted it, there is no saved version to use.
  await page.field("senderName").fill("Mine once more");
  await dev.api(page.token, "DELETE", "/email-config");
  await page.save();
  await dialog.getByText("They were deleted while you were editing.").waitFor();
  assert.equal(await dialog.getByRole("button", { name: "Use the saved version" }).count(), 0);
  await dialog.getByRole("button", { name: "Discard changes" }).click();
  await page.getByRole("heading", { name: "Email is not set up yet" }).waitFor();
  assert.match(await page.told(), /Your changes were discarded/);
  await page.done();
});

test("two who create at once do not overwrite each other, nor do a change and a removal", async () => {
  const page = await openConsole(browser, dev);
  await page.ready();
  await page.enterAccount();
  await dev.api(page.token, "PUT", "/email-config", dev.account({ senderName: "Quicker" }));
  await page.save();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Use the saved version" }).click();
  assert.equal(await page.field("senderName").inputValue(), "Quicker");

  await page.choose("None");
  await dev.api(page.token, "PATCH", "/email-config", [{ op: "replace", path: "/senderName", value: "Changed" }]);
  await page.button("Delete the settings").click();
  await dialog.getByRole("button", { name: "Delete anyway" }).click();
  await page.getByRole("heading", { name: "Email is not set up yet" }).waitFor();
  assert.equal((await page.stored()).passwordExists, false);
  await page.done();
});

test("what changed while the page lay in the background is shown when it comes back", async () => {
  const page = await openConsole(browser, dev);
  await dev.api(page.token, "PUT", "/email-config", dev.account());
  await page.clock.install();
  await page.reload();
  await page.ready();
  await page.field("senderName").fill("Mine");
  await dev.api(page.token, "PATCH", "/email-config", [{ op: "replace", path: "/senderName", value: "Theirs" }]);
  await page.clock.fastForward(60_000);
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.getByText("These settings were changed in the meantime.").first().waitFor();
  assert.equal(await page.field("senderName").inputValue(), "Mine");
  await page.picture("10-changed-meanwhile");
  await page.done();
});

test("the recent activity is told where the service keeps one, and left out where it does not", async () => {
  const page = await openConsole(browser, dev);
  await dev.api(page.token, "PUT", "/email-config", dev.account());
  const entry = (id, minutes, action, outcome, changed = []) => ({
    id: String(id), at: new Date(Date.now() - minutes * 60_000).toISOString(), userId: "ann", action, outcome, changed,
    remoteAddress: "192.0.2.1", traceId: "0".repeat(32),
  });
  await page.route(/\/email-config\/audit/, (route) => {
    const second = route.request().url().includes("cursor=");
    return route.fulfill({ json: second
      ? { data: [
        entry(9, 9000, "put", "OK", ["serverAddress", "emailPassword"]), entry(10, 9001, "sign-in", "KEY_REVOKED"),
        entry(11, 9002, "put", "NOT_STORED", ["senderName"]), entry(12, 9003, "send-test-email", "OUTCOME_UNKNOWN"),
      ], links: {} }
      : {
        data: [
          entry(1, 2, "verify-connection", "AUTH_REJECTED"), entry(2, 60, "send-test-email", "AUTH_REJECTED"),
          entry(3, 190, "verify-connection", "OK"), entry(4, 200, "patch", "OK", ["senderName"]), entry(5, 300, "new-one", "OK"),
        ],
        links: { next: { href: "https://elsewhere.example/api/v1/transports/email-config/audit?cursor=5" } },
      } });
  });
  const config = await page.stored();
  await page.route(/\/email-config$/, (route) => route.fulfill({ headers: { etag: '"a.2"' }, json: {
    ...config, isValid: false, errorCode: "INVALID_CREDENTIALS", authFailures: 3,
    status: { statusCode: 3, statusReason: "The mail server refused the sign-in." },
    lastUpdated: new Date(Date.now() - 120_000).toISOString(),
    lastCheck: { at: new Date(Date.now() - 120_000).toISOString(), operation: "verify-connection", success: false, unproved: [] },
    advice: [{ code: "PORT_SECURITY_MISMATCH", title: "Port 465 is usually used with SSL/TLS", meaning: "Choose that.", link: "https://www.rfc-editor.org/rfc/rfc8314" }],
  } }));
  await page.reload();
  await page.ready();
  await page.locator("#activity li").nth(4).waitFor();
  const facts = Object.fromEntries(await page.locator(".status .facts > div").evaluateAll((facts) =>
    facts.map((fact) => [fact.querySelector("dt").textContent, fact.querySelector("dd").textContent.trim().replace(/\s+/g, " ")])));
  assert.equal(facts["Refused sign-ins"], "3 since the last success");
  assert.equal(facts["Failing since"], "1 hour ago", "the first failure after the last success");
  assert.equal(await page.locator("#status-title").textContent(), "The sign-in was refused", "it failed two minutes ago");
  await page.getByText("The mail server refused the sign-in.").waitFor();
  await page.getByText("Port 465 is usually used with SSL/TLS").waitFor();
  const rows = (await page.locator("#activity li").allInnerTexts()).map((row) => row.replace(/\s+/g, " "));
  assert.match(rows[0], /Connection test failed AUTH_REJECTED ann 2 minutes ago/);
  assert.match(rows[3], /Settings changed ann · Changed: Sender name/);
  assert.match(rows[4], /new-one/, "an action that the element does not know");
  await page.button("Show older").click();
  await page.getByText("Changed: Server, Password").waitFor();
  const older = (await page.locator("#activity > li").allInnerTexts()).slice(-3).map((row) => row.replace(/\s+/g, " "));
  assert.match(older[0], /^A program’s sign-in was refused The key was revoked\. ann/);
  assert.match(older[1], /^Tried to change Sender name – not saved The check succeeded, but nothing was saved: usually/);
  assert.match(older[2], /^Test email, outcome not known/);
  await page.picture("11-failing-with-activity");
  await page.axe("the activity");
  await page.done();

  const without = await openConsole(browser, dev);
  await without.route(/\/email-config\/audit/, (route) => route.fulfill({ status: 404, json: { errors: [] } }));
  await without.reload();
  await without.ready();
  assert.equal(await without.getByRole("heading", { name: "Recent activity" }).count(), 0);
  await without.done();
});

test("in dev the inbox is an account with one click, and the first email takes a second one", async () => {
  const page = await browser.open();
  const session = await (await fetch(`${dev.origin}/console/session`)).json();
  const token = dev.token(`tenant-own-account-${process.pid}`);
  await page.route("**/console/session", (route) => route.fulfill({ json: { ...session, token } }));
  await page.goto(dev.console);
  await page.locator("#settings-title").waitFor();
  await page.locator("#own-account").click();
  await page.getByRole("heading", { name: "Email is ready" }).waitFor();
  await page.locator("#send-test").click();
  await page.locator("#test-result.ok").waitFor();
  assert.equal(await page.locator("#preset").inputValue(), "test-inbox");
  await page.picture("12-own-account");
  // Another language renames it and loses nothing.
  await page.locator('[name="senderName"]').fill("Mine");
  await page.locator("#language").selectOption("de");
  await page.locator("#preset option", { hasText: "Testpostfach" }).waitFor({ state: "attached" });
  assert.equal(await page.locator('[name="senderName"]').inputValue(), "Mine");
  await page.done();
});

test("a pasted server is taken apart into its fields, and the page says so", async () => {
  const page = await openConsole(browser, dev);
  await page.ready();
  await page.choose("BasicAuth");
  await page.field("serverAddress").fill("smtps://localhost:4650/");
  await page.field("serverAddress").blur();
  await page.getByText("We put 4650 into the port and chose SSL/TLS.").first().waitFor();
  assert.deepEqual(await Promise.all(["serverAddress", "serverPort"].map((name) => page.field(name).inputValue())), ["localhost", "4650"]);
  assert.equal(await page.locator('[name="securityType"][value="SSL/TLS"]').isChecked(), true);
  assert.match(await page.told(), /We put 4650/);
  assert.equal(await page.field("serverAddress").getAttribute("aria-describedby"), "n-serverAddress");
  await page.picture("13-taken-apart");
  await page.axe("a note at a field");
  await page.field("serverAddress").fill("localhost");
  assert.equal(await page.locator("#n-serverAddress").count(), 0, "the note is about what was entered");
  await page.field("emailAddress").fill("Example Ltd <platform@example.com>");
  await page.field("emailAddress").blur();
  await page.getByText("We put “Example Ltd” into the sender name.").first().waitFor();
  assert.equal(await page.field("emailAddress").inputValue(), "platform@example.com");
  assert.equal(await page.field("senderName").inputValue(), "Example Ltd");
  // Saved with Enter, without leaving the field first.
  await page.getByLabel("Same as sender address").uncheck();
  await page.fill({ username: "dev", emailPassword: dev.password, serverPort: "1" });
  await page.security("StartTLS");
  await page.field("serverAddress").fill(`localhost:${dev.smtpPort}`);
  await page.field("serverAddress").press("Enter");
  await page.saved();
  assert.equal((await page.stored()).serverPort, dev.smtpPort);
  await page.done();
});

test("a typing error in a known server is one click", async () => {
  const page = await openConsole(browser, dev);
  await page.ready();
  await page.choose("BasicAuth");
  await page.field("serverAddress").fill("smtp.gmial.com");
  await page.getByText("Did you mean smtp.gmail.com?").waitFor();
  await page.picture("14-did-you-mean");
  await page.button("Use smtp.gmail.com").click();
  assert.equal(await page.field("serverAddress").inputValue(), "smtp.gmail.com");
  assert.equal(await page.locator("#preset").inputValue(), "google-workspace");
  assert.equal(await page.locator("#similar-server").count(), 0);
  await page.done();
});

test("microsoft 365 keeps the sender address, from the warning's button too", async () => {
  const page = await openConsole(browser, dev);
  await dev.api(page.token, "PATCH", "/email-config", [
    ["serverAddress", "smtp.office365.com"], ["serverPort", "587"], ["securityType", "StartTLS"],
    ["emailAddress", "news@example.com"], ["username", "news@example.com"], ["emailPassword", "secret"],
  ].map(([field, value]) => ({ op: "replace", path: `/${field}`, value })));
  await page.reload();
  await page.ready();
  await page.getByText("end of December 2026").first().waitFor();
  await page.picture("15-password-end");
  await page.locator(".status").getByRole("button", { name: "Choose Microsoft 365" }).click();
  await page.focusIs("provider-Microsoft365");
  assert.equal(await page.field("emailAddress").inputValue(), "news@example.com");
  await page.done();
});

test("the activity tells names, titles and recipients, folds like rows, and opens a diagnosis as it was", async () => {
  const page = await openConsole(browser, dev);
  await page.ready();
  const attempt = (changes) => dev.api(page.token, "PUT", "/email-config", dev.account(changes));
  await attempt({ emailPassword: "wrong" });
  await attempt({ emailPassword: "wrong" });
  await attempt({});
  await dev.api(page.token, "POST", "/email-config/actions/send-test-email", { recipient: "bob@example.org" });
  await page.reload();
  await page.locator("#activity > li").nth(2).waitFor();
  const rows = (await page.locator("#activity > li").allInnerTexts()).map((row) => row.replace(/\s+/g, " "));
  assert.equal(rows.length, 3, rows.join("\n"));
  assert.match(rows[0], /^Test email to bob@example\.org sent/);
  assert.match(rows[2], /^Tried to change Server, .*Password – not saved localhost refused the sign-in .*2 times, the first just now/);
  const past = page.locator("#activity details");
  await past.locator("summary").click();
  await past.getByText("Enter the password again, and check the user name").waitFor();
  await page.picture("16-activity");
  await page.axe("a past diagnosis");
  // A deletion renews the list.
  await page.choose("None");
  await page.button("Delete the settings").click();
  await page.locator("#activity > li", { hasText: "Settings deleted" }).waitFor();
  await page.done();
});

test("commands in the steps can be copied, and are in the font of code", async () => {
  const page = await openConsole(browser, dev, { permissions: ["clipboard-read", "clipboard-write"] });
  await dev.api(page.token, "PUT", "/email-config", dev.account());
  const command = "Set-CASMailbox ann@example.com -SmtpClientAuthenticationDisabled $false";
  await page.route("**/verify-connection", (route) => route.fulfill({ json: {
    success: false, connectionFailed: false, message: "",
    diagnosis: { code: "M365_SMTP_AUTH_DISABLED_TENANT", title: "It is off", owner: "microsoft365_admin", stage: "auth", links: [], transcript: [],
      steps: [`In Exchange Online PowerShell: \`${command}\``] },
  } }));
  await page.reload();
  await page.ready();
  await page.button("Test connection").click();
  await page.locator(".command code", { hasText: command }).waitFor();
  await page.picture("17-command");
  await page.locator(".command").getByRole("button", { name: "Copy" }).click();
  await page.getByText("Copied", { exact: true }).first().waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), command);
  await page.done();
});
