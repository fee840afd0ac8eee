//! Checks the stored account's connection or sends a test mail, and records the outcome.

use std::sync::Arc;

use super::record::Action;
use super::{Accounts, Actor, Error, secrets, signs_in};
use crate::email_config::{CheckOperation, EmailConfig, Health, HealthState};
use crate::limits::connections::ConnectionPermit;
use crate::mail::address::EmailAddress;
use crate::mail::message::HeaderText;
use crate::mail::transcript::ProgressSender;
use crate::providers::{self, Depth, Mail, Outcome, UnlockedAccount};
use crate::telemetry::metrics::Operation;

/// After so many refused sign-ins in a row only an administrator causes another one: most servers lock a mailbox after
/// five to ten.
const MAX_REFUSED_SIGN_INS: i64 = 3;

/// What a check of the connection showed.
pub enum Verification {
    Checked(Outcome),
    /// The server was not asked again: the last check said this.
    LastDiagnosis(Health),
}

/// A check of the stored account that may begin.
pub struct PreparedCheck {
    accounts: Arc<Accounts>,
    actor: Actor,
    stored: EmailConfig,
    plan: Plan,
}

enum Plan {
    ReuseLastDiagnosis,
    /// Connects to nothing, since fields are missing.
    ReportMissing,
    Connect(ConnectionPermit),
}

/// A test mail that may be sent.
pub struct PreparedTestMail {
    accounts: Arc<Accounts>,
    actor: Actor,
    stored: EmailConfig,
    mail: TestMail,
    /// None where fields are missing: then nothing is connected to.
    permit: Option<ConnectionPermit>,
}

/// A mail that shows whether the account works.
#[derive(Debug)]
pub struct TestMail {
    pub recipient: EmailAddress,
    pub subject: HeaderText,
    pub body: String,
}

impl Accounts {
    /// Decides whether the stored account is checked, and takes the permit for it.
    pub async fn prepare_check(self: &Arc<Self>, actor: &Actor) -> Result<PreparedCheck, Error> {
        let stored = self.find(&actor.tenant).await?.ok_or(Error::NothingToVerify)?;
        let plan = if reuses_last_diagnosis(actor, &stored) {
            Plan::ReuseLastDiagnosis
        } else if stored.missing().is_empty() {
            let permit = self.connections.acquire_for_check(&actor.tenant, actor.is_admin)?;
            self.count_destination(&actor.tenant, &stored.settings)?;
            self.guard_sign_in(&actor.tenant, &stored.settings)?;
            self.check_audit_quota(actor)?;
            Plan::Connect(permit)
        } else {
            Plan::ReportMissing
        };
        Ok(PreparedCheck { accounts: Arc::clone(self), actor: actor.clone(), stored, plan })
    }

    /// Decides whether a test mail may be sent, and takes the permit for it.
    pub async fn prepare_test_mail(
        self: &Arc<Self>,
        actor: &Actor,
        mail: TestMail,
    ) -> Result<PreparedTestMail, Error> {
        let stored = self.find(&actor.tenant).await?.ok_or(Error::NothingToSendWith)?;
        let permit = if stored.missing().is_empty() {
            let permit = self.connections.acquire_for_sending(&actor.tenant)?;
            self.count_destination(&actor.tenant, &stored.settings)?;
            self.guard_sign_in(&actor.tenant, &stored.settings)?;
            let signs_in = signs_in(&stored.settings);
            self.within_quota(self.quotas.count_test_mail(&actor.tenant, &mail.recipient, signs_in))?;
            Some(permit)
        } else {
            None
        };
        Ok(PreparedTestMail { accounts: Arc::clone(self), actor: actor.clone(), stored, mail, permit })
    }

