//! Maps the errors of use cases to status, title and detail.

use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use serde_json::json;

use crate::account;
use crate::diagnosis::{self, Finding};
use crate::http::error::{Code, Error};
use crate::language::Language;
use crate::limits::connections::NoPermit;
use crate::limits::quotas::{Quota, QuotaExceeded};
use crate::limits::refused_sign_ins::SignInBarred;

impl From<account::Error> for Error {
    fn from(error: account::Error) -> Self {
        refusal(error, Language::default())
    }
}

/// The refusal; `language` is for the diagnosis of a failed check.
pub(super) fn refusal(error: account::Error, language: Language) -> Error {
    match error {
        account::Error::NothingToDelete => Error::new(Code::NothingToDelete),
        account::Error::NothingToVerify => Error::new(Code::NothingToVerify),
        account::Error::NothingToSendWith => Error::new(Code::NothingToSendWith),
        account::Error::Input(fault) => Error::input(fault),
        account::Error::PreconditionFailed => {
            Error::new(Code::PreconditionFailed).detail("Read the configuration again and repeat the change.")
        }
        account::Error::SecretReplaced => Error::new(Code::PreconditionFailed),
        account::Error::CheckFailed(finding) => check_failed(&finding, language),
        account::Error::NoPermit(reason) => no_permit(reason),
        account::Error::QuotaExceeded(exceeded) => quota_exceeded(exceeded),
        account::Error::SignInBarred(barred) => sign_in_barred(barred, language),
        account::Error::SecretUnreadable => Error::unavailable()
            .detail("The stored password cannot be read; send emailPassword with the change."),
        account::Error::KeysUnavailable | account::Error::Contended => Error::unavailable(),
        account::Error::Database(error) => error.into(),
        account::Error::Internal(error) => Error::internal(&error),
    }
}

fn check_failed(finding: &Finding, language: Language) -> Error {
    let finding = finding.in_language(language);
    Error::new(Code::ConnectionCheck)
        .detail(finding.message)
        .diagnosis(json!(finding.diagnosis))
        .in_language(language)
}

fn no_permit(reason: NoPermit) -> Error {
    match reason {
        NoPermit::Tenant => Error::rate_limited(1)
            .limit("running_check")
            .detail("Another check or sending of this tenant is under way. Try again in 1 second."),
        NoPermit::Total => Error::unavailable()
            .header(RETRY_AFTER, HeaderValue::from_static("1"))
            .detail("Every outgoing connection is in use."),
    }
}

fn quota_exceeded(exceeded: QuotaExceeded) -> Error {
    let title = match exceeded.quota {
        Quota::TestMailsOfTenant => "Quota of test emails for this tenant and day reached",
        Quota::TestMailsToRecipient => "Quota of test emails for this recipient and hour reached",
        Quota::Destinations => "Quota of different mail servers for this tenant and hour reached",
        Quota::SignInsOfTenant => "Too many refused sign-ins of this tenant",
        Quota::SignInsToAccount => "Too many refused sign-ins with this server and user name",
        Quota::SignInsAtDestination => "Too many refused sign-ins at this server",
        Quota::ChecksOfUsers => "Quota of checks by users of this tenant and day reached",
    };
    Error::quota_reached(title, exceeded.quota.as_str(), exceeded.retry_after_seconds)
}

/// With the last verdict, since the server is not asked again.
fn sign_in_barred(barred: SignInBarred, language: Language) -> Error {
    let seconds = barred.exceeded.retry_after_seconds;
    let error = quota_exceeded(barred.exceeded).detail(format!(
        "The server has refused what was sent to sign in, so it is not asked again now. Try again in {seconds} seconds."
    ));
    match barred.verdict.and_then(diagnosis::rule_for) {
        Some(rule) => error.diagnosis(json!({
            "code": rule.code,
            "title": rule.title_without_names(language, ""),
            "owner": rule.owner,
        })),
        None => error,
    }
}
