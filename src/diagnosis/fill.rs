//! Puts what is known into the words of a rule.

use super::Failure;
use super::rule::{Case, Rule};
use super::seen::Seen;
use crate::egress::{DialError, Refusal};
use crate::microsoft365;
use crate::smtp::{ErrorKind, OtherProtocol, TlsFailure};
use crate::transcript::printable;

/// Every placeholder that a text may use.
#[cfg(test)]
pub(super) const PLACEHOLDERS: &[&str] = &[
    "host",
    "port",
    "user",
    "from",
    "recipient",
    "offered",
    "limit",
    "size",
    "ehlo_name",
    "client_id",
    "provider_tenant",
    "seconds",
    "ports",
    "names",
    "issuer",
    "protocol",
    "suggested_host",
    "region",
    "missing",
    "problem",
    "reply",
];

/// The most names of a certificate or mechanisms of a server that a text lists.
const MAX_LISTED: usize = 5;

/// The longest name that is shown out of a certificate, in characters.
const MAX_NAME: usize = 100;

/// Host names that people enter for a provider, and its submission server. A subdomain counts too.
const SUBMISSION_SERVERS: &[(&str, &str)] = &[
    ("gmail.com", "smtp.gmail.com"),
    ("googlemail.com", "smtp.gmail.com"),
    ("l.google.com", "smtp.gmail.com"),
    ("mail.protection.outlook.com", "smtp.office365.com"),
    ("office365.com", "smtp.office365.com"),
    ("office.com", "smtp.office365.com"),
    ("outlook.com", "smtp-mail.outlook.com"),
    ("hotmail.com", "smtp-mail.outlook.com"),
    ("live.com", "smtp-mail.outlook.com"),
    ("yahoo.com", "smtp.mail.yahoo.com"),
    ("aol.com", "smtp.aol.com"),
    ("icloud.com", "smtp.mail.me.com"),
    ("gmx.net", "mail.gmx.net"),
    ("gmx.de", "mail.gmx.net"),
    ("gmx.com", "mail.gmx.com"),
    ("web.de", "smtp.web.de"),
    ("t-online.de", "securesmtp.t-online.de"),
    ("ionos.com", "smtp.ionos.com"),
    ("ionos.de", "smtp.ionos.de"),
    ("strato.de", "smtp.strato.de"),
    ("fastmail.com", "smtp.fastmail.com"),
    ("zoho.com", "smtp.zoho.com"),
    ("zoho.eu", "smtp.zoho.eu"),
    ("sendgrid.net", "smtp.sendgrid.net"),
    ("sendgrid.com", "smtp.sendgrid.net"),
    ("mailgun.org", "smtp.mailgun.org"),
    ("brevo.com", "smtp-relay.brevo.com"),
];

/// The submission server to propose in place of `host` (lower case): only where the provider is known, and
/// only where it is another name.
pub(super) fn suggested_host(host: &str) -> Option<&'static str> {
    let host = host.rsplit('@').next().unwrap_or(host);
    SUBMISSION_SERVERS
        .iter()
        .find(|(domain, _)| {
            host.strip_suffix(domain).is_some_and(|front| front.is_empty() || front.ends_with('.'))
        })
        .map(|(_, server)| *server)
        .filter(|server| *server != host)
}

pub(super) fn meaning(rule: &Rule, seen: &Seen<'_>) -> String {
    let mut text = fill(rule.meaning, seen);
    for case in cases(rule, seen).filter(|case| !case.meaning.is_empty()) {
        text.push(' ');
        text.push_str(&fill(case.meaning, seen));
    }
    text
}

pub(super) fn steps(rule: &Rule, seen: &Seen<'_>) -> Vec<String> {
    cases(rule, seen)
        .map(|case| case.step)
        .filter(|step| !step.is_empty())
        .chain(rule.steps.iter().copied())
        .map(|step| fill(step, seen))
        .collect()
}

fn cases<'a>(rule: &'a Rule, seen: &Seen<'_>) -> impl Iterator<Item = &'a Case> {
    rule.cases.iter().filter(|case| case.only.iter().all(|only| seen.holds(*only)))
}

/// Fills a template in one pass, so that a value that looks like a placeholder stays what it is.
pub(super) fn fill(template: &str, seen: &Seen<'_>) -> String {
    let mut text = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        match after.split_once('}') {
            Some((name, behind)) => {
                text.push_str(&value(name, seen));
                rest = behind;
            }
            None => rest = after,
        }
    }
    text.push_str(rest);
    text
}

