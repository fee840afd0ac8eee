// Known mail services in the form.

import { similarServer } from "./server.js";

/**
 * @typedef {import("./types.js").Preset} Preset
 * @typedef {import("./form.js").SmtpDraft} SmtpDraft
 */

/** The usual port of each security type. */
export const USUAL_PORT = /** @type {Record<string, string>} */ ({ StartTLS: "587", "SSL/TLS": "465" });

/**
 * The service to which a server belongs.
 *
 * @param {Preset[]} presets
 * @param {string} server
 * @returns {Preset | undefined}
 */
export function presetOf(presets, server) {
  const name = server.trim().toLowerCase();
  return presets.find((preset) =>
    preset.serviceProvider === "BasicAuth" && preset.servers.some((known) => known.serverAddress === name));
}

/**
 * The draft with the preset's values. A password that was entered for another server is removed.
 *
 * @param {SmtpDraft} draft
 * @param {Preset} preset
 * @param {string} [server] one of the service's; the first one by default
 * @returns {SmtpDraft}
 */
export function withPreset(draft, preset, server = preset.servers[0]?.serverAddress ?? "") {
  const moved = presetOf([preset], draft.serverAddress) === undefined;
  return {
    ...draft,
    preset: preset.id,
    serverAddress: server,
    serverPort: String(preset.serverPort),
    securityType: preset.securityType,
    sameAsSender: preset.usernameForm === "email_address",
    username: preset.usernameForm === "fixed" ? (preset.username ?? "") : moved ? "" : draft.username,
    emailPassword: moved ? "" : draft.emailPassword,
    ...preset.values,
  };
}

/**
 * A known server that the user may have meant: one of the same domain, or one whose name is alike.
 *
 * @param {Preset[]} presets
 * @param {string} server
 * @returns {string | null}
 */
export function intendedServer(presets, server) {
  const name = server.trim().toLowerCase();
  const domain = (/** @type {string} */ host) => host.split(".").slice(-2).join(".");
  const known = presets
    .filter((preset) => preset.serviceProvider === "BasicAuth")
    .flatMap((preset) => preset.servers.map((found) => found.serverAddress));
  if (!name.includes(".") || known.includes(name)) return null;
  return known.find((host) => domain(host) === domain(name)) ?? similarServer(presets, name);
}

/**
 * Suggests a security type for a port that rarely goes with the chosen one.
 *
 * @param {string} port
 * @param {string} security
 * @returns {"StartTLS" | "SSL/TLS" | null}
 */
export function usualSecurity(port, security) {
  if (["465", "2465"].includes(port) && security !== "SSL/TLS") return "SSL/TLS";
  if (["25", "587", "2525", "2587"].includes(port) && security === "SSL/TLS") return "StartTLS";
  return null;
}
