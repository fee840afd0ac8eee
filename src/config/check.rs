//! Checks settings against each other, and whether they suffice for serving.

use std::net::SocketAddr;
use std::path::Path;

use super::{
    Auth, Config, Console, Database, Encryption, Problem, Quotas, RateLimitStore, SealWith, Submission,
    check_operator_url,
};

/// RFC 7518 section 3.2: a key for HS256 is at least as long as its hash.
const HS256_SECRET_BYTES: usize = 32;

/// A key of 256 bits is derived from it.
const SESSION_SECRET_BYTES: usize = 32;

/// The engine that `database.url` names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Database {
    pub fn engine(&self) -> Engine {
        if self.sqlite_path().is_some() { Engine::Sqlite } else { Engine::Postgres }
    }

    /// The file of an SQLite database.
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.url.sqlite_path()
    }
}

impl Config {
    /// Whether requests are counted in the database, one limit for all replicas, or in each process.
    pub fn shares_rate_limits(&self) -> bool {
        match self.rate_limit.store {
            Some(store) => store == RateLimitStore::Database,
            None => self.database.engine() == Engine::Postgres,
        }
    }
}

/// Everything that `transports serve` refuses to start with, each with its remedy.
pub fn check_for_serving(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_encryption(&config.encryption, &mut problems);
    check_auth(&config.auth, &mut problems);
    check_console(&config.console, &mut problems);
    check_listeners(config, &mut problems);
    check_submission(&config.submission, &mut problems);
    let (request, check) = (config.server.request_timeout_seconds, config.egress.timeout_seconds);
    if request <= check {
        problems.push(
            Problem::new(format!(
                "server.request_timeout_seconds: {request} would cut off a check, which may take {check}"
            ))
            .with_hint("set it above egress.timeout_seconds"),
        );
    }
    if config.egress.max_connections_per_tenant > config.egress.max_connections {
        problems.push(
            Problem::new("egress.max_connections_per_tenant: is more than egress.max_connections")
                .with_hint("no tenant can have more connections than there are"),
        );
    }
    if config.shares_rate_limits() && config.database.engine() == Engine::Sqlite {
        problems.push(
            Problem::new(
                "rate_limit.store: `database` needs PostgreSQL, and database.url is an SQLite database",
            )
            .with_hint("leave it out: the one process that SQLite serves counts in its memory"),
        );
    }
    problems
}

/// No two listeners claim the same port.
fn check_listeners(config: &Config, problems: &mut Vec<Problem>) {
    let metrics_hint = "give it another port, or leave it out to serve /metrics beside the API";
    let submission_hint = "give it another port: 587 with STARTTLS and 465 with TLS are the usual ones";
    let optional = [
        ("server.metrics_listen", config.server.metrics_listen, metrics_hint),
        ("submission.listen", config.submission.listen, submission_hint),
        ("submission.listen_tls", config.submission.listen_tls, submission_hint),
    ];
    let mut taken = vec![("server.listen", config.server.listen)];
    for (key, listener, hint) in optional {
        let Some(listener) = listener else { continue };
        if let Some((other, _)) = taken.iter().find(|(_, earlier)| overlap(*earlier, listener)) {
            problems.push(Problem::new(format!("{key}: {listener} is taken by {other}")).with_hint(hint));
        }
        taken.push((key, listener));
    }
}

fn check_submission(submission: &Submission, problems: &mut Vec<Problem>) {
    let listens = submission.listen.is_some() || submission.listen_tls.is_some();
    let files = [
        ("certificate_file", &submission.certificate_file, "a PEM file with the certificate and its issuers"),
        ("key_file", &submission.key_file, "a PEM file with the certificate's private key"),
    ];
    for (key, file, what) in files {
        if listens && file.is_none() {
            let text = format!("submission.{key}: has to be set where the SMTP gateway listens");
            problems.push(Problem::new(text).with_hint(format!("set it to {what}")));
        }
    }
}

fn check_encryption(encryption: &Encryption, problems: &mut Vec<Problem>) {
    let no_keys = encryption.keys.is_empty() && encryption.keys_file.is_none();
    if no_keys && encryption.vault_url.is_none() {
        problems.push(Problem::new("encryption.keys: no key to seal the tenants' secrets with").with_hint(
            "make one with `transports keys generate`, and set encryption.keys or encryption.keys_file",
        ));
    }
    if encryption.vault_url.is_some() {
        let needed = [
            ("vault_key", encryption.vault_key.is_none(), "the name of a key of the transit engine"),
            ("vault_token_file", encryption.vault_token_file.is_none(), "a file with a token for Vault"),
        ];
        for (key, is_missing, what) in needed {
            if is_missing {
                let text = format!("encryption.{key}: has to be set beside encryption.vault_url");
                problems.push(Problem::new(text).with_hint(format!("set it to {what}")));
            }
        }
    }
    let lacks = match encryption.seal_with {
        Some(SealWith::Vault) if encryption.vault_url.is_none() => "encryption.vault_url",
        Some(SealWith::Keys) if no_keys => "encryption.keys",
        _ => return,
    };
    problems.push(
        Problem::new(format!("encryption.seal_with: names what is not there: {lacks} is not set"))
            .with_hint("leave it out where there is only one of both"),
    );
}

