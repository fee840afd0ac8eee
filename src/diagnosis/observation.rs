//! One failure with the facts around it, prepared for matching against the rules.

mod conditions;
mod kind;
mod microsoft365_answer;

use super::evidence::Evidence;
use super::lexicon::{self, Concepts};
use super::rule::{Kind, When};
use super::words::{self, Known};
use super::{Facts, Failure, microsoft365};
use crate::mail::transcript::{Stage, printable};
use crate::mail_services::{self as services};
use crate::smtp::{EnhancedCode, Error, ErrorKind, Reply, Security, TlsFailure};

/// How much of a reply is looked at, in bytes. Real ones have some hundred; a hostile one may have 64 KiB, and there are
/// hundreds of texts to look for.
const MAX_TEXT: usize = 8 * 1_024;

/// One failure with the facts around it. Text for matching is in lower case.
pub(super) struct Observation<'a> {
    pub failure: &'a Failure,
    pub facts: &'a Facts,
    pub kind: Kind,
    pub stage: Stage,
    /// The basic code of the reply that decided.
    pub code: Option<u16>,
    enhanced: Option<String>,
    text: String,
    host: String,
    user: String,
    concepts: Concepts,
}

impl<'a> Observation<'a> {
    pub fn new(failure: &'a Failure, facts: &'a Facts) -> Self {
        let mut observation = Self {
            failure,
            facts,
            kind: kind::kind(failure),
            stage: match failure {
                Failure::Dial(error) => error.stage(),
                Failure::Smtp(error) => error.stage,
                Failure::Microsoft365(error) => error.stage,
                Failure::SecretUnreadable
                | Failure::ConfigIncomplete { .. }
                | Failure::ConfigNotSet
                | Failure::ApiKeyRefused
                | Failure::SenderNotAllowed
                | Failure::RecipientFlood => Stage::Policy,
            },
            code: None,
            enhanced: None,
            text: String::new(),
            host: facts.host.trim().trim_end_matches('.').to_ascii_lowercase(),
            user: facts.username.as_deref().unwrap_or_default().to_ascii_lowercase(),
            concepts: Concepts::default(),
        };
        if let Some(reply) = observation.reply() {
            let text = reply.text();
            observation.code = Some(reply.code);
            observation.enhanced =
                reply.enhanced.map(|code| code.to_string()).or_else(|| enhanced_in(&text, reply.code));
            observation.text = text[..text.floor_char_boundary(MAX_TEXT)].to_lowercase();
            observation.concepts = concepts(reply, facts);
        }
        if let Some(error) = observation.microsoft365() {
            observation.text = error.message.to_ascii_lowercase();
        }
        observation
    }

