//! From evidence to the code of a verdict, as one table for each place of a session.
//!
//! The first row that applies wins. Words stand before numbers: a row that asks for a number comes after all that
//! ask for words, and where nothing applies nothing is claimed.

use super::evidence::{Evidence, Fact};
#[allow(clippy::enum_glob_use, reason = "the table is read by its concepts")]
use super::lexicon::Concept::{self, *};
use crate::mail::transcript::Stage;

/// One row: the verdict, and what must be there for it.
#[derive(Clone, Copy)]
struct Row {
    code: &'static str,
    /// One of these is said; an empty list asks for none.
    any: &'static [Concept],
    /// All of these are said too.
    all: &'static [Concept],
    /// None of these is said.
    none: &'static [Concept],
    facts: &'static [Fact],
}

const fn row(code: &'static str) -> Row {
    Row { code, any: &[], all: &[], none: &[], facts: &[] }
}

impl Row {
    const fn says(self, any: &'static [Concept]) -> Self {
        Self { any, ..self }
    }

    const fn with(self, all: &'static [Concept]) -> Self {
        Self { all, ..self }
    }

    const fn without(self, none: &'static [Concept]) -> Self {
        Self { none, ..self }
    }

    const fn given(self, facts: &'static [Fact]) -> Self {
        Self { facts, ..self }
    }

    fn applies(&self, evidence: &Evidence<'_>) -> bool {
        (self.any.is_empty() || self.any.iter().any(|concept| evidence.says(*concept)))
            && self.all.iter().all(|concept| evidence.says(*concept))
            && !self.none.iter().any(|concept| evidence.says(*concept))
            && self.facts.iter().all(|fact| evidence.holds(*fact))
    }
}

/// The code of the verdict; `None` where nothing can be claimed.
pub(super) fn decide(evidence: &Evidence<'_>) -> Option<&'static str> {
    let table = match evidence.stage? {
        Stage::Greeting => GREETING,
        Stage::Ehlo => EHLO,
        Stage::Starttls => STARTTLS,
        Stage::Auth => AUTH,
        Stage::MailFrom | Stage::RcptTo | Stage::Data => ENVELOPE,
        _ => return None,
    };
    table.iter().find(|row| row.applies(evidence)).map(|row| row.code)
}

/// The codes that the table can give.
#[cfg(test)]
pub(super) fn codes() -> impl Iterator<Item = &'static str> {
    [GREETING, EHLO, STARTTLS, AUTH, ENVELOPE].into_iter().flatten().map(|row| row.code)
}

/// Before anything was said: it can only be about us, or about the server.
const GREETING: &[Row] = &[
    row("REVERSE_DNS_REFUSED").says(&[ReverseDns]),
    row("TLS_VERSION").says(&[TlsVersion]),
    row("EHLO_NAME_REJECTED").says(&[EhloName]),
    row("CLIENT_ADDRESS_REFUSED").says(&[Reputation, Spam]),
    row("SENDING_LIMIT_REACHED")
        .says(&[Amount])
        .without(&[TooManyConnections, TooManySignIns])
        .given(&[Fact::Class(5)]),
    row("CLIENT_ADDRESS_REFUSED").says(&[ClientAddress]).without(&[TooManyConnections]),
    row("CONVERSATION_REFUSED").says(&[CommandRefused, CommandSequence]),
    row("GREETING_REFUSED"),
];

