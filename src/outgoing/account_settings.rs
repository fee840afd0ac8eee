//! What a tenant sets for its account as a sender: other senders than its address, and a slower pace.

use serde::{Deserialize, Serialize};

use super::pace::Pace;
use crate::mail::address::{AddressError, EmailAddress};

/// The settings of one account; what is not set leaves the operator's bounds as they are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccountSettings {
    pub allowed_senders: Vec<AllowedSender>,
    /// At most so many mails per minute, spread evenly.
    pub max_per_minute: Option<u32>,
    /// At most so many sessions at the same time.
    pub max_connections: Option<u32>,
}

/// From where an account may send besides its own address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AllowedSender {
    Address(EmailAddress),
    /// `*@domain`: every address of exactly this domain.
    Domain(String),
}

impl AllowedSender {
    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let Some(domain) = text.strip_prefix("*@") else {
            return EmailAddress::parse(text).map(Self::Address);
        };
        // A star is an ordinary character of a local part: here it stands for any.
        EmailAddress::parse(&format!("any@{domain}")).map(|address| Self::Domain(address.domain().to_owned()))
    }

    pub fn allows(&self, sender: &EmailAddress) -> bool {
        match self {
            Self::Address(address) => address.is_same_mailbox(sender),
            Self::Domain(domain) => domain == sender.domain(),
        }
    }
}

impl TryFrom<String> for AllowedSender {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<AllowedSender> for String {
    fn from(sender: AllowedSender) -> Self {
        sender.to_string()
    }
}

impl std::fmt::Display for AllowedSender {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => write!(formatter, "{address}"),
            Self::Domain(domain) => write!(formatter, "*@{domain}"),
        }
    }
}

impl AccountSettings {
    /// Whether the account may send from this address, which is not its own.
    pub fn allow(&self, sender: &EmailAddress) -> bool {
        self.allowed_senders.iter().any(|allowed| allowed.allows(sender))
    }

    /// The slower of the operator's pace and the tenant's.
    pub fn lower(&self, pace: Pace) -> Pace {
        let mut lowered = pace;
        if let Some(max) = self.max_connections {
            lowered.connections = pace.connections.min(max as usize);
        }
        if let Some(max) = self.max_per_minute.filter(|max| pace.per_minute.is_none_or(|bound| bound > *max))
        {
            lowered.per_minute = Some(max);
            lowered.burst = 1;
            // A rate that was named is that rate.
            lowered.grows = false;
        }
        lowered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_allowed_by_its_address_or_its_domain() {
        let settings = AccountSettings {
            allowed_senders: ["billing@example.com", "*@mail.example.com"]
                .map(|text| AllowedSender::parse(text).expect("a sender"))
                .to_vec(),
            ..AccountSettings::default()
        };
        for (sender, expected) in [
            ("billing@example.com", true),
            ("Billing@Example.com", true),
            ("eve@example.com", false),
            ("eve@mail.example.com", true),
            ("eve@sub.mail.example.com", false),
            ("eve@xmail.example.com", false),
            ("eve@mail.example.com.example.org", false),
        ] {
            let sender = EmailAddress::parse(sender).expect("an address");
            assert_eq!(settings.allow(&sender), expected, "{sender}");
        }
        assert!(
            !AccountSettings::default().allow(&EmailAddress::parse("a@example.com").expect("an address"))
        );
    }

    #[test]
    fn what_is_neither_an_address_nor_a_domain_is_refused() {
        for text in
            ["", "*", "*@", "@example.com", "*@com", "*@*.example.com", "a*@", "example.com", "*@[192.0.2.7]"]
        {
            assert!(AllowedSender::parse(text).is_err(), "{text}");
        }
        for text in ["*@example.com", "a*b@example.com", "ann@example.com"] {
            let sender = AllowedSender::parse(text).expect("a sender");
            assert_eq!(sender.to_string(), text);
        }
        let sender = AllowedSender::parse("*@Bücher.example").expect("a sender");
        assert_eq!(sender.to_string(), "*@xn--bcher-kva.example", "as domains are written on the wire");
    }

    #[test]
    fn a_tenant_only_lowers_the_pace() {
        let with = |max_per_minute, max_connections| AccountSettings {
            max_per_minute,
            max_connections,
            ..AccountSettings::default()
        };
        for (settings, pace, expected) in [
            (with(None, None), Pace::OTHER, (2, Some(300), 50)),
            (with(Some(1_000), Some(100)), Pace::OTHER, (2, Some(300), 50)),
            (with(Some(60), None), Pace::OTHER, (2, Some(60), 1)),
            (with(None, Some(1)), Pace::OTHER, (1, Some(300), 50)),
            (with(Some(60), Some(3)), Pace::OWN_RELAY, (3, Some(60), 1)),
        ] {
            let lowered = settings.lower(pace);
            assert_eq!((lowered.connections, lowered.per_minute, lowered.burst), expected, "{settings:?}");
        }
    }
}