fn value(name: &str, seen: &Seen<'_>) -> String {
    let facts = seen.facts;
    let or = |value: Option<&str>, otherwise: &str| match value {
        Some(value) if !value.is_empty() => value.to_owned(),
        _ => otherwise.to_owned(),
    };
    match name {
        "host" => or(Some(&facts.host), "the server"),
        "port" => facts.port.to_string(),
        "user" => or(facts.username.as_deref(), "the user of this configuration"),
        "from" => or(facts.sender.as_deref(), "the sender address"),
        "recipient" => or(facts.recipient.as_deref(), "the recipient"),
        "ehlo_name" => or(facts.ehlo_name.as_deref(), "our IP address"),
        "client_id" => or(facts.client_id.as_deref(), "of this configuration"),
        "provider_tenant" => or(facts.provider_tenant.as_deref(), "of this configuration"),
        "seconds" => facts.timeout_seconds.to_string(),
        "suggested_host" => or(suggested_host(seen.host()), "the outgoing mail server of your provider"),
        "region" => or(region(seen.host()), "of the server"),
        "reply" => seen.shown_reply().unwrap_or_else(|| "no reply".to_owned()),
        "ports" => ports(seen),
        "missing" => match seen.failure {
            Some(Failure::ConfigIncomplete { missing }) if !missing.is_empty() => missing.join(", "),
            _ => "required fields".to_owned(),
        },
        _ => of_error(name, seen),
    }
}

/// What only the session's error tells.
fn of_error(name: &str, seen: &Seen<'_>) -> String {
    let error = seen.error();
    let offers = error.and_then(|error| error.capabilities.as_deref());
    if let Some(error) = seen.microsoft365() {
        return of_microsoft365(name, error);
    }
    match (name, error.map(|error| &error.kind)) {
        ("offered", Some(ErrorKind::NoCommonMechanism { offered })) if !offered.is_empty() => list(offered),
        ("offered", _) => match offers {
            Some(offers) if !offers.auth.is_empty() => list(&offers.auth),
            _ => "other ways to sign in".to_owned(),
        },
        ("limit", Some(ErrorKind::TooLarge { limit, .. })) => octets(*limit),
        ("limit", _) => offers.and_then(|offers| offers.size).map_or_else(|| "its limit".to_owned(), octets),
        ("size", Some(ErrorKind::TooLarge { size, .. })) => octets(*size),
        ("size", _) => "larger".to_owned(),
        ("names", Some(ErrorKind::Tls(TlsFailure::WrongName { names }))) if !names.is_empty() => list(names),
        ("names", _) => "other names".to_owned(),
        ("issuer", Some(ErrorKind::Tls(TlsFailure::Untrusted { issuer: Some(issuer) }))) => short(issuer),
        ("issuer", _) => "an unknown issuer".to_owned(),
        ("protocol", Some(ErrorKind::NotSmtp(protocol))) => protocol_name(*protocol).to_owned(),
        ("protocol", _) => protocol_name(OtherProtocol::Unknown).to_owned(),
        ("problem", Some(ErrorKind::Tls(TlsFailure::Other(problem)) | ErrorKind::Protocol(problem))) => {
            short(problem)
        }
        ("problem", Some(ErrorKind::OAuthRefused { challenge })) => printable(challenge),
        _ => String::new(),
    }
}

fn of_microsoft365(name: &str, error: &microsoft365::Error) -> String {
    use microsoft365::ErrorKind::{Malformed, TooLarge, Unreachable};
    match (name, &error.kind) {
        ("limit", TooLarge { limit, .. }) => octets(*limit),
        ("size", TooLarge { size, .. }) => octets(*size),
        ("problem", Unreachable(problem) | Malformed(problem)) => short(problem),
        _ => String::new(),
    }
}

/// `a, b, c and 4 more`.
fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(MAX_LISTED).map(|name| short(name)).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(MAX_LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn short(text: &str) -> String {
    printable(text).chars().take(MAX_NAME).collect()
}

/// Octets as a person reads them: MB are millions, as mail hosts count them.
fn octets(count: u64) -> String {
    if count < 1_000_000 {
        format!("{count} bytes")
    } else {
        format!("{}.{} MB", count / 1_000_000, count % 1_000_000 / 100_000)
    }
}

fn ports(seen: &Seen<'_>) -> String {
    let ports = match seen.failure {
        Some(Failure::Dial(DialError::Refused(Refusal::Port { allowed }))) if !allowed.is_empty() => allowed,
        _ => &seen.facts.allowed_ports,
    };
    if ports.is_empty() {
        return "the mail ports".to_owned();
    }
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

/// The AWS region in the name of an SES server.
fn region(host: &str) -> Option<&str> {
    let mut labels = host.split('.');
    labels.next().filter(|label| label.starts_with("email-smtp"))?;
    labels.next()
}

/// One word of a closed set: never the bytes of the other side.
fn protocol_name(protocol: OtherProtocol) -> &'static str {
    match protocol {
        OtherProtocol::Http => "HTTP",
        OtherProtocol::Imap => "IMAP",
        OtherProtocol::Pop3 => "POP3",
        OtherProtocol::Ssh => "SSH",
        OtherProtocol::Ftp => "FTP",
        OtherProtocol::MySql => "MySQL",
        OtherProtocol::Redis => "Redis",
        OtherProtocol::Tls => "TLS",
        OtherProtocol::Unknown => "unknown",
    }
}
