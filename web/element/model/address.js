// An email address as people paste it: with a name, with `mailto:`, or with invisible characters.

import { visible } from "./server.js";

/**
 * @param {string} text such as `Example Ltd <mail@example.com>`
 * @returns {{ address: string, name: string }} the text itself as the address where it is nothing else
 */
export function mailboxOf(text) {
  const [, name = "", inside] = /^\s*"?([^"<>@]*?)"?\s*<([^<>]*)>\s*$/.exec(text) ?? [];
  const address = visible(inside ?? text).replace(/^mailto:/i, "");
  return { address, name: name.trim() };
}

/**
 * The sender that a request with a key has to name: without one, it is the account's address.
 *
 * @param {string[]} allowed the key's `allowed_senders`: addresses, and `*@domain` for all of a domain
 * @param {string} account the account's address
 * @returns {string} empty where none has to be named, or which one is not known
 */
export function senderToName(allowed, account) {
  const sender = account.toLowerCase();
  const domain = `*${sender.slice(sender.lastIndexOf("@"))}`;
  if (allowed.some((one) => [sender, domain].includes(one.toLowerCase()))) return "";
  return allowed.find((one) => !one.startsWith("*")) ?? "";
}
