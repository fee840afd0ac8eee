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
