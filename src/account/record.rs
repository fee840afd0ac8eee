//! Writes what was done and what it showed: the audit's row, the account's health and the metrics.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::{Accounts, Actor, Error};
use crate::config::AuditRecipients;
use crate::diagnosis::Finding;
use crate::email_config::{CheckOperation, CheckOutcome, EmailConfig, Version};
use crate::limits::quotas::QuotaExceeded;
use crate::mail::address::EmailAddress;
use crate::providers::Outcome;
use crate::store::{DbError, Statement, Write, WriteOutcome, audit, delivery_accounts, email_configs};

/// What the audit calls it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action<'a> {
    Put,
    Patch,
    Delete,
    VerifyConnection,
    SendTestMail {
        recipient: &'a EmailAddress,
    },
    PauseAccount,
    ResumeAccount,
    ChangeAccount,
    /// At the SMTP gateway.
    SignIn,
}

impl Action<'_> {
    fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::VerifyConnection => "verify-connection",
            Self::SendTestMail { .. } => "send-test-email",
            Self::PauseAccount => "pause-account",
            Self::ResumeAccount => "resume-account",
            Self::ChangeAccount => "change-account",
            Self::SignIn => "sign-in",
        }
    }
}

pub const OK: &str = "OK";

/// Adds to an audit row what the check showed. The session's steps stay with the last check alone.
fn shown_by(actor: &Actor, id: Uuid, finding: Option<&Finding>) -> Option<Statement> {
    let diagnosis = finding?.to_stored().without_transcript();
    Some(audit::attach_diagnosis(&actor.tenant, id, &diagnosis))
}

