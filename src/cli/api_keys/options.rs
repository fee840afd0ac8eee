//! The options of keys: whose they are, what they may do, and until when.

use clap::Args;
use clap::builder::PossibleValue;

use crate::auth::api_key::Permission;
use crate::cli::queue::parse_age;
use crate::clock::{Clock, Timestamp};
use crate::delivery::request::parse_timestamp;
use crate::id::TenantId;
use crate::outgoing::account_settings::AllowedSender;
use crate::store::api_keys::KeyOwner;

/// A tenant or the platform.
#[derive(Debug, Args)]
#[group(required = true)]
pub(super) struct Whose {
    /// Tenant of the key, exactly as in its tokens.
    #[arg(long, group = "whose", value_parser = TenantId::from_argument)]
    tenant: Option<TenantId>,

    /// The platform: the key works on the emails of every tenant; each request has the tenant in its path.
    #[arg(long, group = "whose")]
    platform: bool,
}

impl Whose {
    pub fn owner(&self) -> KeyOwner {
        self.tenant.clone().map_or(KeyOwner::Platform, KeyOwner::Tenant)
    }
}

impl clap::ValueEnum for Permission {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

/// Parses an address or `*@domain`.
pub(super) fn parse_sender(text: &str) -> Result<AllowedSender, String> {
    AllowedSender::parse(text).map_err(|error| error.to_string())
}

/// Parses a time, or a duration from now.
pub(super) fn parse_end(text: &str) -> Result<Timestamp, String> {
    if let Ok(age) = parse_age(text) {
        return Ok(Clock::System.now().after(age));
    }
    parse_timestamp("expires", text.into())
        .map_err(|_| "write a time such as 2027-01-01T00:00:00Z, or a duration such as 90d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_how_long_from_now_on() {
        assert_eq!(parse_end("2027-01-01T00:00:00Z"), Ok(Timestamp(1_798_761_600_000)));
        let (before, end) = (Clock::System.now(), parse_end("90d").expect("an end"));
        assert!(end.0 >= before.0 + 90 * 86_400_000);
        for text in ["", "tomorrow", "90", "2027-01-01"] {
            assert!(parse_end(text).is_err(), "{text}");
        }
    }
}
