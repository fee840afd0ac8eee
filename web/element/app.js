// What the parts of the element share: state, API client, texts, and callbacks of the element.

import { text } from "./i18n.js";
import { microsoftDraft, smtpDraft } from "./model/form.js";

/**
 * @typedef {import("./model/types.js").Activity} Activity
 * @typedef {import("./model/types.js").Config} Config
 * @typedef {import("./model/types.js").ServiceProvider} ServiceProvider
 * @typedef {import("./net/problem.js").Problem} Problem
 *
 * A check that runs or has ended.
 *
 * @typedef {object} Check
 * @property {"save" | "verify"} kind
 * @property {import("./model/stages.js").Stage[]} stages
 * @property {boolean} running
 * @property {boolean} live the stages come while they happen
 * @property {import("./model/types.js").CheckResult | null} result
 * @property {{ provider: string, config: Record<string, string | number> }} about what was checked
 * @property {Problem | null} problem the request itself was refused
 * @property {string} traceId finds it in the service's log
 * @property {string} at when it began, or ended
 * @property {string} fact the settings and the attempt that it is about, as `factOf` names them
 *
 * What was begun before the page was loaded.
 *
 * @typedef {object} Running
 * @property {"save" | "verify" | "test"} kind
 * @property {string} traceId
 * @property {number} at in milliseconds since 1970
 * @property {string} api
 *
 * @typedef {object} TestMail
 * @property {string} recipient
 * @property {boolean} touched
 * @property {string | null} error
 * @property {import("./model/types.js").CheckResult | null} result
 * @property {string} sentTo
 * @property {Problem | null} problem
 * @property {import("./model/stages.js").Stage[]} stages
 * @property {string} traceId
 * @property {string} at when it ended
 * @property {string} fact as that of a check
 *
 * @typedef {object} ApiKeys
 * @property {import("./model/types.js").ApiKey[] | null} list `null` where there are none to be had
 * @property {boolean} open the form for a new one
 * @property {{ name: string, permission: string, senders: string, days: string, test: boolean }} draft the number of
 *   days until it expires, or none
 * @property {string | null} error of the name
 * @property {{ name: string, token: string, senders: string[] } | null} made the new key, which is shown once
 * @property {string} revoking the id of the key for which is asked
 * @property {Problem | null} problem
 *
 * @typedef {object} State
 * @property {"loading" | "ready" | "refused"} phase
 * @property {Problem | null} refusal why nothing can be shown
 * @property {Config | null} config
 * @property {string | null} etag
 * @property {string | null} loadedAt
 * @property {import("./model/types.js").Preset[]} presets
 * @property {ServiceProvider | "None" | ""} provider what is chosen
 * @property {import("./model/form.js").SmtpDraft} smtp
 * @property {import("./model/form.js").MicrosoftDraft} microsoft
 * @property {Record<string, string>} errors by field, as whole sentences
 * @property {Record<string, string>} notes by field: what the page has changed in the input
 * @property {Problem | null} problem of the last save or removal
 * @property {"" | "save" | "verify" | "test" | "remove" | "keys"} busy
 * @property {Check | null} check
 * @property {TestMail} testMail
 * @property {"" | "conflict"} dialog
 * @property {{ config: Config | null, etag: string | null, change: Activity | null } | null} theirs what was stored
 *   meanwhile, and by whom
 * @property {import("./model/types.js").SendingAccount | null} account `null` where there is none to be had
 * @property {Running | null} following what was begun before the page was loaded, and goes on
 * @property {string} lasting trace id of an operation that has taken some seconds, and goes on
 * @property {"" | "saved" | "failed"} followed how a save ended that was followed
 * @property {import("./model/types.js").Setup | null} setup
 * @property {boolean} setupOpen
 * @property {string} setupWay
 * @property {import("./model/types.js").Activity[] | null} activity `null` where there is none to be had
 * @property {ApiKeys} apiKeys
 * @property {string | null} moreActivity path of the next page
 * @property {string} openActivity id of the entry whose diagnosis is shown
 * @property {string} copied what was copied last
 * @property {boolean} revealed the password that is being entered is shown
 * @property {number} waitUntil when a rate limit ends, in milliseconds since 1970
 */

/** @returns {State} */
export function initialState() {
  return {
    phase: "loading",
    refusal: null,
    config: null,
    etag: null,
    loadedAt: null,
    presets: [],
    provider: "",
    smtp: smtpDraft(null),
    microsoft: microsoftDraft(null),
    errors: {},
    notes: {},
    problem: null,
    busy: "",
    check: null,
    testMail: {
      recipient: "", touched: false, error: null, result: null, sentTo: "", problem: null, stages: [], traceId: "", at: "",
      fact: "",
    },
    dialog: "",
    theirs: null,
    account: null,
    following: null,
    lasting: "",
    followed: "",
    setup: null,
    setupOpen: false,
    setupWay: "",
    apiKeys: {
      list: null, open: false, draft: { name: "", permission: "sending_access", senders: "", days: "", test: false }, error: null, made: null,
      revoking: "", problem: null,
    },
    activity: null,
    moreActivity: null,
    openActivity: "",
    copied: "",
    revealed: false,
    waitUntil: 0,
  };
}

/**
 * @typedef {object} Host
 * @property {() => void} requestRender
 * @property {() => Promise<void>} rendered resolves after the next rendering
 * @property {(selector: string) => HTMLElement | null} find in the shadow root
 * @property {(name: string, detail: object) => void} emit
 * @property {() => string | null} token the one that is used, for its claims
 * @property {() => string} signIn address of the sign-in; empty where the page does not tell it
 * @property {() => string} organisation its name; empty where the page does not tell it
 */

export class App {
  state = initialState();
  /** @type {import("./i18n.js").Texts} */ texts = {};
  /** @type {import("./model/types.js").Preset[]} mail accounts that the page knows whole */ ownPresets = [];
  locale = "en";
  /** The next announcement for screen readers. */
  announcement = "";
  /** Trace ids of what this page has begun. @type {Set<string>} */ own = new Set();

  /**
   * @param {import("./net/client.js").Client} client
   * @param {Host} host
   */
  constructor(client, host) {
    this.client = client;
    this.host = host;
  }

  /** @param {Partial<State>} changes */
  update(changes) {
    Object.assign(this.state, changes);
    this.host.requestRender();
  }

  /**
   * @param {string} key
   * @param {Record<string, string | number>} [values]
   */
  t(key, values) {
    return text(this.texts, key, values);
  }

  /** Says it through the live region. @param {string} words */
  announce(words) {
    this.announcement = words;
    this.host.requestRender();
  }

  /**
   * Puts the focus where an action has led to.
   *
   * @param {string} selector
   */
  async focus(selector) {
    await this.host.rendered();
    const target = this.host.find(selector);
    target?.focus({ preventScroll: true });
    target?.scrollIntoView({ block: "nearest", behavior: "auto" });
  }
}
