// Internationalised names: ASCII on the wire, and in their own script for people.

/**
 * @typedef {import("./types.js").Config} Config
 *
 * What may have the readable form of a name.
 *
 * @typedef {object} Sources
 * @property {Config | null} config
 * @property {{ config: Config | null } | null} theirs
 * @property {{ serverAddress: string, emailAddress: string }} smtp as entered
 * @property {{ emailAddress: string }} microsoft as entered
 */

const ASCII = /^[\x00-\x7f]*$/;

/** What no host name holds, and what an address would read as another part. */
const NO_HOST = /[\s/?#@:%\\[\]]/;

/** A host's name as it goes on the wire. The service says what is wrong with one that the browser does not take. @param {string} text */
export function asciiHost(text) {
  if (ASCII.test(text) || NO_HOST.test(text)) return text;
  try {
    return new URL(`http://${text}`).hostname;
  } catch {
    return text;
  }
}

/** An email address with its domain as it goes on the wire. @param {string} text */
export function asciiAddress(text) {
  const at = text.lastIndexOf("@");
  return at < 0 ? text : text.slice(0, at + 1) + asciiHost(text.slice(at + 1));
}

/**
 * The values of a provider's configuration for people; none where another provider is stored.
 *
 * @param {Config | null} config
 * @param {import("./types.js").ServiceProvider} provider
 * @returns {import("./types.js").ProviderConfig}
 */
export function readableConfig(config, provider) {
  return config?.serviceProvider === provider ? { ...config.providerConfig, ...config.unicode } : {};
}

/**
 * A name in its own script, where the service or the person who entered it has written it so.
 *
 * @param {Sources} sources
 * @param {string} name
 */
export function readable({ config, theirs, smtp, microsoft }, name) {
  for (const stored of [config, theirs?.config]) {
    const { serverAddress, emailAddress } = stored?.providerConfig ?? {};
    if (name === serverAddress) return stored?.unicode?.serverAddress ?? name;
    if (name === emailAddress) return stored?.unicode?.emailAddress ?? name;
  }
  const entered = [smtp.serverAddress, smtp.emailAddress, microsoft.emailAddress].map((text) => text.trim());
  return entered.find((text) => asciiHost(text) === name || asciiAddress(text) === name) ?? name;
}
