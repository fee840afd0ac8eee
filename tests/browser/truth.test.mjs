// What the page states, beside what is so: the service's answers, and what the mail server has seen.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startBrowser } from "./support/browser.mjs";
import { startDev } from "./support/dev.mjs";
import { openConsole } from "./support/element.mjs";
import { startSmtp } from "./support/smtp.mjs";

let dev;
let browser;
before(async () => {
  [dev, browser] = await Promise.all([startDev({ EGRESS__TIMEOUT_SECONDS: "6" }), startBrowser()]);
});
after(() => Promise.all([dev?.stop(), browser?.stop()]));

const CONFIG = "/email-config";
const SIGN_IN = { EHLO: "250-mail.test\r\n250-AUTH PLAIN\r\n250 8BITMIME" };

/** An account of a scripted server, as a PUT takes it. */
function accountOf(smtp, changes = {}) {
  return dev.account({ serverAddress: "127.0.0.1", serverPort: smtp.port, securityType: "none", ...changes });
}

/** The same as a PATCH, which contacts nothing. */
const patchOf = ({ providerConfig }) =>
  Object.entries(providerConfig).map(([field, value]) => ({ op: "replace", path: `/${field}`, value }));

async function open(setUp = async () => {}, service = dev) {
  const page = await openConsole(browser, service, { at: "about:blank" });
  const api = (method, path, body) => service.api(page.token, method, path, body);
  await setUp(api);
  await page.goto(service.console);
  await page.ready();
  return Object.assign(page, { api });
}

/** With a scripted server whose account is stored, and has been checked. */
async function openWith(smtp, changes) {
  return open(async (api) => {
    assert.equal((await api("PUT", CONFIG, accountOf(smtp, changes))).status, 204);
  });
}

async function sendTest(page, recipient = "bea@example.com") {
  await page.field("recipient").fill(recipient);
  await page.locator("#send-test").click();
  await page.focusIs("test-result");
}

async function verify(page) {
  await page.button("Test connection").click();
  await page.focusIs("check-result");
}

/**
 * The page's one statement, held against what the service knows.
 *
 * @returns the words of the card
 */
async function states(page, kind, pattern) {
  await page.locator(`.status[data-statement="${kind}"]`).waitFor();
  const config = await page.stored();
  const statement = (await page.locator(".status .grow").innerText()).replace(/\s+/g, " ");
  assert.match(statement, pattern, kind);
  const badge = (await page.locator(".status .badge").getAttribute("class")).split(" ").pop();
  const green = await page.locator(".status .notice.ok").count();
  if (kind === "failing") {
    assert.equal(config.isValid, false);
    assert.ok(statement.includes(config.status.statusReason), statement);
    assert.deepEqual([badge, green], ["bad", 0], "nothing green stands in a card that says that email cannot be sent");
  } else if (kind !== "incomplete") {
    assert.equal(config.isValid, kind !== "none", "the service knows nothing against the settings");
    assert.notEqual(badge, "bad");
  }
  assert.equal(badge === "ok", kind === "ready" && !config.advice, "only what is ready, and has no warning, is green");
  if (kind === "untested") assert.equal(config.lastCheck, undefined);
  if (["ready", "almost"].includes(kind)) assert.ok(config.lastCheck, "ready means that it was tried");
  return statement;
}

