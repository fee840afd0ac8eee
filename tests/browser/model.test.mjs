// The element's core, which is pure: as tables.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const root = path.resolve(fileURLToPath(new URL(".", import.meta.url)), "../..");
const load = (name) => import(path.join(root, "web/element", name));
const { faults, keepsSecret, smtpConfig, smtpDraft } = await load("model/form.js");
const { intendedServer, usualSecurity, withPreset } = await load("model/presets.js");
const { CODES, remedies } = await load("model/remedies.js");
const { expectedStages, finished, withEvent } = await load("model/stages.js");
const { fieldFault } = await load("model/faults.js");
const { UNCHANGED, failingSince } = await load("model/history.js");
const { missingFields, statement } = await load("model/statement.js");
const { readEvents } = await load("net/event-stream.js");
const { ago, countdown, duration, timeOfDay } = await load("format.js");
const { similarServer, takeApart } = await load("model/server.js");
const { folded, nameInToken } = await load("model/activity.js");
const { mailboxOf, senderToName } = await load("model/address.js");
const { asciiAddress, asciiHost, readable } = await load("model/names.js");
const { Problem } = await load("net/problem.js");

const CONFIG = {
  serviceProvider: "BasicAuth", passwordExists: true, isValid: true,
  providerConfig: { serverAddress: "smtp.example.com", serverPort: 587, securityType: "StartTLS", username: "ann", emailAddress: "ann@example.com" },
};

test("a stored password is kept where the service keeps it", () => {
  const next = (changes) => ({ ...CONFIG.providerConfig, ...changes });
  for (const [changes, kept] of [
    [{}, true], [{ emailAddress: "bea@example.com" }, true], [{ securityType: "SSL/TLS" }, true],
    [{ serverAddress: "SMTP.example.COM" }, true], [{ serverAddress: "other.example.com" }, false], [{ serverPort: 465 }, false],
    [{ username: "bea" }, false], [{ username: "ANN" }, false], [{ username: undefined }, false], [{ securityType: "none" }, false],
  ]) {
    assert.equal(keepsSecret(CONFIG, "BasicAuth", next(changes)), kept, JSON.stringify(changes));
  }
  assert.equal(keepsSecret({ ...CONFIG, passwordExists: false }, "BasicAuth", next({})), false);
  assert.equal(keepsSecret(CONFIG, "Microsoft365", next({})), false);
  assert.equal(keepsSecret(null, "BasicAuth", next({})), false);
});

test("a form says what a PUT takes, and what is missing", () => {
  const draft = { ...smtpDraft(null), serverAddress: " smtp.example.com ", emailAddress: "ann@example.com", emailPassword: " x " };
  assert.deepEqual(smtpConfig(draft), {
    serverAddress: "smtp.example.com", serverPort: 587, securityType: "StartTLS", emailAddress: "ann@example.com",
    username: "ann@example.com", emailPassword: " x ",
  });
  assert.deepEqual(faults("BasicAuth", smtpConfig(draft), false), {});
  assert.deepEqual(Object.keys(faults("BasicAuth", smtpConfig(smtpDraft(null)), false)), ["serverAddress", "emailAddress"]);
  assert.deepEqual(faults("BasicAuth", { ...smtpConfig(draft), username: undefined }, false), { username: "error.required.username" });
  assert.deepEqual(faults("BasicAuth", { ...smtpConfig(draft), serverPort: "x" }, false), { serverPort: "error.port" });
  assert.deepEqual(Object.keys(faults("Microsoft365", {}, true)), ["clientId", "providerTenantId", "emailAddress"]);
  // What is stored comes back unchanged.
  const { emailPassword: _, ...shown } = smtpConfig(smtpDraft(CONFIG));
  assert.deepEqual(shown, CONFIG.providerConfig);
});

