//! Counts refused sign-ins, and stops further ones at the limits: before anything is connected to, and when the address of
//! the server is known.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

use super::{Accounts, Error};
use crate::diagnosis::Effect;
use crate::egress::Host;
use crate::email_config::Settings;
use crate::id::TenantId;
use crate::limits::refused_sign_ins::{Admission, RefusedSignIns, SignInBarred, SignInTarget};
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
    /// The address at which a sign-in has begun and not ended.
    under_way: Mutex<Option<IpAddr>>,
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
        Ok(GuardedSignIn { limits, target, barred: Mutex::default(), under_way: Mutex::default() })
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

impl GuardedSignIn<'_> {
    fn end(&self, is_refused: bool) {
        let address = self.under_way.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(target), Some(address)) = (&self.target, address) {
            self.limits.end_at_destination(target, address, is_refused);
        }
    }

    async fn begin_at(&self, address: IpAddr, deadline: Instant) -> Result<(), SignInBarred> {
        let Some(target) = &self.target else { return Ok(()) };
        loop {
            // Made before the limit is asked, so that no end in between is missed.
            let ended = self.limits.next_end();
            match self.limits.begin_at_destination(target, address) {
                Admission::Admitted => {
                    *self.under_way.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
                    return Ok(());
                }
                Admission::Barred(barred) => return Err(barred),
                Admission::Full => {
                    timeout_at(deadline, ended).await.map_err(|_| SignInBarred::by_others())?;
                }
            }
        }
    }
}

/// A sign-in that was given up, or whose request was dropped, was not refused.
impl Drop for GuardedSignIn<'_> {
    fn drop(&mut self) {
        self.end(false);
    }
}

impl SignInGuard for GuardedSignIn<'_> {
    fn begin(&self, address: IpAddr, deadline: Instant) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let begun = self.begin_at(address, deadline).await;
            let is_begun = begun.is_ok();
            *self.barred.lock().unwrap_or_else(PoisonError::into_inner) = begun.err();
            is_begun
        })
    }

    fn accepted(&self) {
        self.end(false);
    }

    fn refused(&self) {
        self.end(true);
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
