//! Replies of real servers that the table does not have: the right class, and never a guessed password.

use super::{facts, refused};
use crate::diagnosis::{Effect, diagnose};
use crate::mail::transcript::Stage::{self, Auth, Data, Greeting, MailFrom, RcptTo};

const REPLIES: &[(&str, Stage, &str, &str, Effect)] = &[
    // Sign-in: the credentials were judged.
    ("smtp.zoho.com", Auth, "535 Authentication Failed", "AUTH_REJECTED", Effect::CredentialsRefused),
    (
        "mail.gmx.net",
        Auth,
        "535 Authentication credentials invalid",
        "AUTH_REJECTED",
        Effect::CredentialsRefused,
    ),
    ("ssl0.ovh.net", Auth, "535 5.7.1 Authentication failed", "AUTH_REJECTED", Effect::CredentialsRefused),
    (
        "smtp.ionos.de",
        Auth,
        "535 Authentication credentials invalid",
        "AUTH_REJECTED",
        Effect::CredentialsRefused,
    ),
    (
        "exim.example.com",
        Auth,
        "535 Incorrect authentication data",
        "AUTH_REJECTED",
        Effect::CredentialsRefused,
    ),
    (
        "smtp.mailgun.org",
        Auth,
        "535 5.7.0 Mailgun is not loving your login or password",
        "AUTH_REJECTED",
        Effect::CredentialsRefused,
    ),
    (
        "exchange.example.com",
        Auth,
        "535 5.7.3 Authentication unsuccessful",
        "AUTH_REJECTED",
        Effect::CredentialsRefused,
    ),
    (
        "smtp.mail.yahoo.com",
        Auth,
        "535 5.7.0 (#MBR1212) Incorrect username or password",
        "AUTH_REJECTED",
        Effect::CredentialsRefused,
    ),
    (
        "smtp.yandex.ru",
        Auth,
        "535 5.7.8 Error: authentication failed: Invalid user or password!",
        "AUTH_REJECTED",
        Effect::CredentialsRefused,
    ),
    (
        "postfix.example.com",
        Auth,
        "535 5.7.8 Error: authentication failed: (reason unavailable)",
        "AUTH_REJECTED",
        Effect::CredentialsRefused,
    ),
    ("mail.example.com", Auth, "550 5.7.8 Bad credentials", "AUTH_REJECTED", Effect::CredentialsRefused),
    (
        "mail.example.com",
        Auth,
        "535 #5.7.8 authentication failed",
        "AUTH_REJECTED",
        Effect::CredentialsRefused,
    ),
    // Sign-in: something else was judged.
    (
        "smtp.mail.yahoo.com",
        Auth,
        "535 5.7.0 (#AUTH005) Too many bad auth attempts.",
        "AUTH_TEMPORARY",
        Effect::ProviderError,
    ),
    (
        "smtp.yandex.ru",
        Auth,
        "535 5.7.8 Error: authentication failed: This user does not have access rights to this service",
        "SIGN_IN_SWITCHED_OFF",
        Effect::ProviderError,
    ),
    (
        "mail.example.com",
        Auth,
        "535 5.7.8 Error: authentication failed: Connection lost to authentication server",
        "AUTH_TEMPORARY",
        Effect::ProviderError,
    ),
    (
        "postfix.example.com",
        Auth,
        "535 5.7.8 Error: authentication failed: authentication service unavailable",
        "AUTH_TEMPORARY",
        Effect::ProviderError,
    ),
    ("smtp.zoho.com", Auth, "535 5.7.8 Your IP is blocked", "CLIENT_ADDRESS_REFUSED", Effect::ProviderError),
    ("smtp.gmail.com", Auth, "534 5.7.1 Something new", "UNKNOWN_REPLY", Effect::ProviderError),
    ("smtp.163.com", Auth, "550 User has no permission", "SIGN_IN_SWITCHED_OFF", Effect::ProviderError),
    (
        "mail.example.com",
        Auth,
        "554 5.7.1 Client host rejected: Access denied",
        "CLIENT_ADDRESS_REFUSED",
        Effect::ProviderError,
    ),
    (
        "mail.example.com",
        Auth,
        "530 5.7.0 Must issue a STARTTLS command first",
        "STARTTLS_REQUIRED",
        Effect::ProviderError,
    ),
    (
        "mail.example.com",
        Auth,
        "454 4.7.0 Temporary authentication failure: Connection lost to authentication server",
        "AUTH_TEMPORARY",
        Effect::ProviderError,
    ),
    (
        "mail.example.com",
        Auth,
        "435 4.7.8 Unable to authenticate at present",
        "AUTH_TEMPORARY",
        Effect::ProviderError,
    ),
    ("mail.example.com", Auth, "421 4.7.0 Too many errors", "AUTH_TEMPORARY", Effect::ProviderError),
    (
        "mail.example.com",
        Auth,
        "432 4.7.12 A password transition is needed",
        "AUTH_TEMPORARY",
        Effect::ProviderError,
    ),
    (
        "mail.example.com",
        Auth,
        "504 Unrecognized authentication type.",
        "AUTH_MECHANISM_MISMATCH",
        Effect::ProviderError,
    ),
    (
        "mail.example.com",
        Auth,
        "503 AUTH command used when not advertised",
        "AUTH_NOT_OFFERED",
        Effect::ProviderError,
    ),
    // Before it.
    (
        "mx.example.com",
        Greeting,
        "554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org",
        "CLIENT_ADDRESS_REFUSED",
        Effect::ProviderError,
    ),
    (
        "mail.gmx.net",
        Greeting,
        "554 gmx.net (mrgmx004) Nemesis ESMTP Service not available. No SMTP service",
        "GREETING_REFUSED",
        Effect::ProviderError,
    ),
    // The sender.
    (
        "mail.gmx.net",
        MailFrom,
        "550 Requested action not taken: mailbox unavailable. Sender address is not allowed.",
        "SENDER_NOT_OWNED",
        Effect::ProviderError,
    ),
    (
        "smtp.zoho.com",
        MailFrom,
        "553 Relaying disallowed as news@example.com",
        "SENDER_NOT_OWNED",
        Effect::ProviderError,
    ),
    (
        "smtp.qq.com",
        MailFrom,
        "501 Mail from address must be same as authorization user.",
        "SENDER_NOT_OWNED",
        Effect::ProviderError,
    ),
    (
        "mail.example.com",
        MailFrom,
        "530 5.7.1 Authentication required",
        "RELAY_DENIED",
        Effect::ProviderError,
    ),
    (
        "mail.example.com",
        MailFrom,
        "550 5.1.8 Sender address rejected: Domain not found",
        "SENDER_DOMAIN_NOT_FOUND",
        Effect::ProviderError,
    ),
    (
        "mail.example.com",
        MailFrom,
        "452 4.3.1 Insufficient system storage",
        "PROVIDER_TEMPORARY",
        Effect::ProviderError,
    ),
    // The recipient: never says anything about the configuration.
    ("mail.example.com", RcptTo, "550 No such user here", "RECIPIENT_UNKNOWN", Effect::None),
    ("exim.example.com", RcptTo, "550 Unrouteable address", "RECIPIENT_UNKNOWN", Effect::None),
    ("mail.example.com", RcptTo, "552 5.2.2 Mailbox full", "RECIPIENT_MAILBOX_FULL", Effect::None),
    ("mail.example.com", RcptTo, "452 4.2.2 Mailbox full", "RECIPIENT_MAILBOX_FULL", Effect::None),
    ("mail.example.com", RcptTo, "451 4.3.0 Temporary lookup failure", "PROVIDER_TEMPORARY", Effect::None),
    (
        "mail.example.com",
        RcptTo,
        "550 5.4.1 Recipient address rejected: Access denied.",
        "RECIPIENT_UNKNOWN",
        Effect::None,
    ),
    ("mail.example.com", RcptTo, "535 5.7.8 authentication failed", "UNKNOWN_REPLY", Effect::None),
    (
        "exim.example.com",
        RcptTo,
        "550 relay not permitted, authentication required",
        "RELAY_DENIED",
        Effect::ProviderError,
    ),
    (
        "exchange.example.com",
        RcptTo,
        "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
        "RELAY_DENIED",
        Effect::ProviderError,
    ),
    // The message.
    ("mail.example.com", Data, "554 5.7.1 Spam message rejected", "CONTENT_REJECTED", Effect::ProviderError),
    ("mail.example.com", Data, "554 Transaction failed", "UNKNOWN_REPLY", Effect::ProviderError),
    (
        "mail.example.com",
        Data,
        "451 Requested action aborted: local error in processing",
        "PROVIDER_TEMPORARY",
        Effect::ProviderError,
    ),
    // Kinds that one word is not enough for.
    (
        "mx.example.org",
        RcptTo,
        "552 Your mailbox is full, delete mail first",
        "MAILBOX_FULL",
        Effect::ProviderError,
    ),
    ("mx.example.org", RcptTo, "552 The mailbox is full", "RECIPIENT_MAILBOX_FULL", Effect::None),
    (
        "mx.example.org",
        RcptTo,
        "554 Recipient address rejected: Not in recipient list",
        "RECIPIENT_UNKNOWN",
        Effect::None,
    ),
    (
        "mx.example.org",
        RcptTo,
        "550 You are not allowed to send mail to this group",
        "RECIPIENT_REFUSED",
        Effect::None,
    ),
    (
        "mx.example.org",
        MailFrom,
        "550 This mailbox has been suspended",
        "ACCOUNT_BLOCKED",
        Effect::ProviderError,
    ),
    ("mx.example.org", RcptTo, "450 Rejected by a policy of ours", "POLICY_REFUSED", Effect::None),
    ("mx.example.org", RcptTo, "450 Computer says no", "UNKNOWN_REPLY", Effect::None),
];

#[test]
fn replies_that_no_row_has_get_an_honest_answer() {
    for (host, stage, line, code, effect) in REPLIES {
        let finding = diagnose(&refused(*stage, line), &facts(host), &[]);
        assert_eq!((finding.diagnosis.code, finding.effect), (*code, *effect), "{line}");
        let passes = line.starts_with('4') || *code == "AUTH_TEMPORARY";
        assert_eq!(finding.diagnosis.retryable, passes, "{line}");
        assert_eq!(finding.connection_failed, *stage == Greeting, "{line}");
        assert!(finding.message.contains(line.split_once(' ').unwrap().1), "{}", finding.message);
    }
}