test("a preset takes no password along to another service", () => {
  const preset = {
    id: "x", serviceProvider: "BasicAuth", servers: [{ serverAddress: "smtp.x.com" }, { serverAddress: "smtp.eu.x.com" }],
    serverPort: 465, securityType: "SSL/TLS", usernameForm: "fixed", username: "apikey",
  };
  const typed = { ...smtpDraft(null), serverAddress: "smtp.other.com", emailPassword: "secret" };
  const filled = withPreset(typed, preset);
  assert.deepEqual([filled.serverAddress, filled.serverPort, filled.username, filled.emailPassword], ["smtp.x.com", "465", "apikey", ""]);
  const region = withPreset({ ...filled, emailPassword: "secret" }, preset, "smtp.eu.x.com");
  assert.deepEqual([region.serverAddress, region.emailPassword], ["smtp.eu.x.com", "secret"]);
  assert.equal(intendedServer([preset], "imap.x.com"), "smtp.x.com");
  for (const other of ["smtp.x.com", "mail.y.com", "localhost", ""]) assert.equal(intendedServer([preset], other), null);
  assert.deepEqual([usualSecurity("465", "StartTLS"), usualSecurity("587", "SSL/TLS"), usualSecurity("4465", "none")], ["SSL/TLS", "StartTLS", null]);
});

