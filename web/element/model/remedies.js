// Remedies of a diagnosis with one click. Pure: from a code and the form.

import { intendedServer, presetOf } from "./presets.js";

/**
 * @typedef {import("./types.js").Preset} Preset
 *
 * One remedy. `changes` are applied to the form, which is then checked and saved; the others only navigate.
 *
 * @typedef {object} Remedy
 * @property {string} text key of its label
 * @property {Record<string, string>} [values] for the label
 * @property {Record<string, string | boolean>} [changes] of the SMTP form
 * @property {Record<string, string>} [microsoft] changes of the form of Microsoft 365
 * @property {"Microsoft365" | "BasicAuth"} [provider] to choose
 * @property {string} [focus] a field to go to
 * @property {"again" | "setup-help"} [action]
 *
 * @typedef {object} Situation
 * @property {string} provider
 * @property {Record<string, string | number>} config the `providerConfig` that was checked
 * @property {Preset[]} presets
 */

const STARTTLS = { text: "remedy.startTls", changes: { securityType: "StartTLS" } };
const IMPLICIT = { text: "remedy.sslTls", changes: { securityType: "SSL/TLS" } };
const PORT_587 = { text: "remedy.port587", changes: { serverPort: "587", securityType: "StartTLS" } };
const PORT_465 = { text: "remedy.port465", changes: { serverPort: "465", securityType: "SSL/TLS" } };
const NO_ENCRYPTION = { text: "remedy.noEncryption", changes: { securityType: "none" } };
const NO_SIGN_IN = { text: "remedy.noSignIn", changes: { username: "", sameAsSender: false, emailPassword: "" } };
const MICROSOFT = /** @type {Remedy} */ ({ text: "remedy.microsoft365", provider: "Microsoft365" });
const SMTP = /** @type {Remedy} */ ({ text: "remedy.smtp", provider: "BasicAuth" });
const PASSWORD = { text: "remedy.password", focus: "emailPassword" };
const CLIENT_SECRET = { text: "remedy.clientSecret", focus: "clientSecret" };
const SETUP_HELP = /** @type {Remedy} */ ({ text: "remedy.setupHelp", action: "setup-help" });
const AGAIN = /** @type {Remedy} */ ({ text: "remedy.again", action: "again" });
/** @param {string} field */
const field = (field) => ({ text: `remedy.field.${field}`, focus: field });

/** @type {(situation: Situation) => Remedy[]} */
const otherPorts = ({ config }) =>
  [PORT_587, PORT_465].filter(({ changes }) =>
    String(config.serverPort) !== changes.serverPort || config.securityType !== changes.securityType);

/**
 * @param {Record<string, string | number>} config
 * @param {Preset[]} presets
 * @returns {Remedy[]}
 */
function suggestedServer(config, presets) {
  const server = intendedServer(presets, String(config.serverAddress ?? ""));
  return server ? [{ text: "remedy.server", values: { server }, changes: { serverAddress: server } }] : [];
}

/** @type {(situation: Situation) => Remedy[]} */
const suggestedServerOrOtherPorts = (situation) =>
  [...suggestedServer(situation.config, situation.presets), ...otherPorts(situation)];

/** @type {(situation: Situation) => Remedy[]} */
const implicitOn465 = ({ config }) =>
  ["465", "2465"].includes(String(config.serverPort)) && config.securityType !== "SSL/TLS"
    ? [IMPLICIT, AGAIN]
    : [AGAIN];

/** @type {(situation: Situation) => Remedy[]} */
const encrypted = ({ config }) =>
  String(config.serverPort) === "587" ? [STARTTLS, PORT_465, NO_SIGN_IN] : [STARTTLS, PORT_587, PORT_465, NO_SIGN_IN];

/** @type {(situation: Situation) => Remedy[]} */
const senderIsUser = ({ config }) => {
  const username = String(config.username ?? "");
  const sender = { text: "remedy.senderIsUser", values: { address: username }, changes: { emailAddress: username } };
  return username.includes("@") && username !== config.emailAddress ? [sender] : [field("emailAddress")];
};

/** @type {(situation: Situation) => Remedy[]} */
const userIsAddress = ({ config, presets }) => {
  const address = String(config.emailAddress ?? "");
  const preset = presetOf(presets, String(config.serverAddress ?? ""));
  // Its user names are no addresses.
  if (preset && preset.usernameForm !== "email_address") return [PASSWORD];
  const whole = { text: "remedy.userIsAddress", values: { address }, changes: { sameAsSender: true } };
  return String(config.username ?? "").includes("@") || !address ? [PASSWORD] : [whole, PASSWORD];
};

/** @type {(situation: Situation) => Remedy[]} */
const apiKey = ({ config }) =>
  config.username === "apikey"
    ? [PASSWORD]
    : [{ text: "remedy.apikey", changes: { username: "apikey", sameAsSender: false } }, PASSWORD];

const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** @type {(situation: Situation) => Remedy[]} */
const swappedIds = ({ config }) => {
  const [clientId, providerTenantId] = [String(config.clientId ?? ""), String(config.providerTenantId ?? "")];
  return GUID.test(clientId) && GUID.test(providerTenantId)
    ? [{ text: "remedy.swapIds", microsoft: { clientId: providerTenantId, providerTenantId: clientId } }]
    : [];
};

