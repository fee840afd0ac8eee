// Resend's official npm client, unmodified, through every flow of emails.
//
// tests/peers/resend.rs starts the service and names it in RESEND_BASE_URL; the tests run in order, each on what the one
// before left.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.TRANSPORTS_PEERS}/npm/package.json`);
const { Resend } = await import(pathToFileURL(require.resolve("resend")));

const resend = new Resend();
const from = "Acme <platform@example.com>";
const email = (change = {}) => ({ from, to: "ada@example.org", subject: "Invoice 8841", text: "Thank you.", ...change });
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

// The data of an answer that has no error.
async function good(call) {
  const { data, error } = await call;
  assert.equal(error, null, JSON.stringify(error));
  return data;
}

// The error of an answer that has no data.
async function refused(call, statusCode, name) {
  const { data, error } = await call;
  assert.equal(data, null);
  assert.deepEqual([error.statusCode, error.name], [statusCode, name], JSON.stringify(error));
  assert.ok(error.message.length > 0);
  return error;
}

// The email once its last event is the one that is waited for.
async function until(id, event) {
  for (let attempt = 0; attempt < 200; attempt++) {
    const found = await good(resend.emails.get(id));
    if (found.last_event === event) return found;
    await sleep(50);
  }
  assert.fail(`${id} never came to ${event}: ${JSON.stringify(await good(resend.emails.get(id)))}`);
}

test("an email with everything is taken, sent and found again", async () => {
  const { id } = await good(resend.emails.send(email({
    to: ["Ada <ada@example.org>", "bob@example.org"], cc: "carol@example.org", bcc: ["dan@example.org"],
    replyTo: "support@example.com", html: '<p>Grüße 😀 <img src="cid:logo"></p>',
    headers: { "X-Entity-Ref-ID": "8841" },
    attachments: [
      { filename: "8841.txt", content: Buffer.from("one line\n"), contentType: "text/plain" },
      { filename: "logo.png", content: "iVBORw0KGgo=", contentType: "image/png", contentId: "logo" },
    ],
    tags: [{ name: "kind", value: "invoice" }],
  })));
  assert.match(id, UUID);
  const found = await until(id, "sent");
  assert.deepEqual([found.object, found.id, found.subject], ["email", id, "Invoice 8841"]);
  assert.deepEqual(found.to, ["Ada <ada@example.org>", "bob@example.org"]);
  assert.deepEqual([found.cc, found.bcc, found.reply_to],
    [["carol@example.org"], ["dan@example.org"], ["support@example.com"]]);
  assert.equal(found.from, from);
  assert.deepEqual(found.tags, [{ name: "kind", value: "invoice" }]);
  assert.match(found.message_id, /^<.+@example\.com>$/);
  assert.ok(Date.parse(found.created_at) <= Date.now());
  assert.equal(found.scheduled_at, null);
});

test("a recipient whom the server refuses has bounced", async () => {
  const { id } = await good(resend.emails.send(email({ to: "nouser@example.org" })));
  const found = await until(id, "bounced");
  assert.equal(found.recipients[0].last.smtp_code, 550);
});

test("content is shown until the email is accepted", async () => {
  const { id } = await good(resend.emails.send(email({ html: "<p>Thank you.</p>", scheduledAt: inAnHour() })));
  const found = await good(resend.emails.get(id));
  // The platform sends and reads, and is shown no content.
  const shown = process.env.RESEND_BASE_URL.includes("/tenants/") ? [undefined, undefined] : ["Thank you.", "<p>Thank you.</p>"];
  assert.deepEqual([found.text?.trim(), found.html?.trim()], shown);
  await good(resend.emails.cancel(id));
});

test("a scheduled email is moved and canceled", async () => {
  const { id } = await good(resend.emails.send(email({ scheduledAt: inAnHour() })));
  assert.equal((await good(resend.emails.get(id))).last_event, "scheduled");
  const later = new Date(Date.now() + 7_200_000).toISOString();
  assert.deepEqual(await good(resend.emails.update({ id, scheduledAt: later })), { object: "email", id });
  assert.equal(Date.parse((await good(resend.emails.get(id))).scheduled_at), Date.parse(later));
  assert.deepEqual(await good(resend.emails.cancel(id)), { object: "email", id });
  assert.equal((await good(resend.emails.get(id))).last_event, "canceled");
  assert.equal((await resend.emails.cancel(id)).error.statusCode, 409);
  assert.equal((await resend.emails.update({ id, scheduledAt: later })).error.statusCode, 409);
});

test("a key stands for one request", async () => {
  const idempotencyKey = "invoice/8841";
  const first = await good(resend.emails.send(email(), { idempotencyKey }));
  const again = await resend.emails.send(email(), { idempotencyKey });
  assert.equal(again.data.id, first.id);
  assert.equal(again.headers["idempotency-replayed"], "true");
  await refused(resend.emails.send(email({ subject: "Another" }), { idempotencyKey }), 409,
    "invalid_idempotent_request");
  await refused(resend.emails.send(email(), { idempotencyKey: "k".repeat(257) }), 422, "invalid_idempotency_key");
});

