// The one statement about the stored settings: from what the service says of them, and of nothing else.

/**
 * @typedef {import("./types.js").Activity} Activity
 * @typedef {import("./types.js").Config} Config
 * @typedef {import("./types.js").LastCheck} LastCheck
 * @typedef {import("./types.js").SendingAccount} SendingAccount
 *
 * @typedef {"none" | "incomplete" | "failing" | "held" | "untested" | "almost" | "ready" | "unknown" |
 *   "inconclusive"} Kind
 *
 * A sentence: the key of its text, and what is filled in. `at` is the time for `{when}`, `next` that for `{next}`.
 *
 * @typedef {object} Sentence
 * @property {string} key
 * @property {Record<string, string | number>} [values]
 * @property {string} [proof] key of what fills `{proof}`
 * @property {Activity} [by] whose person fills `{user}`
 * @property {string} [at]
 * @property {string} [next]
 *
 * @typedef {object} Statement
 * @property {Kind} kind
 * @property {"ok" | "bad" | "warn" | "off" | "unknown"} tone
 * @property {string} title key of its text
 * @property {string} [reason] in the words of the service
 * @property {Sentence[]} sentences
 * @property {string[]} missing fields without a value
 * @property {boolean} [testMail] the next step is a test email
 */

import { readableConfig } from "./names.js";

/** Stages that come after the server has accepted sign-in and sender. */
const AFTER_SENDER = ["rcpt_to", "data", "graph"];

const UNKNOWN = "OUTCOME_UNKNOWN";

/** The part of an `ETag` that a check does not change. @param {string | null} etag */
export function configVersion(etag) {
  return etag?.split(".")[0] ?? null;
}

/**
 * Names the settings and the last attempt to use them: what was learnt of one such pair says nothing about another one.
 *
 * @param {Config | null} config
 * @param {string | null} etag
 */
export function factOf(config, etag) {
  return `${configVersion(etag)} ${config?.lastCheck?.at ?? ""}`;
}

/**
 * @param {Config | null} config
 * @param {SendingAccount | null} account
 * @param {Activity[]} activity newest first
 * @returns {Statement}
 */
export function statement(config, account, activity) {
  if (!config) return simple("none", "off", "status.CONFIG_NOT_SET", { key: "status.CONFIG_NOT_SET.text" });
  const held = heldBy(account, activity);
  if (config.errorCode === "INCOMPLETE_CONFIG") {
    const { title, ...rest } = simple("incomplete", "warn", "status.INCOMPLETE_CONFIG", ...held);
    return { ...rest, title, missing: missingFields(config) };
  }
  if (!config.isValid) return failing(config, held);
  if (held.length > 0) return simple("held", "warn", `status.${account?.state ?? "paused"}`, ...held);
  return usable(config, activity);
}

/**
 * @param {Kind} kind
 * @param {Statement["tone"]} tone
 * @param {string} name of the title's text, without `.title`
 * @param {...Sentence} sentences
 * @returns {Statement}
 */
function simple(kind, tone, name, ...sentences) {
  return { kind, tone, title: `${name}.title`, sentences, missing: [] };
}

/**
 * @param {Config} config
 * @param {Sentence[]} held
 * @returns {Statement}
 */
function failing(config, held) {
  const check = config.lastCheck;
  // A check of the connection that succeeds does not undo what a later stage of a sending has shown.
  const connects = check?.success ? [{ key: "status.connects", at: check.at }] : [];
  const name = config.errorCode === "INVALID_CREDENTIALS" ? "status.INVALID_CREDENTIALS" : "status.PROVIDER_ERROR";
  const found = simple("failing", "bad", name, ...connects, ...held);
  return { ...found, reason: config.status?.statusReason ?? "", testMail: connects.length > 0 };
}

/**
 * Complete settings, against which nothing is known.
 *
 * @param {Config} config
 * @param {Activity[]} activity
 * @returns {Statement}
 */
function usable(config, activity) {
  const check = config.lastCheck;
  if (!check) return { ...simple("untested", "off", "status.untested", { key: "status.untested.text" }), testMail: true };
  if (!check.success) return failedWithoutFault(config, check, activity);
  const proof = proofOf(config, check.unproved);
  const unproved = unprovedOf(config, check.unproved);
  const sent = unproved.length > 0 ? lastTestMail(config, activity) : undefined;
  if (sent) return ready(config, { key: "status.tested.send-test-email", at: sent.at });
  /** @type {Sentence} */
  const tested = { key: `status.tested.${check.operation}`, at: check.at, proof };
  if (unproved.length === 0) return ready(config, tested);
  return { ...simple("almost", "warn", "status.almost", tested, ...unproved), testMail: true };
}

/**
 * @param {Config} config
 * @param {Sentence} tested
 * @returns {Statement}
 */
function ready(config, tested) {
  // Advice is a known problem, though one of tomorrow.
  const warned = (config.advice ?? []).length > 0;
  return simple("ready", warned ? "warn" : "ok", warned ? "status.warned" : "status.ready", tested);
}