test("every code with a remedy is one of the service's, and every remedy can be applied", async () => {
  const known = [...(await readFile(path.join(root, "docs/diagnosis.md"), "utf8")).matchAll(/^### ([A-Z\d_]+)$/gm)].map(([, code]) => code);
  assert.deepEqual(CODES.filter((code) => !known.includes(code)), []);
  const texts = (await import(path.join(root, "web/texts/en.js"))).default;
  const fields = new Set([...Object.keys(smtpDraft(null)), "recipient", "clientId", "clientSecret", "providerTenantId"]);
  for (const code of known) {
    for (const config of [CONFIG.providerConfig, {}, { ...CONFIG.providerConfig, username: "ann@example.com", serverPort: 465 }]) {
      for (const remedy of remedies({ code, retryable: true }, { provider: "BasicAuth", config, presets: [] })) {
        assert.ok(texts[remedy.text], `${code}: ${remedy.text}`);
        for (const field of [...Object.keys(remedy.changes ?? {}), ...(remedy.focus ? [remedy.focus] : [])]) {
          assert.ok(fields.has(field), `${code}: ${field}`);
        }
      }
    }
  }
});

test("the likeliest remedy comes first", () => {
  const gmail = { id: "g", serviceProvider: "BasicAuth", servers: [{ serverAddress: "smtp.gmail.com" }] };
  const first = (code, config = {}, presets = [gmail]) => {
    const [remedy] = remedies({ code }, { provider: "BasicAuth", config: { ...CONFIG.providerConfig, ...config }, presets });
    return remedy && (remedy.changes ?? remedy.focus ?? remedy.provider ?? remedy.action);
  };
  for (const [code, config, expected] of [
    ["STARTTLS_MISSING", {}, { serverPort: "465", securityType: "SSL/TLS" }],
    ["TLS_MODE_MISMATCH_USE_IMPLICIT", {}, { securityType: "SSL/TLS" }],
    ["TLS_MODE_MISMATCH_USE_STARTTLS", {}, { securityType: "StartTLS" }],
    ["CONNECT_REFUSED", {}, { serverPort: "465", securityType: "SSL/TLS" }],
    ["CONNECT_REFUSED", { serverPort: 25 }, { serverPort: "587", securityType: "StartTLS" }],
    ["DNS_NOT_FOUND", { serverAddress: "imap.gmail.com" }, { serverAddress: "smtp.gmail.com" }],
    ["REPLY_TIMEOUT", { serverPort: 465 }, { securityType: "SSL/TLS" }],
    ["REPLY_TIMEOUT", {}, "again"],
    ["RELAY_DENIED", {}, "serverAddress"],
    ["RELAY_DENIED", { username: undefined }, "username"],
    ["SENDGRID_APIKEY", {}, { username: "apikey", sameAsSender: false }],
    ["SENDGRID_APIKEY", { username: "apikey" }, "emailPassword"],
    ["AUTH_REJECTED", {}, { sameAsSender: true }],
    ["AUTH_REJECTED", { username: "ann@example.com" }, "emailPassword"],
    ["SENDER_NOT_OWNED", { username: "bea@example.com" }, { emailAddress: "bea@example.com" }],
    ["M365_BASIC_AUTH_DISABLED", {}, "Microsoft365"],
    ["ENTRA_CONSENT_MISSING", {}, "setup-help"],
    ["GMAIL_APP_PASSWORD_REQUIRED", {}, "emailPassword"],
    ["DMARC_FAIL", {}, undefined],
  ]) {
    assert.deepEqual(first(code, config), expected, code);
  }
  const issued = { ...gmail, usernameForm: "issued", servers: [{ serverAddress: "smtp.example.com" }] };
  assert.equal(first("AUTH_REJECTED", {}, [issued]), "emailPassword", "its user names are no addresses");
});

test("stages come one after the other, with what the service calls them", () => {
  const ids = (stages) => stages.map(({ id }) => id).join();
  assert.equal(ids(expectedStages("BasicAuth", { securityType: "SSL/TLS", username: "x" })), "name,connection,encryption,greeting,signIn,sender");
  assert.equal(ids(expectedStages("BasicAuth", { securityType: "none" })), "name,connection,greeting,sender");
  assert.equal(ids(expectedStages("Microsoft365", {})), "token");
  let stages = expectedStages("BasicAuth", { securityType: "StartTLS", username: "x" });
  for (const event of [["policy", "done", 1], ["dns", "done", 2], ["connect", "started"], ["unheard_of", "done", 9]]) {
    stages = withEvent(stages, { stage: event[0], state: event[1], elapsedMs: event[2] });
  }
  assert.deepEqual(stages.slice(0, 3).map(({ state, ms }) => [state, ms]), [["done", 3], ["running", null], ["waiting", null]]);
  const failed = finished(stages, { code: "X", title: "", owner: "operator", stage: "connect" });
  assert.deepEqual(failed.map(({ state }) => state), ["done", "failed", "skipped", "skipped", "skipped", "skipped"]);
  // Without a stream, the transcript tells.
  const plain = finished(expectedStages("BasicAuth", { securityType: "none" }), {
    code: "X", title: "", owner: "operator", stage: "rcpt_to", transcript: [{ stage: "dns", ms: 4, detail: "" }, { stage: "dns", ms: 5, detail: "" }],
  });
  assert.deepEqual(plain.map(({ id, state, ms }) => [id, state, ms]),
    [["name", "done", 9], ["connection", "skipped", null], ["greeting", "skipped", null], ["sender", "skipped", null], ["recipient", "failed", null]]);
  // A server with PIPELINING or CHUNKING has answered what was sent behind the refused recipient: nothing was handed over.
  let sent = expectedStages("BasicAuth", { securityType: "none" }, true);
  for (const stage of ["dns", "connect", "greeting", "mail_from", "rcpt_to", "data"]) {
    sent = withEvent(sent, { stage, state: "done", elapsedMs: 1 });
  }
  const refused = finished(sent, { code: "X", title: "", owner: "operator", stage: "rcpt_to" });
  assert.deepEqual(refused.slice(-3).map(({ id, state, ms }) => [id, state, ms]),
    [["sender", "done", 1], ["recipient", "failed", 1], ["message", "skipped", null]]);
});

test("refused input finds its field", async () => {
  const fields = ["serverAddress", "serverPort", "emailPassword"];
  const fault = (pointer, reason, allowed) => ({ code: "INPUTCHECK-1", title: "a sentence", source: { pointer }, meta: { reason, allowed } });
  for (const [refused, expected] of [
    [fault("/providerConfig/serverAddress", "required"), ["serverAddress", "error.required.serverAddress"]],
    [fault("/providerConfig/serverPort", "port_not_allowed", ["25", "587"]), ["serverPort", "error.portAllowed"]],
    [fault("/providerConfig/emailPassword", "secret_not_kept"), ["emailPassword", "error.secretAgain"]],
    [fault("/providerConfig/serverAddress", "a_new_reason"), ["serverAddress", "error.other"]],
    [fault("/providerConfig/clientId", "unknown_field"), [null, "error.other"]],
    [fault("", "not_an_object"), [null, "error.other"]],
    [{ code: "HTTP-500", title: "Internal error" }, [null, "error.other"]],
  ]) {
    const { field, text } = fieldFault(refused, fields);
    assert.deepEqual([field, text], expected, JSON.stringify(refused));
  }
  const port = fieldFault(fault("/providerConfig/serverPort", "port_not_allowed", ["25", "587"]), fields);
  assert.deepEqual(port.values, { allowed: "25, 587" });
  assert.deepEqual(fieldFault(fault("/recipient", "several_addresses"), ["recipient"]).text, "error.severalAddresses");
});

test("the reasons of the service that a form can meet have a text in every language", async () => {
  const page = await readFile(path.join(root, "docs/input-faults.md"), "utf8");
  const reasons = [...page.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, reason]) => reason);
  // The form sends objects and strings, and only the fields that there are; it sends no email.
  const reasonsOfEmails = /^(conflict|not_supported|too_many|not_base64|not_a_timestamp|not_a_message|not_a_content_type|header_not_allowed|sender_not_allowed)$/;
  const unmet = /^(not_a_string|not_an_object|not_an_array|unknown_\w+|duplicate|not_json|incomplete_body|malformed_query|ambiguous_request|invalid_cursor|incomplete_switch)$/;
  for (const language of ["en", "de"]) {
    const texts = (await import(path.join(root, `web/texts/${language}.js`))).default;
    for (const reason of reasons.filter((reason) => !unmet.test(reason) && !reasonsOfEmails.test(reason))) {
      const { text } = fieldFault({ title: "", source: { pointer: "/serverAddress" }, meta: { reason } }, ["serverAddress"]);
      assert.ok(texts[text] && text !== "error.other", `${language}: ${reason}`);
    }
  }
});

