//! Every setting: its type, its default and its documentation, in one table.
//!
//! The table below makes the structs, the loader, the list that an unknown key is compared with, and
//! `docs/configuration.md`. This module reads the environment and the configuration file, and nothing else
//! does. It knows no other part of the service: whether a key or a certificate is any good is judged where
//! it is used.

mod check;
mod choice;
mod database_url;
mod host_pace;
mod load;
mod nearest;
mod operator_url;
mod problem;
mod reference;
mod settings;
#[cfg(test)]
mod tests;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::secret::Secret;

pub use check::{Engine, check_for_serving, warnings};
pub use choice::{AuditRecipients, LogFormat, MicrosoftCloud, MicrosoftTransport, RateLimitStore, SealWith};
pub use database_url::DatabaseUrl;
pub use host_pace::HostPace;
pub use load::{DEFAULT_FILE, Loaded};
pub use operator_url::check_operator_url;
pub use problem::{Invalid, Problem};
pub use reference::reference_markdown;
pub use settings::{EffectiveSetting, Setting};

use settings::settings;
use value::Rule::{Between, Name, StartsWith};

/// More than one process answers in a minute, so what is larger is a slip of the keyboard.
const MAX_PER_MINUTE: i64 = 1_000_000;

// A default is written as it would stand in the file. `unset` is an optional setting that is left out.
settings! {
    /// The service's own listeners. They speak plain HTTP: beyond loopback, put a TLS terminator in front.
    server: Server, derive(Debug, Clone) {
        /// Address of the API and the console. Port 0 picks a free one; the first line of the log shows it.
        listen: SocketAddr = "127.0.0.1:8080";
        /// A listener of its own for `/metrics`. Without it `/metrics` is served beside the API.
        metrics_listen: Option<SocketAddr> = unset;
        /// Origins whose pages may call the API from a browser, such as `https://mail.example.com`.
        cors_origins: Vec<String> = [], StartsWith(&["https://", "http://"]);
        /// Networks of the proxies whose `X-Forwarded-For` is believed; none by default.
        trusted_proxies: Vec<IpNet> = [];
        /// Connections served at the same time. For a new one, the connection is closed that has waited longest for
        /// a request, or for its client to read a response.
        max_connections: usize = 10000, Between(1, 1_000_000);
        /// Connections of one peer address (IPv6: one /64) at the same time; 0 is no bound. A peer at its bound closes
        /// its own idle connection for a new one. Peers on loopback and in `server.trusted_proxies` have no bound of
        /// their own: they carry the connections of many clients.
        max_connections_per_peer: usize = 1000, Between(0, 1_000_000);
        /// How long a client may take to send the head of a request. As long may a connection be idle.
        header_timeout_seconds: u64 = 10, Between(1, 300);
        /// How long a client may take to send the body of a request.
        body_timeout_seconds: u64 = 10, Between(1, 300);
        /// How long a client may take to read a response, once the network's buffers are full.
        answer_timeout_seconds: u64 = 10, Between(1, 300);
        /// How long a request may take as a whole. It has to be longer than `egress.timeout_seconds`.
        request_timeout_seconds: u64 = 30, Between(2, 600);
        /// The name of this service in the mail that it sends (`X-Mailer`), in ASCII, so that recipients of unwanted
        /// mail know whom to ask.
        installation: String = "transports";
        /// How long requests in flight may continue after the signal to stop.
        shutdown_seconds: u64 = 30, Between(0, 600);
    }

    /// Where configurations, sealed secrets and the audit trail are kept.
    database: Database, derive(Debug) {
        /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/NAME`; its password is never shown. Beyond loopback and
        /// Unix sockets PostgreSQL is spoken to by TLS, unless the URL says `sslmode=disable` or `sslmode=prefer`;
        /// `target_session_attrs=read-write` is implied.
        url: DatabaseUrl = "sqlite://transports.db", StartsWith(&["sqlite://", "postgres://", "postgresql://"]);
        /// Connections for reading on SQLite; connections in the pool on PostgreSQL.
        connections: usize = 4, Between(1, 256);
    }

    /// The keys that seal the tenants' secrets. `transports keys generate` makes one; see `docs/keys.md`.
    encryption: Encryption, derive(Debug) {
        /// Keys as `ID:BASE64`, 32 bytes each. The first encrypts, all decrypt: put a new key in front, and
        /// keep the old one until every row is rewrapped.
        keys: Vec<Secret> = [];
        /// The same from a file, one key a line. A file that every user can read is refused. It is reloaded when it
        /// changes; `transports keys rotate` changes it.
        keys_file: Option<PathBuf> = unset;
        /// A `HashiCorp` Vault or `OpenBao` whose transit engine wraps the data keys, such as
        /// `https://vault.example.com:8200`. Keys configured as well still open what they sealed.
        vault_url: Option<String> = unset, StartsWith(&["https://", "http://"]);
        /// Where the transit engine is mounted.
        vault_mount: String = "transit";
        /// The name of the key in the engine: of an AEAD type, such as `aes256-gcm96`, and not derived.
        vault_key: Option<String> = unset;
        /// A file with the token for Vault. It is read for each call, so that an agent can renew it.
        vault_token_file: Option<PathBuf> = unset;
        /// The namespace of the engine.
        vault_namespace: Option<String> = unset;
        /// How long an unwrapped data key is kept in memory. Secrets open for as long while Vault is unavailable.
        vault_cache_seconds: u64 = 300, Between(0, 86_400);
        /// The largest number of unwrapped data keys that are kept.
        vault_cache_keys: u64 = 10000, Between(1, 1_000_000);
        /// What seals if both keys and a Vault are set: `vault`, or `keys` to move back.
        seal_with: Option<SealWith> = unset;
    }

    /// How bearer tokens are checked. At least one source of keys is needed to serve.
    auth: Auth, derive(Debug) {
        /// A JSON Web Key Set of the token issuer.
        jwks_url: Option<String> = unset, StartsWith(&["https://", "http://"]);
        /// How long a fetched key set is used after the issuer stopped answering.
        jwks_max_age_hours: u64 = 24, Between(1, 8760);
        /// The largest number of verified tokens that are cached until they expire or the keys change; one takes
        /// about 500 bytes. 0 checks every signature each time.
        token_cache_entries: u64 = 10_000, Between(0, 1_000_000);
        /// A PEM file with the issuer's public key.
        public_key_file: Option<PathBuf> = unset;
        /// A shared secret of at least 32 bytes for HS256; `transports token` signs with it.
        hs256_secret: Option<Secret> = unset;
        /// The value that a token's `iss` must have. Needed to serve.
        issuer: Option<String> = unset;
        /// The value that a token's `aud` must have or hold. Needed to serve.
        audience: Option<String> = unset;
        /// The claim that names the tenant. A claim is named by its own name, also where that holds points, or by the path to
        /// it, such as `realm_access.roles` or `/realm_access/roles`; see `docs/tokens.md`.
        tenant_claim: String = "tenantId";
        /// The claim that names the user.
        user_claim: String = "sub";
        /// The claim that holds the user's roles: a list, or a text with one role.
        roles_claim: String = "roles";
        /// The claims that hold the person's name, for the console's header and the audit: the first one that is there.
        name_claims: Vec<String> = ["name", "preferred_username", "email"];
        /// The claims of an ID token that hold the name of the tenant's organisation, for the console's header.
        tenant_name_claims: Vec<String> = ["organization_name", "org_name", "organization"];
        /// The roles that make a tenant admin.
        admin_roles: Vec<String> = ["TenantAdmin"];
        /// The scopes that make a tenant admin as well. `[]` switches them off: do so where clients of your provider
        /// may ask for any scope.
        admin_scopes: Vec<String> = ["admin_classic"];
        /// Roles that may send, in addition to administrators, and read, change, cancel, retry, settle and erase the
        /// tenant's emails.
        sender_roles: Vec<String> = ["EmailSender"];
        /// The scope by which a token without a tenant is the platform's: it sends and works on the emails of every
        /// tenant, and names the tenant in the path. Empty switches it off: do so where clients of your provider may ask for any
        /// scope.
        platform_scope: String = "transports:platform";
    }

    /// Destinations that tenants may configure. Private and special-purpose addresses are refused unless
    /// opened here.
    egress: Egress, derive(Debug, Clone) {
        /// Special-purpose CIDRs that may be reached, such as `10.1.2.0/24` for a relay of
        /// your own. Not shorter than /8 (IPv4) or /16 (IPv6). Only these may receive a password without TLS.
        allow: Vec<String> = [];
        /// CIDRs that are never reached.
        deny: Vec<String> = [];
        /// Names that may resolve into a refused range, or have a single label.
        allow_hosts: Vec<String> = [];
        /// Destination ports. `[0]` allows all.
        ports: Vec<u16> = [25, 465, 587, 2465, 2525, 2587];
        /// NAT64 prefixes of your network (RFC 6052), so that the address inside is judged.
        nat64_prefixes: Vec<String> = [];
        /// Time limit of one check or test mail, from the name's look-up to the last reply.
        timeout_seconds: u64 = 8, Between(1, 60);
        /// The name in EHLO. Without it, an address literal (RFC 5321 section 4.1.3).
        ehlo_name: Option<String> = unset;
        /// Whether messages go by BDAT (RFC 3030) where a server offers CHUNKING, which saves a round trip. Turn it
        /// off if something in front of a mail server offers it without supporting it: mail has been lost in this
        /// way.
        chunking: bool = true;
        /// Outgoing connections at the same time, over all tenants. Each may be held for `egress.timeout_seconds` by
        /// a server that does not answer.
        max_connections: usize = 1024, Between(1, 65_535);
        /// Outgoing connections at the same time for one tenant.
        max_connections_per_tenant: usize = 4, Between(1, 65_535);
    }

    /// How mail of tenants with Microsoft 365 is sent. Without these settings the public cloud is used.
    microsoft365: Microsoft365, derive(Debug, Clone) {
        /// Microsoft's cloud: `public`, `usgov` (GCC High), `usdod` or `china`.
        cloud: MicrosoftCloud = "public";
        /// Another address of the sign-in service than the cloud's. `http://` only for loopback.
        login_url: Option<String> = unset, StartsWith(&["https://", "http://"]);
        /// Another address of Microsoft Graph than the cloud's. `http://` only for loopback.
        graph_url: Option<String> = unset, StartsWith(&["https://", "http://"]);
        /// How an email is sent: `graph`, or `smtp` with a token (XOAUTH2).
        transport: MicrosoftTransport = "graph";
        /// Another server for `smtp` than the cloud's, as `HOST:PORT`; with STARTTLS.
        smtp_server: Option<String> = unset;
    }

    /// The console's page at `/console/`: its name, and signing in with OpenID Connect. Without the settings of the
    /// sign-in the console can only be embedded. The ID token must contain the claims that `auth` names.
    console: Console, derive(Debug) {
        /// The name that the console's page has in its header and its title, such as that of your platform.
        title: String = "Email transport", Name(60);
        /// The provider's issuer, as its discovery document has it, such as `https://login.example.com/realms/a`.
        oidc_issuer: Option<String> = unset, StartsWith(&["https://", "http://"]);
        /// The id of this service as a client of the provider.
        oidc_client_id: Option<String> = unset;
        /// The client's secret. Without it, the client is public and protected by PKCE only.
        oidc_client_secret: Option<Secret> = unset;
        /// Scopes to request besides `openid`.
        oidc_scopes: Vec<String> = ["profile", "email"];
        /// Where browsers find this service, such as `https://mail.example.com`. Register `/console/callback` below
        /// it as a redirect URI at the provider.
        public_url: Option<String> = unset, StartsWith(&["https://", "http://"]);
        /// Seals the session cookies: at least 32 random bytes, the same on every replica. A new one ends all
        /// sessions.
        session_secret: Option<Secret> = unset;
        /// How long a session lasts. Rights are those at sign-in.
        session_minutes: u32 = 480, Between(1, 10_080);
    }

    /// Trust for outgoing connections. Verification cannot be switched off.
    tls: Tls, derive(Debug, Clone) {
        /// A PEM file with certificates to trust in addition to the public ones.
        ca_file: Option<PathBuf> = unset;
    }

    /// Requests per minute for each user of each tenant. 0 switches a limit off.
    rate_limit: RateLimit, derive(Debug, Clone) {
        /// Reading operations.
        tier1_per_minute: u32 = 1000, Between(0, MAX_PER_MINUTE);
        /// Writing operations, and those that connect.
        tier2_per_minute: u32 = 100, Between(0, MAX_PER_MINUTE);
        /// Requests of the send API, for each tenant.
        send_per_minute: u32 = 6000, Between(0, MAX_PER_MINUTE);
        /// Requests without a valid token, for each remote address.
        unauthenticated_per_minute: u32 = 600, Between(0, MAX_PER_MINUTE);
        /// Requests that begin or end a sign-in to the console, for each remote address; counted by each process. Each
        /// may ask the OpenID Connect provider with this service's own credentials.
        sign_ins_per_minute: u32 = 120, Between(0, MAX_PER_MINUTE);
        /// Where requests are counted. `memory`: each process counts separately, so that several processes together
        /// allow a multiple. `database`: one limit over all replicas; it needs PostgreSQL. Without it, `memory` on
        /// SQLite and `database` on PostgreSQL.
        store: Option<RateLimitStore> = unset;
    }

    /// Limits on what tenants can do to others with this service's address and name. 0 is no limit. Each replica
    /// counts separately.
    quotas: Quotas, derive(Debug, Clone, PartialEq, Eq) {
        /// Test mails of one tenant in 24 hours. They leave through the tenant's own account, which its provider
        /// watches.
        test_mails_per_tenant_per_day: u32 = 200, Between(0, MAX_PER_MINUTE);
        /// Test mails to one recipient in an hour, whichever tenants send them. A `+` and the text after it in the
        /// local part are ignored.
        test_mails_per_recipient_per_hour: u32 = 50, Between(0, MAX_PER_MINUTE);
        /// Different servers (host and port) that one tenant lets this service connect to in an hour, by PUT,
        /// verify-connection and send-test-email.
        destinations_per_tenant_per_hour: u32 = 100, Between(0, MAX_PER_MINUTE);
        /// The same for configurations that sign in to no account: any mail server would accept such mail, with any
        /// sender, and see this service as its source.
        anonymous_test_mails_per_tenant_per_day: u32 = 20, Between(0, MAX_PER_MINUTE);
        /// Test mails without a sign-in to one recipient in an hour, whichever tenants send them.
        anonymous_test_mails_per_recipient_per_hour: u32 = 5, Between(0, MAX_PER_MINUTE);
        /// Different servers that one tenant lets this service connect to in an hour without a sign-in.
        anonymous_destinations_per_tenant_per_hour: u32 = 10, Between(0, MAX_PER_MINUTE);
        /// Refused sign-ins of one tenant in an hour; more would be password guessing.
        refused_sign_ins_per_tenant_per_hour: u32 = 20, Between(0, MAX_PER_MINUTE);
        /// Refused sign-ins of one tenant in ten minutes with one server and user name. Most servers lock a mailbox
        /// after five to ten. Further ones get the last verdict without another attempt.
        refused_sign_ins_per_account_per_ten_minutes: u32 = 5, Between(0, MAX_PER_MINUTE);
        /// Refused sign-ins at one destination address in ten minutes, over all tenants. With a public mail service,
        /// which all tenants share, it is one mailbox there.
        refused_sign_ins_per_destination_per_ten_minutes: u32 = 6, Between(0, MAX_PER_MINUTE);
        /// Checks of the connection in 24 hours that leave an entry in the audit, by all users of a tenant who are
        /// not administrators.
        audited_checks_of_users_per_tenant_per_day: u32 = 1000, Between(0, MAX_PER_MINUTE);
    }

    /// The delivery of mail through the tenants' accounts; see `docs/delivery.md`.
    delivery: Delivery, derive(Debug, Clone) {
        /// Whether this process sends. It accepts email in any case, so that some replicas can do only that.
        enabled: bool = true;
        /// Emails being sent at the same time in this process. Attempts that have lasted for over ten seconds make
        /// room for others, up to as many again.
        slots: usize = 256, Between(1, 10_000);
        /// The largest message, in octets.
        max_message_bytes: usize = 10_485_760, Between(1_024, 26_214_400);
        /// How long an email without `expires_at` is tried.
        lifetime_hours: u64 = 72, Between(1, 168);
        /// How long the policy for an unknown outcome waits before it acts.
        unknown_wait_seconds: u64 = 600, Between(1, 86_400);
        /// How long a process owns an account without renewing its lease; it renews it three times as often.
        lease_seconds: u64 = 15, Between(3, 300);
        /// How long the content of an email is kept after its last outcome, if it was not accepted for all recipients.
        /// The content of accepted mail is removed at once.
        keep_content_hours: u64 = 72, Between(0, 8_760);
        /// How long emails and their events are kept after the last outcome; at least as long as their content.
        keep_metadata_days: u32 = 30, Between(1, 3_650);
        /// Emails of one tenant that may wait.
        max_waiting_per_tenant: u32 = 10_000, Between(1, 10_000_000);
        /// Emails of a tenant to one recipient in an hour. Further ones are held until the hour allows them or
        /// somebody retries them: this ends mail loops. 0 is no limit.
        mails_per_recipient_per_hour: u32 = 50, Between(0, 1_000_000);
        /// Octets of one tenant's mail that may wait.
        max_bytes_per_tenant: u64 = 1_073_741_824, Between(1_024, 1_099_511_627_776);
        /// Octets of all tenants' mail that may wait; 0 is no limit. Beyond it no new email is accepted.
        max_bytes: u64 = 0, Between(0, 1_125_899_906_842_624);
        /// How fast accounts at a host may send, instead of the built-in pace: for each host a text such as
        /// `smtp.example.com connections=4 per_minute=600 burst=20 per_day=50000`. One `*` in the host stands for
        /// anything, and `microsoft365` means the accounts of that provider. `per_minute` counts mails and `per_day`
        /// recipients; 0 is no bound. The first entry that fits counts.
        pace: Vec<HostPace> = [];
        /// No new email is accepted if less than this percentage of the disk with the SQLite file is free; accepted
        /// email is still sent. 0 is off.
        min_free_disk_percent: u64 = 5, Between(0, 99);
    }

    /// The SMTP gateway, for programs that send by SMTP: port 587 with STARTTLS, port 465 with TLS from the start. They
    /// sign in with an API key as their password; see `docs/smtp-gateway.md`.
    submission: Submission, derive(Debug, Clone) {
        /// Address of the listener that begins without TLS and takes a password only after STARTTLS, such as
        /// `0.0.0.0:587`.
        listen: Option<SocketAddr> = unset;
        /// Address of the listener with TLS from the start, such as `0.0.0.0:465`.
        listen_tls: Option<SocketAddr> = unset;
        /// A PEM file with the certificate of the name that clients connect to, and those of its issuers. Required
        /// if either listener is set; it is reloaded when it changes.
        certificate_file: Option<PathBuf> = unset;
        /// A PEM file with the certificate's private key; it is reloaded when it changes.
        key_file: Option<PathBuf> = unset;
        /// How long the same message with the same envelope and the same API key counts as a repetition, of a client
        /// that lost the answer, and gets the first answer again. It needs its own `Message-ID`. 0 is off.
        dedup_seconds: u64 = 600, Between(0, 86_400);
        /// Connections to both listeners at the same time. A further one is answered 421.
        max_connections: usize = 1000, Between(1, 1_000_000);
        /// How long a client may be silent between two commands.
        idle_seconds: u64 = 300, Between(1, 3_600);
    }

    /// The trail of who changed what.
    audit: Audit, derive(Debug, Clone) {
        /// How long entries are kept, also after the configuration was deleted.
        retention_days: u32 = 365, Between(1, 36_500);
        /// How the recipients of test mails are kept: `plain`, or as a `hash` that shows only whether two are the same
        /// and whether one is a known address.
        recipients: AuditRecipients = "plain";
    }

    /// The log on standard error.
    log: Log, derive(Debug, Clone) {
        /// `text` for people, `json` for machines, `auto` for text on a terminal and JSON elsewhere.
        format: LogFormat = "auto";
        /// What is logged: a level, or directives such as `info,transports::smtp=debug`.
        filter: String = "info";
        /// How long a line may wait so that several are written at once. Lines of level WARN and ERROR never wait. A
        /// process that is killed loses what waits; 0 writes each line at once.
        buffer_milliseconds: u64 = 5, Between(0, 1_000);
    }

    /// Traces for an OpenTelemetry collector, by OTLP over HTTP. Without an endpoint nothing is traced; see
    /// `docs/monitoring.md`.
    telemetry: Telemetry, derive(Debug) {
        /// The collector, such as `https://collector.example.com:4318`; `/v1/traces` is added. `http://` only for
        /// loopback.
        otlp_endpoint: Option<String> = unset, StartsWith(&["https://", "http://"]);
        /// Headers that the collector requires, each as `NAME: VALUE`.
        otlp_headers: Vec<Secret> = [];
        /// Percentage of requests that are traced, if their `traceparent` does not decide it.
        sampled_percent: u32 = 100, Between(0, 100);
    }
}

impl Quotas {
    /// No limits: for tests, and for trying things out on one's own machine.
    pub fn unlimited() -> Self {
        Self {
            test_mails_per_tenant_per_day: 0,
            test_mails_per_recipient_per_hour: 0,
            destinations_per_tenant_per_hour: 0,
            anonymous_test_mails_per_tenant_per_day: 0,
            anonymous_test_mails_per_recipient_per_hour: 0,
            anonymous_destinations_per_tenant_per_hour: 0,
            refused_sign_ins_per_tenant_per_hour: 0,
            refused_sign_ins_per_account_per_ten_minutes: 0,
            refused_sign_ins_per_destination_per_ten_minutes: 0,
            audited_checks_of_users_per_tenant_per_day: 0,
        }
    }
}
