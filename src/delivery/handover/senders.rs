//! Whether a sender may still be used when a mail is handed over.

use crate::delivery::outbox::{sender_not_allowed, sender_not_allowed_by_key};
use crate::delivery::{Details, Error};
use crate::email_config::EmailConfig;
use crate::mail::address::EmailAddress;
use crate::mail::mailbox::Mailbox;
use crate::outgoing::account_settings::AccountSettings;
use crate::store::api_keys::ApiKey;

/// What decides about a sender.
pub(super) struct Senders<'a> {
    pub config: &'a EmailConfig,
    pub settings: &'a AccountSettings,
    /// The API key that the mail depends on.
    pub key: Option<&'a ApiKey>,
}

impl Senders<'_> {
    /// The sender as the account is now: a mail that waited never leaves in the name of an earlier account.
    pub fn mailbox(&self, details: &Details) -> Result<Mailbox, Error> {
        let account = self.own()?;
        let mailbox = if details.is_from_account {
            Mailbox::new(self.config.settings.sender_name(), account.clone())
        } else {
            Mailbox::parse(&details.from).map_err(|error| Error::Internal(error.into()))?
        };
        self.check(mailbox.address().clone())?;
        Ok(mailbox)
    }

    /// The same sender, where the account and the key may still use it.
    pub fn check(&self, sender: EmailAddress) -> Result<EmailAddress, Error> {
        let own = self.own()?;
        if !sender.is_same_mailbox(own) && !self.settings.allow(&sender) {
            return Err(sender_not_allowed("/from", own, self.settings));
        }
        match self.key {
            Some(key) if !key.allows(&sender) => Err(sender_not_allowed_by_key("/from", key)),
            _ => Ok(sender),
        }
    }

    fn own(&self) -> Result<&EmailAddress, Error> {
        self.config.settings.email_address().ok_or(Error::NotConfigured)
    }
}
