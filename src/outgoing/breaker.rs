//! When an account stops sending, and when it tries again: by what kind of failure stopped it.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::diagnosis::Effect;
use crate::mail::transcript::Stage;

/// What a failure says about the account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureClass {
    /// The credentials are certainly wrong: another attempt cannot help.
    CredentialDefinite,
    /// A policy at the provider forbids the sign-in; it can be changed there.
    ProviderPolicy,
    /// The credentials were refused, without saying that they are wrong for good.
    Credential,
    /// The account may not send more for now.
    Quota,
    /// The account sends too fast.
    Throttle,
    /// The server, its name, its encryption or the token endpoint was not reached.
    Reach,
    /// The provider has blocked the account.
    Blocked,
    /// This installation does not connect there, or the configuration is not complete.
    OwnPolicy,
    /// The server does not accept the sender.
    Sender,
    /// About the recipient or the message: says nothing about the account.
    Message,
}

/// The codes whose class does not follow from the stage and the effect.
const CLASSES: [(FailureClass, &[&str]); 9] = [
    (
        FailureClass::CredentialDefinite,
        &[
            "AUTHORIZATION_CODE_REQUIRED",
            "ENTRA_APP_NOT_FOUND",
            "ENTRA_CERT_ASSERTION",
            "ENTRA_SECRET_EXPIRED",
            "ENTRA_SECRET_INVALID",
            "ENTRA_TENANT_NOT_FOUND",
            "M365_BASIC_AUTH_RETIRED",
            "PASSWORD_TOO_WEAK",
            "SECRET_UNREADABLE",
        ],
    ),
    (
        // What an administrator of the provider switches on, consents to or unlocks, with the same credentials.
        FailureClass::ProviderPolicy,
        &[
            "APP_PASSWORD_REQUIRED",
            "ENTRA_APP_DISABLED",
            "ENTRA_CONSENT_MISSING",
            "ENTRA_NO_SERVICE_PRINCIPAL",
            "GMAIL_APP_PASSWORD_REQUIRED",
            "GMAIL_WEB_LOGIN_REQUIRED",
            "M365_BASIC_AUTH_DISABLED",
            "M365_SMTP_AUTH_DISABLED_MAILBOX",
            "M365_SMTP_AUTH_DISABLED_TENANT",
            "PROVIDER_NOT_ACTIVATED",
            "SIGN_IN_SWITCHED_OFF",
            "WEB_SIGN_IN_REQUIRED",
        ],
    ),
    (FailureClass::Credential, &["AUTH_REJECTED", "M365_AUTH_GENERIC", "OAUTH_TOKEN_REFUSED"]),
    (
        FailureClass::Quota,
        &[
            "CREDITS_USED_UP",
            "M365_QUOTA_MAILBOX",
            "M365_QUOTA_TENANT",
            "QUOTA_DAILY",
            "SANDBOX_ONLY",
            "SENDING_LIMIT_REACHED",
        ],
    ),
    (
        FailureClass::Throttle,
        &["ENTRA_THROTTLED", "GRAPH_THROTTLED", "M365_CONCURRENCY", "SES_THROTTLED", "TOO_MANY_CONNECTIONS"],
    ),
    (
        FailureClass::Reach,
        &["AUTH_TEMPORARY", "PROVIDER_TEMPORARY", "PROVIDER_TROUBLE", "TOKEN_ENDPOINT_TEMPORARY"],
    ),
    (
        FailureClass::Blocked,
        &[
            "ACCOUNT_BLOCKED",
            "M365_OUTBOUND_SPAM",
            "M365_SENDER_BLOCKED",
            "M365_SUSPICIOUS",
            "M365_TENANT_BLOCKED",
        ],
    ),
    (
        FailureClass::OwnPolicy,
        &[
            "CLEARTEXT_SIGN_IN_REFUSED",
            "CONFIG_INCOMPLETE",
            "CONFIG_NOT_SET",
            "DEST_BLOCKED",
            "OWN_GATEWAY",
            "PORT_BLOCKED",
        ],
    ),
    (FailureClass::Message, &["OUTCOME_UNKNOWN", "GREYLISTED", "TRY_LATER", "SMTPUTF8_MISSING"]),
];

