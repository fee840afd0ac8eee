// The official npm client, unmodified, through every function that it has for transports.
//
// tests/peers/official_clients.rs starts the service and names it in TRANSPORTS_HOST; the tests run in order,
// each on what the one before left.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.TRANSPORTS_PEERS}/npm/package.json`);
const { createQlikApi } = await import(pathToFileURL(require.resolve("@qlik/api")));

const host = process.env.TRANSPORTS_HOST;
const client = (apiKey) => createQlikApi({ hostConfig: { host, apiKey } }).transports;
const admin = client(process.env.TRANSPORTS_ADMIN);
const member = client(process.env.TRANSPORTS_MEMBER);
const hasty = client(process.env.TRANSPORTS_HASTY);
const stranger = client("no-token");

// GETs are kept by the client for ten minutes.
const fresh = { noCache: true };
const NOT_SET = { isValid: false, passwordExists: false };
const account = {
  serverAddress: "localhost", serverPort: 2587, securityType: "StartTLS",
  username: "alice", emailPassword: "secret", emailAddress: "alice@example.com", senderName: "Zoë",
};
const put = (providerConfig) => admin.updateEmailConfig({ serviceProvider: "BasicAuth", providerConfig });
const replace = (fields) =>
  Object.entries(fields).map(([field, value]) => ({ op: "replace", path: `/${field}`, value }));

// What the client throws for a refusal; `data` is the parsed body.
async function refused(promise, status, code, title) {
  const error = await promise.then(
    (answer) => assert.fail(`answered ${answer.status}, not refused`),
    (error) => error,
  );
  assert.equal(error.status, status, error.stack);
  assert.equal(error.data.errors[0].code, code);
  if (title !== undefined) assert.equal(error.data.errors[0].title, title);
  assert.match(error.data.traceId, /^[0-9a-f]{32}$/);
  return error;
}

test("every function that the client has is tested here", () => {
  const known = [
    "clearCache", "deleteEmailConfig", "getEmailConfig", "patchEmailConfig", "sendTestEmail",
    "updateEmailConfig", "validateEmailConfig", "verifyEmailConfigConnection",
  ];
  assert.deepEqual(Object.keys(admin).sort(), known);
});

test("without a configuration, get and validate say so", async () => {
  const got = await admin.getEmailConfig(fresh);
  assert.equal(got.status, 200);
  assert.deepEqual(got.data, NOT_SET);
  const validated = await admin.validateEmailConfig();
  assert.deepEqual([validated.status, validated.data], [200, { isValid: false, errorCode: "CONFIG_NOT_SET" }]);
});

test("without a configuration, delete, send and verify are 404 with a code of their own", async () => {
  const title = "No email config for tenant";
  await refused(admin.deleteEmailConfig(), 404, "DELETE-1", title);
  await refused(admin.sendTestEmail({ recipient: "npm@example.com" }), 404, "SENDTESTEMAIL-1", title);
  await refused(admin.verifyEmailConfigConnection(), 404, "VERIFYCONNECTION-1", title);
});

test("update checks the account and stores it", async () => {
  const answer = await put(account);
  assert.equal(answer.status, 204);
  const { data } = await admin.getEmailConfig(fresh);
  const { emailPassword, ...shown } = account;
  const { senderName, ...flat } = shown;
  const { modificationTime, lastUpdated, lastCheck, ...rest } = data;
  assert.deepEqual(rest, {
    tenantId: "acme", serviceProvider: "BasicAuth", providerConfig: shown, ...flat,
    passwordExists: true, isValid: true, errorCode: "OK",
    status: { statusCode: 0, statusReason: "OK" }, authFailures: 0,
  });
  assert.deepEqual(lastCheck, { at: lastUpdated, operation: "put", success: true, unproved: ["delivery"] });
  for (const time of [modificationTime, lastUpdated]) {
    assert.equal(new Date(time).toISOString(), time, "ISO 8601 with milliseconds");
  }
});

test("update with a wrong password is 400 and tells why", async () => {
  const before = (await admin.getEmailConfig(fresh)).data;
  const error = await refused(put({ ...account, emailPassword: "hunter2" }), 400, "CONNECTIONCHECK-1");
  assert.equal(error.data.errors[0].meta.diagnosis.code, "AUTH_REJECTED");
  assert.deepEqual((await admin.getEmailConfig(fresh)).data, before);
});

test("update with wrong input is 400 with an entry for each field", async () => {
  const error = await refused(
    put({ ...account, serverAddress: 1, serverPort: 70000, colour: "red" }), 400, "INPUTCHECK-1",
    "serverAddress is not a string",
  );
  assert.deepEqual(error.data.errors.map((entry) => entry.code), Array(3).fill("INPUTCHECK-1"));
  assert.match(error.data.errors[1].title, /^serverPort /);
  assert.match(error.data.errors[2].title, /colour/);
});

test("validate, verify and send work with what is stored", async () => {
  assert.deepEqual((await admin.validateEmailConfig()).data, { isValid: true, errorCode: "OK" });
  const verified = await admin.verifyEmailConfigConnection();
  assert.equal(verified.status, 200);
  assert.equal(verified.data.success, true, verified.data.message);
  assert.equal(verified.data.connectionFailed, false);
  assert.equal(verified.data.smtpResponseCode, 250);
  const sent = await admin.sendTestEmail({ recipient: "npm@example.com", subject: "Hallo", body: "Grüße" });
  assert.equal(sent.status, 200);
  assert.equal(sent.data.success, true, sent.data.message);
  assert.equal(sent.data.smtpResponseCode, 250);
  assert.deepEqual([sent.data.accepted, sent.data.rejected], [["npm@example.com"], []]);
});

