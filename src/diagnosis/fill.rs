//! Fills the placeholders in a rule's texts.

use std::iter;

use super::observation::Observation;
use super::rule::{Case, Rule};
use super::{Failure, microsoft365};
use crate::egress::{DialError, Refusal};
use crate::language::{self, Language, Text, texts};
use crate::mail::domain_name;
use crate::mail::transcript::printable;
use crate::mail_services::{self, UsernameForm};
use crate::smtp::{self, ErrorKind, OtherProtocol, TlsFailure};

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
    "similar_host",
    "greeted_as",
    "enterable_names",
    "user_name_form",
    "region",
    "missing",
    "problem",
    "reply",
];

/// The most names of a certificate or mechanisms of a server that a text lists.
const MAX_LISTED: usize = 5;

/// The longest name that is shown out of a certificate, in characters.
const MAX_NAME: usize = 100;

texts! {
    THE_SERVER = "the server";
    THE_USER = "the user of this configuration";
    THE_SENDER = "the sender address";
    /// As in replies that are stored without the address: a name that fits into every sentence, in every case.
    THE_RECIPIENT = "<recipient>";
    OUR_ADDRESS = "our IP address";
    OF_THIS_CONFIGURATION = "of this configuration";
    OUTGOING_SERVER = "the outgoing mail server of your provider";
    OF_THE_SERVER = "of the server";
    NO_REPLY = "no reply";
    REQUIRED_FIELDS = "required fields";
    OTHER_WAYS = "other ways to sign in";
    ITS_LIMIT = "its limit";
    ITS_FIXED_NAME = "the name that the service prescribes";
    LARGER = "larger";
    OTHER_NAMES = "other names";
    UNKNOWN_ISSUER = "an unknown issuer";
    UNKNOWN_PROTOCOL = "unknown";
    THE_MAIL_PORTS = "the mail ports";
    AND_MORE = "{names} and {count} more";
    BYTES = "{count} bytes";
    MEGABYTES = "{whole}.{tenths} MB";
}

/// What stands in a placeholder's place where nothing is known.
pub(super) fn fallback_for(name: &str) -> Option<&'static str> {
    Some(match name {
        "host" => THE_SERVER,
        "user" => THE_USER,
        "from" => THE_SENDER,
        "recipient" => THE_RECIPIENT,
        "ehlo_name" => OUR_ADDRESS,
        "client_id" | "provider_tenant" => OF_THIS_CONFIGURATION,
        "suggested_host" | "similar_host" | "greeted_as" => OUTGOING_SERVER,
        "user_name_form" => ITS_FIXED_NAME,
        "region" => OF_THE_SERVER,
        "reply" => NO_REPLY,
        "ports" => THE_MAIL_PORTS,
        "missing" => REQUIRED_FIELDS,
        "offered" => OTHER_WAYS,
        "limit" => ITS_LIMIT,
        "size" => LARGER,
        "names" | "enterable_names" => OTHER_NAMES,
        "issuer" => UNKNOWN_ISSUER,
        "protocol" => UNKNOWN_PROTOCOL,
        _ => return None,
    })
}

/// What stands in a placeholder's place.
pub(super) enum Value {
    /// The same in every language.
    Plain(String),
    Text(Text),
}

impl Value {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Plain(text) if text.is_empty())
    }

    fn render(self, language: Language) -> String {
        match self {
            Self::Plain(text) => text,
            Self::Text(text) => text.render(language),
        }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

/// The words of a rule for what was seen, in one language.
pub(super) struct Words<'a> {
    pub language: Language,
    pub observation: &'a Observation<'a>,
}