const EHLO: &[Row] = &[
    row("CONVERSATION_REFUSED").says(&[CommandSequence]).given(&[Fact::Class(5)]),
    row("EHLO_NAME_REJECTED").says(&[EhloName]).without(&[Reputation]),
    row("REVERSE_DNS_REFUSED").says(&[ReverseDns]),
    row("CLIENT_ADDRESS_REFUSED").says(&[Reputation, ClientAddress]),
    row("STARTTLS_REQUIRED").says(&[Encryption]),
    row("SIGN_IN_REQUIRED").says(&[SignInWanted]),
    row("TOO_MANY_CONNECTIONS").says(&[TooManyConnections]),
    row("EHLO_NAME_REJECTED").given(&[Fact::Code("421"), Fact::Host("smtp-relay.gmail.com")]),
    row("EHLO_NAME_REJECTED").says(&[DomainNotFound]).given(&[Fact::Class(5)]),
    row("CONVERSATION_REFUSED").says(&[CommandSequence]),
    row("CONVERSATION_REFUSED").says(&[CommandRefused]).given(&[Fact::Code("50?")]),
    row("PROVIDER_TEMPORARY").given(&[Fact::Class(4)]),
    row("CONVERSATION_REFUSED").given(&[Fact::Code("500")]),
    row("CONVERSATION_REFUSED").given(&[Fact::Code("502")]),
    row("CONVERSATION_REFUSED").given(&[Fact::Code("503")]),
    row("EHLO_NAME_REJECTED").given(&[Fact::Code("550")]),
    row("EHLO_NAME_REJECTED").given(&[Fact::Code("501")]),
];

const STARTTLS: &[Row] =
    &[row("STARTTLS_TEMP").given(&[Fact::Class(4)]), row("STARTTLS_MISSING").given(&[Fact::Class(5)])];

/// Words that show that a 535 judged something else than user name and password.
const SOMETHING_ELSE: &[Concept] = &[
    Policy,
    ClientRefused,
    CommandSequence,
    CommandRefused,
    MailboxDisabled,
    MailboxFull,
    Quota,
    SignInWanted,
    DomainNotFound,
];

/// A reply to the sign-in. The credentials are blamed by words that say so, or by 535 where no words say anything
/// else.
const AUTH: &[Row] = &[
    row("AUTHORIZATION_CODE_REQUIRED").says(&[AuthorizationCode]).given(&[Fact::Class(5)]),
    row("APP_PASSWORD_REQUIRED").says(&[AppPassword]).given(&[Fact::Class(5)]),
    row("PASSWORD_TOO_WEAK").says(&[WeakPassword]).given(&[Fact::Class(5)]),
    row("STARTTLS_REQUIRED").says(&[Encryption]).without(&[MechanismUnsupported]).given(&[Fact::Code("530")]),
    row("AUTH_NEEDS_TLS").says(&[Encryption]).without(&[MechanismUnsupported]),
    row("AUTH_NEEDS_TLS").given(&[Fact::Code("538")]),
    row("CREDITS_USED_UP").says(&[Credits]),
    row("PROVIDER_NOT_ACTIVATED").says(&[NotActivated, Sandbox]),
    row("ACCOUNT_BLOCKED").says(&[AccountBlocked, Spam]).given(&[Fact::Class(5)]),
    row("ACCOUNT_BLOCKED").says(&[MailboxDisabled, MailboxUnavailable]).given(&[Fact::Class(5)]),
    row("AUTH_MECHANISM_MISMATCH").says(&[MechanismUnsupported]).without(&[ServerTrouble]),
    row("AUTH_NOT_OFFERED").says(&[AuthNotOffered]).without(&[ServerTrouble]).given(&[Fact::Class(5)]),
    row("SIGN_IN_SWITCHED_OFF").says(&[ProtocolOff]).given(&[Fact::Class(5)]),
    row("WEB_SIGN_IN_REQUIRED").says(&[WebLogin]).given(&[Fact::Class(5)]),
    row("AUTH_TEMPORARY").says(&[TooManySignIns]),
    row("TOO_MANY_CONNECTIONS").says(&[TooManyConnections]),
    row("AUTH_TEMPORARY").says(&[Amount]),
    row("CLIENT_ADDRESS_REFUSED").says(&[Reputation, ClientAddress]).given(&[Fact::Class(5)]),
    row("CLIENT_ADDRESS_REFUSED").says(&[ClientHostRefused]).given(&[Fact::Class(5)]),
    row("AUTH_TEMPORARY").given(&[Fact::Class(4)]),
    row("AUTH_TEMPORARY").says(&[ServerTrouble, Later]),
    row("CONVERSATION_REFUSED").says(&[CommandSequence]).given(&[Fact::Code("50?")]),
    row("AUTH_MECHANISM_MISMATCH").given(&[Fact::Code("504")]),
    row("AUTH_NOT_OFFERED").says(&[CommandRefused]).given(&[Fact::Code("50?")]),
    row("AUTH_REJECTED").says(&[BadCredentials]).without(&[Policy, CommandSequence]).given(&[Fact::Class(5)]),
    row("ACCOUNT_BLOCKED").given(&[Fact::Code("525"), Fact::Enhanced("5.7.13")]),
    row("AUTH_NEEDS_TLS").given(&[Fact::Enhanced("5.7.11")]),
    row("AUTH_NEEDS_TLS").given(&[Fact::Enhanced("5.7.10"), Fact::Unencrypted]),
    row("AUTH_REJECTED").without(SOMETHING_ELSE).given(&[Fact::Code("535")]),
    row("AUTH_REJECTED").without(SOMETHING_ELSE).given(&[Fact::Enhanced("5.7.8")]),
    row("AUTH_NOT_OFFERED").given(&[Fact::Code("500")]),
    row("AUTH_NOT_OFFERED").given(&[Fact::Code("502")]),
    row("AUTH_NOT_OFFERED").given(&[Fact::Code("503")]),
    row("AUTH_MECHANISM_MISMATCH").given(&[Fact::Code("534"), Fact::Enhanced("5.7.9")]),
    row("AUTH_MECHANISM_MISMATCH").given(&[Fact::Enhanced("5.7.4")]),
    row("AUTH_MECHANISM_MISMATCH").given(&[Fact::Enhanced("5.5.4")]),
];

