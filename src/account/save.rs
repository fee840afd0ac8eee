//! Changes a tenant's configuration: replaces it after a check, patches it, or deletes it. Each change and its audit
//! row are one write.

use std::sync::Arc;

use uuid::Uuid;

use super::record::{Action, OK};
use super::{Accounts, Actor, Error, secrets};
use crate::email_config::patch::Patch;
use crate::email_config::put::Replacement;
use crate::email_config::{Change, CheckOperation, EmailConfig, SecretChange, Version};
use crate::mail::transcript::ProgressSender;
use crate::providers::{self, Depth, Outcome, UnlockedAccount};
use crate::secret::Secret;
use crate::store::{Write, WriteOutcome, delivery_accounts, email_configs};
use crate::telemetry::metrics::Operation;
use crate::vault::VaultError;

/// How often a write is tried again because another one came first. Each loss means that another write succeeded.
const ATTEMPTS: usize = 200;

/// What must be stored for a change to be made.
#[derive(Clone, Default, Debug)]
pub struct Precondition {
    pub version: VersionCheck,
    /// Nothing may be stored.
    pub creates_only: bool,
}

#[derive(Clone, Default, Debug)]
pub enum VersionCheck {
    #[default]
    Unchecked,
    /// Any version, but there must be one.
    Exists,
    OneOf(Vec<String>),
}

impl Precondition {
    /// Whether a change may be made to this version of the configuration; `None` where nothing is stored.
    pub fn is_met_by(&self, stored: Option<&str>) -> bool {
        let version_matches = match (&self.version, stored) {
            (VersionCheck::Unchecked, _) | (VersionCheck::Exists, Some(_)) => true,
            (VersionCheck::OneOf(versions), Some(stored)) => versions.iter().any(|version| version == stored),
            (VersionCheck::Exists | VersionCheck::OneOf(_), None) => false,
        };
        version_matches && !(self.creates_only && stored.is_some())
    }

    fn require(&self, stored: Option<&EmailConfig>) -> Result<(), Error> {
        let version = stored.map(|stored| stored.version.config.as_str());
        if self.is_met_by(version) { Ok(()) } else { Err(Error::PreconditionFailed) }
    }
}

/// A replacement that fits what is stored, and may be checked.
pub struct PreparedPut {
    accounts: Arc<Accounts>,
    actor: Actor,
    precondition: Precondition,
    replacement: Replacement,
    stored: Option<EmailConfig>,
    change: Change,
}

impl Accounts {
    /// Compares a replacement with what is stored. Connects to nothing.
    pub async fn prepare_put(
        self: &Arc<Self>,
        actor: &Actor,
        precondition: Precondition,
        replacement: Replacement,
    ) -> Result<PreparedPut, Error> {
        let stored = self.find(&actor.tenant).await?;
        precondition.require(stored.as_ref())?;
        let change = replacement.apply(stored.as_ref()).map_err(Error::Input)?;
        let (accounts, actor) = (Arc::clone(self), actor.clone());
        Ok(PreparedPut { accounts, actor, precondition, replacement, stored, change })
    }

    /// Changes single fields, without a check. Returns the version that is stored then, if any.
    pub async fn patch(
        &self,
        actor: &Actor,
        precondition: &Precondition,
        patch: &Patch,
    ) -> Result<Option<Version>, Error> {
        for _ in 0..ATTEMPTS {
            let stored = self.find(&actor.tenant).await?;
            precondition.require(stored.as_ref())?;
            let Some(change) = patch.apply(stored.as_ref()).map_err(Error::Input)? else {
                return Ok(stored.map(|stored| stored.version));
            };
            if let Some(version) = self.store(actor, Action::Patch, stored.as_ref(), change, None).await? {
                return Ok(Some(version));
            }
        }
        Err(Error::Contended)
    }

    /// Deletes the configuration, and its secret.
    pub async fn delete(&self, actor: &Actor, precondition: &Precondition) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let stored = self.find(&actor.tenant).await?.ok_or(Error::NothingToDelete)?;
            precondition.require(Some(&stored))?;
            let write = Write::default()
                .then(email_configs::delete(&actor.tenant, &stored.version.config))
                .then(self.audit_row(actor, Action::Delete, OK, &[]));
            if self.db.write(write).await? == WriteOutcome::Committed {
                return Ok(());
            }
        }
        Err(Error::Contended)
    }

    /// Seals and writes a change with its audit row and what its check showed; `None` where another write came first.
    async fn store(
        &self,
        actor: &Actor,
        action: Action<'_>,
        stored: Option<&EmailConfig>,
        change: Change,
        checked: Option<&Outcome>,
    ) -> Result<Option<Version>, Error> {
        let tenant = &actor.tenant;
        let audit_row = self.audit_row(actor, action, OK, &change.fields);
        let version = Uuid::now_v7().simple().to_string();
        let now = self.clock.now();
        let next = secrets::seal(change, stored, &self.vault, tenant, version, now).await?;
        let last_check = checked.and_then(|outcome| outcome.last_check(CheckOperation::Put, now));
        let next = EmailConfig { last_check, ..next };
        let row = match stored {
            Some(stored) => email_configs::update(tenant, &stored.version.config, &next),
            None => email_configs::insert(tenant, &next),
        };
        let reopen = delivery_accounts::reopen(&actor.tenant, self.clock.now());
        let write = Write::default().then(row).then(audit_row).then_all(reopen);
        if self.db.write(write).await? == WriteOutcome::Committed {
            return Ok(Some(next.version));
        }
        if let Some(sealed) = &next.secret {
            self.vault.check_not_removed(sealed).await.map_err(|_| Error::KeysUnavailable)?;
        }
        Ok(None)
    }
}