test("a batch is taken as a whole, or without the emails that have a fault", async () => {
  const emails = [email({ to: "one@example.org" }), email({ to: "two@example.org" })];
  const strict = await good(resend.batch.send(emails, { idempotencyKey: "batch/1" }));
  assert.deepEqual(Object.keys(strict), ["data"]);
  assert.equal(new Set(strict.data.map(({ id }) => id)).size, 2);
  assert.deepEqual(await good(resend.batch.send(emails, { idempotencyKey: "batch/1" })), strict);
  const [one, two] = emails;
  const faulty = [one, email({ to: "no address" }), two];
  const error = await refused(resend.batch.send(faulty), 422, "validation_error");
  assert.equal(error.errors[0].source.pointer, "/1/to");
  const permissive = await good(resend.batch.send(faulty, { batchValidation: "permissive" }));
  assert.equal(permissive.data.length, 2);
  assert.equal(permissive.errors.length, 1);
  assert.equal(permissive.errors[0].index, 1);
  assert.ok(permissive.errors[0].message.length > 0);
});

test("the list goes by pages, the newest first", async () => {
  const all = await good(resend.emails.list({ limit: 100 }));
  assert.deepEqual([all.object, all.has_more], ["list", false]);
  const ids = all.data.map(({ id }) => id);
  assert.ok(ids.length >= 8, String(ids.length));
  const first = await good(resend.emails.list({ limit: 3 }));
  assert.equal(first.has_more, true);
  const second = await good(resend.emails.list({ limit: 3, after: first.data[2].id }));
  assert.deepEqual([...first.data, ...second.data].map(({ id }) => id), ids.slice(0, 6));
  const back = await good(resend.emails.list({ limit: 3, before: ids[3] }));
  assert.deepEqual(back.data.map(({ id }) => id), ids.slice(0, 3));
  assert.equal((await good(resend.emails.list())).data.length, Math.min(ids.length, 20));
  await refused(resend.emails.list({ limit: 101 }), 422, "invalid_parameter");
});

test("errors have the names that the client knows", async () => {
  await refused(resend.emails.send(email({ to: "no address" })), 422, "validation_error");
  await refused(resend.emails.send({ from, to: "ada@example.org", text: "x" }), 422, "missing_required_field");
  await refused(resend.emails.send(email({ from: "someone@elsewhere.example" })), 422, "invalid_from_address");
  await refused(resend.emails.send(email({ attachments: [{ filename: "a.txt", path: "https://example.com/a.txt" }] })),
    422, "invalid_attachment");
  await refused(resend.emails.send(email({ template: { id: "welcome", variables: {} } })), 422, "validation_error");
  const nobody = "0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a";
  await refused(resend.emails.get(nobody), 404, "not_found");
  await refused(resend.emails.get("no-id"), 404, "not_found");
  await refused(resend.emails.cancel(nobody), 404, "not_found");
  await refused(resend.emails.update({ id: nobody, scheduledAt: inAnHour() }), 404, "not_found");
});

test("a key that is none, or may not send, is refused", async () => {
  await refused(new Resend("re_123").emails.send(email()), 401, "invalid_api_key");
  await refused(new Resend(process.env.OTHER_API_KEY).emails.send(email()), 403, "restricted_api_key");
});

test("a key is made, listed, used and removed", async () => {
  if (process.env.RESEND_BASE_URL.includes("/tenants/")) {
    await refused(resend.apiKeys.create({ name: "Billing" }), 403, "restricted_api_key");
    return;
  }
  const { id, token } = await good(resend.apiKeys.create({ name: "Billing", permission: "sending_access" }));
  assert.match(id, UUID);
  assert.match(token, /^tsk_[0-9a-f]{32}_[A-Za-z0-9_-]{48}$/);
  const listed = await good(resend.apiKeys.list());
  assert.deepEqual([listed.object, listed.has_more], ["list", false]);
  assert.deepEqual(listed.data.map((key) => [key.id, key.name, "token" in key]), [[id, "Billing", false]]);
  const sending = new Resend(token);
  const sent = await good(sending.emails.send(email()));
  assert.equal((await good(sending.emails.get(sent.id))).id, sent.id);
  await refused(sending.emails.cancel(sent.id), 403, "restricted_api_key");
  await refused(sending.apiKeys.list(), 403, "restricted_api_key");
  await good(resend.apiKeys.remove(id));
  await refused(sending.emails.send(email()), 401, "invalid_api_key");
  await refused(resend.apiKeys.remove(id), 404, "not_found");
  assert.deepEqual((await good(resend.apiKeys.list())).data, []);
});
