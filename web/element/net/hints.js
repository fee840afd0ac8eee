// What the developer of a page has to change, in English: for the browser's console and beside the problem.

/** What an `Authorization` header takes, in one line. */
const TOKEN = /^[!-~]+$/;

/** What gives a token that no attribute gives. */
export const FUNCTION = "getToken, or the listener of token-needed,";

/** Enough to recognise a page or a message, and no secret. */
const BEGINNING = 15;

const NEEDED = "It has to give the token of a tenant administrator as text: one line, without quotes.";

const TOKENS = "The documentation's page tokens.md says what a token has to hold.";

export const HINTS = {
  noAddress: (/** @type {string} */ api) =>
    `"${api}" is no address. The attribute "api" has to be the address of the service, such as https://mail.example.com.`,
  address: (/** @type {string} */ api, /** @type {number} */ status) =>
    `${api} answered ${status} and is not this service. The attribute "api" has to be the address of the service ` +
    'without a path, such as https://mail.example.com.',
  origin: (/** @type {string} */ api) =>
    `${api} answers, but does not allow pages of ${location.origin}. Add that origin to "server.cors_origins" of the ` +
    'service. If this is not its address, correct the attribute "api".',
  silence: (/** @type {string} */ api) =>
    `${api} does not answer. If that is not the address of the service, correct the attribute "api".`,
  token: 'No token was sent. Set the attribute "token" or the property "getToken". A framework that renders before the ' +
    "module has loaded may have dropped the property: then set it again.",
  apiKey: "An API key was given as the token. API keys send emails; these settings need the token of a tenant administrator. " +
    TOKENS,
  thrown: (/** @type {unknown} */ error) => `${FUNCTION} has failed (${error}). ${NEEDED}`,
  nothing: `${FUNCTION} gave nothing. ${NEEDED}`,
  refused: (/** @type {import("./problem.js").Problem} */ problem) => {
    const { title, detail } = problem.faults[0] ?? {};
    const reason = [title, detail].filter(Boolean).join(": ");
    return `The service refused the token${reason && ` (${reason})`}. It may have expired, or be of another issuer or for another ` +
      `service. ${TOKENS}`;
  },
};

/**
 * Why something cannot be sent as a token.
 *
 * @param {unknown} token
 * @param {string} source what gave it
 * @returns {string} empty where it can
 */
export function malformed(token, source) {
  if (typeof token !== "string") return `${source} gave a value of the type ${typeof token}. ${NEEDED}`;
  if (TOKEN.test(token.trim())) return "";
  const beginning = JSON.stringify(token.trim().slice(0, BEGINNING));
  const page = token.trim().startsWith("<") ? "a page" : "a text with blanks, line breaks or other characters";
  return `${source} gave ${page} in place of a token; it begins with ${beginning}. ${NEEDED}`;
}
