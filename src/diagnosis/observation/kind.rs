//! The kind of a failure, which rules match first.

use super::microsoft365_answer;
use crate::diagnosis::Failure;
use crate::diagnosis::rule::Kind;
use crate::egress::{DialError, Refusal};
use crate::smtp::{ErrorKind, TlsFailure};

pub(super) fn kind(failure: &Failure) -> Kind {
    match failure {
        Failure::Dial(error) => match error {
            DialError::Refused(Refusal::Port { .. }) => Kind::PortBlocked,
            DialError::Refused(Refusal::Address { .. } | Refusal::Name) => Kind::DestinationBlocked,
            DialError::Refused(Refusal::OwnGateway) => Kind::OwnGateway,
            DialError::NotFound => Kind::NotFound,
            DialError::DnsUnavailable => Kind::DnsUnavailable,
            DialError::ConnectRefused => Kind::ConnectRefused,
            DialError::ConnectTimeout => Kind::ConnectTimeout,
            DialError::Unreachable => Kind::Unreachable,
        },
        Failure::Smtp(error) => kind_of_error(&error.kind),
        Failure::Microsoft365(error) => microsoft365_answer::kind(error),
        Failure::SecretUnreadable => Kind::SecretUnreadable,
        Failure::ConfigIncomplete { .. } => Kind::ConfigIncomplete,
        Failure::ConfigNotSet => Kind::ConfigNotSet,
        Failure::ApiKeyRefused => Kind::ApiKeyRefused,
        Failure::SenderNotAllowed => Kind::SenderNotAllowed,
        Failure::RecipientFlood => Kind::RecipientFlood,
    }
}

fn kind_of_error(kind: &ErrorKind) -> Kind {
    match kind {
        ErrorKind::Refused => Kind::Refused,
        ErrorKind::NotSmtp(_) => Kind::NotSmtp,
        ErrorKind::PlainTextOnTls => Kind::PlainTextOnTls,
        ErrorKind::TlsFromFirstByte => Kind::TlsFromFirstByte,
        ErrorKind::Tls(failure) => match failure {
            TlsFailure::Untrusted { .. } => Kind::TlsUntrusted,
            TlsFailure::WrongName { .. } => Kind::TlsWrongName,
            TlsFailure::Expired => Kind::TlsExpired,
            TlsFailure::NotYetValid => Kind::TlsNotYetValid,
            TlsFailure::Version => Kind::TlsVersion,
            TlsFailure::NoCommonCipher => Kind::TlsNoCommonCipher,
            TlsFailure::ClientCertificateWanted => Kind::TlsClientCertificate,
            TlsFailure::ServerError => Kind::TlsServerError,
            TlsFailure::Other(_) => Kind::TlsOther,
        },
        ErrorKind::StartTlsMissing => Kind::StartTlsMissing,
        ErrorKind::ResponseInjection => Kind::ResponseInjection,
        ErrorKind::AuthNotOffered { encrypted: false } => Kind::AuthNotOfferedInTheClear,
        ErrorKind::AuthNotOffered { encrypted: true } => Kind::AuthNotOfferedEncrypted,
        ErrorKind::NoCommonMechanism { .. } => Kind::NoCommonMechanism,
        ErrorKind::ClearTextSignIn => Kind::ClearTextSignIn,
        ErrorKind::OAuthRefused { .. } => Kind::OAuthRefused,
        ErrorKind::SmtpUtf8Missing => Kind::SmtpUtf8Missing,
        ErrorKind::TooLarge { .. } => Kind::TooLarge,
        ErrorKind::ConnectionLost => Kind::ConnectionLost,
        ErrorKind::Timeout => Kind::Timeout,
        ErrorKind::Protocol(_) => Kind::Protocol,
        ErrorKind::OutcomeUnknown => Kind::OutcomeUnknown,
    }
}
