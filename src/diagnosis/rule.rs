//! The form of a rule. Everything in it is data that can be read as a table.

use super::evidence::Fact;
use super::lexicon::Concept;
use super::{Confidence, Effect, Owner};
use crate::mail::transcript::Stage;
use crate::mail_services::Service;
use crate::smtp::{Chain, Security};

/// What one diagnosis code stands for: when it applies, what follows, and its words.
///
/// The words are templates; `fill` lists the placeholders. Titles have no full stop at the end.
pub(super) struct Rule {
    /// Stable; never used for anything else.
    pub code: &'static str,
    /// The rule applies where one of these does. Empty where only the table of verdicts leads to it.
    pub when: &'static [When],
    pub effect: Effect,
    /// The contract's `connectionFailed`.
    pub connection_failed: bool,
    /// The reply speaks of us, of the account or of the sender, so that it says something about the configuration
    /// even where it answers `RCPT`.
    pub concerns_configuration: bool,
    pub owner: Owner,
    /// For what has no class of its own; a 4yz reply is retryable whatever stands here.
    pub retryable: bool,
    pub confidence: Confidence,
    pub title: &'static str,
    pub meaning: &'static str,
    /// What is added where more is known.
    pub cases: &'static [Case],
    /// In the order in which to try them.
    pub steps: &'static [&'static str],
    pub links: &'static [&'static str],
}

/// The common case, for `..RULE`: a failure that says that this configuration does not work as it is.
pub(super) const RULE: Rule = Rule {
    code: "",
    when: &[],
    effect: Effect::ProviderError,
    connection_failed: false,
    concerns_configuration: false,
    owner: Owner::TenantAdmin,
    retryable: false,
    confidence: Confidence::Exact,
    title: "",
    meaning: "",
    cases: &[],
    steps: &[],
    links: &[],
};

impl Rule {
    /// Its words, without those that it leaves out.
    #[cfg(test)]
    pub fn texts(&self) -> Vec<&'static str> {
        let mut texts = vec![self.title, self.meaning];
        texts.extend(self.cases.iter().flat_map(|case| [case.meaning, case.step]));
        texts.extend(self.steps);
        texts.retain(|text| !text.is_empty());
        texts
    }
}

/// What was seen, in the order of trust. An empty list accepts everything.
pub(super) struct When {
    pub kinds: &'static [Kind],
    pub stages: &'static [Stage],
    /// The mail services that run the host, as `mail_services` knows them.
    pub services: &'static [Service],
    /// Whether the host is a server for sending of a known service.
    pub known_service: Option<bool>,
    /// Whether it is one with the port and the protection that such servers have.
    pub right_place: Option<bool>,
    /// Patterns of the user name.
    pub users: &'static [&'static str],
    /// Patterns of the basic code of SMTP, or of the HTTP status: `535`, `5*`.
    pub codes: &'static [&'static str],
    /// Numbers of Entra, one of which must be among the answer's `error_codes`.
    pub numbers: &'static [u32],
    /// Error codes of Graph, or `error` of a token answer, in lower case.
    pub errors: &'static [&'static str],
    /// Whether an app signed in for itself, or for a user.
    pub app_only: Option<bool>,
    /// What the token's `roles` say about `Mail.Send`.
    pub mail_send_role: Option<bool>,
    /// Patterns of the enhanced code: `5.7.8`, `4.7.5??`.
    pub enhanced: &'static [&'static str],
    /// Parts of the text, one of which must be there; `*` between two parts stands for anything.
    pub texts: &'static [&'static str],
    /// Parts of the text, none of which may be there.
    pub unless: &'static [&'static str],
}

pub(super) const ANY: When = When {
    kinds: &[],
    stages: &[],
    services: &[],
    known_service: None,
    right_place: None,
    users: &[],
    codes: &[],
    numbers: &[],
    errors: &[],
    app_only: None,
    mail_send_role: None,
    enhanced: &[],
    texts: &[],
    unless: &[],
};