    /// The error of the session, where there was one.
    pub fn error(&self) -> Option<&'a Error> {
        match self.failure {
            Failure::Smtp(error) => Some(error),
            _ => None,
        }
    }

    /// The error of Entra or Graph, where there was one.
    pub fn microsoft365(&self) -> Option<&'a microsoft365::Error> {
        match self.failure {
            Failure::Microsoft365(error) => Some(error),
            _ => None,
        }
    }

    /// The reply that decided. Only a refusal has one: what a reply said before a loss decides nothing, and
    /// the first bytes of another protocol are none.
    pub fn reply(&self) -> Option<&'a Reply> {
        let error = self.error()?;
        match error.kind {
            ErrorKind::Refused | ErrorKind::OAuthRefused { .. } => error.reply.as_deref(),
            _ => None,
        }
    }

    /// The reply as it may be shown, 512 characters at most.
    pub fn shown_reply(&self) -> Option<String> {
        if let Some(error) = self.microsoft365() {
            return microsoft365_answer::shown(error);
        }
        let reply = self.reply()?;
        let shown = match reply.enhanced {
            Some(enhanced) => format!("{} {enhanced} {}", reply.code, reply.text()),
            None => format!("{} {}", reply.code, reply.text()),
        };
        Some(printable(shown.trim_end()))
    }

    /// A 4yz reply: the same may succeed later.
    pub fn is_transient(&self) -> bool {
        self.code.is_some_and(|code| code / 100 == 4)
    }

    /// A 5yz reply to AUTH, or a refusal by the token endpoint.
    pub fn is_permanent_refusal_of_sign_in(&self) -> bool {
        self.kind == Kind::TokenRefused
            || self.stage == Stage::Auth && self.code.is_some_and(|code| code / 100 == 5)
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// What the reply says, what is known of the session, and the numbers.
    pub fn evidence(&self) -> Evidence<'_> {
        let error = self.error();
        let offers = error.and_then(|error| error.capabilities.as_deref());
        let limit = offers.and_then(|offers| offers.size);
        Evidence {
            concepts: self.concepts.clone(),
            stage: Some(self.stage),
            answers_message: self.stage == Stage::Data && error.is_some_and(|error| error.command.is_none()),
            code: self.code.unwrap_or_default(),
            enhanced: self.enhanced.as_deref(),
            host: &self.host,
            has_user_name: self.facts.username.is_some(),
            offers_auth: offers.is_some_and(|offers| !offers.auth.is_empty()),
            fits_size: matches!((limit, self.facts.message_size), (Some(limit), Some(size)) if size <= limit),
            encrypted: self.facts.security != Some(Security::None),
        }
    }

    /// The host is a known service's, with the port and the protection that such services have.
    fn is_right_place(&self) -> bool {
        let usual = matches!(
            (self.facts.port, self.facts.security),
            (465, Some(Security::Tls)) | (587, Some(Security::StartTls))
        );
        usual && services::is_sending_server(&self.host)
    }

    /// The server's own name, where its certificate covers it.
    fn greeted_name_fits(&self) -> bool {
        match self.error().map(|error| &error.kind) {
            Some(ErrorKind::Tls(TlsFailure::WrongName { names, greeted_as: Some(greeted_as) })) => {
                greeted_as != &self.host && names.iter().any(|name| covers(name, greeted_as))
            }
            _ => false,
        }
    }

    /// Whether a rule's condition holds, in the order of trust.
    pub fn matches(&self, when: &When) -> bool {
        (when.kinds.is_empty() || when.kinds.contains(&self.kind))
            && (when.stages.is_empty() || when.stages.contains(&self.stage))
            && (when.services.is_empty()
                || services::of_host(&self.host).is_some_and(|service| when.services.contains(&service)))
            && (when.known_service.is_none()
                || when.known_service == Some(services::is_sending_server(&self.host)))
            && (when.right_place.is_none() || when.right_place == Some(self.is_right_place()))
            && matches_any(when.users, &self.user)
            && (when.codes.is_empty() || self.number().is_some_and(|code| matches_any(when.codes, &code)))
            && (when.numbers.is_empty() || when.numbers.iter().any(|number| self.has_entra_number(*number)))
            && (when.errors.is_empty()
                || self.error_code().is_some_and(|code| matches_any(when.errors, &code)))
            && (when.app_only.is_none() || when.app_only == Some(self.facts.client_id.is_some()))
            && (when.mail_send_role.is_none() || when.mail_send_role == self.facts.mail_send_role)
            && (when.enhanced.is_empty()
                || self.enhanced.as_deref().is_some_and(|enhanced| matches_any(when.enhanced, enhanced)))
            && (when.texts.is_empty() || when.texts.iter().any(|part| self.contains_in_order(part)))
            && !when.unless.iter().any(|part| self.contains_in_order(part))
    }

    fn offers(&self, name: &str) -> bool {
        let error = self.error();
        let offered = match error.map(|error| &error.kind) {
            Some(ErrorKind::NoCommonMechanism { offered }) => Some(offered),
            _ => error.and_then(|error| error.capabilities.as_deref()).map(|offers| &offers.auth),
        };
        offered.is_some_and(|offered| offered.iter().any(|mechanism| mechanism == name))
    }

    /// The basic code of SMTP, or the HTTP status.
    fn number(&self) -> Option<String> {
        let status = || self.microsoft365().and_then(|error| error.status);
        self.code.or_else(status).map(|number| number.to_string())
    }

    fn has_entra_number(&self, number: u32) -> bool {
        self.microsoft365().is_some_and(|error| error.numbers.contains(&number))
    }

    fn error_code(&self) -> Option<String> {
        Some(self.microsoft365()?.code.as_deref()?.to_ascii_lowercase())
    }

    /// Whether the pieces between the stars of `part` stand in the text, in their order. Linear in the text.
    pub fn contains_in_order(&self, part: &str) -> bool {
        let mut rest = self.text.as_str();
        part.split('*').all(|piece| match rest.find(piece) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
    }

    fn names(&self, address: Option<&str>) -> bool {
        address
            .is_some_and(|address| !address.is_empty() && self.text.contains(&address.to_ascii_lowercase()))
    }
}

/// What the words of a reply are about.
fn concepts(reply: &Reply, facts: &Facts) -> Concepts {
    let known = Known { sender: facts.sender.as_deref(), recipient: facts.recipient.as_deref() };
    let mut left = MAX_TEXT;
    let lines = reply.lines.iter().map(|line| {
        let line = &line[..line.floor_char_boundary(left)];
        left -= line.len();
        line
    });
    lexicon::concepts(&words::read(lines, known))
}

/// Whether a name in a certificate stands for `host`: `*` for one label (RFC 9525 section 6.3).
fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => name.eq_ignore_ascii_case(host),
    }
}

fn matches_any(patterns: &[&str], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| matches_pattern(pattern, text))
}

/// Whether the whole of `text` has the form of `pattern`: `*` is anything, `?` one byte. For hosts, codes and other
/// short texts: at most quadratic in time.
pub(super) fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut last_star = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                last_star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => match last_star {
                Some((star, from)) => {
                    last_star = Some((star, from + 1));
                    at_pattern = star + 1;
                    at_text = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

/// Some servers put the enhanced code where RFC 2034 does not expect it (`#5.7.1`, `5.7.1:`).
fn enhanced_in(text: &str, basic: u16) -> Option<String> {
    let word = text.split_whitespace().next()?.trim_matches(|c: char| !c.is_ascii_digit());
    let mut numbers = word.split('.').map(str::parse::<u16>);
    let (Some(Ok(class)), Some(Ok(subject)), Some(Ok(detail)), None) =
        (numbers.next(), numbers.next(), numbers.next(), numbers.next())
    else {
        return None;
    };
    let class = u8::try_from(class).ok().filter(|class| u16::from(*class) == basic / 100)?;
    Some(EnhancedCode(class, subject, detail).to_string())
}
