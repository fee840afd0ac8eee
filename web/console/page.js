// The service's own page: determines who is signed in, and shows the element that platforms embed.

import { LANGUAGES, languageOf, loadTexts, text } from "../element/i18n.js";
import "../element/element.js";

/**
 * @typedef {{ serverAddress: string, serverPort: number, username: string, emailPassword: string,
 *   emailAddress: string }} TestInbox
 *
 * @typedef {{ mode: "dev", token: string, tenant?: string, testInbox?: TestInbox }} DevSession
 *
 * @typedef {DevSession | { mode: "none" } | { mode: "oidc", signIn?: string, user?: string, tenant?: string,
 *   userName?: string | null, tenantName?: string | null, csrfToken?: string }} Session
 */

const THEMES = ["auto", "light", "dark"];

const SIGN_IN_FAILURES = ["denied", "expired", "not_known", "provider"];

/** Why the last sign-in failed. It is taken out of the address, so that a reload or a bookmark does not repeat it. */
const failure = new URLSearchParams(location.search).get("sign-in");
if (failure) history.replaceState(null, "", location.pathname);

/** Remembers choices in this browser, where storage is allowed. */
const storedChoices = {
  /** @param {string} name */
  get(name) {
    try {
      return localStorage.getItem(`console.${name}`);
    } catch {
      return null;
    }
  },
  /** @param {string} name @param {string} value */
  set(name, value) {
    try {
      localStorage.setItem(`console.${name}`, value);
    } catch {
      // It applies to this visit only, then.
    }
  },
};

/** @type {import("../element/element.js").EmailTransportSettings | null} */
let settings = null;
/** @type {Session | null} */
let session = null;
let language = languageOf(storedChoices.get("language") ?? navigator.language);
let theme = THEMES.find((known) => known === storedChoices.get("theme")) ?? "auto";

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @returns {Promise<Session | null>} nothing where the service does not answer */
async function fetchSession() {
  try {
    const response = await fetch("/console/session", { cache: "no-store" });
    return response.ok || response.status === 401 ? await response.json() : null;
  } catch {
    return null;
  }
}

async function renderTexts() {
  const texts = await loadTexts(language);
  const t = (/** @type {string} */ key) => text(texts, key);
  document.documentElement.lang = language;
  document.title = `${t("console.title")} – ${element("product").textContent}`;
  element("title").textContent = t("console.title");
  element("language-label").textContent = t("console.language");
  element("theme-label").textContent = t("console.theme");
  element("inbox").textContent = t("console.inbox");
  element("sign-out").textContent = t("console.signOut");
  fillSelect("theme", THEMES.map((value) => [value, t(`console.theme.${value}`)]), theme);
  // Languages are named in themselves.
  fillSelect("language", LANGUAGES.map((value) => [value, languageName(value)]), language);
  settings?.setAttribute("locale", language);
  if (settings && session?.mode === "dev") settings.presets = ownPresets(session, t);
  document.querySelector(".sign-in")?.replaceWith(signInNotice(t));
}

/** @param {string} value */
function languageName(value) {
  return new Intl.DisplayNames([value], { type: "language" }).of(value) ?? value;
}

/**
 * @param {string} id of a select
 * @param {string[][]} options value and label
 * @param {string} chosen
 */
function fillSelect(id, options, chosen) {
  element(id).replaceChildren(...options.map(([value = "", label = ""]) => {
    const option = new Option(label, value);
    option.selected = value === chosen;
    return option;
  }));
}

function applyTheme() {
  document.documentElement.dataset.theme = theme;
  settings?.setAttribute("theme", theme);
}

/**
 * What is shown in place of the settings without a session.
 *
 * @param {(key: string) => string} t
 */
function signInNotice(t) {
  const section = document.createElement("section");
  section.className = "sign-in";
  const signIn = session?.mode === "oidc" ? session.signIn : undefined;
  const kind = signIn ? (settings ? "again" : "signIn") : session ? "none" : "away";
  const [title, words] = [document.createElement("h2"), document.createElement("p")];
  title.textContent = t(`console.${kind}.title`);
  words.textContent = t(`console.${kind}.text`);
  section.append(title, words);
  // The sign-in failed; the service gives the reason as one word.
  if (signIn && failure && SIGN_IN_FAILURES.includes(failure)) {
    const why = document.createElement("p");
    why.setAttribute("role", "alert");
    why.textContent = t(`console.signIn.${failure}`);
    section.append(why);
  }
  if (signIn) {
    const link = document.createElement("a");
    link.className = "button";
    link.href = signIn;
    link.textContent = t("console.signIn");
    if (settings) link.target = "_blank";
    section.append(link);
  }
  return section;
}