impl PreparedPut {
    /// Checks the settings against the server, and stores them.
    pub async fn check_and_store(self, progress: Option<ProgressSender>) -> Result<Version, Error> {
        let outcome = self.check(progress.as_ref()).await?;
        let (accounts, actor) = (Arc::clone(&self.accounts), self.actor.clone());
        let stored = self.store(&outcome).await;
        if stored.is_err() {
            // The secret was used, whatever became of the change.
            accounts.record_attempt(&actor, Action::Put, "NOT_STORED", &[], None).await?;
        }
        stored
    }

    /// The outcome of a check that has succeeded.
    async fn check(&self, progress: Option<&ProgressSender>) -> Result<Outcome, Error> {
        let Self { accounts, actor, change, .. } = self;
        let outcome = self.verify(progress).await?;
        accounts.metrics.record_check(Operation::Put, outcome.code());
        let code = outcome.code();
        let finding = match outcome.result {
            Ok(success) => return Ok(Outcome { result: Ok(success), ..outcome }),
            Err(finding) => finding,
        };
        accounts.record_attempt(actor, Action::Put, code, &change.fields, Some(&finding)).await?;
        Err(Error::CheckFailed(finding))
    }

    async fn verify(&self, progress: Option<&ProgressSender>) -> Result<Outcome, Error> {
        let Self { accounts, actor, change, .. } = self;
        let deadline = accounts.outbound.deadline();
        let secret = match self.secret().await {
            Ok(secret) => secret,
            Err(error) => return secrets::outcome_without_secret(error),
        };
        let _permit = accounts.connections.acquire_for_check(&actor.tenant, actor.is_admin)?;
        accounts.count_destination(&actor.tenant, &change.settings)?;
        let guard = accounts.guard_sign_in(&actor.tenant, &change.settings)?;
        let account = UnlockedAccount {
            tenant: &actor.tenant,
            version: None,
            settings: &change.settings,
            secret: secret.as_deref(),
            progress,
            guard: Some(&guard),
        };
        let outcome = providers::verify(&accounts.outbound, &account, Depth::Token, deadline).await;
        accounts.count_sign_in(&guard, outcome)
    }

    /// The secret that the check signs in with.
    async fn secret(&self) -> Result<Option<Arc<Secret>>, VaultError> {
        match (&self.change.secret, &self.stored) {
            (SecretChange::Set(secret), _) => Ok(Some(Arc::clone(secret))),
            (SecretChange::Keep, Some(stored)) => {
                let opened = secrets::open(stored, &self.accounts.vault, &self.actor.tenant).await?;
                Ok(opened.map(Arc::new))
            }
            (SecretChange::Keep, None) | (SecretChange::Drop, _) => Ok(None),
        }
    }

    /// Stores what has been checked.
    async fn store(self, outcome: &Outcome) -> Result<Version, Error> {
        let Self { accounts, actor, precondition, replacement, mut stored, mut change } = self;
        let reuses_secret = matches!(change.secret, SecretChange::Keep);
        for _ in 0..ATTEMPTS {
            if let (Some(stored), true) = (&stored, change.fields.is_empty()) {
                return accounts
                    .record_success(&actor, Action::Put, CheckOperation::Put, stored, outcome)
                    .await;
            }
            let written = accounts.store(&actor, Action::Put, stored.as_ref(), change, Some(outcome)).await?;
            if let Some(version) = written {
                return Ok(version);
            }
            let replaced = stored.map(|stored| stored.version.config);
            stored = accounts.find(&actor.tenant).await?;
            precondition.require(stored.as_ref())?;
            if reuses_secret && replaced.as_ref() != stored.as_ref().map(|stored| &stored.version.config) {
                return Err(Error::SecretReplaced);
            }
            change = replacement.apply(stored.as_ref()).map_err(Error::Input)?;
        }
        Err(Error::Contended)
    }
}
