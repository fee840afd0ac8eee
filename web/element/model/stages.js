// A check as a person follows it: a few stages, each with its state and its time.

/**
 * @typedef {import("../net/event-stream.js").StageEvent} StageEvent
 * @typedef {import("./types.js").Diagnosis} Diagnosis
 * @typedef {"name" | "connection" | "greeting" | "encryption" | "signIn" | "sender" | "recipient" | "message" |
 *   "token" | "handOver"} StageId
 * @typedef {"waiting" | "running" | "done" | "failed" | "unknown" | "skipped"} StageState
 * @typedef {{ id: StageId, state: StageState, ms: number | null }} Stage
 */

/** Failures before anything is contacted: no stage was begun. */
const NOTHING_CONTACTED = ["CONFIG_INCOMPLETE", "CONFIG_NOT_SET", "SECRET_UNREADABLE"];

/** The stages of a message in their order. A server that takes commands in advance also answers those behind a refusal. */
const ENVELOPE = ["sender", "recipient", "message"];

/** The service's stages, of which several may be one for a person. @type {Record<string, StageId>} */
const OF_SERVICE = {
  policy: "name", dns: "name", resolve: "name",
  connect: "connection",
  greeting: "greeting", ehlo: "greeting",
  tls: "encryption", starttls: "encryption", encryption: "encryption",
  auth: "signIn", sign_in: "signIn",
  mail_from: "sender", sender: "sender",
  rcpt_to: "recipient",
  data: "message",
  token: "token",
  graph: "handOver",
};

/**
 * What a check goes through, in its order.
 *
 * @param {string} provider
 * @param {{ securityType?: unknown, username?: unknown }} config
 * @param {boolean} [sending] a test email is sent
 * @returns {Stage[]}
 */
export function expectedStages(provider, config, sending = false) {
  /** @type {StageId[]} */
  const ids = ["token"];
  if (provider !== "Microsoft365") {
    ids.splice(0, 1, "name", "connection", "greeting");
    if (config.securityType === "StartTLS") ids.push("encryption");
    if (config.securityType === "SSL/TLS") ids.splice(2, 0, "encryption");
    if (config.username) ids.push("signIn");
    ids.push("sender");
    if (sending) ids.push("recipient", "message");
  } else if (sending) {
    ids.push("handOver");
  }
  return ids.map((id) => ({ id, state: "waiting", ms: null }));
}

/**
 * The stages after one more event.
 *
 * @param {Stage[]} stages
 * @param {StageEvent} event
 * @returns {Stage[]}
 */
export function withEvent(stages, event) {
  const id = OF_SERVICE[event.stage];
  if (!id) return stages;
  const state = event.state === "started" ? "running" : event.state === "failed" ? "failed" : "done";
  const known = stages.find((stage) => stage.id === id);
  const before = known?.ms ?? null;
  const ms = event.elapsedMs === undefined ? before : (before ?? 0) + event.elapsedMs;
  /** @type {Stage} */
  const next = { id, state, ms };
  return known ? stages.map((stage) => (stage.id === id ? next : stage)) : [...stages, next];
}

/**
 * The stages at the end, from what is known then. Without a stream the times come from the transcript.
 *
 * @param {Stage[]} stages
 * @param {Diagnosis | null} diagnosis of a failure; `null` for a success
 * @returns {Stage[]}
 */
export function finished(stages, diagnosis) {
  if (!diagnosis) {
    return stages.map((stage) => ({ ...stage, state: "done" }));
  }
  if (NOTHING_CONTACTED.includes(diagnosis.code)) return [];
  let seen = stages;
  if (stages.every((stage) => stage.state === "waiting")) {
    for (const entry of diagnosis.transcript ?? []) {
      seen = withEvent(seen, { stage: entry.stage, state: "done", elapsedMs: entry.ms });
    }
  }
  const failed = OF_SERVICE[diagnosis.stage ?? ""];
  if (failed && !seen.some((stage) => stage.id === failed)) {
    seen = [...seen, { id: failed, state: "failed", ms: null }];
  }
  // A beginning that was not needed, such as looking up an address, is left out.
  const begun = seen.findIndex((stage) => stage.id === failed || stage.state === "done");
  return seen.slice(Math.max(0, begun)).map((stage) => {
    if (stage.id === failed) return { ...stage, state: diagnosis.code === "OUTCOME_UNKNOWN" ? "unknown" : "failed" };
    const isBehind = ENVELOPE.includes(failed ?? "") && ENVELOPE.indexOf(stage.id) > ENVELOPE.indexOf(failed ?? "");
    if (isBehind) return { ...stage, state: "skipped", ms: null };
    return stage.state === "waiting" || stage.state === "running" ? { ...stage, state: "skipped" } : stage;
  });
}