/** Whose settings these are, and who is signed in. @param {Session | null} current */
function renderWho(current) {
  const signedIn = current && isSignedIn(current) && current.mode !== "none" ? current : null;
  const organisation = (signedIn?.mode === "oidc" ? signedIn.tenantName : null) ?? signedIn?.tenant ?? "";
  const person = (signedIn?.mode === "oidc" ? signedIn.userName : null) ?? "";
  element("organisation").textContent = organisation;
  element("person").textContent = person;
  element("who").hidden = !organisation && !person;
  if (organisation) settings?.setAttribute("organisation", organisation);
}

/**
 * The inbox of `transports dev` as a mail account.
 *
 * @param {DevSession} current
 * @param {(key: string) => string} t
 * @returns {import("../element/model/types.js").Preset[]}
 */
function ownPresets({ testInbox }, t) {
  if (!testInbox) return [];
  const { serverAddress, serverPort, username, emailPassword, emailAddress } = testInbox;
  return [{
    id: "test-inbox",
    name: t("console.inbox"),
    serviceProvider: "BasicAuth",
    servers: [{ serverAddress }],
    serverPort,
    securityType: "StartTLS",
    usernameForm: "fixed",
    username,
    passwordKind: "account_password",
    note: t("console.inbox.note"),
    helpLink: new URL("/dev/inbox", location.href).href,
    values: { emailPassword, emailAddress },
  }];
}

/** @param {Session} signedIn */
function showSettings(signedIn) {
  settings = document.createElement("email-transport-settings");
  settings.setAttribute("locale", language);
  settings.setAttribute("theme", theme);
  if (signedIn.mode === "dev") {
    let token = signedIn.token;
    settings.getToken = async (reason) => {
      if (reason === "expired") {
        const next = await fetchSession();
        if (next?.mode === "dev") token = next.token;
      }
      return token;
    };
    element("nav").hidden = false;
  } else {
    element("sign-out").hidden = false;
  }
  settings.addEventListener("sign-in-required", () => void handleEndedSession());
  element("main").append(settings);
}

/**
 * The session may have ended while the page was open; where it has not, the element itself says what is wrong. What
 * has been entered and is not saved stays: then the sign-in has a tab of its own.
 */
async function handleEndedSession() {
  const next = await fetchSession();
  if (!next || isSignedIn(next)) return;
  if (settings?.hasUnsavedChanges) {
    if (next.mode === "oidc" && next.signIn) settings.setAttribute("sign-in", next.signIn);
    if (document.querySelector(".sign-in")) return;
    session = next;
    element("title").after(Object.assign(document.createElement("section"), { className: "sign-in" }));
    await renderTexts();
  } else {
    settings?.remove();
    await applySession(next);
  }
}

/** Continues when the user returns from the tab of the sign-in. */
async function handleReturn() {
  const beside = settings && document.querySelector(".sign-in");
  if (document.visibilityState !== "visible" || !beside) return;
  const next = await fetchSession();
  if (next && isSignedIn(next)) beside.remove();
}

/** Ends the session here, and then at the provider. */
async function signOut() {
  const current = await fetchSession();
  if (current?.mode === "oidc" && current.csrfToken) {
    const headers = { "qlik-csrf-token": current.csrfToken };
    const response = await fetch("/console/sign-out", { method: "POST", headers });
    const { next } = response.ok ? await response.json() : { next: "/console/" };
    location.assign(next);
  } else {
    location.assign("/console/");
  }
}

/** @param {Session} session */
function isSignedIn(session) {
  return session.mode === "dev" || (session.mode === "oidc" && !session.signIn);
}

/** @param {Session | null} next */
async function applySession(next) {
  session = next;
  element("sign-out").hidden = true;
  settings = null;
  if (session && isSignedIn(session)) showSettings(session);
  else element("main").append(Object.assign(document.createElement("section"), { className: "sign-in" }));
  renderWho(session);
  await renderTexts();
}

element("language").addEventListener("change", (event) => {
  language = /** @type {HTMLSelectElement} */ (event.target).value;
  storedChoices.set("language", language);
  void renderTexts();
});
element("theme").addEventListener("change", (event) => {
  theme = /** @type {HTMLSelectElement} */ (event.target).value;
  storedChoices.set("theme", theme);
  applyTheme();
});
element("sign-out").addEventListener("click", () => void signOut());
document.addEventListener("visibilitychange", () => void handleReturn());
applyTheme();
await applySession(await fetchSession());
