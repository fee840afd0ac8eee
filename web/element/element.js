// The custom element <email-transport-settings>: attributes, properties and events. The rest is in other modules.

import { nothing, render } from "../vendor/lit-html/lit-html.js";
import { App, initialState } from "./app.js";
import { loadActivity } from "./flows/activity.js";
import { isChanged } from "./flows/edit.js";
import { load, refresh } from "./flows/load.js";
import { languageOf, loadTexts } from "./i18n.js";
import { loadParts } from "./later.js";
import { Client } from "./net/client.js";
import { sheet } from "./styles/sheet.js";
import { page } from "./views/page.js";

/** The origin of this module; the default for `api`. */
const ORIGIN = new URL(import.meta.url).origin;

/** A page that comes back refreshes the stored configuration where it is older. */
const STALE_AFTER_MS = 2000;

/** How often the times in the page ("3 minutes ago") are rendered anew. */
const CLOCK_MS = 30_000;

/**
 * The settings of a tenant's email transport, checked live.
 *
 * Attributes: `api`, `token`, `locale`, `theme` (`auto`, `light`, `dark`), `organisation`, `sign-in`. Properties: the same,
 * `getToken`, `presets` and `hasUnsavedChanges`. Events, bubbling and composed: `config-saved`, `config-removed`,
 * `check-finished`, `unsaved-changes`, `sign-in-required`, `token-needed`. See docs/console.md.
 */
export class EmailTransportSettings extends HTMLElement {
  static observedAttributes = ["api", "token", "locale", "theme", "organisation", "sign-in"];

  #root = this.attachShadow({ mode: "open", delegatesFocus: false });
  /** @type {((reason: "start" | "expired") => Promise<string> | string) | null} */ #getToken = null;
  /** @type {Promise<void> | null} */ #rendering = null;
  /** Where a listener of `token-needed` gives tokens. @type {((reason: "start" | "expired") => Promise<string> | string) | null} */
  #tokenByEvent = null;
  #wasChanged = false;
  #restarts = 0;
  /** Neither moved within the document only, nor in it. */ #isRemoved = true;
  /** @type {AbortController | null} */ #listeners = null;