/// A reply that refuses, for `..REPLY`.
pub(super) const REPLY: When = When { kinds: &[Kind::Refused, Kind::OAuthRefused], ..ANY };

/// A sentence and a step for a case of a rule. Either may be empty.
pub(super) struct Case {
    /// All must hold.
    pub conditions: &'static [Condition],
    /// Goes after the rule's meaning.
    pub meaning: &'static str,
    /// Goes before the rule's steps.
    pub step: &'static str,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Condition {
    /// An email address stands where a host belongs.
    HostHasAt,
    /// The words of the reply are about this.
    Says(Concept),
    Fact(Fact),
    /// The reply holds this part.
    Text(&'static str),
    /// The stored password has letters beyond ASCII, or blanks around it.
    UnusualPassword,
    /// The server offers this mechanism.
    Offers(&'static str),
    WantsAppPassword,
    UserNameIsAddress,
    UserNameIsFixed,
    UserNameIsIssued,
    /// The host belongs to no known service.
    NoService,
    /// It is known what the server offers, and that it offers no sign-in.
    NoSignInOffered,
    /// The server greeted with another name, and its certificate covers it.
    GreetedNameFits,
    Chain(Chain),
    /// The certificate has names that can be entered: no wildcards.
    EnterableNames,
    HostIsAddress,
    /// The submission server of this host's provider is known, and it is another one.
    SuggestionKnown,
    /// The host's name differs from that of a known server by a typing error.
    SimilarKnown,
    /// Client ID and directory are both GUIDs, so that one may stand in the other's place.
    IdsInterchangeable,
    Host(&'static str),
    Port(u16),
    Kind(Kind),
    Stage(Stage),
    Security(Security),
    /// Entra's answer holds this number.
    Number(u32),
    UserLacksAt,
    /// The service's user names have another form than the configured one.
    UserNameDoesNotFit,
    /// The reply names the sender address.
    ReplyNamesSender,
    /// The reply names the recipient, and not the sender.
    ReplyNamesRecipient,
    /// The class of the reply: 4 or 5.
    Class(u16),
    /// The subject of the enhanced code (RFC 3463 section 3).
    Subject(u16),
    /// The server offers STARTTLS.
    StartTlsOffered,
    SizesKnown,
    LimitKnown,
    IssuerKnown,
    NamesKnown,
    ProblemKnown,
    /// It was a check, which has to end within a time that the operator sets.
    TimeLimitKnown,
}

/// The kind of a failure, without its details.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    DestinationBlocked,
    PortBlocked,
    OwnGateway,
    NotFound,
    DnsUnavailable,
    ConnectRefused,
    ConnectTimeout,
    Unreachable,
    Refused,
    NotSmtp,
    PlainTextOnTls,
    TlsFromFirstByte,
    TlsUntrusted,
    TlsWrongName,
    TlsExpired,
    TlsNotYetValid,
    TlsVersion,
    TlsNoCommonCipher,
    TlsClientCertificate,
    TlsServerError,
    TlsOther,
    StartTlsMissing,
    ResponseInjection,
    AuthNotOfferedInTheClear,
    AuthNotOfferedEncrypted,
    NoCommonMechanism,
    ClearTextSignIn,
    OAuthRefused,
    SmtpUtf8Missing,
    TooLarge,
    ConnectionLost,
    Timeout,
    Protocol,
    OutcomeUnknown,
    TokenRefused,
    TokenBusy,
    TokenTimeout,
    TokenUnreachable,
    TokenMalformed,
    GraphRefused,
    GraphBusy,
    GraphTimeout,
    GraphUnreachable,
    GraphTooLarge,
    SecretUnreadable,
    ConfigIncomplete,
    ConfigNotSet,
    ApiKeyRefused,
    SenderNotAllowed,
    RecipientFlood,
}