/**
 * The last attempt failed, and the service learnt nothing against the account from it.
 *
 * @param {Config} config
 * @param {LastCheck} check
 * @param {Activity[]} activity
 * @returns {Statement}
 */
function failedWithoutFault(config, check, activity) {
  const isDelivery = check.operation === "delivery";
  if (check.diagnosis?.code === UNKNOWN) {
    const recipient = isDelivery ? undefined : recipientOf(check, activity);
    const key = recipient ? "status.unknown.recipient" : "status.unknown.text";
    return simple("unknown", "unknown", isDelivery ? "status.unknownDelivery" : "status.unknown", {
      key, at: check.at, values: { recipient: recipient ?? "" },
    });
  }
  if (AFTER_SENDER.includes(check.diagnosis?.stage ?? "")) {
    const key = isDelivery ? "status.refused.delivery" : "status.refused.test";
    return ready(config, { key, at: check.at, proof: proofOf(config, ["delivery"]) });
  }
  const found = simple("inconclusive", "warn", "status.inconclusive", { key: "status.inconclusive.text", at: check.at });
  return { ...found, reason: check.diagnosis?.title ? `${check.diagnosis.title}.` : "" };
}

/**
 * The key of what a success has shown.
 *
 * @param {Config} config
 * @param {string[]} unproved
 */
export function proofOf(config, unproved) {
  const sender = !unproved.includes("sender_address");
  if (config.serviceProvider === "Microsoft365") {
    if (sender) return "proof.mailbox";
    return unproved.includes("send_permission") ? "proof.token" : "proof.permission";
  }
  const signIn = Boolean(config.providerConfig?.username);
  if (signIn) return sender ? "proof.signInSender" : "proof.signIn";
  return sender ? "proof.sender" : "proof.connection";
}

/**
 * What a success has not shown, and only a sending shows.
 *
 * @param {Config} config
 * @param {string[]} unproved
 * @returns {Sentence[]}
 */
export function unprovedOf(config, unproved) {
  if (!unproved.some((what) => what !== "delivery")) return [];
  if (config.serviceProvider !== "Microsoft365") return [{ key: "unproved.sender_address" }];
  return [{ key: "unproved.mailbox", values: { mailbox: readableConfig(config, "Microsoft365").emailAddress ?? "" } }];
}

/** A test email that was accepted since these settings were saved. */
function lastTestMail(/** @type {Config} */ config, /** @type {Activity[]} */ activity) {
  return activity.find((entry) => entry.action === "send-test-email" && entry.outcome === "OK" &&
    Date.parse(entry.at) >= Date.parse(config.modificationTime ?? ""));
}

/** To whom the test email went, where the audit names the address. */
function recipientOf(/** @type {LastCheck} */ check, /** @type {Activity[]} */ activity) {
  const { recipient } = entryOf(check, activity) ?? {};
  return recipient?.includes("@") ? recipient : undefined;
}

/**
 * The audit's entry of an attempt; both are written at the same time.
 *
 * @param {LastCheck} check
 * @param {Activity[]} activity
 */
export function entryOf(check, activity) {
  const at = Date.parse(check.at);
  return activity.find((entry) => entry.action === check.operation && Math.abs(Date.parse(entry.at) - at) < 1000);
}

/**
 * Why mail waits that could be sent: somebody has paused it, or failures have stopped it.
 *
 * @param {SendingAccount | null} account
 * @param {Activity[]} activity
 * @returns {Sentence[]}
 */
function heldBy(account, activity) {
  if (!account || account.state === "open") return [];
  const count = account.waiting.emails;
  const waiting = count > 0 ? [{ key: "status.waiting", values: { count } }] : [];
  if (account.state === "stopped") {
    const since = { key: "status.stopped.text", at: account.since };
    const next = account.next_attempt_at
      ? { key: "status.stopped.next", next: account.next_attempt_at }
      : { key: "status.stopped.nothing" };
    return [since, ...waiting, next];
  }
  const pause = activity.find((entry) => ["pause-account", "resume-account"].includes(entry.action));
  const who = account.paused_by === "administrator" && pause?.action === "pause-account" ? pause : undefined;
  if (who?.userName ?? who?.userId) return [{ key: "status.paused.by", by: who, at: who?.at }, ...waiting];
  return [{ key: `status.paused.${account.paused_by ?? "administrator"}` }, ...waiting];
}

/** The fields that an incomplete configuration lacks. @param {Config} config */
export function missingFields(config) {
  const stored = /** @type {Record<string, unknown>} */ (config.providerConfig ?? {});
  if (config.serviceProvider === "Microsoft365") {
    const missing = ["clientId", "providerTenantId", "emailAddress"].filter((field) => !stored[field]);
    return config.passwordExists ? missing : [...missing, "clientSecret"];
  }
  const missing = ["serverAddress", "serverPort", "securityType", "emailAddress"].filter((field) => !stored[field]);
  if (stored.username && !config.passwordExists) missing.push("emailPassword");
  if (!stored.username && config.passwordExists) missing.push("username");
  return missing;
}
