// The shapes of the API, as far as this element reads them. No code: types for the checker.

/**
 * @typedef {"none" | "StartTLS" | "SSL/TLS"} Security
 * @typedef {"BasicAuth" | "Microsoft365"} ServiceProvider
 *
 * @typedef {object} ProviderConfig
 * @property {string} [serverAddress]
 * @property {number} [serverPort]
 * @property {Security} [securityType]
 * @property {string} [username]
 * @property {string} [emailAddress]
 * @property {string} [senderName]
 * @property {string} [clientId]
 * @property {string} [providerTenantId]
 *
 * @typedef {object} Config
 * @property {string} [tenantId]
 * @property {ServiceProvider} [serviceProvider]
 * @property {ProviderConfig} [providerConfig]
 * @property {boolean} passwordExists
 * @property {boolean} isValid
 * @property {string} [errorCode]
 * @property {{ statusCode: number, statusReason: string }} [status]
 * @property {number} [authFailures]
 * @property {string} [modificationTime]
 * @property {string} [lastUpdated]
 * @property {LastCheck} [lastCheck]
 * @property {Advice[]} [advice]
 * @property {{ serverAddress?: string, emailAddress?: string }} [unicode] internationalised names in their own script
 *
 * @typedef {{ code: string, title: string, meaning: string, link: string }} Advice
 *
 * @typedef {object} Preset
 * @property {string} id
 * @property {string} name
 * @property {ServiceProvider} serviceProvider
 * @property {{ region?: string, serverAddress: string }[]} servers
 * @property {number} serverPort
 * @property {Security} securityType
 * @property {"email_address" | "fixed" | "issued"} usernameForm
 * @property {string} [username]
 * @property {"account_password" | "app_password" | "api_key" | "smtp_credentials" | "none"} passwordKind
 * @property {string} note
 * @property {string} helpLink
 * @property {Partial<import("./form.js").SmtpDraft>} [values] filled in besides, where the account is known as well
 *
 * @typedef {"tenant_admin" | "mail_host" | "microsoft365_admin" | "workspace_admin" | "dns_owner" | "operator" |
 *   "nobody"} Owner
 * @typedef {{ stage: string, ms: number, detail: string }} TranscriptEntry
 *
 * @typedef {object} Diagnosis
 * @property {string} code
 * @property {string} title
 * @property {Owner} owner
 * @property {string} [stage]
 * @property {string} [meaning]
 * @property {string[]} [steps]
 * @property {string[]} [links]
 * @property {boolean} [retryable]
 * @property {TranscriptEntry[]} [transcript]
 *
 * The last check, test mail or delivery of the settings as they stand.
 *
 * @typedef {object} LastCheck
 * @property {string} at
 * @property {string} operation
 * @property {boolean} success
 * @property {string[]} unproved
 * @property {Diagnosis} [diagnosis]
 *
 * @typedef {object} CheckResult
 * @property {boolean} success
 * @property {boolean} connectionFailed
 * @property {string} message
 * @property {number} [smtpResponseCode]
 * @property {string} [enhancedStatusCode]
 * @property {Diagnosis} [diagnosis]
 * @property {string[]} [unproved]
 * @property {string[]} [accepted]
 * @property {string[]} [rejected]
 *
 * @typedef {object} SetupStep
 * @property {string} title
 * @property {string} text
 * @property {string} [link]
 * @property {string[]} [commands]
 *
 * @typedef {object} SetupWay
 * @property {string} id
 * @property {string} title
 * @property {string} meaning
 * @property {string} permission
 * @property {SetupStep[]} steps
 * @property {string} text
 *
 * @typedef {object} Setup
 * @property {string} adminConsentLink
 * @property {"graph" | "smtp"} transport
 * @property {SetupWay[]} ways
 *
 * @typedef {object} ApiKey
 * @property {string} id
 * @property {string} name
 * @property {"sending_access" | "full_access"} permission
 * @property {string[] | null} allowed_senders
 * @property {boolean} test
 * @property {string | null} expires_at
 * @property {string | null} last_used_at
 *
 * @typedef {object} Activity
 * @property {string} id
 * @property {string} at
 * @property {string} [userId]
 * @property {string} action
 * @property {string} outcome
 * @property {string[]} [changed]
 * @property {string} [userName]
 * @property {string} [recipient] an address, or a hash of it
 * @property {string} [apiKeyId]
 * @property {Diagnosis} [diagnosis]
 * @property {number} [count]
 * @property {string} [traceId]
 *
 * @typedef {object} SendingAccount
 * @property {"open" | "paused" | "stopped"} state
 * @property {"administrator" | "operator"} [paused_by]
 * @property {string} [code] of the diagnosis that stopped it
 * @property {string} [since]
 * @property {string} [next_attempt_at]
 * @property {{ emails: number, bytes: number }} waiting
 */

export {};