/** By the codes of docs/diagnosis.md; other codes have only their written steps. */
const BY_CODE = /** @type {Record<string, Remedy[] | ((situation: Situation) => Remedy[])>} */ ({
  CONNECT_REFUSED: suggestedServerOrOtherPorts,
  CONNECT_TIMEOUT: suggestedServerOrOtherPorts,
  CONNECTION_LOST: implicitOn465,
  DNS_NOT_FOUND: (situation) => [...suggestedServer(situation.config, situation.presets), field("serverAddress")],
  DNS_UNAVAILABLE: [AGAIN],
  DEST_BLOCKED: [field("serverAddress")],
  GREETING_REFUSED: suggestedServerOrOtherPorts,
  NOT_SMTP: suggestedServerOrOtherPorts,
  PORT_BLOCKED: otherPorts,
  PROTOCOL_ERROR: otherPorts,
  REPLY_TIMEOUT: implicitOn465,
  // After a good sign-in no other port or password changes anything.
  RELAY_DENIED: (situation) => situation.config.username
    ? [...suggestedServer(situation.config, situation.presets), field("serverAddress")]
    : [field("username"), ...suggestedServerOrOtherPorts(situation)],

  STARTTLS_MISSING: (situation) => [
    ...[PORT_465, PORT_587].filter(({ changes }) => String(situation.config.serverPort) !== changes.serverPort),
    NO_ENCRYPTION,
  ],
  STARTTLS_REQUIRED: [STARTTLS],
  STARTTLS_TEMP: [AGAIN],
  TLS_CERT_NAME: (situation) => [...suggestedServer(situation.config, situation.presets), field("serverAddress")],
  TLS_MODE_MISMATCH_USE_IMPLICIT: [IMPLICIT],
  TLS_MODE_MISMATCH_USE_STARTTLS: [STARTTLS],
  TLS_RESPONSE_INJECTION: [PORT_465],

  AUTH_NEEDS_TLS: encrypted,
  AUTH_NOT_OFFERED: (situation) => [...suggestedServerOrOtherPorts(situation), NO_SIGN_IN],
  AUTH_REJECTED: userIsAddress,
  AUTH_TEMPORARY: [AGAIN],
  CLEARTEXT_SIGN_IN_REFUSED: encrypted,
  SECRET_UNREADABLE: [PASSWORD],

  GMAIL_APP_PASSWORD_REQUIRED: [PASSWORD],
  GMAIL_BAD_CREDENTIALS: [PASSWORD],
  GMAIL_WEB_LOGIN_REQUIRED: [AGAIN],
  SENDGRID_APIKEY: apiKey,
  SES_BAD_SMTP_CREDENTIALS: [field("username"), PASSWORD],

  M365_AUTH_GENERIC: [MICROSOFT, PASSWORD],
  M365_BAD_CREDENTIALS: [PASSWORD, MICROSOFT],
  M365_BASIC_AUTH_DISABLED: [MICROSOFT],
  M365_BASIC_AUTH_RETIRED: [MICROSOFT],
  M365_CONDITIONAL_ACCESS: [MICROSOFT],
  M365_SECURITY_DEFAULTS: [MICROSOFT],
  M365_SMTP_AUTH_DISABLED_MAILBOX: [MICROSOFT],
  M365_SMTP_AUTH_DISABLED_TENANT: [MICROSOFT],
  M365_NOT_AUTHENTICATED: [field("username")],
  M365_CONNECTOR_MISMATCH: [
    {
      text: "remedy.server",
      values: { server: "smtp.office365.com" },
      changes: { serverAddress: "smtp.office365.com", serverPort: "587", securityType: "StartTLS" },
    },
    MICROSOFT,
  ],
  M365_APP_NOT_REGISTERED_IN_EXCHANGE: [SETUP_HELP],

  ENTRA_APP_NOT_FOUND: [field("clientId"), SETUP_HELP],
  ENTRA_TENANT_NOT_FOUND: (situation) => [...swappedIds(situation), field("providerTenantId"), SETUP_HELP],
  ENTRA_SECRET_INVALID: [CLIENT_SECRET],
  ENTRA_SECRET_EXPIRED: [CLIENT_SECRET],
  ENTRA_CONSENT_MISSING: [SETUP_HELP, AGAIN],
  ENTRA_NO_SERVICE_PRINCIPAL: [SETUP_HELP, AGAIN],
  GRAPH_MAILBOX_OUT_OF_SCOPE: [SETUP_HELP],
  GRAPH_PERMISSION_MISSING: [SETUP_HELP],
  GRAPH_NO_CLOUD_MAILBOX: [SMTP],
  GRAPH_SEND_AS_DENIED: [field("emailAddress")],
  GRAPH_USER_NOT_FOUND: [field("emailAddress")],

  SENDER_NOT_OWNED: senderIsUser,
  M365_SEND_AS_DENIED: senderIsUser,
  M365_TOKEN_USER_MISMATCH: senderIsUser,
  RECIPIENT_UNKNOWN: [field("recipient")],
});

/** What can be done about an advice. @param {string} code @returns {Remedy[]} */
export function adviceRemedies(code) {
  return code === "M365_PASSWORD_SIGN_IN" ? [MICROSOFT] : [];
}

/** Codes with a remedy, for a test that holds them to the service's own list. */
export const CODES = Object.keys(BY_CODE);

/**
 * @param {{ code: string, retryable?: boolean }} diagnosis
 * @param {Situation} situation
 * @returns {Remedy[]} the likeliest first
 */
export function remedies(diagnosis, situation) {
  const found = BY_CODE[diagnosis.code] ?? [];
  const list = typeof found === "function" ? found(situation) : found;
  const again = diagnosis.retryable && !list.includes(AGAIN) ? [AGAIN] : [];
  const seen = new Set();
  return [...list, ...again].filter((remedy) => {
    const key = JSON.stringify(remedy);
    return seen.has(key) ? false : seen.add(key);
  });
}