test("a save proves what it claims, and a failed one leaves the card as it was", async (t) => {
  const smtp = await startSmtp(SIGN_IN);
  t.after(() => smtp.stop());
  const page = await open();
  await states(page, "none", /Email is not set up yet/);
  // 1: refused senders are found before anything is stored.
  smtp.replies.MAIL = "553 5.7.1 Sender address rejected: not owned by user";
  await page.enterAccount({ serverAddress: "127.0.0.1", serverPort: smtp.port });
  await page.security("none");
  await page.save();
  assert.equal(await page.code(), "SENDER_NOT_OWNED");
  await page.getByText("Nothing was saved.").waitFor();
  await states(page, "none", /Email is not set up yet/);
  // 2: one that may pass later is not proved.
  smtp.replies.MAIL = "451 4.3.0 Try again";
  await page.save();
  await page.saved();
  assert.match(await page.told(), /the server accepted the sign-in$/);
  assert.deepEqual((await page.stored()).lastCheck.unproved, ["sender_address", "delivery"]);
  await states(page, "almost", /Almost done: send a test email .*the server accepted the sign-in\. Whether the server accepts the sender/);
  await page.picture("90-almost");
  // 3: the test email is the proof.
  smtp.replies.MAIL = "250 2.1.0 Ok";
  await page.locator("#to-test-mail").click();
  await page.focusIs("recipient");
  await sendTest(page);
  while (smtp.commands.at(-1) !== "QUIT") await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(smtp.commands.slice(-5), ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"].slice(-5).concat("QUIT").slice(-5));
  await states(page, "ready", /Email is ready, with a warning Tested just now by a test email, which was accepted\./);
  // 4: settings that were never stored say nothing about the stored ones.
  await page.fill({ senderName: "Example Ltd", serverPort: 1, emailPassword: dev.password });
  await page.save();
  await page.code();
  await states(page, "ready", /Tested just now by a test email/);
  assert.equal((await page.stored()).lastCheck.operation, "send-test-email");
  // 5: after a correction the red is that of before.
  await page.field("emailPassword").fill("another");
  await page.getByText("Result for the settings before your change").waitFor();
  const remedies = page.locator(".settings .remedies button");
  assert.deepEqual(await remedies.evaluateAll((all) => all.map((one) => one.getAttribute("aria-disabled"))), ["true", "true", "true"]);
  await page.picture("91-result-before-the-change");
  await page.field("emailPassword").fill(dev.password);
  await page.getByText("Result for the settings before your change").waitFor({ state: "detached" });
  assert.equal(await remedies.first().getAttribute("aria-disabled"), null);
  await page.done();
});

test("a server without sign-in is named by what it has shown", async (t) => {
  const smtp = await startSmtp();
  t.after(() => smtp.stop());
  const page = await openWith(smtp, { username: undefined, emailPassword: undefined });
  const said = await states(page, "ready", /Tested just now by a check of the connection: the server accepted the sender address\./);
  assert.ok(!said.includes("sign-in") && !smtp.commands.includes("AUTH"), said);
  assert.ok(smtp.commands.includes("MAIL"));
  await page.done();
});

test("microsoft 365: a token is no proof of a mailbox, a test email is", async () => {
  const page = await open();
  await page.choose("Microsoft365");
  await page.fill({
    clientId: dev.clientId, providerTenantId: dev.directoryId, emailAddress: "nobody@contoso.example", clientSecret: dev.clientSecret,
  });
  await page.save();
  await page.saved();
  assert.ok((await page.stored()).lastCheck.unproved.includes("sender_address"));
  await states(page, "almost", /Microsoft accepted the app’s sign-in.*the mailbox nobody@contoso\.example only shows when an email is sent/);
  await page.picture("92-microsoft365-almost");
  await sendTest(page);
  const failed = !(await page.stored()).isValid;
  await (failed ? states(page, "failing", /Email cannot be sent/) : states(page, "ready", /by a test email/));
  await page.field("emailAddress").fill(dev.mailbox);
  await page.save();
  await page.saved();
  await states(page, "almost", new RegExp(dev.mailbox));
  await sendTest(page);
  await states(page, "ready", /Tested just now by a test email, which was accepted/);
  // A check of the connection shows less than the test email before it, and takes nothing back.
  await verify(page);
  await states(page, "ready", /by a test email/);
  await page.done();
});

test("a change that nothing has tried is untested, and ends what was shown before", async (t) => {
  const smtp = await startSmtp(SIGN_IN);
  t.after(() => smtp.stop());
  const page = await openWith(smtp);
  await verify(page);
  await page.locator(".status .notice.ok", { hasText: "The connection works: the server accepted the sign-in and the sender address" }).waitFor();
  const before = smtp.connections;
  await page.api("PATCH", CONFIG, [{ op: "replace", path: "/senderName", value: "Changed" }]);
  await page.reload();
  await page.ready();
  await states(page, "untested", /Saved, and not tested since the change/);
  assert.equal(smtp.connections, before, "nobody has asked the server");
  assert.equal(await page.locator(".status .notice.ok").count(), 0);
  await page.picture("93-untested");
  // Another server drops the password.
  await page.api("PATCH", CONFIG, [{ op: "replace", path: "/serverAddress", value: "localhost" }]);
  await page.reload();
  await page.ready();
  await states(page, "incomplete", /The settings are not complete.*Still missing: Password\. Enter the password/);
  await verify(page);
  assert.equal(await page.locator(".stages").count(), 0, "nothing was contacted");
  await page.button("Enter the password").click();
  await page.focusIs("emailPassword");
  await page.done();
});

test("a failure is shown whole to who opens the page the next day, and nobody asks the server again", async (t) => {
  const smtp = await startSmtp({ ...SIGN_IN, AUTH: "535 5.7.8 No" });
  t.after(() => smtp.stop());
  const page = await open(async (api) => {
    await api("PATCH", CONFIG, patchOf(accountOf(smtp)));
    assert.equal((await api("POST", `${CONFIG}/actions/verify-connection`)).body.success, false);
  });
  const before = smtp.connections;
  await states(page, "failing", /The sign-in was refused/);
  const { lastCheck } = await page.stored();
  assert.equal(await page.code(), lastCheck.diagnosis.code);
  assert.deepEqual(await page.locator("#last-check ol.steps > li").allTextContents(), lastCheck.diagnosis.steps);
  assert.equal(await page.locator("#last-check time").first().getAttribute("datetime"), lastCheck.at);
  assert.deepEqual(await page.locator("#last-check .stages .name").allTextContents(), ["Connect", "Greet", "Sign in", "Sender"]);
  assert.equal(await page.locator("#last-check .stages .failed .name").textContent(), "Sign in");
  assert.equal(await page.locator("#last-check .stages .skipped").first().innerText().then((text) => text.match(/not reached/g).length), 1);
  assert.equal(smtp.connections, before);
  await page.picture("94-the-next-day");
  await page.axe("the last check");
  await page.locator("#language").selectOption("de");
  await page.getByRole("heading", { name: "127.0.0.1 hat die Anmeldung abgelehnt" }).waitFor();
  await page.picture("95-the-next-day-german");
  await page.locator("#language").selectOption("en");
  // Its buttons work.
  await page.button("Enter the password again").click();
  await page.focusIs("emailPassword");
  smtp.replies.AUTH = "235 2.7.0 Ok";
  await page.field("emailPassword").fill(dev.password);
  await page.save();
  await page.saved();
  await states(page, "ready", /the server accepted the sign-in and the sender address/);
  assert.equal(await page.locator(".diagnosis").count(), 0);
  await page.done();
});

test("a connection that works is no green once an email was refused, before or after", async (t) => {
  const smtp = await startSmtp(SIGN_IN);
  t.after(() => smtp.stop());
  const page = await openWith(smtp);
  await verify(page);
  await page.locator(".status .notice.ok").waitFor();
  smtp.replies.message = "550 5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy";
  await sendTest(page);
  await states(page, "failing", /Email cannot be sent/);
  assert.equal(await page.locator(".status .check").count(), 0, "what was shown before it is past");
  assert.equal(await page.locator(".stages .failed .name").textContent(), "Hand over");
  // The check succeeds still, and shows less than the email.
  await verify(page);
  await states(page, "failing", /A check just now shows that the connection works, but not that an email is accepted/);
  assert.equal(await page.locator(".status .notice.info").count(), 1);
  await page.picture("96-connects-and-fails");
  await page.reload();
  await page.ready();
  await states(page, "failing", /only a test email shows that/);
  smtp.replies.message = "250 2.0.0 Taken";
  await sendTest(page);
  await states(page, "ready", /by a test email/);
  await page.done();
});

test("a refused recipient says nothing about the account", async (t) => {
  const smtp = await startSmtp(SIGN_IN);
  t.after(() => smtp.stop());
  const page = await openWith(smtp);
  for (const [reply, code] of [
    ["550 5.1.1 No such user", "RECIPIENT_UNKNOWN"], ["450 4.7.1 Greylisted, try again later", "GREYLISTED"],
  ]) {
    smtp.replies.RCPT = reply;
    await sendTest(page, "nobody@example.com");
    assert.equal(await page.code(), code);
    await states(page, "ready", /the server accepted the sign-in and the sender address\. The email itself was not accepted/);
    await page.reload();
    await page.ready();
    await states(page, "ready", /which says nothing against the settings/);
    assert.equal(await page.code(), code, "its result is kept beside the test email");
    assert.equal(await page.locator(".diagnosis.nobody").count(), code === "GREYLISTED" ? 1 : 0, "what passes by itself is not red");
    assert.equal(await page.locator(".status .diagnosis").count(), 0);
  }
  await page.done();
});

test("an unknown outcome is neither a failure nor a success", async (t) => {
  const smtp = await startSmtp({ ...SIGN_IN, message: "close" });
  t.after(() => smtp.stop());
  const page = await openWith(smtp);
  await sendTest(page, "bea@example.com");
  assert.equal(await page.code(), "OUTCOME_UNKNOWN");
  for (const loaded of [false, true]) {
    if (loaded) await page.reload().then(() => page.ready());
    await states(page, "unknown", /Check whether the test email arrived .*sent to bea@example\.com.*The settings are as they were/);
    await page.locator(".diagnosis.unknown").waitFor();
    assert.equal(await page.locator(".stages .unknown .name").textContent(), "Hand over");
    assert.equal(await page.locator(".stages .failed").count(), 0);
    const whole = await page.locator("email-transport-settings").innerText();
    for (const never of ["Nothing is broken", "cannot be sent", "Failing since", "bea@example.com failed"]) {
      assert.ok(!whole.includes(never), never);
    }
    await page.locator("#activity li", { hasText: "Test email to bea@example.com, outcome not known" }).first().waitFor();
    await page.getByText("Check whether it arrived before you send again").waitFor();
  }
  await page.picture("97-unknown");
  await page.done();
});

test("sending that is paused is said with who did it and what waits, and an email that was sent is a proof", async () => {
  const page = await open(async (api) => {
    await api("PUT", CONFIG, dev.account());
    await api("POST", "/account/pause");
    const sent = await api("POST", "/emails", { from: "platform@example.com", to: "bea@example.com", subject: "x", text: "y" });
    assert.ok(sent.status < 300, String(sent.status));
  });
  assert.equal((await page.api("GET", "/account")).body.waiting.emails, 1);
  await states(page, "held", /Sending is paused Sending was paused by ann just now\. One email is waiting\./);
  await page.picture("98-paused");
  await page.api("POST", "/account/resume");
  for (let tries = 0; (await page.stored()).lastCheck.operation !== "delivery"; tries += 1) {
    assert.ok(tries < 600, "the email is sent");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await page.reload();
  await page.ready();
  await states(page, "ready", /Tested just now by an email that was sent\./);
  // A program is named, too, and never by its id.
  const { body } = await page.api("POST", "/api-keys", { name: "Operations", permission: "full_access" });
  assert.equal((await dev.api(body.token, "POST", "/account/pause")).status, 200);
  await page.reload();
  await page.locator("#status-text", { hasText: "API key “Operations”" }).waitFor();
  await states(page, "held", /Sending was paused by API key “Operations” just now\./);
  await page.done();
});

test("a save goes on when the page is loaded again, and the page follows it to its end", async (t) => {
  const smtp = await startSmtp(SIGN_IN);
  t.after(() => smtp.stop());
  // One that waits for the mail server for longer than a page takes to load.
  const patient = await startDev();
  t.after(() => patient.stop());
  const page = await open((api) => api("PUT", CONFIG, patient.account()), patient);
  page.on("dialog", (dialog) => dialog.accept());
  /** The check goes on once the returned function is called. */
  const leave = async () => {
    smtp.connections = 0;
    const release = smtp.hold();
    await page.fill({ serverAddress: "127.0.0.1", serverPort: smtp.port, emailPassword: patient.password });
    await page.security("none");
    await page.save();
    while (smtp.connections === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await page.reload();
    await page.locator("#following", { hasText: "A check that you began is still running." }).waitFor();
    return release;
  };
  smtp.replies.AUTH = "535 5.7.8 No";
  let release = await leave();
  assert.equal(await page.locator("#save").getAttribute("aria-disabled"), "true");
  await page.picture("99-following");
  release();
  await page.getByText("The check that you began has failed, and its settings were not saved.").first().waitFor();
  assert.equal((await page.stored()).serverAddress, "localhost");
  await states(page, "ready", /by a check of the connection/);

  smtp.replies.AUTH = "235 2.7.0 Ok";
  release = await leave();
  // What is entered meanwhile stays, and is no conflict with oneself.
  await page.field("senderName").fill("Entered meanwhile");
  release();
  await page.getByText("The check that you began has succeeded, and its settings are saved.").first().waitFor();
  const stored = await page.stored();
  assert.deepEqual([stored.serverAddress, stored.serverPort], ["127.0.0.1", smtp.port]);
  await states(page, "ready", /the server accepted the sign-in and the sender address/);
  assert.equal(await page.locator(".facts dd").first().innerText().then((text) => text.includes(String(smtp.port))), true);
  await page.fill({ serverAddress: "127.0.0.1", serverPort: smtp.port });
  await page.security("none");
  await page.save();
  await page.saved();
  assert.equal(await page.getByRole("dialog").count(), 0, "nobody else has changed anything");
  assert.equal((await page.stored()).providerConfig.senderName, "Entered meanwhile");
  await page.done();
});

test("an operation that takes long says what happens where the page is left, and that happens", async (t) => {
  const smtp = await startSmtp(SIGN_IN);
  t.after(() => smtp.stop());
  const patient = await startDev({ EGRESS__TIMEOUT_SECONDS: "20" });
  t.after(() => patient.stop());
  const page = await open(async (api) => {
    assert.equal((await api("PUT", CONFIG, accountOf(smtp))).status, 204);
  }, patient);
  await page.clock.install();
  await page.reload();
  await page.ready();
  page.on("dialog", (dialog) => dialog.accept());
  /** Begins, leaves the page once it says what happens then, and returns. */
  const leave = async (begin, words) => {
    const release = smtp.hold();
    const { connections } = smtp;
    await begin();
    while (smtp.connections === connections) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(await page.locator("#lasting").count(), 0);
    await page.clock.runFor(3100);
    await page.locator("#lasting", { hasText: words }).waitFor();
    assert.match(await page.told(), words);
    await page.reload();
    await page.locator("#following").waitFor();
    release();
    await page.locator("#following").waitFor({ state: "detached" });
  };
  await leave(() => page.button("Test connection").click(), /the check continues, and its result is shown here when you return/);
  assert.equal((await page.stored()).lastCheck.operation, "verify-connection");
  await states(page, "ready", /by a check of the connection/);

  const sent = () => smtp.commands.filter((command) => command === "DATA").length;
  await leave(async () => {
    await page.field("recipient").fill("bea@example.com");
    await page.locator("#send-test").click();
  }, /sending continues, and its result is shown here when you return/);
  assert.equal(sent(), 1, "the test email was sent");
  await states(page, "ready", /by a test email, which was accepted/);

  smtp.replies.AUTH = "535 5.7.8 No";
  await leave(async () => {
    await page.fill({ senderName: "Not saved" });
    await page.save();
  }, /If it fails, nothing is saved, and you have to enter your changes again/);
  await page.getByText("The check that you began has failed, and its settings were not saved.").first().waitFor();
  assert.equal((await page.stored()).providerConfig.senderName, undefined);
  assert.equal(await page.field("senderName").inputValue(), "");
  await page.done();
});

test("a test email whose answer is lost may have been sent, and the page says so", async (t) => {
  const smtp = await startSmtp(SIGN_IN);
  t.after(() => smtp.stop());
  const page = await openWith(smtp);
  await page.route("**/send-test-email", async (route) => {
    await route.fetch();
    await route.abort();
  });
  await sendTest(page, "bea@example.com");
  await page.locator("#test-result", { hasText: "The test email may have been sent: check that inbox before you send another one." }).waitFor();
  assert.ok(smtp.commands.includes("DATA"), "it was");
  assert.equal(await page.locator("#test-result").innerText().then((text) => text.includes("entries")), false, "nothing was entered");
  await page.picture("99-test-email-lost");
  await page.done();
});

test("what was entered is said to be kept where something was entered, and nowhere else", async () => {
  const page = await openConsole(browser, dev, { at: "about:blank" });
  await page.route(/\/email-config$/, (route) => route.abort());
  await page.goto(dev.console);
  await page.getByText("The service cannot be reached").first().waitFor();
  assert.equal(await page.getByText("Your entries are still here.").count(), 0);
  await page.unroute(/\/email-config$/);
  await page.button("Try again").click();
  await page.ready();
  await page.enterAccount();
  await page.route(/\/email-config$/, (route) => route.abort());
  await page.save();
  await page.locator("#save-problem", { hasText: "If it succeeds, the settings are saved. Your entries are still here." }).waitFor();
  assert.equal(await page.field("serverAddress").inputValue(), "localhost");
  await page.done();
});

test("an internationalised name is shown in its own script, and sent as it is on the wire", async () => {
  const ascii = { serverAddress: "smtp.xn--gre-6ka8i.de", emailAddress: "news@xn--gre-6ka8i.de" };
  const page = await open(async (api) => {
    await api("PATCH", CONFIG, patchOf(dev.account({ serverAddress: "smtp.größe.de", emailAddress: "news@größe.de" })));
  });
  const { unicode, providerConfig } = await page.stored();
  assert.deepEqual(unicode, { serverAddress: "smtp.größe.de", emailAddress: "news@größe.de" });
  assert.deepEqual([providerConfig.serverAddress, providerConfig.emailAddress], [ascii.serverAddress, ascii.emailAddress]);
  const form = () => Promise.all(["serverAddress", "emailAddress"].map((name) => page.field(name).inputValue()));
  assert.deepEqual(await form(), [unicode.serverAddress, unicode.emailAddress]);
  const facts = (await page.locator(".status .facts dd").allInnerTexts()).join();
  assert.ok(facts.includes(`smtp.größe.de:${dev.smtpPort}`) && facts.includes("news@größe.de") && !facts.includes("xn--"), facts);
  assert.equal(await page.locator("#save").getAttribute("aria-disabled"), "true", "nothing was changed");
  await page.picture("99-internationalised");
  // Entered again in another way it is the same server, with the same password.
  await page.field("serverAddress").fill("SMTP.GRÖßE.de");
  await page.field("senderName").fill("Example Ltd");
  await page.getByText("A password is saved").waitFor();
  let sent;
  await page.route(/\/email-config$/, (route) => {
    if (route.request().method() !== "PUT") return route.fallback();
    sent = route.request().postDataJSON().providerConfig;
    return route.fulfill({ status: 400, json: { errors: [{ code: "CONNECTIONCHECK-1", title: "The check failed", meta: { diagnosis: {
      code: "AUTH_REJECTED", title: "It was refused", owner: "tenant_admin", stage: "auth", steps: [], links: [], transcript: [],
    } } }] } });
  });
  await page.save();
  await page.button("Sign in as news@größe.de").waitFor();
  assert.deepEqual([sent.serverAddress, sent.emailAddress], [ascii.serverAddress, ascii.emailAddress]);
  await page.unroute(/\/email-config$/);
  // One that looks like another name stays as it is.
  await page.button("Discard changes").click();
  await page.api("PATCH", CONFIG, [{ op: "replace", path: "/serverAddress", value: "xn--80ak6aa92e.com" }]);
  await page.reload();
  await page.ready();
  assert.equal(await page.field("serverAddress").inputValue(), "xn--80ak6aa92e.com");
  await page.done();
});

test("no sign-in is one click, and the saved password goes with it as the page says", async (t) => {
  const smtp = await startSmtp(SIGN_IN);
  t.after(() => smtp.stop());
  const page = await openWith(smtp);
  assert.equal((await page.stored()).passwordExists, true);
  await page.locator("#no-sign-in").click();
  await page.focusIs("username");
  await page.getByText("Without a user name, the saved password is deleted when you save.").waitFor();
  assert.equal(await page.getByText("Please enter it again").count(), 0);
  await page.picture("99-no-sign-in");
  smtp.commands.length = 0;
  await page.save();
  await page.saved();
  const stored = await page.stored();
  assert.deepEqual([stored.passwordExists, stored.username], [false, undefined]);
  assert.ok(!smtp.commands.includes("AUTH"));
  await states(page, "ready", /the server accepted the sender address\./);
  await page.done();
});

test("a save whose answer is lost is no change of somebody else's", async () => {
  const page = await open(async (api) => {
    await api("PUT", CONFIG, dev.account());
  });
  let lost = 0;
  await page.route(/\/email-config$/, async (route) => {
    if (route.request().method() !== "PUT" || lost > 0) return route.fallback();
    lost += 1;
    await route.fetch();
    return route.abort();
  });
  await page.field("senderName").fill("Example Ltd");
  await page.save();
  await page.getByText("The service cannot be reached").first().waitFor();
  assert.equal((await page.stored()).providerConfig.senderName, "Example Ltd", "it was stored all the same");
  await page.button("Try again").click();
  await page.saved();
  assert.equal(await page.getByRole("dialog").count(), 0);
  await page.done();
});

test("a second tab shows what the first has changed, and says who where something was entered", async () => {
  const page = await open(async (api) => {
    await api("PUT", CONFIG, dev.account());
  });
  await page.clock.install();
  await page.reload();
  await page.ready();
  const returns = async () => {
    await page.clock.fastForward(5000);
    await page.evaluate(() => window.dispatchEvent(new Event("focus")));
  };
  await sendTest(page);
  await page.locator("#test-result.ok").waitFor();
  await page.api("PATCH", CONFIG, [{ op: "replace", path: "/senderName", value: "Theirs" }]);
  await returns();
  await page.waitForFunction(() => document.querySelector("email-transport-settings").shadowRoot.querySelector('[name="senderName"]').value === "Theirs");
  await states(page, "untested", /not tested since the change/);
  assert.equal(await page.locator("#test-result").count(), 0, "it was sent with the settings before");
  await page.field("senderName").fill("Mine");
  await page.api("PATCH", CONFIG, [{ op: "replace", path: "/senderName", value: "Theirs again" }]);
  await returns();
  await page.getByText("These settings were changed in the meantime.").first().waitFor();
  await page.locator(".settings .notice", { hasText: /By ann, just now\./ }).waitFor();
  assert.equal(await page.field("senderName").inputValue(), "Mine");
  await page.done();
});

test("the support's copy names time, request, server and sender", async () => {
  const page = await openConsole(browser, dev, { permissions: ["clipboard-read", "clipboard-write"] });
  await page.ready();
  await page.enterAccount({ emailPassword: "wrong" });
  await page.save();
  await page.code();
  await page.getByText("Technical details").click();
  await page.button("Copy for support").click();
  await page.getByText("Copied", { exact: true }).first().waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const { body } = await dev.api(page.token, "GET", `${CONFIG}/audit`);
  assert.ok(copied.includes(`trace id\t${body.data[0].traceId}`), copied);
  assert.match(copied, /time\t20\d\d-.*Z\nt/);
  assert.match(copied, new RegExp(`server\tlocalhost:${dev.smtpPort} \\(StartTLS\\)\nsender\tplatform@example.com`));
  assert.ok(!copied.includes("wrong"), "no secret");
  await page.done();
});

test("what is printed is what is stated", async () => {
  const page = await open(async (api) => {
    await api("PUT", CONFIG, dev.account());
  });
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.locator("#status-title").isVisible(), true);
  for (const hidden of ["#verify", "#save", ".settings form", ".choices"]) {
    assert.equal(await page.locator(hidden).first().isVisible(), false, hidden);
  }
  await page.picture("99-print");
  await page.done();
});