test("a server is taken apart into its fields", () => {
  for (const [text, expected] of [
    ["smtp.example.com", { serverAddress: "smtp.example.com" }],
    ["https://smtp.example.com/", { serverAddress: "smtp.example.com" }],
    ["smtp.example.com:587", { serverAddress: "smtp.example.com", serverPort: "587" }],
    ["smtp://ann:pw@smtp.example.com:2525/inbox?x#y", { serverAddress: "smtp.example.com", serverPort: "2525" }],
    ["SMTPS://smtp.example.com", { serverAddress: "smtp.example.com", serverPort: "465", securityType: "SSL/TLS" }],
    [" smtp.\u200bexample.\u00adcom\u00a0", { serverAddress: "smtp.example.com" }],
    ["[2001:db8::1]:25", { serverAddress: "2001:db8::1", serverPort: "25" }],
    ["2001:db8::1", { serverAddress: "2001:db8::1" }],
    ["ann@example.com", { serverAddress: "ann@example.com" }],
    ["smtp.example.com:", { serverAddress: "smtp.example.com:" }],
    ["", { serverAddress: "" }],
  ]) {
    assert.deepEqual(takeApart(text), expected, text);
  }
  for (const [text, address, name] of [
    ["ann@example.com", "ann@example.com", ""],
    [" \"Example, Ltd\" <ann@example.com> ", "ann@example.com", "Example, Ltd"],
    ["mailto:ann@exam\u200bple.com", "ann@example.com", ""],
    ["a@b, c@d", "a@b,c@d", ""],
  ]) {
    assert.deepEqual(mailboxOf(text), { address, name }, text);
  }
});

