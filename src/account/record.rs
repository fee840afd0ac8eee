//! Writes what was done and what it showed: the audit's row, the account's health and the metrics.

use super::{Accounts, Actor, Error};
use crate::email_config::{CheckOutcome, EmailConfig, Settings, Version};
use crate::limits::quotas::QuotaExceeded;
use crate::mail::transcript::Stage;
use crate::store::{Statement, Write, audit, email_configs};

/// What the audit calls it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Put,
    Patch,
    Delete,
    VerifyConnection,
    SendTestMail,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::VerifyConnection => "verify-connection",
            Self::SendTestMail => "send-test-email",
        }
    }
}

pub(super) const OK: &str = "OK";

impl Accounts {
    /// The audit's row. `outcome` is `OK`, the code of a diagnosis, or `NOT_STORED`.
    pub(super) fn audit_row(
        &self,
        actor: &Actor,
        action: Action,
        outcome: &'static str,
        changed: &[&'static str],
    ) -> Statement {
        let entry = audit::Entry {
            at: self.clock.now(),
            user: actor.user.clone(),
            action: action.as_str(),
            outcome,
            changed: changed.to_vec(),
            trace_id: actor.trace_id,
            remote: actor.remote,
        };
        audit::insert(&actor.tenant, &entry)
    }

    /// Writes an audit row for what changed nothing.
    pub(super) async fn record_attempt(
        &self,
        actor: &Actor,
        action: Action,
        outcome: &'static str,
        changed: &[&'static str],
    ) -> Result<(), Error> {
        let row = self.audit_row(actor, action, outcome, changed);
        let _ = self.db.write(Write::default().then(row)).await?;
        Ok(())
    }

    /// Writes what a check showed about the configuration that it used, and its audit row. Where the configuration
    /// has changed meanwhile, only the audit row is written.
    pub(super) async fn record_check(
        &self,
        actor: &Actor,
        action: Action,
        code: &'static str,
        checked: &EmailConfig,
        outcome: &CheckOutcome,
    ) -> Result<(), Error> {
        let tenant = &actor.tenant;
        let health = email_configs::record_check(tenant, checked, outcome, self.clock.now());
        let row = self.audit_row(actor, action, code, &[]);
        let write = health.into_iter().fold(Write::default(), Write::then).then(row);
        let _ = self.db.write(write).await?;
        Ok(())
    }

    /// Records a successful check of what is stored already, and returns the version that this makes.
    pub(super) async fn record_success(
        &self,
        actor: &Actor,
        action: Action,
        checked: &EmailConfig,
    ) -> Result<Version, Error> {
        let proven = match checked.settings {
            Settings::BasicAuth(_) => Stage::Auth,
            Settings::Microsoft365(_) => Stage::Token,
        };
        let outlasts = checked.health.outlasts(proven);
        let outcome = if outlasts { CheckOutcome::Nothing } else { CheckOutcome::Success };
        self.record_check(actor, action, OK, checked, &outcome).await?;
        let changed = checked.health.after_check(&outcome).is_some();
        Ok(Version { health: checked.version.health + i64::from(changed), ..checked.version.clone() })
    }

    /// Counts a refusal by a quota in the metrics.
    pub(super) fn within_quota(&self, counted: Result<(), QuotaExceeded>) -> Result<(), Error> {
        counted.map_err(|exceeded| {
            self.metrics.record_rate_limit_refusal(exceeded.quota.as_str());
            Error::QuotaExceeded(exceeded)
        })
    }
}
