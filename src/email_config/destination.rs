//! Where a secret may be sent: the destination that it was entered for.

use super::{BasicAuth, Settings};
use crate::smtp::Security;

/// The destination in its one canonical form, as it is bound to a sealed secret.
///
/// Each part is preceded by its length, so that no two destinations give the same text. The security type
/// counts as encrypted or not: StartTLS and SSL/TLS are equal, since neither falls back.
#[must_use]
pub fn canonical(settings: &Settings) -> String {
    match settings {
        Settings::BasicAuth(basic) => {
            let host = basic.server_address.as_ref().map(ToString::to_string);
            let port = basic.server_port.map(|port| port.to_string());
            let channel = basic.security.map(|security| match security {
                Security::None => "clear".to_owned(),
                Security::StartTls | Security::Tls => "tls".to_owned(),
            });
            let parts = [Some("smtp".to_owned()), host, port, channel, basic.username.clone()];
            parts.into_iter().map(|part| measured(part.as_deref())).collect()
        }
        Settings::Microsoft365(app) => {
            let parts = ["microsoft365", &app.provider_tenant, &app.client_id];
            parts.into_iter().map(|part| measured(Some(part))).collect()
        }
    }
}

fn measured(part: Option<&str>) -> String {
    part.map_or_else(|| "-;".to_owned(), |text| format!("{}:{text};", text.len()))
}

/// Whether a secret that was entered for `before` may stay for `after`.
///
/// A part that was not set yet may be set; a part that was set must stay as it is, and the security type must
/// not become weaker.
#[must_use]
pub fn keeps_secret(before: &Settings, after: &Settings) -> bool {
    match (before, after) {
        (Settings::BasicAuth(before), Settings::BasicAuth(after)) => {
            unchanged(before.server_address.as_ref(), after.server_address.as_ref())
                && unchanged(before.server_port.as_ref(), after.server_port.as_ref())
                && unchanged(before.username.as_ref(), after.username.as_ref())
                && not_weaker(before, after)
        }
        (Settings::Microsoft365(before), Settings::Microsoft365(after)) => {
            before.client_id == after.client_id && before.provider_tenant == after.provider_tenant
        }
        (Settings::BasicAuth(_), Settings::Microsoft365(_))
        | (Settings::Microsoft365(_), Settings::BasicAuth(_)) => false,
    }
}

fn unchanged<T: PartialEq>(before: Option<&T>, after: Option<&T>) -> bool {
    before.is_none() || before == after
}

fn not_weaker(before: &BasicAuth, after: &BasicAuth) -> bool {
    match (before.security, after.security) {
        (None, _) | (Some(Security::None), Some(_)) => true,
        (Some(Security::StartTls | Security::Tls), Some(after)) => after != Security::None,
        (Some(_), None) => false,
    }
}