    async fn connect_and_send(
        &self,
        actor: &Actor,
        stored: &EmailConfig,
        mail: &TestMail,
        progress: Option<&ProgressSender>,
    ) -> Result<Outcome, Error> {
        let deadline = self.outbound.deadline();
        let secret = match secrets::open(stored, &self.vault, &actor.tenant).await {
            Ok(secret) => secret,
            Err(error) => return secrets::outcome_without_secret(error),
        };
        let account = UnlockedAccount::new(&actor.tenant, stored, secret.as_ref());
        let guard = self.guard_sign_in(&actor.tenant, &stored.settings)?;
        let account = UnlockedAccount { progress, guard: Some(&guard), ..account };
        let TestMail { recipient, subject, body } = mail;
        let mail = Mail { recipient, subject, body };
        let outcome = providers::send(&self.outbound, &account, &mail, deadline).await;
        self.count_sign_in(&guard, outcome.map_err(Error::Internal)?)
    }
}

impl PreparedTestMail {
    /// Sends the mail, and records the outcome.
    pub async fn send(self, progress: Option<ProgressSender>) -> Result<(Outcome, EmailAddress), Error> {
        let Self { accounts, actor, stored, mail, permit } = self;
        let outcome = if permit.is_some() {
            accounts.connect_and_send(&actor, &stored, &mail, progress.as_ref()).await?
        } else {
            providers::incomplete(stored.missing())
        };
        drop(permit);
        accounts.metrics.record_check(Operation::SendTest, outcome.code());
        let action = Action::SendTestMail { recipient: &mail.recipient };
        accounts.record_check(&actor, action, CheckOperation::SendTestMail, &stored, &outcome).await?;
        Ok((outcome, mail.recipient))
    }
}

/// Whether the user gets the last diagnosis instead of another attempt, so that only an administrator can lock the
/// mailbox.
fn reuses_last_diagnosis(actor: &Actor, stored: &EmailConfig) -> bool {
    let health = &stored.health;
    !actor.is_admin
        && health.state == HealthState::InvalidCredentials
        && health.auth_failures >= MAX_REFUSED_SIGN_INS
        && stored.missing().is_empty()
}

impl PreparedCheck {
    /// Connects, signs in, and asks whether the server accepts the sender. Records the outcome.
    pub async fn run(self, progress: Option<ProgressSender>) -> Result<Verification, Error> {
        let Self { accounts, actor, stored, plan } = self;
        let is_unattempted = matches!(plan, Plan::ReportMissing);
        let outcome = match plan {
            Plan::ReuseLastDiagnosis => return Ok(Verification::LastDiagnosis(stored.health)),
            Plan::ReportMissing => providers::incomplete(stored.missing()),
            Plan::Connect(permit) => {
                let outcome = accounts.connect_and_verify(&actor, &stored, progress.as_ref()).await?;
                drop(permit);
                outcome
            }
        };
        accounts.metrics.record_check(Operation::Verify, outcome.code());
        if is_unattempted && !actor.is_admin {
            // No secret was used, and the users of a tenant must not fill its audit.
            return Ok(Verification::Checked(outcome));
        }
        let operation = CheckOperation::VerifyConnection;
        accounts.record_check(&actor, Action::VerifyConnection, operation, &stored, &outcome).await?;
        Ok(Verification::Checked(outcome))
    }
}

impl Accounts {
    async fn connect_and_verify(
        &self,
        actor: &Actor,
        stored: &EmailConfig,
        progress: Option<&ProgressSender>,
    ) -> Result<Outcome, Error> {
        let deadline = self.outbound.deadline();
        let secret = match secrets::open(stored, &self.vault, &actor.tenant).await {
            Ok(secret) => secret,
            Err(error) => return secrets::outcome_without_secret(error),
        };
        let account = UnlockedAccount::new(&actor.tenant, stored, secret.as_ref());
        let guard = self.guard_sign_in(&actor.tenant, &stored.settings)?;
        let account = UnlockedAccount { progress, guard: Some(&guard), ..account };
        let outcome = providers::verify(&self.outbound, &account, Depth::Session, deadline).await;
        self.count_sign_in(&guard, outcome)
    }
}