test("a refused recipient is an answer, not an error", async () => {
  const { status, data } = await admin.sendTestEmail({ recipient: "nobody@example.com" });
  assert.deepEqual([status, data.success, data.connectionFailed, data.smtpResponseCode], [200, false, false, 550]);
  assert.deepEqual([data.accepted, data.rejected], [[], ["nobody@example.com"]]);
  assert.equal(data.diagnosis.code, "RECIPIENT_UNKNOWN");
});

test("send without a recipient is 400", async () => {
  await refused(admin.sendTestEmail({}), 400, "INPUTCHECK-1", "recipient is required");
  await refused(admin.sendTestEmail({ recipient: "a@example.com,b@example.com" }), 400, "INPUTCHECK-1");
});

test("patch changes single fields, and says that it is deprecated", async () => {
  const answer = await admin.patchEmailConfig(replace({ senderName: "Ann" }));
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("deprecation"), "@1765843200");
  assert.match(answer.headers.get("link"), /rel="deprecation"/);
  assert.equal((await admin.getEmailConfig(fresh)).data.providerConfig.senderName, "Ann");

  const elsewhere = replace({ serverAddress: "localhost", serverPort: "2465", securityType: "SSL/TLS" });
  assert.equal((await admin.patchEmailConfig(elsewhere)).status, 204);
  const { data } = await admin.getEmailConfig(fresh);
  assert.deepEqual([data.serverPort, data.passwordExists, data.errorCode], [2465, false, "INCOMPLETE_CONFIG"]);
  assert.equal((await admin.patchEmailConfig(replace({ emailPassword: "secret" }))).status, 204);
  assert.equal((await admin.verifyEmailConfigConnection()).data.success, true);
});

test("patch with a wrong document is 400 and changes nothing", async () => {
  const before = (await admin.getEmailConfig(fresh)).data;
  const documents = [
    [], {}, [{ op: "test", path: "/username", value: "alice" }], [{ op: "replace", path: "/nothing", value: "x" }],
    [...replace({ username: "bob" }), { op: "replace", path: "/serverPort", value: "none" }],
  ];
  for (const document of documents) await refused(admin.patchEmailConfig(document), 400, "INPUTCHECK-1");
  assert.deepEqual((await admin.getEmailConfig(fresh)).data, before);
});

test("a user who is no administrator may validate and verify, and nothing else", async () => {
  assert.deepEqual((await member.validateEmailConfig()).data, { isValid: true, errorCode: "OK" });
  assert.equal((await member.verifyEmailConfigConnection()).data.success, true);
  const title = "Must be a tenant admin";
  await refused(member.getEmailConfig(fresh), 403, "ROLECHECK-1", title);
  await refused(member.updateEmailConfig({}), 403, "ROLECHECK-1", title);
  await refused(member.patchEmailConfig([]), 403, "ROLECHECK-1", title);
  await refused(member.sendTestEmail({}), 403, "ROLECHECK-1", title);
  await refused(member.deleteEmailConfig(), 403, "ROLECHECK-1", title);
});

test("without a valid token everything is 401", async () => {
  const calls = [
    () => stranger.getEmailConfig(fresh), () => stranger.updateEmailConfig({}), () => stranger.patchEmailConfig([]),
    () => stranger.deleteEmailConfig(), () => stranger.sendTestEmail({}), () => stranger.validateEmailConfig(),
    () => stranger.verifyEmailConfigConnection(),
  ];
  for (const call of calls) {
    const error = await refused(call(), 401, "HTTP-401", "Unauthorized");
    assert.equal(error.headers.get("www-authenticate"), "Bearer");
  }
});

test("the hundred and first request of a user in a minute is 429 and names the seconds", async () => {
  for (let request = 1; request <= 100; request++) {
    assert.equal((await hasty.validateEmailConfig()).status, 200);
  }
  const error = await refused(hasty.validateEmailConfig(), 429, "HTTP-429", "API rate limit reached");
  const seconds = Number(error.headers.get("retry-after"));
  assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, String(seconds));
  assert.ok(error.data.errors[0].detail.includes(String(seconds)), error.data.errors[0].detail);
  assert.equal((await member.validateEmailConfig()).status, 200, "another user is not touched");
});

test("a get is answered from the client's cache until it is cleared", async () => {
  const kept = (await admin.getEmailConfig()).data;
  assert.equal((await admin.patchEmailConfig(replace({ senderName: "Bea" }))).status, 204);
  assert.equal((await admin.getEmailConfig(fresh)).data.providerConfig.senderName, "Bea");
  admin.clearCache();
  assert.equal((await admin.getEmailConfig()).data.providerConfig.senderName, "Bea");
  assert.equal(kept.providerConfig.senderName, "Ann");
});

test("delete removes the configuration once", async () => {
  assert.equal((await admin.deleteEmailConfig()).status, 204);
  assert.deepEqual((await admin.getEmailConfig(fresh)).data, NOT_SET);
  await refused(admin.deleteEmailConfig(), 404, "DELETE-1");
});