/// The class of a failure with this diagnosis.
pub fn class(code: &str, stage: Stage, effect: Effect) -> FailureClass {
    let listed = CLASSES.iter().find(|(_, codes)| codes.contains(&code)).map(|(class, _)| *class);
    match (effect, stage) {
        // The server was reached, and has taken the sender: its trouble is with this mail.
        (_, Stage::RcptTo | Stage::Data) if listed == Some(FailureClass::Reach) => FailureClass::Message,
        _ if listed.is_some() => listed.unwrap_or(FailureClass::Message),
        (Effect::CredentialsRefused, _) => FailureClass::Credential,
        (_, Stage::Policy) => FailureClass::OwnPolicy,
        (_, Stage::MailFrom) | (Effect::ProviderError, Stage::Graph) => FailureClass::Sender,
        (_, Stage::RcptTo | Stage::Data) | (Effect::None, Stage::Graph) => FailureClass::Message,
        _ => FailureClass::Reach,
    }
}

/// Whether an account sends.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum AccountState {
    #[default]
    Open,
    /// A person has stopped it.
    Paused(Pauser),
    /// A failure has stopped it.
    Stopped(Stop),
}

impl AccountState {
    pub const OPEN: &str = "open";
    pub const PAUSED: &str = "paused";
    pub const STOPPED: &str = "stopped";

    /// The words for the states, as they are stored and shown.
    pub const NAMES: [&str; 3] = [Self::OPEN, Self::PAUSED, Self::STOPPED];

    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => Self::OPEN,
            Self::Paused(_) => Self::PAUSED,
            Self::Stopped(_) => Self::STOPPED,
        }
    }
}

/// Who has paused an account. Each resumes what he has paused: an administrator's pause outlasts the operator's, and the other
/// way round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pauser {
    /// An administrator of the tenant.
    Administrator,
    Operator,
    Both,
}

impl Pauser {
    pub const ALL: [Self; 3] = [Self::Administrator, Self::Operator, Self::Both];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Operator => "operator",
            Self::Both => "both",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pauser| pauser.as_str() == text)
    }

    /// Whether the operator's pause is in force.
    pub fn includes_operator(self) -> bool {
        self != Self::Administrator
    }

    fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Both }
    }

    /// Who still pauses the account when this one no longer does.
    fn without(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Both, Self::Operator) => Some(Self::Administrator),
            (Self::Both, Self::Administrator) => Some(Self::Operator),
            (this, other) => (this != other).then_some(this),
        }
    }
}

impl AccountState {
    /// Paused by one more.
    #[must_use]
    pub fn paused_by(&self, pauser: Pauser) -> Self {
        Self::Paused(match self {
            Self::Paused(earlier) => earlier.and(pauser),
            _ => pauser,
        })
    }

    /// Resumed by one of them. What a failure has stopped is open as well.
    #[must_use]
    pub fn resumed_by(&self, pauser: Pauser) -> Self {
        match self {
            Self::Paused(earlier) => earlier.without(pauser).map_or(Self::Open, Self::Paused),
            _ => Self::Open,
        }
    }
}

/// Why and until when an account does not send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    pub code: String,
    pub since: Timestamp,
    /// When one mail tries again; none where only a person can open the account.
    pub probe_at: Option<Timestamp>,
    /// Failures of this class in a row.
    pub failures: i64,
}

const REACH: [Duration; 6] = [
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(2),
    Duration::from_mins(5),
    Duration::from_mins(10),
    Duration::from_mins(15),
];

/// So that three sign-ins are made in all: most servers lock a mailbox after five to ten.
const CREDENTIAL: [Duration; 2] = [Duration::from_mins(5), Duration::from_mins(30)];