impl Words<'_> {
    pub fn meaning(&self, rule: &Rule) -> String {
        let sentences: Vec<String> =
            self.meaning_templates(rule).map(|sentence| self.fill(sentence)).collect();
        sentences.join(" ")
    }

    pub fn steps(&self, rule: &Rule) -> Vec<String> {
        self.step_templates(rule).map(|step| self.fill(step)).collect()
    }

    /// The rule's meaning, and what the cases add.
    pub fn meaning_templates(&self, rule: &Rule) -> impl Iterator<Item = &'static str> {
        let cases = self.cases(rule).map(|case| case.meaning).filter(|text| !text.is_empty());
        iter::once(rule.meaning).chain(cases)
    }

    pub fn step_templates(&self, rule: &Rule) -> impl Iterator<Item = &'static str> {
        let cases = self.cases(rule).map(|case| case.step).filter(|step| !step.is_empty());
        cases.chain(rule.steps.iter().copied())
    }

    fn cases<'r>(&self, rule: &'r Rule) -> impl Iterator<Item = &'r Case> {
        rule.cases
            .iter()
            .filter(|case| case.conditions.iter().all(|condition| self.observation.holds(*condition)))
    }

    /// The template in the language, filled.
    pub fn fill(&self, template: &str) -> String {
        fill(self.language, template, |name| self.value(name).map(|value| value.render(self.language)))
    }

    /// None where nothing is known.
    pub fn value(&self, name: &str) -> Option<Value> {
        self.known(name).filter(|value| !value.is_empty())
    }

    fn known(&self, name: &str) -> Option<Value> {
        let (observation, facts) = (self.observation, self.observation.facts);
        let plain = |text: &Option<String>| text.clone().map(Value::Plain);
        match name {
            "host" => Some(domain_name::to_unicode(&facts.host).into()),
            "port" => Some(facts.port.to_string().into()),
            "user" => plain(&facts.username),
            "from" => plain(&facts.sender),
            "recipient" => plain(&facts.recipient),
            "ehlo_name" => plain(&facts.ehlo_name),
            "client_id" => plain(&facts.client_id),
            "provider_tenant" => plain(&facts.provider_tenant),
            "seconds" => Some(facts.timeout_seconds.to_string().into()),
            "suggested_host" => mail_services::suggested_server(observation.host()).map(Value::from),
            "similar_host" => mail_services::similar_server(observation.host()).map(Value::from),
            "user_name_form" => match mail_services::preset_of(observation.host())?.username {
                UsernameForm::Fixed(word) => Some(word.into()),
                UsernameForm::EmailAddress | UsernameForm::Issued => None,
            },
            "region" => region(observation.host()).map(Value::from),
            // It stands before a full stop.
            "reply" => observation.shown_reply().map(|reply| reply.trim_end_matches('.').into()),
            "ports" => Some(ports(observation).into()),
            "missing" => match observation.failure {
                Failure::ConfigIncomplete { missing } => Some(missing.join(", ").into()),
                _ => None,
            },
            _ => match observation.microsoft365() {
                Some(error) => of_microsoft365(name, error),
                None => of_session(name, observation.error()?),
            },
        }
    }
}

/// The template in the language, filled with these values. Addresses are written for people, but for those in commands, which
/// stand between backticks.
pub(super) fn fill(language: Language, template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let parts = language.text(template).split('`').enumerate().map(|(index, part)| {
        let is_command = index % 2 == 1;
        language::fill(part, |name| match value(name) {
            Some(text) if !is_command && ["user", "from", "recipient"].contains(&name) => {
                readable_address(&text)
            }
            Some(text) => text,
            None => fallback_in(language, name),
        })
    });
    parts.collect::<Vec<_>>().join("`")
}

/// An address with its domain in its own script; any other text as it is.
fn readable_address(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((local_part, domain)) => format!("{local_part}@{}", domain_name::to_unicode(domain)),
        None => text.to_owned(),
    }
}

/// What stands in the language where nothing is known.
fn fallback_in(language: Language, name: &str) -> String {
    fallback_for(name).map_or_else(String::new, |word| language.text(word).to_owned())
}

