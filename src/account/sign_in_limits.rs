//! Counts refused sign-ins, and stops further ones at the limits: before anything is connected to, and when the address of
//! the server is known.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::{Accounts, Error};
use crate::diagnosis::Effect;
use crate::egress::Host;
use crate::email_config::Settings;
use crate::id::TenantId;
use crate::limits::refused_sign_ins::{RefusedSignIns, SignInBarred, SignInTarget};
use crate::mail::transcript::Stage;
use crate::mail_services;
use crate::providers::{Outcome, SignInGuard};

/// The place of a server name for accounts of Microsoft 365, whose servers are the operator's choice.
const MICROSOFT365: &str = "microsoft365";

/// One use of an account that may sign in.
pub(super) struct GuardedSignIn<'a> {
    limits: &'a RefusedSignIns,
    /// None where the configuration signs in to no account.
    target: Option<SignInTarget>,
    /// Why the sign-in was given up when the server's address was known.
    barred: Mutex<Option<SignInBarred>>,
}

impl Accounts {
    /// Whether the account may be signed in to now.
    pub(super) fn guard_sign_in(
        &self,
        tenant: &TenantId,
        settings: &Settings,
    ) -> Result<GuardedSignIn<'_>, Error> {
        let limits = &self.refused_sign_ins;
        let target = target(tenant, settings);
        if let Some(target) = &target {
            limits.check(target).map_err(|barred| self.refuse_sign_in(barred))?;
        }
        Ok(GuardedSignIn { limits, target, barred: Mutex::default() })
    }

    /// Counts the sign-in if it was refused; the outcome, unless the sign-in was given up.
    pub(super) fn count_sign_in(
        &self,
        guard: &GuardedSignIn<'_>,
        outcome: Outcome,
    ) -> Result<Outcome, Error> {
        if let Some(barred) = guard.barred.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(self.refuse_sign_in(barred));
        }
        if let (Some(target), true) = (&guard.target, is_refused_sign_in(&outcome)) {
            guard.limits.count(target, outcome.code());
        }
        Ok(outcome)
    }

    fn refuse_sign_in(&self, barred: SignInBarred) -> Error {
        self.metrics.record_rate_limit_refusal(barred.exceeded.quota.as_str());
        Error::SignInBarred(barred)
    }
}

impl SignInGuard for GuardedSignIn<'_> {
    fn allows(&self, address: IpAddr) -> bool {
        let Some(target) = &self.target else { return true };
        let checked = self.limits.check_destination(target, address);
        let allowed = checked.is_ok();
        *self.barred.lock().unwrap_or_else(PoisonError::into_inner) = checked.err();
        allowed
    }

    fn refused(&self, address: IpAddr) {
        if let Some(target) = &self.target {
            self.limits.count_destination(target, address);
        }
    }
}

fn target(tenant: &TenantId, settings: &Settings) -> Option<SignInTarget> {
    let tenant = tenant.clone();
    match settings {
        Settings::BasicAuth(basic) => {
            let user = basic.username.clone()?;
            let host = basic.server_address.as_ref().map(Host::to_string)?;
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            let is_public_service = mail_services::of_host(&host).is_some();
            Some(SignInTarget { tenant, host, user, is_public_service })
        }
        Settings::Microsoft365(app) => {
            let user = app.client_id.clone();
            Some(SignInTarget { tenant, host: MICROSOFT365.to_owned(), user, is_public_service: true })
        }
    }
}

/// Whether a server said no to what was sent to sign in, whatever its words.
fn is_refused_sign_in(outcome: &Outcome) -> bool {
    outcome.result.as_ref().is_err_and(|finding| {
        let refused = finding.reply.as_ref().is_some_and(|reply| reply.code >= 500);
        finding.effect == Effect::CredentialsRefused || (finding.diagnosis.stage == Stage::Auth && refused)
    })
}