/// A sender has to be refused for so many mails in a row.
const SENDER_FAILURES: i64 = 3;

impl FailureClass {
    /// Whether the account stops, after so many failures in a row.
    pub fn stops(self, failures: i64) -> bool {
        match self {
            Self::Message | Self::Throttle => false,
            Self::Sender => failures >= SENDER_FAILURES,
            _ => true,
        }
    }

    /// When a stopped account tries one mail again; `failures` counts this one. None: when a person has changed
    /// something.
    pub fn probe_after(self, failures: i64, retry_after: Option<Duration>) -> Option<Duration> {
        let made = usize::try_from(failures.max(1) - 1).unwrap_or(usize::MAX);
        match self {
            Self::CredentialDefinite | Self::OwnPolicy => None,
            Self::Credential => CREDENTIAL.get(made).copied(),
            Self::Quota => Some(retry_after.unwrap_or(Duration::from_hours(1))),
            Self::Reach | Self::Throttle => {
                let delay = REACH[made.min(REACH.len() - 1)];
                Some(retry_after.map_or(delay, |asked| asked.max(delay)))
            }
            Self::Blocked | Self::ProviderPolicy => Some(Duration::from_hours(6)),
            Self::Sender | Self::Message => Some(Duration::from_hours(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resumes_what_he_has_paused() {
        use Pauser::{Administrator, Both, Operator};
        let stopped = AccountState::Stopped(Stop {
            code: "AUTH_REJECTED".to_owned(),
            since: Timestamp(0),
            probe_at: None,
            failures: 1,
        });
        for pauser in [Administrator, Operator] {
            let other = if pauser == Operator { Administrator } else { Operator };
            for before in [AccountState::Open, stopped.clone(), AccountState::Paused(pauser)] {
                assert_eq!(before.paused_by(pauser), AccountState::Paused(pauser));
                assert_eq!(before.resumed_by(pauser), AccountState::Open);
            }
            let both = AccountState::Paused(pauser).paused_by(other);
            assert_eq!(both, AccountState::Paused(Both));
            assert_eq!(both.paused_by(pauser), both);
            assert_eq!(both.resumed_by(pauser), AccountState::Paused(other));
            assert_eq!(AccountState::Paused(other).resumed_by(pauser), AccountState::Paused(other));
        }
    }

    #[test]
    fn stage_and_effect_decide_where_a_code_does_not() {
        let cases = [
            ("AUTH_REJECTED", Stage::Auth, Effect::CredentialsRefused, FailureClass::Credential),
            (
                "ENTRA_SECRET_EXPIRED",
                Stage::Token,
                Effect::CredentialsRefused,
                FailureClass::CredentialDefinite,
            ),
            (
                "M365_SMTP_AUTH_DISABLED_TENANT",
                Stage::Auth,
                Effect::ProviderError,
                FailureClass::ProviderPolicy,
            ),
            (
                "GMAIL_APP_PASSWORD_REQUIRED",
                Stage::Auth,
                Effect::CredentialsRefused,
                FailureClass::ProviderPolicy,
            ),
            ("ENTRA_CONSENT_MISSING", Stage::Token, Effect::ProviderError, FailureClass::ProviderPolicy),
            ("M365_BASIC_AUTH_RETIRED", Stage::Auth, Effect::ProviderError, FailureClass::CredentialDefinite),
            ("GMAIL_BAD_CREDENTIALS", Stage::Auth, Effect::CredentialsRefused, FailureClass::Credential),
            ("QUOTA_DAILY", Stage::Data, Effect::ProviderError, FailureClass::Quota),
            ("QUOTA_DAILY", Stage::RcptTo, Effect::ProviderError, FailureClass::Quota),
            ("GRAPH_THROTTLED", Stage::Graph, Effect::None, FailureClass::Throttle),
            ("CONNECT_TIMEOUT", Stage::Connect, Effect::ProviderError, FailureClass::Reach),
            ("TLS_CERT_EXPIRED", Stage::Tls, Effect::ProviderError, FailureClass::Reach),
            ("DNS_UNAVAILABLE", Stage::Dns, Effect::None, FailureClass::Reach),
            ("GREETING_REFUSED", Stage::Greeting, Effect::ProviderError, FailureClass::Reach),
            ("CONNECTION_LOST", Stage::Data, Effect::ProviderError, FailureClass::Message),
            ("PROVIDER_TEMPORARY", Stage::Data, Effect::ProviderError, FailureClass::Message),
            ("PROVIDER_TEMPORARY", Stage::MailFrom, Effect::ProviderError, FailureClass::Reach),
            ("M365_OUTBOUND_SPAM", Stage::MailFrom, Effect::ProviderError, FailureClass::Blocked),
            ("DEST_BLOCKED", Stage::Policy, Effect::ProviderError, FailureClass::OwnPolicy),
            ("OWN_GATEWAY", Stage::Policy, Effect::ProviderError, FailureClass::OwnPolicy),
            ("SENDER_NOT_OWNED", Stage::MailFrom, Effect::ProviderError, FailureClass::Sender),
            ("GRAPH_SEND_AS_DENIED", Stage::Graph, Effect::ProviderError, FailureClass::Sender),
            ("RECIPIENT_UNKNOWN", Stage::RcptTo, Effect::None, FailureClass::Message),
            ("CONTENT_REJECTED", Stage::Data, Effect::None, FailureClass::Message),
            ("OUTCOME_UNKNOWN", Stage::Data, Effect::None, FailureClass::Message),
        ];
        for (code, stage, effect, expected) in cases {
            assert_eq!(class(code, stage, effect), expected, "{code} at {stage:?}");
        }
    }

    #[test]
    fn every_listed_code_is_a_code_of_the_diagnosis_and_is_listed_once() {
        let listed: Vec<_> = CLASSES.iter().flat_map(|(_, codes)| codes.iter()).collect();
        for code in &listed {
            assert!(crate::diagnosis::rule_for(code).is_some(), "{code}");
            assert_eq!(listed.iter().filter(|other| other == &code).count(), 1, "{code}");
        }
    }

    #[test]
    fn each_class_stops_and_probes_as_its_row_says() {
        let minutes = |minutes| Some(Duration::from_mins(minutes));
        let rows: [(FailureClass, bool, &[Option<Duration>]); 10] = [
            (FailureClass::CredentialDefinite, true, &[None, None]),
            (FailureClass::ProviderPolicy, true, &[minutes(360), minutes(360), minutes(360), minutes(360)]),
            (FailureClass::Credential, true, &[minutes(5), minutes(30), None, None]),
            (FailureClass::Quota, true, &[minutes(60), minutes(60)]),
            (FailureClass::Throttle, false, &[Some(Duration::from_secs(30))]),
            (
                FailureClass::Reach,
                true,
                &[
                    Some(Duration::from_secs(30)),
                    minutes(1),
                    minutes(2),
                    minutes(5),
                    minutes(10),
                    minutes(15),
                    minutes(15),
                ],
            ),
            (FailureClass::Blocked, true, &[minutes(360)]),
            (FailureClass::OwnPolicy, true, &[None]),
            (FailureClass::Sender, false, &[minutes(60)]),
            (FailureClass::Message, false, &[minutes(60)]),
        ];
        for (class, stops, probes) in rows {
            assert_eq!(class.stops(1), stops, "{class:?}");
            for (failure, expected) in (1..).zip(probes) {
                assert_eq!(class.probe_after(failure, None), *expected, "{class:?} {failure}");
            }
        }
        assert!(!FailureClass::Sender.stops(2) && FailureClass::Sender.stops(3));
        assert!(!FailureClass::Message.stops(100));
        assert_eq!(FailureClass::Quota.probe_after(1, minutes(7)), minutes(7));
        assert_eq!(FailureClass::Reach.probe_after(1, minutes(7)), minutes(7));
    }
}
