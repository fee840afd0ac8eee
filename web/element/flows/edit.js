// Edits of the form before anything is saved.

import {
  changedFields, keepsSecret, microsoftConfig, microsoftDraft, smtpConfig, smtpDraft,
} from "../model/form.js";
import { mailboxOf } from "../model/address.js";
import { USUAL_PORT, presetOf, withPreset } from "../model/presets.js";
import { takeApart, visible } from "../model/server.js";
import { loadPresets } from "./load.js";
import { loadSetup, loadSetupSoon } from "./setup.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../app.js").State} State
 * @typedef {import("../app.js").ServiceProvider} ServiceProvider
 */

/**
 * The `providerConfig` from the form.
 *
 * @param {State} state
 * @returns {Record<string, string | number>}
 */
export function enteredValues(state) {
  if (state.provider === "Microsoft365") return microsoftConfig(state.microsoft);
  return state.provider === "BasicAuth" ? smtpConfig(state.smtp) : {};
}

/** @param {State} state */
export function isChanged(state) {
  if (state.provider === "" || state.provider === "None") return false;
  if (state.config?.serviceProvider === state.provider) {
    return changedFields(state.config, state.provider, enteredValues(state)).length > 0;
  }
  const empty = state.provider === "Microsoft365" ? microsoftConfig(microsoftDraft(null)) : smtpConfig(smtpDraft(null));
  return JSON.stringify(enteredValues(state)) !== JSON.stringify(empty);
}

/** Whether a save would use the secret that is stored. @param {State} state */
export function usesStoredSecret(state) {
  const { provider } = state;
  return provider !== "" && provider !== "None" && keepsSecret(state.config, provider, enteredValues(state));
}

/**
 * @param {App} app
 * @param {ServiceProvider} provider
 */
export function choose(app, provider) {
  app.update({ provider, errors: {}, problem: null });
  if (provider === "Microsoft365" && app.state.config?.serviceProvider !== "Microsoft365") {
    // Most users do not have the four values at hand, so the setup help is open at first.
    const { microsoft, smtp } = app.state;
    const emailAddress = microsoft.emailAddress || smtp.emailAddress;
    app.update({ setupOpen: true, microsoft: { ...microsoft, emailAddress } });
  }
  if (provider === "BasicAuth" && app.state.presets.length === 0) void loadPresets(app);
  if (app.state.setupOpen) void loadSetup(app);
}

/** Deletes nothing yet: what then stands in place of the form asks. @param {App} app */
export function chooseNone(app) {
  app.update({ provider: "None", errors: {}, problem: null });
}

/**
 * @param {App} app
 * @param {Partial<import("../model/form.js").SmtpDraft>} changes
 */
export function editSmtp(app, changes) {
  const smtp = { ...app.state.smtp, ...changes };
  if (changes.securityType !== undefined && changes.serverPort === undefined) {
    const before = USUAL_PORT[app.state.smtp.securityType];
    const after = USUAL_PORT[changes.securityType];
    if (after && (smtp.serverPort === before || smtp.serverPort === "")) smtp.serverPort = after;
  }
  if (changes.serverAddress !== undefined && changes.preset === undefined) {
    smtp.preset = presetOf(app.state.presets, changes.serverAddress)?.id ?? "";
  }
  if (changes.sameAsSender === false && changes.username === undefined) {
    // The shown value stays, to be edited.
    smtp.username ||= smtp.emailAddress;
  }
  const fields = Object.keys(changes);
  app.update({ smtp, errors: without(app.state.errors, fields), notes: without(app.state.notes, fields) });
}

/** Empties both fields of the sign-in. @param {App} app */
export function useNoSignIn(app) {
  editSmtp(app, { sameAsSender: false, username: "", emailPassword: "", newSecret: false });
  void app.focus('[name="username"]');
}

/**
 * Puts the parts of what was entered as the server into their fields, and says so.
 *
 * @param {App} app
 * @param {string} text
 */
