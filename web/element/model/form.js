// The form as plain values: made from the stored configuration, turned into a PUT, and compared.

import { asciiAddress, asciiHost, readableConfig } from "./names.js";

/**
 * @typedef {import("./types.js").Config} Config
 * @typedef {import("./types.js").ServiceProvider} ServiceProvider
 *
 * The form of an SMTP server, all as text.
 *
 * @typedef {object} SmtpDraft
 * @property {string} preset id of the chosen mail service; empty for another one
 * @property {string} serverAddress
 * @property {string} serverPort
 * @property {string} securityType
 * @property {string} emailAddress
 * @property {string} senderName
 * @property {string} username
 * @property {boolean} sameAsSender the user name is the sender address
 * @property {string} emailPassword
 * @property {boolean} newSecret the field for a new password is open
 *
 * @typedef {object} MicrosoftDraft
 * @property {string} clientId
 * @property {string} providerTenantId
 * @property {string} clientSecret
 * @property {string} emailAddress
 * @property {boolean} newSecret
 */

/** The order of the fields; the first wrong one gets the focus. */
export const FIELDS = {
  BasicAuth: [
    "serverAddress", "serverPort", "securityType", "emailAddress", "senderName", "username", "emailPassword",
  ],
  Microsoft365: ["clientId", "providerTenantId", "clientSecret", "emailAddress"],
};

/**
 * @param {Config | null} config
 * @returns {SmtpDraft}
 */
export function smtpDraft(config) {
  const stored = readableConfig(config, "BasicAuth");
  const { username = "", emailAddress = "" } = stored;
  const untouched = !stored.serverAddress && !username && !emailAddress;
  return {
    preset: "",
    serverAddress: stored.serverAddress ?? "",
    serverPort: stored.serverPort ? String(stored.serverPort) : untouched ? "587" : "",
    securityType: stored.securityType ?? "StartTLS",
    emailAddress,
    senderName: stored.senderName ?? "",
    username,
    sameAsSender: untouched || (username !== "" && username === config?.providerConfig?.emailAddress),
    emailPassword: "",
    newSecret: false,
  };
}

/**
 * @param {Config | null} config
 * @returns {MicrosoftDraft}
 */
export function microsoftDraft(config) {
  const stored = readableConfig(config, "Microsoft365");
  return {
    clientId: stored.clientId ?? "",
    providerTenantId: stored.providerTenantId ?? "",
    clientSecret: "",
    emailAddress: stored.emailAddress ?? "",
    newSecret: false,
  };
}

/** @param {SmtpDraft} draft */
export function usernameOf(draft) {
  return (draft.sameAsSender ? draft.emailAddress : draft.username).trim();
}

/**
 * The `providerConfig` of a PUT, without empty fields. Without a secret the service keeps the stored one where
 * allowed.
 *
 * @param {SmtpDraft} draft
 * @returns {Record<string, string | number>}
 */
export function smtpConfig(draft) {
  const port = draft.serverPort.trim();
  return withoutEmpty({
    serverAddress: asciiHost(draft.serverAddress.trim()),
    serverPort: /^\d{1,5}$/.test(port) ? Number(port) : port,
    securityType: draft.securityType,
    emailAddress: asciiAddress(draft.emailAddress.trim()),
    senderName: draft.senderName.trim(),
    username: draft.sameAsSender ? asciiAddress(usernameOf(draft)) : usernameOf(draft),
    emailPassword: draft.emailPassword,
  });
}

/**
 * @param {MicrosoftDraft} draft
 * @returns {Record<string, string | number>}
 */
export function microsoftConfig(draft) {
  return withoutEmpty({
    clientId: draft.clientId.trim(),
    providerTenantId: draft.providerTenantId.trim(),
    clientSecret: draft.clientSecret,
    emailAddress: asciiAddress(draft.emailAddress.trim()),
  });
}

/** @param {Record<string, string | number>} fields */
function withoutEmpty(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
}

/**
 * Whether the service keeps the stored secret with these settings: it uses a secret only for the destination it was
 * entered for. The service applies the same rule and decides.
 *
 * @param {Config | null} config what is stored
 * @param {ServiceProvider} provider
 * @param {Record<string, string | number>} next the `providerConfig` to be
 */
export function keepsSecret(config, provider, next) {
  if (!config?.passwordExists || config.serviceProvider !== provider) return false;
  const stored = /** @type {Record<string, any>} */ (config.providerConfig ?? {});
  /** @param {string} field */
  const isSame = (field) => stored[field] === undefined || normalised(stored[field]) === normalised(next[field]);
  if (provider === "Microsoft365") return isSame("clientId") && isSame("providerTenantId");
  const weaker = next.securityType === "none" && ![undefined, "none"].includes(stored.securityType);
  const sameUser = stored.username === undefined || stored.username === next.username;
  return isSame("serverAddress") && isSame("serverPort") && sameUser && !weaker;
}

/** Normalises host names and GUIDs, which ignore case. @param {any} value */
function normalised(value) {
  return String(value ?? "").trim().toLowerCase();
}

/**
 * The fields that differ from what is stored.
 *
 * @param {Config | null} config
 * @param {ServiceProvider} provider
 * @param {Record<string, string | number>} next
 * @returns {string[]}
 */
export function changedFields(config, provider, next) {
  const stored = /** @type {Record<string, any>} */ (
    config?.serviceProvider === provider ? (config.providerConfig ?? {}) : {}
  );
  return FIELDS[provider].filter((field) => (stored[field] ?? "") !== (next[field] ?? ""));
}

/**
 * Faults found before sending: keys of texts, by field.
 *
 * @param {ServiceProvider} provider
 * @param {Record<string, string | number>} next
 * @param {boolean} secretKept a stored secret is kept
 * @returns {Record<string, string>}
 */
export function faults(provider, next, secretKept) {
  const required = provider === "BasicAuth"
    ? ["serverAddress", "serverPort", "securityType", "emailAddress"]
    : ["clientId", "providerTenantId", "emailAddress"];
  /** @type {Record<string, string>} */
  const found = {};
  for (const field of required) {
    if (next[field] === undefined) found[field] = `error.required.${field}`;
  }
  const port = next.serverPort;
  if (port !== undefined && !(typeof port === "number" && port >= 1 && port <= 65_535)) {
    found.serverPort = "error.port";
  }
  if (next.emailAddress !== undefined && !/^[^\s@]+@[^\s@]+$/.test(String(next.emailAddress))) {
    found.emailAddress = "error.address";
  }
  const secret = provider === "BasicAuth" ? "emailPassword" : "clientSecret";
  const wanted = provider === "Microsoft365" || next.username !== undefined;
  if (wanted && !secretKept && next[secret] === undefined) found[secret] = `error.required.${secret}`;
  if (provider === "BasicAuth" && next.username === undefined && next.emailPassword !== undefined) {
    found.username = "error.required.username";
  }
  return found;
}
