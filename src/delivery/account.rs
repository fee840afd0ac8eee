//! What a person does with the account as a sender: look at it, change its settings, stop it, let it go on.

use super::change::change_account;
use super::query::AccountView;
use super::{Delivery, Error, runner};
use crate::account::Actor;
use crate::account::record::{Action, OK};
use crate::email_config::EmailConfig;
use crate::error::{InputFault, Reason};
use crate::id::TenantId;
use crate::outgoing::account_settings::AccountSettings;
use crate::outgoing::breaker::{AccountState, Pauser};
use crate::outgoing::pace::Pace;
use crate::store::delivery_accounts::SettingsChange;
use crate::store::{Statement, Write, delivery_accounts, email_configs, emails};

impl Delivery {
    /// The account as a sender.
    pub async fn account(&self, tenant: &TenantId) -> Result<AccountView, Error> {
        let config = email_configs::find(&self.db, tenant).await?;
        let account = delivery_accounts::find(&self.db, tenant).await?;
        let (waiting, octets) = emails::waiting(&self.db, tenant).await?;
        let (state, settings) = account.map(|account| (account.state, account.settings)).unzip();
        let settings = settings.unwrap_or_default();
        let pace = self.pace(config.as_ref(), &settings);
        Ok(AccountView { is_configured: config.is_some(), state, settings, pace, waiting, octets })
    }

    /// Sends nothing more until [`Self::resume`]. A mail in hand is finished.
    pub async fn pause(&self, actor: &Actor) -> Result<AccountView, Error> {
        self.change_state(actor, Action::PauseAccount, |state| state.paused_by(Pauser::Administrator)).await
    }

    /// Sends again, whether an administrator or a failure has stopped the account.
    ///
    /// # Errors
    /// A conflict where the operator has paused the account.
    pub async fn resume(&self, actor: &Actor) -> Result<AccountView, Error> {
        let resume = |state: &AccountState| state.resumed_by(Pauser::Administrator);
        let view = self.change_state(actor, Action::ResumeAccount, resume).await?;
        match view.state {
            Some(AccountState::Paused(_)) => Err(Error::Conflict(
                "the operator of this service has paused this account, and will resume it".into(),
            )),
            _ => Ok(view),
        }
    }

    async fn change_state(
        &self,
        actor: &Actor,
        action: Action<'_>,
        change: impl Fn(&AccountState) -> AccountState,
    ) -> Result<AccountView, Error> {
        let row = self.accounts.audit_row(actor, action, OK, &[]);
        let _ = change_account(&self.db, &self.clock, &actor.tenant, Some(&row), change).await?;
        self.announce();
        self.wake(&actor.tenant);
        self.account(&actor.tenant).await
    }

    /// The bounds that are not below the operator's.
    pub async fn bound_faults(
        &self,
        tenant: &TenantId,
        change: &SettingsChange,
    ) -> Result<Vec<InputFault>, Error> {
        let config = email_configs::find(&self.db, tenant).await?;
        Ok(above_bounds(change, self.pace(config.as_ref(), &AccountSettings::default())))
    }

    /// Changes what the tenant sets for its account.
    ///
    /// # Errors
    /// [`Error::Input`] where a bound is not below the operator's.
    pub async fn change_settings(
        &self,
        actor: &Actor,
        change: &SettingsChange,
    ) -> Result<AccountView, Error> {
        let faults = self.bound_faults(&actor.tenant, change).await?;
        if !faults.is_empty() {
            return Err(Error::Input(faults));
        }
        let changed: Vec<&'static str> = [
            (ALLOWED_SENDERS, change.allowed_senders.is_some()),
            (MAX_PER_MINUTE, change.max_per_minute.is_some()),
            (MAX_CONNECTIONS, change.max_connections.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_changed)| is_changed.then_some(name))
        .collect();
        let statements = delivery_accounts::change_settings(&actor.tenant, change);
        self.change_account(actor, Action::ChangeAccount, &changed, statements).await
    }

    async fn change_account(
        &self,
        actor: &Actor,
        action: Action<'_>,
        changed: &[&'static str],
        statements: Vec<Statement>,
    ) -> Result<AccountView, Error> {
        let audit_row = self.accounts.audit_row(actor, action, OK, changed);
        let _ = self.db.write(Write::default().then_all(statements).then(audit_row)).await?;
        self.announce();
        self.wake(&actor.tenant);
        self.account(&actor.tenant).await
    }

    /// How fast the account sends: as its provider allows, and no faster than the tenant wants. A tenant's checks need a
    /// connection as well.
    pub(super) fn pace(&self, config: Option<&EmailConfig>, settings: &AccountSettings) -> Pace {
        let pace = settings.lower(config.map_or(Pace::OTHER, |config| runner::pace(self, config)));
        let most = self.accounts.connections.max_per_tenant().saturating_sub(1).max(1);
        Pace { connections: pace.connections.min(most), ..pace }
    }
}

pub const ALLOWED_SENDERS: &str = "allowed_senders";
pub const MAX_PER_MINUTE: &str = "max_per_minute";
pub const MAX_CONNECTIONS: &str = "max_connections";

/// The operator's bounds can only be lowered.
fn above_bounds(change: &SettingsChange, pace: Pace) -> Vec<InputFault> {
    let connections = u32::try_from(pace.connections).unwrap_or(u32::MAX);
    [
        (MAX_PER_MINUTE, change.max_per_minute.flatten(), pace.per_minute),
        (MAX_CONNECTIONS, change.max_connections.flatten(), Some(connections)),
    ]
    .into_iter()
    .filter_map(|(field, wanted, bound)| {
        let bound = bound.filter(|bound| wanted.is_some_and(|wanted| wanted > *bound))?;
        let statement = format!("is more than {bound}, which this account may have at most");
        Some(InputFault::new(field, Reason::OutOfRange, statement))
    })
    .collect()
}
