// Refused input, as a sentence for the field that it is about.

/**
 * The service names the field by a JSON Pointer and the reason by a word. A reason that this version does not know has
 * a general text.
 *
 * @typedef {{ field: string | null, text: string, values: Record<string, string> }} FieldFault
 */

/** The key of the text for each reason; `*` stands for the field. @type {Record<string, string>} */
const TEXTS = {
  required: "error.required.*",
  empty: "error.required.*",
  null: "error.required.*",
  not_one_of: "error.notOneOf",
  out_of_range: "error.port",
  too_long: "error.long",
  control_character: "error.lineBreak",
  host_is_url: "error.hostIsUrl",
  host_is_email_address: "error.hostIsEmailAddress",
  host_has_port: "error.hostHasPort",
  host_has_brackets: "error.hostHasBrackets",
  not_an_ip_address: "error.ipAddress",
  not_a_domain_name: "error.domainName",
  ends_in_number: "error.domainName",
  contains_blank: "error.blank",
  invalid_character: "error.character",
  not_an_email_address: "error.address",
  several_addresses: "error.severalAddresses",
  display_name: "error.displayName",
  incomplete_domain: "error.incompleteDomain",
  invisible_character: "error.invisible",
  own_gateway: "error.ownGateway",
  address_not_allowed: "error.blockedAddress",
  name_not_allowed: "error.blockedName",
  port_not_allowed: "error.portAllowed",
  mask: "error.mask",
  secret_not_kept: "error.secretAgain",
  secret_id: "error.secretId",
  not_a_client_id: "error.application",
  not_a_directory: "error.directory",
};

/**
 * @param {import("../net/problem.js").Fault} fault
 * @param {readonly string[]} fields those that the form has
 * @returns {FieldFault}
 */
export function fieldFault({ source, meta }, fields) {
  const field = source?.pointer?.split("/").at(-1) ?? "";
  const text = TEXTS[meta?.reason ?? ""]?.replace("*", field) ?? "error.other";
  return { field: fields.includes(field) ? field : null, text, values: { allowed: (meta?.allowed ?? []).join(", ") } };
}