/// A reply to MAIL, RCPT, DATA or the message: each may be about anything, since servers delay what they have against
/// a client or a sender.
const ENVELOPE: &[Row] = &[
    // Us.
    row("TLS_VERSION").says(&[TlsVersion]),
    row("STARTTLS_REQUIRED").says(&[Encryption]),
    row("GREYLISTED").says(&[Greylisting]).given(&[Fact::Class(4)]),
    row("EHLO_NAME_REJECTED").says(&[EhloName]),
    row("REVERSE_DNS_REFUSED").says(&[ReverseDns]),
    // The mail's proof of origin.
    row("SENDER_NOT_OWNED")
        .says(&[AntiSpoofing])
        .without(&[MailAuthentication])
        .given(&[Fact::Stage(Stage::MailFrom), Fact::SignedIn]),
    row("ANTI_SPOOFING_RULE").says(&[AntiSpoofing]),
    row("DMARC_FAIL").says(&[MailAuthentication]).without(&[MessageForm]),
    // The account.
    row("SANDBOX_ONLY").says(&[Sandbox]).without(&[NotActivated]),
    row("PROVIDER_NOT_ACTIVATED").says(&[NotActivated]),
    row("CREDITS_USED_UP").says(&[Credits]),
    row("ACCOUNT_BLOCKED").says(&[ServiceSuspended]),
    row("ACCOUNT_BLOCKED").says(&[AccountBlocked]).with(&[Sender]).without(&[
        Reputation,
        ClientAddress,
        Recipient,
    ]),
    row("RECIPIENT_UNAVAILABLE")
        .says(&[AccountBlocked, MailboxDisabled])
        .without(&[Reputation, ClientAddress, Policy, Later])
        .given(&[Fact::Stage(Stage::RcptTo), Fact::Class(5)]),
    row("ACCOUNT_BLOCKED")
        .says(&[AccountBlocked, MailboxDisabled])
        .without(&[Recipient, Reputation, ClientAddress, MailboxFull])
        .given(&[Fact::Stage(Stage::MailFrom), Fact::SignedIn]),
    row("ACCOUNT_BLOCKED").says(&[AccountBlocked]).without(&[
        Recipient,
        MailboxDisabled,
        Reputation,
        ClientAddress,
    ]),
    // Amounts: words of them come before every number.
    row("RECIPIENT_RATE_LIMITED").says(&[RecipientRate]),
    row("TOO_MANY_CONNECTIONS").says(&[TooManyConnections]),
    row("TOO_MANY_RECIPIENTS").says(&[TooManyRecipients]),
    row("MESSAGE_TOO_LARGE").says(&[TooLarge]).without(&[MailboxFull, MessageForm, Virus]),
    row("MAILBOX_FULL").says(&[MailboxFull]).without(&[Recipient]).given(&[Fact::Stage(Stage::MailFrom)]),
    row("MAILBOX_FULL")
        .says(&[MailboxFull])
        .with(&[OwnMailbox])
        .without(&[Recipient])
        .given(&[Fact::SignedIn]),
    row("RECIPIENT_MAILBOX_FULL").says(&[MailboxFull]),
    row("RECIPIENT_MAILBOX_FULL").says(&[Quota]).without(&[Amount]).given(&[Fact::Stage(Stage::RcptTo)]),
    row("RECIPIENT_MAILBOX_FULL").says(&[Quota]).with(&[Recipient]).without(&[Amount]),
    row("RECIPIENT_MAILBOX_FULL").says(&[Quota]).without(&[Amount]).given(&[Fact::Code("552")]),
    row("SENDING_LIMIT_REACHED").says(&[Amount, Quota]).without(&[MessageForm, MailLoop, Reputation]),
    row("RECIPIENT_REFUSED")
        .says(&[RecipientPolicy])
        .with(&[Recipient])
        .without(&[ClientAddress, Amount])
        .given(&[Fact::Class(5), Fact::SignedIn]),
    // Nobody signed in.
    // What the last line says decides; lines before it explain, and name other causes besides.
    row("SENDER_REFUSED").given(&[Fact::Later(SenderRefused, Reputation)]),
    row("SIGN_IN_REQUIRED").given(&[Fact::Later(SignInWanted, Reputation), Fact::NobodySignedIn]),
    row("SENDER_DOMAIN_LISTED").says(&[SenderListed]).without(&[Content]),
    row("CLIENT_ADDRESS_REFUSED").says(&[Reputation]).without(&[Content, SignInWanted]),
    row("CLIENT_ADDRESS_REFUSED").says(&[Reputation]).with(&[ClientAddress]),
    row("SIGN_IN_REQUIRED")
        .says(&[SignInWanted, Relaying])
        .without(&[RecipientPolicy, ClientAddress])
        .given(&[Fact::NobodySignedIn]),
    row("SIGN_IN_REQUIRED").says(&[SignInWanted]).without(&[RecipientPolicy]).given(&[Fact::NobodySignedIn]),
    row("SIGN_IN_REQUIRED").says(&[ClientHost]).given(&[Fact::NobodySignedIn]),
    row("CLIENT_ADDRESS_REFUSED").says(&[ClientAddress]).without(&[Sender, Content]),
    row("SIGN_IN_REQUIRED").says(&[Relaying]).given(&[Fact::NobodySignedIn]),
    row("SIGN_IN_REQUIRED")
        .says(&[ClientRefused])
        .without(&[Recipient, Sender, UserUnknown, MailboxUnavailable])
        .given(&[Fact::NobodySignedIn, Fact::OffersAuth, Fact::Stage(Stage::RcptTo)]),
    row("CLIENT_ADDRESS_REFUSED").says(&[ClientAddress]),
    row("CLIENT_ADDRESS_REFUSED").says(&[ClientHostRefused]).without(&[ClientHost]),
    // A server without a sign-in may call what it misses one that failed.
    row("SIGN_IN_REQUIRED")
        .says(&[SignInFailed])
        .without(&[ServerTrouble, Later])
        .given(&[Fact::NobodySignedIn, Fact::Stage(Stage::MailFrom)]),
    row("SIGN_IN_REQUIRED")
        .says(&[SignInFailed])
        .without(&[ServerTrouble, Later])
        .given(&[Fact::NobodySignedIn, Fact::Stage(Stage::RcptTo)]),
    // The sender.
    row("AUTH_REJECTED").says(&[CredentialsEnded]).given(&[Fact::Stage(Stage::MailFrom), Fact::SignedIn]),
    row("SENDER_NOT_OWNED").says(&[Relaying]).given(&[Fact::Host("smtp.zoho.*"), Fact::SignedIn]),
    row("SENDER_NOT_OWNED")
        .says(&[Relaying])
        .with(&[Sender])
        .given(&[Fact::Stage(Stage::MailFrom), Fact::SignedIn]),
    row("SENDER_DOMAIN_NOT_FOUND").says(&[DomainNotFound]).with(&[Sender]),
    row("SENDER_DOMAIN_NOT_FOUND").says(&[DomainNotFound]).given(&[Fact::Stage(Stage::MailFrom)]),
    row("SENDER_DOMAIN_NOT_FOUND")
        .says(&[DomainNotFound])
        .without(&[Recipient])
        .given(&[Fact::AnswersMessage]),
    row("SENDER_DOMAIN_NOT_FOUND").says(&[MxMissing]).without(&[Recipient]),
    row("RECIPIENT_UNKNOWN").says(&[DomainNotFound]).given(&[Fact::Stage(Stage::RcptTo), Fact::Class(5)]),
    row("RECIPIENT_UNKNOWN").says(&[DomainNotFound]).with(&[Recipient]).given(&[Fact::Class(5)]),
    row("MESSAGE_FORM_REFUSED")
        .says(&[MessageForm, MailLoop])
        .without(&[SenderNotVerified])
        .given(&[Fact::AnswersMessage]),
    row("RELAY_DENIED").says(&[Relaying]).without(&[Sender]).given(&[Fact::Stage(Stage::RcptTo)]),
    row("SENDER_NOT_VERIFIED").says(&[SenderNotVerified]).without(&[Recipient, SenderNotOwned]),
    row("RECIPIENT_REFUSED")
        .says(&[RecipientPolicy])
        .with(&[SenderNotOwned])
        .without(&[Sender])
        .given(&[Fact::Stage(Stage::RcptTo), Fact::Class(5)]),
    row("SENDER_NOT_OWNED").says(&[SenderNotOwned]).without(&[Recipient]),
    row("SENDER_NOT_OWNED").says(&[SenderNotOwned]).with(&[Sender]),
    row("SENDER_NOT_VERIFIED").says(&[SenderNotVerified]).with(&[Sender]),
    row("SENDER_REFUSED").says(&[SenderRefused]),
    // Relaying, for somebody who signed in.
    row("RECIPIENT_UNAVAILABLE").says(&[MailboxDisabled]).without(&[Later, Policy]).given(&[Fact::Class(5)]),
    row("RECIPIENT_UNAVAILABLE").says(&[MailboxDisabled]).with(&[Recipient]).without(&[
        Later,
        Policy,
        ServerTrouble,
    ]),
    row("RECIPIENT_REFUSED").says(&[RecipientPolicy]).given(&[Fact::Class(5)]),
    row("RECIPIENT_REFUSED")
        .says(&[RecipientPolicy])
        .with(&[Recipient])
        .without(&[Later, ServerTrouble])
        .given(&[Fact::Stage(Stage::RcptTo)]),
    row("RELAY_DENIED").says(&[Relaying]),
    row("RECIPIENT_REFUSED").says(&[SignInWanted]).given(&[Fact::SignedIn, Fact::AnswersMessage]),
    row("RELAY_DENIED").says(&[SignInWanted]),
    // The message.
    row("CONTENT_REJECTED").says(&[Virus, Spam, Content]).given(&[Fact::Stage(Stage::Data), Fact::Class(5)]),
    // The recipient.
    row("RECIPIENT_REFUSED")
        .says(&[Policy])
        .with(&[Recipient])
        .given(&[Fact::Stage(Stage::RcptTo), Fact::Class(5)]),
    row("TRY_LATER").says(&[Later]).given(&[Fact::Class(5), Fact::Later(Later, UserUnknown)]),
    row("TRY_LATER").says(&[Later]).with(&[MailboxUnavailable]),
    row("RECIPIENT_UNAVAILABLE").says(&[MailboxDisabled]).given(&[Fact::Class(5)]),
    row("TRY_LATER").says(&[Later]).given(&[Fact::Class(5)]),
    row("RECIPIENT_UNKNOWN")
        .says(&[UserUnknown, MailboxUnavailable])
        .given(&[Fact::Stage(Stage::RcptTo), Fact::Class(5)]),
    row("RECIPIENT_UNKNOWN").says(&[UserUnknown]).given(&[Fact::Stage(Stage::Data), Fact::Class(5)]),
    // Rules and trouble of others.
    row("RECIPIENT_REFUSED")
        .says(&[ClientRefused])
        .without(&[Policy])
        .given(&[Fact::Stage(Stage::RcptTo), Fact::Class(5)]),
    row("POLICY_REFUSED").says(&[Policy, Spam]).given(&[Fact::Class(5)]),
    row("CONVERSATION_REFUSED").says(&[CommandRefused, CommandSequence]).given(&[Fact::Code("50?")]),
    row("CONVERSATION_REFUSED").says(&[CommandSequence]).given(&[Fact::Class(5)]),
    row("PROVIDER_TROUBLE").says(&[ServerTrouble, MailLoop]).given(&[Fact::Class(5)]),
    row("SENDER_REFUSED").says(&[UserUnknown]).given(&[Fact::Stage(Stage::MailFrom), Fact::Class(5)]),
    row("PROVIDER_TEMPORARY").says(&[Later, ServerTrouble]).given(&[Fact::Class(4)]),
    row("POLICY_REFUSED").says(&[Policy]).given(&[Fact::Class(4)]),
    // Numbers, where the words said nothing.
    row("TOO_MANY_RECIPIENTS").given(&[Fact::Enhanced("?.5.3")]),
    row("MESSAGE_TOO_LARGE").given(&[Fact::Enhanced("5.3.4"), Fact::MayBeTooLarge]),
    row("SIGN_IN_REQUIRED").given(&[Fact::Code("530"), Fact::NobodySignedIn]),
    row("SENDER_REFUSED").given(&[Fact::Code("530"), Fact::SignedIn, Fact::Stage(Stage::MailFrom)]),
    row("RECIPIENT_UNKNOWN").given(&[Fact::Enhanced("5.1.1"), Fact::Stage(Stage::RcptTo)]),
    row("RECIPIENT_UNKNOWN").given(&[Fact::Enhanced("5.1.1"), Fact::Stage(Stage::Data)]),
    row("RECIPIENT_UNKNOWN").given(&[Fact::Enhanced("5.1.10")]),
    row("RECIPIENT_UNKNOWN").given(&[Fact::Code("556"), Fact::Stage(Stage::RcptTo)]),
    row("RECIPIENT_UNKNOWN").given(&[Fact::Enhanced("5.1.6"), Fact::Stage(Stage::RcptTo)]),
    row("RECIPIENT_MAILBOX_FULL").given(&[Fact::Enhanced("?.2.2"), Fact::Stage(Stage::RcptTo)]),
    row("CONTENT_REJECTED").given(&[Fact::Enhanced("5.6.*"), Fact::AnswersMessage]),
    row("POLICY_REFUSED").says(&[MessageRefused]).given(&[Fact::AnswersMessage, Fact::Class(5)]),
    row("PROVIDER_TEMPORARY").given(&[Fact::Class(4), Fact::Enhanced("4.3.*")]),
    row("PROVIDER_TEMPORARY").given(&[Fact::Class(4), Fact::Enhanced("4.4.*")]),
    row("PROVIDER_TEMPORARY").given(&[Fact::Code("421")]),
    row("AUTH_REJECTED").says(&[BadCredentials]).given(&[Fact::Code("535"), Fact::Stage(Stage::MailFrom)]),
    row("CONVERSATION_REFUSED").given(&[Fact::Code("503"), Fact::Stage(Stage::MailFrom)]),
    row("CONVERSATION_REFUSED").given(&[Fact::Code("50?"), Fact::Enhanced("5.5.1")]),
    row("SENDER_REFUSED").given(&[Fact::Stage(Stage::MailFrom), Fact::SignedIn, Fact::Class(5)]),
    row("RECIPIENT_REFUSED").given(&[Fact::Code("571"), Fact::Stage(Stage::RcptTo)]),
    // Of a recipient or a message a 4yz without known words says only that it may go later, not why.
    row("PROVIDER_TEMPORARY").given(&[Fact::Class(4), Fact::Stage(Stage::MailFrom)]),
];