export function tidyServer(app, text) {
  const { serverAddress, ...others } = takeApart(text);
  if (serverAddress === text) return;
  editSmtp(app, { serverAddress, ...others });
  const { serverPort: port, securityType: security } = others;
  const key = security ? "note.portAndSecurity" : port ? "note.port" : "note.server";
  tell(app, "serverAddress", app.t(key, { port: port ?? "", security: security ?? "" }));
}

/**
 * Takes the address out of `Name <address>`, `mailto:` and invisible characters, and says so.
 *
 * @param {App} app
 * @param {string} text
 */
export function tidySender(app, text) {
  const { address, name } = mailboxOf(text);
  if (address === text) return;
  const taken = name && !app.state.smtp.senderName;
  editSmtp(app, { emailAddress: address, ...(taken ? { senderName: name } : {}) });
  tell(app, "emailAddress", app.t(taken ? "note.senderName" : "note.address", { name }));
}

/**
 * Takes blanks and invisible characters out of a field of Microsoft 365.
 *
 * @param {App} app
 * @param {"clientId" | "providerTenantId" | "emailAddress"} field
 * @param {string} text
 */
export function tidyMicrosoft(app, field, text) {
  const tidied = field === "emailAddress" ? mailboxOf(text).address : visible(text);
  if (tidied !== text) editMicrosoft(app, { [field]: tidied });
}

/**
 * @param {App} app
 * @param {string} field
 * @param {string} note
 */
function tell(app, field, note) {
  app.update({ notes: { ...app.state.notes, [field]: note } });
  app.announce(note);
}

/**
 * @param {App} app
 * @param {Partial<import("../model/form.js").MicrosoftDraft>} changes
 */
export function editMicrosoft(app, changes) {
  const microsoft = { ...app.state.microsoft, ...changes };
  app.update({ microsoft, errors: without(app.state.errors, Object.keys(changes)) });
  if (app.state.setupOpen) loadSetupSoon(app);
}

/**
 * @param {App} app
 * @param {string} id of a preset; empty for another service
 */
export function choosePreset(app, id) {
  // Those of the service may still be on their way.
  const preset = [...app.ownPresets, ...app.state.presets].find((known) => known.id === id);
  if (preset?.serviceProvider === "Microsoft365") {
    choose(app, "Microsoft365");
    app.announce(app.t("provider.switched.microsoft365"));
    void app.focus("#provider-Microsoft365");
    return;
  }
  const smtp = preset ? withPreset(app.state.smtp, preset) : { ...app.state.smtp, preset: "" };
  const filled = ["serverAddress", "serverPort", "securityType", "username", "emailPassword"];
  app.update({ smtp, errors: without(app.state.errors, filled), notes: {} });
  if (preset) app.announce(`${app.t("preset.filled", { name: preset.name })} ${preset.note}`);
}

/** Back to what is stored. @param {App} app */
export function discard(app) {
  const { config, presets } = app.state;
  const smtp = smtpDraft(config);
  app.update({
    provider: config?.serviceProvider ?? "",
    smtp: { ...smtp, preset: presetOf(presets, smtp.serverAddress)?.id ?? "" },
    microsoft: microsoftDraft(config),
    errors: {},
    notes: {},
    problem: null,
    revealed: false,
    check: app.state.check?.kind === "save" ? null : app.state.check,
  });
  app.announce(app.t("form.discarded"));
  void app.focus("#settings-title");
}

/**
 * @param {Record<string, string>} errors
 * @param {string[]} fields
 */
function without(errors, fields) {
  return Object.fromEntries(Object.entries(errors).filter(([field]) => !fields.includes(field)));
}

/**
 * Into a field, which is opened where it is not.
 *
 * @param {App} app
 * @param {string} field
 */
export async function goTo(app, field) {
  if (field === "emailPassword") editSmtp(app, { newSecret: true, emailPassword: "" });
  if (field === "clientSecret") editMicrosoft(app, { newSecret: true, clientSecret: "" });
  if (field === "username") editSmtp(app, { sameAsSender: false });
  await app.focus(`[name="${field}"]`);
  const input = app.host.find(`[name="${field}"]`);
  if (input instanceof HTMLInputElement) input.select();
}