test("a key that may not send as the account names another sender", () => {
  const account = "Platform@example.com";
  for (const [allowed, sender] of [
    [[], ""],
    [["billing@example.com", "platform@EXAMPLE.com"], ""],
    [["*@example.com"], ""],
    [["*@example.net"], ""],
    [["*@mail.example.com", "billing@example.net", "info@example.net"], "billing@example.net"],
  ]) {
    assert.equal(senderToName(allowed, account), sender, allowed.join());
  }
});

test("an internationalised name is ASCII on the wire, and readable for people", () => {
  for (const [text, expected] of [
    ["smtp.größe.de", "smtp.xn--gre-6ka8i.de"], ["SMTP.GRÖßE.de", "smtp.xn--gre-6ka8i.de"], ["straße.de", "xn--strae-oqa.de"], ["例え.jp", "xn--r8jz45g.jp"],
    ["smtp.example.com", "smtp.example.com"], ["SMTP.example.com", "SMTP.example.com"], ["größe.de/x", "größe.de/x"], ["größe.de:25", "größe.de:25"],
    ["größe .de", "größe .de"], ["a@größe.de", "a@größe.de"], ["", ""],
  ]) {
    assert.equal(asciiHost(text), expected, text);
  }
  for (const [text, expected] of [["zoë@größe.de", "zoë@xn--gre-6ka8i.de"], ["ann@example.com", "ann@example.com"], ["größe.de", "größe.de"]]) {
    assert.equal(asciiAddress(text), expected, text);
  }
  const stored = {
    ...CONFIG, providerConfig: { ...CONFIG.providerConfig, serverAddress: "smtp.xn--gre-6ka8i.de", emailAddress: "ann@xn--gre-6ka8i.de", username: "ann@xn--gre-6ka8i.de" },
    unicode: { serverAddress: "smtp.größe.de", emailAddress: "ann@größe.de" },
  };
  const draft = smtpDraft(stored);
  assert.deepEqual([draft.serverAddress, draft.emailAddress, draft.sameAsSender], ["smtp.größe.de", "ann@größe.de", true]);
  const { emailPassword: _, ...sent } = smtpConfig(draft);
  assert.deepEqual(sent, stored.providerConfig, "what is stored comes back unchanged");
  assert.equal(keepsSecret(stored, "BasicAuth", sent), true);
  const sources = { config: stored, theirs: null, smtp: { ...draft, serverAddress: "mail.größe.de" }, microsoft: { emailAddress: "" } };
  for (const [name, expected] of [
    ["smtp.xn--gre-6ka8i.de", "smtp.größe.de"], ["ann@xn--gre-6ka8i.de", "ann@größe.de"], ["mail.xn--gre-6ka8i.de", "mail.größe.de"],
    ["xn--80ak6aa92e.com", "xn--80ak6aa92e.com"],
  ]) {
    assert.equal(readable(sources, name), expected, name);
  }
});

test("a typing error leads to the server that was meant, and another region does not", () => {
  const servers = ["smtp.office365.com", "smtp.gmail.com", "smtp.zoho.eu", "mail.gmx.net", "email-smtp.eu-west-1.amazonaws.com"];
  const presets = [{ id: "x", serviceProvider: "BasicAuth", servers: servers.map((serverAddress) => ({ serverAddress })) }];
  for (const [typed, meant] of [
    ["smtp.gmial.com", "smtp.gmail.com"], ["stmp.gmial.com", "smtp.gmail.com"], ["smtp.ofice365.com", "smtp.office365.com"], ["smtp.gmail.con", "smtp.gmail.com"],
    ["smtp.gmail.co", "smtp.gmail.com"], ["SMTP.gmal.com", "smtp.gmail.com"], ["mail.gmx.nte", "mail.gmx.net"],
    ["smtp.gmail.com", null], ["smtp.zoho.jp", null], ["mail.gmx.de", null], ["smtp.mail.com", null], ["localhost", null],
    ["email-smtp.eu-west-9.amazonaws.com", null], ["smtp.example.com", null], ["", null],
  ]) {
    assert.equal(similarServer(presets, typed), meant, typed);
  }
});

