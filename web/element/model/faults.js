// Titles of refused input, as sentences for the field that they name.

/**
 * A title begins with the field's name in the API, and goes on in English. What is known is told in the reader's
 * language and with a remedy; the rest stands as the service says it.
 *
 * @typedef {{ field: string | null, text: string | null, values: Record<string, string>, raw: string }} FieldFault
 */

const KNOWN = /** @type {[RegExp, string][]} */ ([
  [/^must be entered again/, "error.secretAgain"],
  [/^is required beside username/, "error.required.emailPassword"],
  [/^is required beside emailPassword/, "error.required.username"],
  [/^is (required|empty)/, "error.required.*"],
  [/^is a mask/, "error.mask"],
  [/^is not a port number/, "error.port"],
  [/^is not an allowed mail port here \((?<ports>[\d, ]+)\)/, "error.portAllowed"],
  [/^is an address that this installation does not connect to/, "error.blockedAddress"],
  [/^is a name that this installation does not connect to/, "error.blockedName"],
  [/^looks like the Secret ID/, "error.secretId"],
  [/^is neither a Directory/, "error.directory"],
  [/^is not an Application/, "error.application"],
  [/^is longer than/, "error.long"],
  [/^contains a line break/, "error.lineBreak"],
]);

/**
 * @param {string} title
 * @param {readonly string[]} fields the names that may stand in front
 * @returns {FieldFault}
 */
export function fieldFault(title, fields) {
  const [name = "", ...words] = title.split(" ");
  const field = name.replace(/^providerConfig\./, "");
  if (!fields.includes(field)) return { field: null, text: null, values: {}, raw: title };
  const rest = words.join(" ");
  for (const [pattern, text] of KNOWN) {
    const match = pattern.exec(rest);
    if (match) return { field, text: text.replace("*", field), values: { ...match.groups }, raw: rest };
  }
  return { field, text: null, values: {}, raw: rest };
}