/// What only the session's error tells.
fn of_session(name: &str, error: &smtp::Error) -> Option<Value> {
    let offers = error.capabilities.as_deref();
    match (name, &error.kind) {
        ("offered", ErrorKind::NoCommonMechanism { offered }) => Some(list(offered)),
        ("offered", _) => Some(list(&offers?.auth)),
        ("limit", ErrorKind::TooLarge { limit, .. }) => Some(octets(*limit)),
        ("limit", _) => Some(octets(offers?.size?)),
        ("size", ErrorKind::TooLarge { size, .. }) => Some(octets(*size)),
        ("names", ErrorKind::Tls(TlsFailure::WrongName { names, .. })) => Some(list(names)),
        ("enterable_names", ErrorKind::Tls(TlsFailure::WrongName { names, .. })) => {
            let enterable: Vec<String> = enterable(names).cloned().collect();
            Some(list(&enterable))
        }
        ("greeted_as", ErrorKind::Tls(TlsFailure::WrongName { greeted_as, .. })) => {
            greeted_as.clone().map(Value::Plain)
        }
        ("issuer", ErrorKind::Tls(TlsFailure::Untrusted { issuer: Some(issuer), .. })) => {
            Some(short(issuer).into())
        }
        ("protocol", ErrorKind::NotSmtp(protocol)) => protocol_name(*protocol).map(Value::from),
        ("problem", ErrorKind::Tls(TlsFailure::Other(problem)) | ErrorKind::Protocol(problem)) => {
            Some(short(problem).into())
        }
        ("problem", ErrorKind::OAuthRefused { challenge }) => Some(printable(challenge).into()),
        _ => None,
    }
}

fn of_microsoft365(name: &str, error: &microsoft365::Error) -> Option<Value> {
    use microsoft365::ErrorKind::{Malformed, TooLarge, Unreachable};
    match (name, &error.kind) {
        ("limit", TooLarge { limit, .. }) => Some(octets(*limit)),
        ("size", TooLarge { size, .. }) => Some(octets(*size)),
        ("problem", Unreachable(problem) | Malformed(problem)) => Some(short(problem).into()),
        _ => None,
    }
}

/// `a, b, c and 4 more`.
fn list(names: &[String]) -> Value {
    let shown: Vec<_> =
        names.iter().take(MAX_LISTED).map(|name| short(&domain_name::to_unicode(name))).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(MAX_LISTED) {
        0 => Value::Plain(shown),
        more => Value::Text(Text::new(AND_MORE).with("names", shown).with("count", more.to_string())),
    }
}

/// Octets as a person reads them: MB are millions, as mail providers count them.
fn octets(count: u64) -> Value {
    Value::Text(if count < 1_000_000 {
        Text::new(BYTES).with("count", count.to_string())
    } else {
        let tenths = count % 1_000_000 / 100_000;
        Text::new(MEGABYTES).with("whole", (count / 1_000_000).to_string()).with("tenths", tenths.to_string())
    })
}

/// The names of a certificate that can be entered as a server: a wildcard cannot.
pub(super) fn enterable(names: &[String]) -> impl Iterator<Item = &String> {
    names.iter().filter(|name| !name.contains('*') && name.contains('.'))
}

fn short(text: &str) -> String {
    printable(text).chars().take(MAX_NAME).collect()
}

/// Empty where none are known.
fn ports(observation: &Observation<'_>) -> String {
    let ports = match observation.failure {
        Failure::Dial(DialError::Refused(Refusal::Port { allowed })) if !allowed.is_empty() => allowed,
        _ => &observation.facts.allowed_ports,
    };
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

/// The AWS region in the name of an SES server.
fn region(host: &str) -> Option<&str> {
    let mut labels = host.split('.');
    labels.next().filter(|label| label.starts_with("email-smtp"))?;
    labels.next()
}

/// One word of a closed set: never the bytes of the other side.
fn protocol_name(protocol: OtherProtocol) -> Option<&'static str> {
    Some(match protocol {
        OtherProtocol::Http => "HTTP",
        OtherProtocol::Imap => "IMAP",
        OtherProtocol::Pop3 => "POP3",
        OtherProtocol::Ssh => "SSH",
        OtherProtocol::Ftp => "FTP",
        OtherProtocol::MySql => "MySQL",
        OtherProtocol::Redis => "Redis",
        OtherProtocol::Tls => "TLS",
        OtherProtocol::Unknown => return None,
    })
}