test("a problem is told by what was refused, not by the status alone", () => {
  const kind = (status, code, meta) => {
    const { kind, title } = Problem.of(status, code === undefined ? null : { errors: [{ code, title: "", meta }] }, "60");
    return [kind, title];
  };
  for (const [status, code, meta, expected, title] of [
    [404, "DELETE-1", undefined, "not-found"], [404, "VERIFYCONNECTION-1", undefined, "not-found"],
    [404, "HTTP-404", undefined, "not-connected"], [404, undefined, undefined, "not-connected"],
    [429, "HTTP-429", undefined, "limited", "problem.limited.requests.title"],
    [429, "HTTP-429", { limit: "running_check" }, "limited", "problem.limited.running.title"],
    [429, "HTTP-429", { limit: "test_mails_per_tenant" }, "limited", "problem.limited.testEmails.title"],
    [429, "HTTP-429", { limit: "refused_sign_ins_per_account" }, "limited", "problem.limited.signIns.title"],
    [429, "HTTP-429", { limit: "of_tomorrow" }, "limited", "problem.limited.requests.title"],
    [422, "APIKEY-4", undefined, "keys-full"], [400, "CONNECTIONCHECK-1", undefined, "check"], [502, undefined, undefined, "unavailable"],
  ]) {
    assert.deepEqual(kind(status, code, meta), [expected, title ?? `problem.${expected}.title`], `${status} ${code}`);
  }
  assert.equal(Problem.of(429, { errors: [{ meta: { limit: "test_mails_per_recipient" } }] }, "9").concernsTestEmails, true);
  assert.equal(Problem.of(429, { errors: [{ meta: { limit: "running_check" } }] }, "9").concernsTestEmails, false);
});

test("like rows of the activity are told as one, and changes never are", () => {
  let at = 10;
  const entry = (action, outcome, more = {}) => ({ id: String(at), at: String((at -= 1)), userId: "ann", action, outcome, ...more });
  const bad = (more) => entry("verify-connection", "X", more);
  const rows = (...entries) => {
    const found = folded(entries).map(({ count, entry, since }) => [entry.action, count, since]);
    at = 10;
    return found;
  };
  assert.deepEqual(rows(bad(), bad({ count: 3 }), bad()), [["verify-connection", 5, "7"]]);
  assert.equal(rows(bad(), bad({ userId: "bea" }), bad()).length, 3, "of another user");
  assert.equal(rows(bad(), bad({ diagnosis: { title: "of another server" } })).length, 2);
  assert.equal(rows(entry("send-test-email", "OK", { recipient: "a@b" }), entry("send-test-email", "OK", { recipient: "c@d" })).length, 2);
  assert.equal(rows(entry("patch", "OK", { changed: ["senderName"] }), entry("patch", "OK", { changed: ["senderName"] })).length, 2);
});

test("a person is named by the own token, and by no other one", () => {
  const token = (claims) => `x.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.y`;
  assert.equal(nameInToken(token({ sub: "7f3c", name: "Anna Müller" }), "7f3c"), "Anna Müller");
  assert.equal(nameInToken(token({ sub: "7f3c", name: "Anna Müller" }), "8a00"), null);
  for (const other of [token({ sub: "7f3c" }), "no token", null]) assert.equal(nameInToken(other, "7f3c"), null);
});

test("since when it fails", () => {
  const config = { isValid: false, errorCode: "PROVIDER_ERROR", lastUpdated: "2026-01-02", modificationTime: "2026-01-01" };
  const entry = (at, action, outcome) => ({ at, action, outcome });
  const bad = entry("5", "verify-connection", "X");
  for (const [activity, expected] of [
    [[], "2026-01-02"],
    [[bad, entry("4", "send-test-email", "X"), entry("3", "put", "X"), entry("2", "put", "OK")], "4"],
    [[bad, entry("4", "patch", "OK")], "2026-01-02"],
    [[entry("4", "put", "OK")], "2026-01-02"],
  ]) {
    assert.equal(failingSince(config, activity), expected);
  }
  assert.equal(failingSince({ ...config, lastUpdated: config.modificationTime }, []), null);
  const check = { at: config.lastUpdated, operation: "delivery", success: false, unproved: [] };
  assert.equal(failingSince({ ...config, lastCheck: check }, []), null, "earlier ones may have failed as well");
  assert.equal(failingSince({ ...config, isValid: true }, [bad]), null);
});

