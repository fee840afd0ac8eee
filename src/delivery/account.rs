//! What a person does with the account as a sender: look at it, stop it, let it go on.

use super::query::AccountView;
use super::{Delivery, Error};
use crate::id::TenantId;
use crate::store::{Write, delivery_accounts, email_configs, emails};

impl Delivery {
    /// The account as a sender.
    pub async fn account(&self, tenant: &TenantId) -> Result<AccountView, Error> {
        let is_configured = email_configs::find(&self.db, tenant).await?.is_some();
        let account = delivery_accounts::find(&self.db, tenant).await?;
        let (waiting, octets) = emails::waiting(&self.db, tenant).await?;
        Ok(AccountView { is_configured, state: account.map(|account| account.state), waiting, octets })
    }

    /// Sends nothing more until [`Self::resume`]. A mail in hand is finished.
    pub async fn pause(&self, tenant: &TenantId) -> Result<AccountView, Error> {
        let pause = delivery_accounts::pause(tenant, self.clock.now());
        let _ = self.db.write(Write::default().then(pause)).await?;
        self.announce();
        self.wake(tenant);
        self.account(tenant).await
    }

    /// Sends again, whether a person or a failure has stopped the account.
    pub async fn resume(&self, tenant: &TenantId) -> Result<AccountView, Error> {
        let open = delivery_accounts::open(tenant, self.clock.now());
        let _ = self.db.write(Write::default().then(open)).await?;
        self.announce();
        self.wake(tenant);
        self.account(tenant).await
    }
}