fn check_auth(auth: &Auth, problems: &mut Vec<Problem>) {
    if auth.jwks_url.is_none() && auth.public_key_file.is_none() && auth.hs256_secret.is_none() {
        problems.push(
            Problem::new("auth: no key to check tokens with")
                .with_hint("set auth.jwks_url, auth.public_key_file or auth.hs256_secret"),
        );
    }
    check_url("auth.jwks_url", auth.jwks_url.as_deref(), problems);
    for (key, value, claim) in
        [("auth.issuer", &auth.issuer, "iss"), ("auth.audience", &auth.audience, "aud")]
    {
        if value.is_none() {
            problems.push(
                Problem::new(format!("{key}: has to be set to serve")).with_hint(format!(
                    "set it to the `{claim}` of your tokens, so that no others are taken"
                )),
            );
        }
    }
    if auth.hs256_secret.as_ref().is_some_and(|secret| secret.expose().len() < HS256_SECRET_BYTES) {
        problems.push(
            Problem::new(format!("auth.hs256_secret: is shorter than {HS256_SECRET_BYTES} bytes"))
                .with_hint("take a random one, such as the output of `openssl rand -base64 32`"),
        );
    }
}

fn check_url(key: &str, url: Option<&str>, problems: &mut Vec<Problem>) {
    if let Some(error) = url.and_then(|url| check_operator_url(url).err()) {
        problems.push(
            Problem::new(format!("{key}: {} cannot be used: {error:#}", url.unwrap_or_default())).with_hint(
                "write it with https://; http:// is for addresses of this machine, such as 127.0.0.1",
            ),
        );
    }
}

/// Signing in to the console is configured whole or not at all.
fn check_console(console: &Console, problems: &mut Vec<Problem>) {
    let needed = [
        ("console.oidc_issuer", console.oidc_issuer.is_some(), "the provider's issuer URL"),
        (
            "console.oidc_client_id",
            console.oidc_client_id.is_some(),
            "the id of this service at the provider",
        ),
        (
            "console.public_url",
            console.public_url.is_some(),
            "the address under which browsers find this service",
        ),
        (
            "console.session_secret",
            console.session_secret.is_some(),
            "a random text, the same on every replica",
        ),
    ];
    if needed.iter().all(|(_, is_set, _)| !is_set) && console.oidc_client_secret.is_none() {
        return;
    }
    check_url("console.oidc_issuer", console.oidc_issuer.as_deref(), problems);
    check_url("console.public_url", console.public_url.as_deref(), problems);
    problems.extend(needed.iter().filter(|(_, is_set, _)| !is_set).map(|(key, _, what)| {
        Problem::new(format!("{key}: has to be set to sign in to the console"))
            .with_hint(format!("set it to {what}"))
    }));
    if console.session_secret.as_ref().is_some_and(|secret| secret.expose().len() < SESSION_SECRET_BYTES) {
        problems.push(
            Problem::new(format!("console.session_secret: is shorter than {SESSION_SECRET_BYTES} bytes"))
                .with_hint("take a random one, such as the output of `openssl rand -base64 32`"),
        );
    }
}

/// What is allowed, and should be known.
pub fn warnings(config: &Config) -> Vec<Problem> {
    let mut found: Vec<Problem> = exposed_listeners(config).collect();
    let listen = config.server.listen;
    if config.server.metrics_listen.is_none() && is_exposed(listen) {
        found.push(
            Problem::new(format!("server.metrics_listen: /metrics is served to everybody at {listen}"))
                .with_hint("give the metrics a listener of their own"),
        );
    }
    let open: Vec<&str> = open_quotas(&config.quotas).collect();
    if !open.is_empty() {
        found.push(
            Problem::new(format!("quotas: there is no bound for {}", open.join(", ")))
                .with_hint("0 lets tenants do so without end, by this installation's address and name"),
        );
    }
    found
}

fn is_exposed(listener: SocketAddr) -> bool {
    !listener.ip().to_canonical().is_loopback()
}

fn exposed_listeners(config: &Config) -> impl Iterator<Item = Problem> {
    let listeners = [
        ("server.listen", Some(config.server.listen)),
        ("server.metrics_listen", config.server.metrics_listen),
    ];
    listeners
        .into_iter()
        .filter_map(|(key, listener)| listener.map(|listener| (key, listener)))
        .filter(|(_, listener)| is_exposed(*listener))
        .map(|(key, listener)| {
            Problem::new(format!("{key}: {listener} can be reached from elsewhere, and speaks plain HTTP"))
                .with_hint("put a TLS terminator in front")
        })
}

/// The quotas that are switched off.
fn open_quotas(quotas: &Quotas) -> impl Iterator<Item = &'static str> {
    let settings = [
        ("test_mails_per_tenant_per_day", quotas.test_mails_per_tenant_per_day),
        ("test_mails_per_recipient_per_hour", quotas.test_mails_per_recipient_per_hour),
        ("destinations_per_tenant_per_hour", quotas.destinations_per_tenant_per_hour),
        ("anonymous_test_mails_per_tenant_per_day", quotas.anonymous_test_mails_per_tenant_per_day),
        ("anonymous_test_mails_per_recipient_per_hour", quotas.anonymous_test_mails_per_recipient_per_hour),
        ("anonymous_destinations_per_tenant_per_hour", quotas.anonymous_destinations_per_tenant_per_hour),
        ("refused_sign_ins_per_tenant_per_hour", quotas.refused_sign_ins_per_tenant_per_hour),
        ("refused_sign_ins_per_account_per_ten_minutes", quotas.refused_sign_ins_per_account_per_ten_minutes),
        (
            "refused_sign_ins_per_destination_per_ten_minutes",
            quotas.refused_sign_ins_per_destination_per_ten_minutes,
        ),
        ("audited_checks_of_users_per_tenant_per_day", quotas.audited_checks_of_users_per_tenant_per_day),
    ];
    settings.into_iter().filter(|(_, bound)| *bound == 0).map(|(key, _)| key)
}

/// Whether two listeners claim the same port. Port 0 takes a free one each time.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_address = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_address
}
