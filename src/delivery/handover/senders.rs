//! Whether a sender may still be used when a mail is handed over.

use crate::delivery::{Details, Error};
use crate::email_config::EmailConfig;
use crate::mail::address::EmailAddress;
use crate::mail::mailbox::Mailbox;
use crate::outgoing::account_settings::AccountSettings;
use crate::store::api_keys::ApiKey;

/// Why a message cannot be handed over.
pub(super) enum Unprepared {
    /// Account or key do not allow this sender any more.
    Sender(EmailAddress),
    Other(Error),
}

impl<E: Into<Error>> From<E> for Unprepared {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// What decides about a sender.
pub(super) struct Senders<'a> {
    pub config: &'a EmailConfig,
    pub settings: &'a AccountSettings,
    /// The API key that the mail depends on.
    pub key: Option<&'a ApiKey>,
}

impl Senders<'_> {
    /// The sender as the account is now: a mail that waited never leaves in the name of an earlier account.
    pub fn mailbox(&self, details: &Details) -> Result<Mailbox, Unprepared> {
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
    pub fn check(&self, sender: EmailAddress) -> Result<EmailAddress, Unprepared> {
        let own = self.own()?;
        let is_of_account = sender.is_same_mailbox(own) || self.settings.allow(&sender);
        if is_of_account && self.key.is_none_or(|key| key.allows(&sender)) {
            Ok(sender)
        } else {
            Err(Unprepared::Sender(sender))
        }
    }

    fn own(&self) -> Result<&EmailAddress, Error> {
        self.config.settings.email_address().ok_or(Error::NotConfigured)
    }
}