test("events are read however the bytes are cut", async () => {
  const text = ": hello\n\nevent: stage\r\ndata: {\"a\":\r\ndata: \"ü\"}\r\n\r\ndata: plain\n\nevent: cut off\ndata: x";
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; size += 1) {
    const stream = new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
        controller.close();
      },
    });
    const events = [];
    for await (const event of readEvents(stream)) events.push(event);
    assert.deepEqual(events, [{ name: "stage", data: "{\"a\":\n\"ü\"}" }, { name: "message", data: "plain" }], `in pieces of ${size}`);
  }
});

test("times are told as people tell them", () => {
  const now = Date.parse("2026-03-10T12:00:00Z");
  const plain = (text) => text.replace(/\s/g, " ");
  assert.equal(ago("2026-03-10T11:58:30Z", "en", now), "1 minute ago");
  assert.equal(ago("2026-03-10T12:00:20Z", "en", now), "now", "a clock that is ahead");
  assert.equal(ago("2026-03-08T12:00:00Z", "de", now), "vorgestern");
  assert.match(ago("2026-01-08T12:00:00Z", "en", now), /Jan 8, 2026/);
  assert.equal(ago("never", "en", now), "never");
  const later = (seconds) => countdown(now + seconds * 1000, "en", now);
  assert.deepEqual([0, 1, 17, 89, 91, 3599, 3600].map(later),
    ["in 1 second", "in 1 second", "in 17 seconds", "in 89 seconds", "in 2 minutes", "in 60 minutes", ""]);
  const noon = new Date(2026, 2, 10, 12).getTime();
  const day = (hours) => timeOfDay(noon + hours * 3_600_000, "en", noon);
  assert.deepEqual([day(9), day(33), day(60)],
    [{ day: "today", time: "21:00" }, { day: "tomorrow", time: "21:00" }, { day: "later", time: "00:00" }]);
  assert.deepEqual([0, 42, 1250].map((ms) => plain(duration(ms, "en"))), ["< 1 ms", "42 ms", "1.3 sec"]);
});