  #app = new App(
    new Client(() => ({
      api: this.api, locale: this.#app.locale, token: this.token, getToken: this.#getToken ?? this.#tokenByEvent,
    }), () => this.#emit("sign-in-required", { hasUnsavedChanges: this.hasUnsavedChanges })),
    {
      requestRender: () => void this.#render(),
      rendered: () => this.#render(),
      find: (selector) => this.#root.querySelector(selector),
      emit: (name, detail) => this.#emit(name, detail),
      token: () => this.#app.client.usedToken() ?? this.token,
      organisation: () => this.organisation,
      signIn: () => {
        const address = this.getAttribute("sign-in");
        return address ? new URL(address, location.href).href : "";
      },
    },
  );

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sheet];
    for (const use of ["focusin", "pointerdown"]) this.addEventListener(use, () => loadParts(this.#app), { once: true });
  }

  /** Address of the service. */
  get api() {
    return (this.getAttribute("api") || ORIGIN).replace(/\/+$/, "");
  }
  set api(value) {
    this.setAttribute("api", value);
  }

  /** A token of a tenant administrator. Without one, and without `getToken`, the session's cookie is used. */
  get token() {
    return this.getAttribute("token") || null;
  }
  set token(value) {
    if (value) this.setAttribute("token", value);
    else this.removeAttribute("token");
  }

  /** Called for a token; called again with `"expired"` when the last one was refused. */
  get getToken() {
    return this.#getToken;
  }
  set getToken(value) {
    const first = this.#getToken === null;
    this.#getToken = value;
    // Frameworks may set the property at each rendering, which must not discard input.
    if (first || this.#app.state.phase === "refused") this.#restart();
  }

  /** Language of the texts, such as `de`; by default that of the nearest `lang`, else of the browser. */
  get locale() {
    const near = /** @type {HTMLElement | null} */ (this.closest("[lang]"));
    return this.getAttribute("locale") || near?.lang || navigator.language;
  }
  set locale(value) {
    this.setAttribute("locale", value);
  }

  /** `auto`, `light` or `dark`. */
  get theme() {
    return this.getAttribute("theme") || "auto";
  }
  set theme(value) {
    this.setAttribute("theme", value);
  }

  /** The name of the organisation whose settings these are, for the question before they are deleted. */
  get organisation() {
    return this.getAttribute("organisation") || "";
  }
  set organisation(value) {
    this.setAttribute("organisation", value);
  }

  /** Mail accounts that the page knows whole; they come first in the list of mail providers. */
  get presets() {
    return this.#app.ownPresets;
  }
  set presets(value) {
    const others = this.#app.state.presets.filter((preset) => !this.#app.ownPresets.some(({ id }) => id === preset.id));
    this.#app.ownPresets = value;
    if (this.#app.state.phase === "ready") this.#app.update({ presets: [...value, ...others] });
  }

  /** Whether there is unsaved input; a page should ask before it navigates. */
  get hasUnsavedChanges() {
    return isChanged(this.#app.state);
  }

  connectedCallback() {
    for (const name of /** @type {const} */ ([
      "api", "token", "getToken", "locale", "theme", "organisation", "presets",
    ])) this.#adopt(name);
    this.#listeners = new AbortController();
    const { signal } = this.#listeners;
    window.addEventListener("beforeunload", (event) => this.#confirmUnload(event), { signal });
    window.addEventListener("online", () => this.#retryWhenOnline(), { signal });
    window.addEventListener("focus", () => this.#refreshWhenVisible(), { signal });
    document.addEventListener("visibilitychange", () => this.#refreshWhenVisible(), { signal });
    const clock = setInterval(() => void this.#render(), CLOCK_MS);
    signal.addEventListener("abort", () => clearInterval(clock));
    if (this.#isRemoved) this.#restart();
    else if (languageOf(this.locale) !== this.#app.locale) void this.#applyLocale(true);
    this.#isRemoved = false;
  }

  disconnectedCallback() {
    this.#listeners?.abort();
    this.#listeners = null;
    // In the document again when the task ends, it was only moved, and keeps what was entered.
    setTimeout(() => {
      if (this.isConnected) return;
      this.#isRemoved = true;
      void this.#render();
    });
  }

  /** Moved by `moveBefore`: nothing ends and nothing begins. */
  connectedMoveCallback() {}

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} after
   */
  attributeChangedCallback(name, before, after) {
    if (before === after || !this.isConnected || name === "theme") return;
    if (name === "organisation" || name === "sign-in") void this.#render();
    else if (name === "locale") void this.#applyLocale(true);
    else if (name === "token" && before && after && this.#app.state.phase !== "refused") this.#app.client.forget();
    else this.#restart();
  }

  /**
   * Adopts a property that was set before the module loaded and would hide the accessor.
   *
   * @param {"api" | "token" | "getToken" | "locale" | "theme" | "organisation" | "presets"} name
   */
  #adopt(name) {
    if (!Object.hasOwn(this, name)) return;
    const { value } = Object.getOwnPropertyDescriptor(this, name) ?? {};
    Reflect.deleteProperty(this, name);
    Reflect.set(this, name, value);
  }

  /** Restarts, once for all changes of the same task. */
  #restart() {
    if (!this.isConnected) return;
    const restart = ++this.#restarts;
    queueMicrotask(async () => {
      if (restart !== this.#restarts || !this.isConnected) return;
      this.#app.client.forget();
      this.#app.state = initialState();
      this.#tokenByEvent = this.token || this.#getToken ? null : this.#askByEvent();
      await this.#applyLocale(false);
      await load(this.#app);
    });
  }

  /**
   * Asks the page for a token by an event, which frameworks can listen to before the module has loaded.
   *
   * @returns {((reason: "start" | "expired") => Promise<string> | string) | null} nothing where no listener gives one
   */
  #askByEvent() {
    const ask = (/** @type {"start" | "expired"} */ reason) => {
      /** @type {{ token: Promise<string> | string } | null} */ let given = null;
      const provide = (/** @type {Promise<string> | string} */ token) => {
        given = { token };
      };
      this.#emit("token-needed", { reason, provide });
      return /** @type {{ token: Promise<string> | string } | null} */ (given);
    };
    let first = ask("start");
    if (!first) return null;
    return (reason) => {
      const given = first ?? ask(reason);
      first = null;
      return given?.token ?? "";
    };
  }

  /** Applies the current language. @param {boolean} reload ask for the service's own texts again */
  async #applyLocale(reload) {
    const language = languageOf(this.locale);
    this.#app.texts = await loadTexts(language);
    this.#app.locale = language;
    await this.#render();
    if (reload && this.#app.state.phase === "ready") await refresh(this.#app, { texts: true });
  }

  async #render() {
    this.#rendering ??= Promise.resolve().then(() => {
      this.#rendering = null;
      render(this.isConnected || !this.#isRemoved ? page(this.#app) : nothing, this.#root);
      /** @type {HTMLDialogElement | null} */ (this.#root.querySelector("dialog:not([open])"))?.showModal();
      this.#emitUnsavedChanges();
    });
    await this.#rendering;
  }

  #emitUnsavedChanges() {
    const changed = this.hasUnsavedChanges;
    if (changed === this.#wasChanged) return;
    this.#wasChanged = changed;
    this.#emit("unsaved-changes", { hasUnsavedChanges: changed });
  }

  /**
   * @param {string} name
   * @param {object} detail
   */
  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
    if (["config-saved", "config-removed", "check-finished"].includes(name)) void loadActivity(this.#app);
  }

  /** @param {BeforeUnloadEvent} event */
  #confirmUnload(event) {
    if (this.hasUnsavedChanges) event.preventDefault();
  }

  #retryWhenOnline() {
    if (this.#app.state.refusal?.kind === "unreachable") this.#restart();
  }

  #refreshWhenVisible() {
    const { phase, loadedAt, busy } = this.#app.state;
    const stale = loadedAt !== null && Date.now() - Date.parse(loadedAt) > STALE_AFTER_MS;
    if (document.visibilityState === "visible" && phase === "ready" && !busy && stale) {
      void refresh(this.#app, { texts: false });
    }
  }
}

if (!customElements.get("email-transport-settings")) {
  customElements.define("email-transport-settings", EmailTransportSettings);
}
