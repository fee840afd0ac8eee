//! Whether a condition of a rule's words or of a verdict holds.

use std::net::IpAddr;

use super::{Observation, matches_pattern, microsoft365_answer};
use crate::diagnosis::fill;
use crate::diagnosis::rule::{Condition, Kind};
use crate::mail::transcript::Stage;
use crate::mail_services::{self as services, PasswordKind, Preset, UsernameForm};
use crate::smtp::{Capabilities, ErrorKind, TlsFailure};

impl Observation<'_> {
    pub fn holds(&self, condition: Condition) -> bool {
        match condition {
            Condition::Says(concept) => self.concepts.has(concept),
            Condition::Fact(fact) => self.evidence().holds(fact),
            Condition::Text(part) => self.contains_in_order(part),
            Condition::UnusualPassword => self.facts.unusual_password,
            Condition::Offers(name) => self.offers(name),
            Condition::NoSignInOffered => self.capabilities().is_some_and(|offers| offers.auth.is_empty()),
            Condition::StartTlsOffered => self.capabilities().is_some_and(|offers| offers.starttls),
            Condition::NoService => self.preset().is_none(),
            Condition::WantsAppPassword
            | Condition::UserNameIsAddress
            | Condition::UserNameIsFixed
            | Condition::UserNameIsIssued => {
                self.preset().is_some_and(|preset| is_asked_for(preset, condition))
            }
            Condition::GreetedNameFits => self.greeted_name_fits(),
            Condition::EnterableNames => {
                !self.greeted_name_fits() && fill::enterable(self.certificate_names()).next().is_some()
            }
            Condition::NamesKnown => !self.certificate_names().is_empty(),
            Condition::Chain(chain) => {
                matches!(self.tls(), Some(TlsFailure::Untrusted { chain: found, .. }) if *found == chain)
            }
            Condition::IssuerKnown => {
                matches!(self.tls(), Some(TlsFailure::Untrusted { issuer: Some(_), .. }))
            }
            Condition::HostHasAt => self.host.contains('@'),
            Condition::HostIsAddress => self.host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok(),
            Condition::SuggestionKnown => services::suggested_server(&self.host).is_some(),
            Condition::SimilarKnown => services::similar_server(&self.host).is_some(),
            Condition::IdsInterchangeable => [&self.facts.client_id, &self.facts.provider_tenant]
                .into_iter()
                .all(|id| id.as_deref().is_some_and(|id| uuid::Uuid::try_parse(id).is_ok())),
            Condition::Host(pattern) => matches_pattern(pattern, &self.host),
            Condition::Port(port) => self.facts.port == port,
            Condition::Kind(kind) => self.kind == kind,
            Condition::Stage(stage) => self.stage == stage,
            Condition::Security(security) => self.facts.security == Some(security),
            Condition::Number(number) => self.has_entra_number(number),
            Condition::UserLacksAt => !self.user.is_empty() && !self.user.contains('@'),
            Condition::UserNameDoesNotFit => {
                !self.user.is_empty() && self.preset().is_some_and(|preset| !preset.username.fits(&self.user))
            }
            Condition::ReplyNamesSender => self.names(self.facts.sender.as_deref()),
            Condition::ReplyNamesRecipient => {
                self.names(self.facts.recipient.as_deref()) && !self.names(self.facts.sender.as_deref())
            }
            Condition::Class(class) => self.code.is_some_and(|code| code / 100 == class),
            Condition::Subject(subject) => {
                self.enhanced.as_deref().and_then(|code| code.split('.').nth(1)) == Some(&subject.to_string())
            }
            Condition::SizesKnown => {
                matches!(self.error_kind(), Some(ErrorKind::TooLarge { .. }))
                    || self.microsoft365().is_some_and(microsoft365_answer::has_sizes)
            }
            Condition::LimitKnown => {
                self.kind != Kind::TooLarge && self.capabilities().is_some_and(|offers| offers.size.is_some())
            }
            Condition::ProblemKnown => self.problem_is_known(),
            Condition::TimeLimitKnown => self.facts.timeout_seconds > 0,
        }
    }

    fn problem_is_known(&self) -> bool {
        let in_session = matches!(
            self.error_kind(),
            Some(
                ErrorKind::Tls(TlsFailure::Other(_))
                    | ErrorKind::Protocol(_)
                    | ErrorKind::OAuthRefused { .. }
            )
        );
        in_session && self.stage != Stage::Greeting
            || self.microsoft365().is_some_and(microsoft365_answer::has_problem)
    }

    fn error_kind(&self) -> Option<&ErrorKind> {
        self.error().map(|error| &error.kind)
    }

    fn tls(&self) -> Option<&TlsFailure> {
        match self.error_kind() {
            Some(ErrorKind::Tls(failure)) => Some(failure),
            _ => None,
        }
    }

    /// The names in a certificate that is for none of the host's.
    fn certificate_names(&self) -> &[String] {
        match self.tls() {
            Some(TlsFailure::WrongName { names, .. }) => names,
            _ => &[],
        }
    }

    fn capabilities(&self) -> Option<&Capabilities> {
        self.error()?.capabilities.as_deref()
    }

    fn preset(&self) -> Option<&'static Preset> {
        services::preset_of(&self.host)
    }
}

/// Whether the service asks for this kind of user name or password.
fn is_asked_for(preset: &Preset, condition: Condition) -> bool {
    match condition {
        Condition::WantsAppPassword => preset.password == PasswordKind::App,
        Condition::UserNameIsAddress => preset.username == UsernameForm::EmailAddress,
        Condition::UserNameIsFixed => matches!(preset.username, UsernameForm::Fixed(_)),
        Condition::UserNameIsIssued => preset.username == UsernameForm::Issued,
        _ => false,
    }
}
