//! Opens the stored account for the delivery of mail, and records what the delivery shows about it.

use std::time::Duration;

use tokio::time::Instant;

use super::{Accounts, Error, secrets};
use crate::email_config::{CheckOperation, EmailConfig, LastCheck};
use crate::id::TenantId;
use crate::limits::connections::ConnectionPermit;
use crate::mail::message::Message;
use crate::providers::delivery::{self, FailedHandover, Handover, Sender, SessionUnusable};
use crate::providers::{Outcome, UnlockedAccount};
use crate::secret::Secret;
use crate::smtp::Envelope;
use crate::store::{DbError, Write, email_configs};
use crate::telemetry::metrics::Operation;
use crate::vault::VaultError;

/// How long connecting and signing in may take for a delivery.
const OPEN_TIMEOUT: Duration = Duration::from_mins(1);

/// How long one mail may take, from MAIL to the reply that decides: RFC 5321 section 4.5.3.2 lets the last reply alone
/// take ten minutes.
const SEND_TIMEOUT: Duration = Duration::from_mins(15);

/// How long a delivery that ended as the last check of the account is not written down.
const LAST_CHECK_INTERVAL: Duration = Duration::from_mins(1);

/// An account that is open for delivery. It holds one of the tenant's connections.
pub struct OpenAccount {
    tenant: TenantId,
    /// The configuration that it was opened with.
    pub config: EmailConfig,
    secret: Option<Secret>,
    sender: Sender,
    opened_at: Instant,
    _permit: ConnectionPermit,
}

/// Why an account was not opened for delivery.
pub enum NotOpened {
    /// The configuration was deleted, or there never was one.
    NotConfigured(Box<FailedHandover>),
    /// The account does not work with this configuration.
    Failed(Box<EmailConfig>, Box<FailedHandover>),
    /// A limit of ours, the database or the keys: the account itself may work. Try again in a moment.
    Busy,
}

impl From<DbError> for NotOpened {
    fn from(error: DbError) -> Self {
        tracing::warn!(%error, "an account could not be read for delivery");
        Self::Busy
    }
}

impl Accounts {
    /// Connects and signs in with the stored configuration.
    pub async fn open_for_delivery(&self, tenant: &TenantId) -> Result<OpenAccount, NotOpened> {
        let Some(config) = email_configs::find(&self.db, tenant).await? else {
            return Err(NotOpened::NotConfigured(delivery::not_configured()));
        };
        let missing = config.missing();
        if !missing.is_empty() {
            return Err(NotOpened::Failed(Box::new(config), delivery::incomplete(missing)));
        }
        let permit = self.connections.acquire_for_sending(tenant).map_err(|_| NotOpened::Busy)?;
        let guard = self.guard_sign_in(tenant, &config.settings).map_err(|_| NotOpened::Busy)?;
        let secret = match secrets::open(&config, &self.vault, tenant).await {
            Ok(secret) => secret,
            Err(VaultError::Unreadable) => {
                return Err(NotOpened::Failed(Box::new(config), delivery::unreadable()));
            }
            Err(VaultError::Unavailable) => return Err(NotOpened::Busy),
        };
        let account = UnlockedAccount::new(tenant, &config, secret.as_ref());
        let account = UnlockedAccount { guard: Some(&guard), ..account };
        let opened = delivery::open(&self.outbound, &account, Instant::now() + OPEN_TIMEOUT).await;
        match opened {
            Ok(sender) => Ok(OpenAccount {
                tenant: tenant.clone(),
                config,
                secret,
                sender,
                opened_at: Instant::now(),
                _permit: permit,
            }),
            Err(failed) => {
                let outcome = Outcome::delivered(Err(Box::new(failed.finding.clone())));
                // Where a bound of this service gave the sign-in up, nothing is known about the account.
                match self.count_sign_in(&guard, outcome) {
                    Ok(_) => Err(NotOpened::Failed(Box::new(config), failed)),
                    Err(_) => Err(NotOpened::Busy),
                }
            }
        }
    }

    /// Writes what a hand-over showed about the configuration that it used, as a check does. Nothing where it shows
    /// nothing new. `concerns_account` is false of a failure that is about the recipient or the message.
    pub async fn record_delivery(
        &self,
        tenant: &TenantId,
        used: &EmailConfig,
        result: Result<Option<&crate::smtp::Reply>, &FailedHandover>,
        concerns_account: bool,
    ) -> Result<(), Error> {
        let outcome = Outcome::delivered(match result {
            Ok(reply) => Ok(reply.cloned()),
            Err(failed) => Err(Box::new(failed.finding.clone())),
        });
        self.metrics.record_check(Operation::Deliver, outcome.code());
        let now = self.clock.now();
        let health = outcome.health_outcome(&used.health);
        let changes = used.health.after_check(&health).is_some();
        let health = changes.then(|| email_configs::record_check(tenant, used, &health, now)).flatten();
        let last_check = Some(&outcome)
            .filter(|_| concerns_account)
            .and_then(|outcome| outcome.last_check(CheckOperation::Delivery, now))
            .filter(|check| is_news(check, used.last_check.as_ref()))
            .map(|check| email_configs::record_last_check(tenant, used, &check, now));
        if health.is_some() || last_check.is_some() {
            let write = Write::default().then_all(health).then_all(last_check);
            let _ = self.db.write(write).await?;
        }
        Ok(())
    }
}

/// Whether a delivery is written as the last check: mails that follow each other would write a row each.
fn is_news(check: &LastCheck, stored: Option<&LastCheck>) -> bool {
    let is_recent = |stored: &LastCheck| {
        let until = stored.at.after(LAST_CHECK_INTERVAL);
        (stored.at..until).contains(&check.at)
    };
    !stored.is_some_and(|stored| stored.ended_as(check) && is_recent(stored))
}

impl OpenAccount {
    /// Takes over what is stored about the account, where it is still the configuration that this was opened with.
    pub fn refresh(&mut self, stored: EmailConfig) -> bool {
        let is_same = stored.version.config == self.config.version.config;
        if is_same {
            self.config = stored;
        }
        is_same
    }

    /// Hands one message over.
    ///
    /// # Errors
    /// Nothing was handed over: open the account again.
    pub async fn send(
        &mut self,
        accounts: &Accounts,
        envelope: &Envelope<'_>,
        message: &Message,
    ) -> Result<Vec<Handover>, SessionUnusable> {
        let account = UnlockedAccount::new(&self.tenant, &self.config, self.secret.as_ref());
        let deadline = Instant::now() + SEND_TIMEOUT;
        self.sender.send(&accounts.outbound, &account, envelope, message, deadline).await
    }

    /// Sends no message by BDAT.
    pub fn avoid_chunking(&mut self) {
        self.sender.avoid_chunking();
    }

    /// Whether another mail may follow on this session.
    pub fn is_usable(&self) -> bool {
        self.sender.is_usable()
    }

    /// How long it has been open.
    pub fn age(&self) -> Duration {
        self.opened_at.elapsed()
    }

    /// The mails that this session has handed over.
    pub fn sent(&self) -> u32 {
        self.sender.sent()
    }

    /// Ends the session.
    pub async fn close(self) {
        self.sender.close().await;
    }
}