test("each situation has its one statement", () => {
  const stored = {
    serviceProvider: "BasicAuth", providerConfig: { username: "u", emailAddress: "a@example.com" }, passwordExists: true,
    isValid: true, errorCode: "OK", modificationTime: "2026-01-01T00:00:00.000Z",
  };
  const check = (operation, success, more = {}) => ({
    ...stored, lastCheck: { at: "2026-01-02T00:00:00.000Z", operation, success, unproved: success ? ["delivery"] : [], ...more },
  });
  const failed = (code, stage) => ({ diagnosis: { code, title: code, owner: "nobody", stage } });
  const paused = { state: "paused", paused_by: "operator", waiting: { emails: 2, bytes: 9 } };
  const stopped = { state: "stopped", since: "2026-01-02T00:00:00.000Z", code: "X", waiting: { emails: 1, bytes: 9 } };
  const failing = { ...check("delivery", false, failed("X", "auth")), isValid: false, errorCode: "PROVIDER_ERROR", status: { statusCode: 4, statusReason: "It fails." } };
  const microsoft = { ...stored, serviceProvider: "Microsoft365", providerConfig: { emailAddress: "m@example.com" } };
  const token = { ...microsoft, lastCheck: check("put", true, { unproved: ["sender_address", "send_permission", "delivery"] }).lastCheck };
  const sent = { at: "2026-01-01T12:00:00.000Z", action: "send-test-email", outcome: "OK" };
  for (const [config, account, activity, expected] of [
    [null, null, [], ["none", "off", "status.CONFIG_NOT_SET.text"]],
    [stored, null, [], ["untested", "off", "status.untested.text"]],
    [check("put", true), null, [], ["ready", "ok", "status.tested.put proof.signInSender"]],
    [check("put", true, { unproved: ["sender_address", "delivery"] }), null, [], ["almost", "warn", "status.tested.put proof.signIn", "unproved.sender_address"]],
    [check("delivery", true, { unproved: [] }), null, [], ["ready", "ok", "status.tested.delivery proof.signInSender"]],
    [{ ...check("put", true), advice: [{}] }, null, [], ["ready", "warn", "status.tested.put proof.signInSender"]],
    [token, null, [], ["almost", "warn", "status.tested.put proof.token", "unproved.mailbox"]],
    [token, null, [sent], ["ready", "ok", "status.tested.send-test-email"]],
    [token, null, [{ ...sent, at: "2025-12-31T00:00:00.000Z" }], ["almost", "warn", "status.tested.put proof.token", "unproved.mailbox"]],
    [check("send-test-email", false, failed("RECIPIENT_UNKNOWN", "rcpt_to")), null, [], ["ready", "ok", "status.refused.test proof.signInSender"]],
    [check("delivery", false, failed("RECIPIENT_UNKNOWN", "rcpt_to")), null, [], ["ready", "ok", "status.refused.delivery proof.signInSender"]],
    [check("send-test-email", false, failed("OUTCOME_UNKNOWN", "data")), null, [], ["unknown", "unknown", "status.unknown.text"]],
    [check("delivery", false, failed("OUTCOME_UNKNOWN", "data")), null, [], ["unknown", "unknown", "status.unknown.text"]],
    [check("verify-connection", false, failed("SECRET_UNREADABLE", "configuration")), null, [], ["inconclusive", "warn", "status.inconclusive.text"]],
    [failing, null, [], ["failing", "bad"]],
    [failing, stopped, [], ["failing", "bad", "status.stopped.text", "status.waiting", "status.stopped.nothing"]],
    [{ ...failing, lastCheck: check("verify-connection", true).lastCheck }, null, [], ["failing", "bad", "status.connects"]],
    [check("put", true), paused, [], ["held", "warn", "status.paused.operator", "status.waiting"]],
    [check("put", true), { ...paused, paused_by: "administrator" }, [{ at: "x", action: "pause-account", outcome: "OK", userId: "ann" }], ["held", "warn", "status.paused.by", "status.waiting"]],
    [check("put", true), { ...stopped, next_attempt_at: "2026-01-03T00:00:00.000Z" }, [], ["held", "warn", "status.stopped.text", "status.waiting", "status.stopped.next"]],
    [check("put", true), { ...paused, state: "open" }, [], ["ready", "ok", "status.tested.put proof.signInSender"]],
    [{ ...stored, passwordExists: false, isValid: false, errorCode: "INCOMPLETE_CONFIG" }, null, [], ["incomplete", "warn"]],
  ]) {
    const { kind, tone, sentences } = statement(config, account, activity);
    assert.deepEqual([kind, tone, ...sentences.map(({ key, proof }) => [key, proof].filter(Boolean).join(" "))], expected);
  }
  assert.deepEqual(missingFields({ ...stored, passwordExists: false }), ["serverAddress", "serverPort", "securityType", "emailPassword"]);
  assert.deepEqual(missingFields({ ...microsoft, passwordExists: false }), ["clientId", "providerTenantId", "clientSecret"]);
});

test("what says nothing against the account is what the service lists so", async () => {
  const listed = await readFile(path.join(root, "docs/diagnosis.md"), "utf8");
  const unchanged = [...listed.matchAll(/^### (\w+)\n(?:(?!^### )[^])*?`errorCode`: unchanged/gm)].map(([, code]) => code);
  assert.deepEqual([...UNCHANGED].sort(), unchanged.sort());
});