impl Accounts {
    /// The audit's row. `outcome` is `OK`, the code of a diagnosis, or `NOT_STORED`.
    pub fn audit_row(
        &self,
        actor: &Actor,
        action: Action<'_>,
        outcome: &'static str,
        changed: &[&'static str],
    ) -> Statement {
        self.audit_row_with_id(Uuid::now_v7(), actor, action, outcome, changed)
    }

    fn audit_row_with_id(
        &self,
        id: Uuid,
        actor: &Actor,
        action: Action<'_>,
        outcome: &'static str,
        changed: &[&'static str],
    ) -> Statement {
        let entry = audit::Entry {
            at: self.clock.now(),
            user: actor.user.clone(),
            user_name: actor.user_name.clone(),
            action: action.as_str(),
            outcome,
            changed: changed.to_vec(),
            trace_id: actor.trace_id,
            remote: Some(actor.remote),
            recipient: match action {
                Action::SendTestMail { recipient } => Some(self.audited_recipient(recipient)),
                _ => None,
            },
            api_key: None,
        };
        audit::insert(&actor.tenant, id, &entry)
    }

    fn audited_recipient(&self, recipient: &EmailAddress) -> String {
        match self.audit_recipients {
            AuditRecipients::Plain => recipient.as_str().to_owned(),
            AuditRecipients::Hash => {
                let hash = digest(&SHA256, recipient.as_str().to_lowercase().as_bytes());
                format!("sha256:{}", URL_SAFE_NO_PAD.encode(hash))
            }
        }
    }

    /// Writes an audit row for what changed nothing, with what a failed check showed.
    pub(super) async fn record_attempt(
        &self,
        actor: &Actor,
        action: Action<'_>,
        outcome: &'static str,
        changed: &[&'static str],
        finding: Option<&Finding>,
    ) -> Result<(), Error> {
        let id = Uuid::now_v7();
        let row = self.audit_row_with_id(id, actor, action, outcome, changed);
        let _ = self.db.write(Write::default().then(row).then_all(shown_by(actor, id, finding))).await?;
        Ok(())
    }

    /// Writes what a check showed about the configuration that it used, and its audit row. Where the configuration
    /// has changed meanwhile, only the audit row is written.
    pub(super) async fn record_check(
        &self,
        actor: &Actor,
        action: Action<'_>,
        operation: CheckOperation,
        checked: &EmailConfig,
        outcome: &Outcome,
    ) -> Result<(), Error> {
        let (tenant, code) = (&actor.tenant, outcome.code());
        let health = outcome.health_outcome(&checked.health);
        let write = |row: Statement, diagnosis: Option<Statement>| {
            let now = self.clock.now();
            let last_check = outcome.last_check(operation, now);
            let last_check =
                last_check.map(|check| email_configs::record_last_check(tenant, checked, &check, now));
            let reopen = (health == CheckOutcome::Success).then(|| delivery_accounts::reopen(tenant, now));
            Write::default()
                .then_all(email_configs::record_check(tenant, checked, &health, now))
                .then_all(last_check)
                .then(row)
                .then_all(diagnosis)
                .then_all(reopen.into_iter().flatten())
        };
        let finding = outcome.result.as_ref().err().map(AsRef::as_ref);
        let new_row =
            |id| write(self.audit_row_with_id(id, actor, action, code, &[]), shown_by(actor, id, finding));
        if actor.is_admin {
            let _ = self.db.write(new_row(Uuid::now_v7())).await?;
            return Ok(());
        }
        // Other users must not fill the audit: like checks within a minute are one row with a count.
        let content = (tenant.as_str(), actor.user.as_str(), action.as_str(), code);
        if let Some(id) = self.recent_audit_rows.find(&content)
            && self.db.write(write(audit::count_repetition(tenant, id), None)).await?
                == WriteOutcome::Committed
        {
            return Ok(());
        }
        let id = Uuid::now_v7();
        let _ = self.db.write(new_row(id)).await?;
        self.recent_audit_rows.remember(tenant, &content, id);
        Ok(())
    }

    /// Writes that a sign-in was refused. Like refusals within a minute are one row with a count; a tenant has so many rows in a
    /// day as its users' checks may have.
    pub async fn record_refused_sign_in(&self, actor: &Actor, outcome: &'static str) -> Result<(), DbError> {
        let content = (actor.tenant.as_str(), actor.user.as_str(), Action::SignIn.as_str(), outcome);
        if let Some(id) = self.recent_audit_rows.find(&content) {
            let again = Write::default().then(audit::count_repetition(&actor.tenant, id));
            if self.db.write(again).await? == WriteOutcome::Committed {
                return Ok(());
            }
        }
        if self.recent_audit_rows.check(&actor.tenant).is_err() {
            return Ok(());
        }
        let id = Uuid::now_v7();
        let row = self.audit_row_with_id(id, actor, Action::SignIn, outcome, &[]);
        let _ = self.db.write(Write::default().then(row)).await?;
        self.recent_audit_rows.remember(&actor.tenant, &content, id);
        Ok(())
    }

    /// Whether a check may leave another row in the tenant's audit today. An administrator's always may.
    pub(super) fn check_audit_quota(&self, actor: &Actor) -> Result<(), Error> {
        if actor.is_admin {
            return Ok(());
        }
        self.within_quota(self.recent_audit_rows.check(&actor.tenant))
    }

    /// Records a successful check of what is stored already, and returns the version that this makes.
    pub(super) async fn record_success(
        &self,
        actor: &Actor,
        action: Action<'_>,
        operation: CheckOperation,
        checked: &EmailConfig,
        outcome: &Outcome,
    ) -> Result<Version, Error> {
        self.record_check(actor, action, operation, checked, outcome).await?;
        let changes_health = checked.health.after_check(&outcome.health_outcome(&checked.health)).is_some();
        // One for the last check.
        let health = checked.version.health + i64::from(changes_health) + 1;
        Ok(Version { health, ..checked.version.clone() })
    }

    /// Counts a refusal by a quota in the metrics.
    pub(super) fn within_quota(&self, counted: Result<(), QuotaExceeded>) -> Result<(), Error> {
        counted.map_err(|exceeded| {
            self.metrics.record_rate_limit_refusal(exceeded.quota.as_str());
            Error::QuotaExceeded(exceeded)
        })
    }
}
