//! The options that select emails, and those of commands that change something.

use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValue;

use crate::cli::tenants::parse_code;
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::outgoing::{Lane, RecipientState};
use crate::store::email_selection::Selection;

/// Selects emails; options are combined with "and".
#[derive(Debug, Args)]
pub(super) struct SelectionOptions {
    /// Emails of this tenant, exactly as in its tokens.
    #[arg(long, value_parser = TenantId::from_argument)]
    tenant: Option<TenantId>,

    /// Emails with a recipient in one of these states.
    #[arg(long, value_name = "STATE", value_enum, value_delimiter = ',')]
    pub state: Vec<RecipientState>,

    /// Emails whose last attempt has this diagnosis, or whose account was stopped by it; docs/diagnosis.md lists the
    /// codes.
    #[arg(long, value_name = "CODE", value_parser = parse_code)]
    code: Option<String>,

    /// Emails in this lane.
    #[arg(long, value_enum)]
    lane: Option<Lane>,

    /// Emails accepted longer ago than this, such as 90s, 15m, 2h or 3d.
    #[arg(long, value_name = "TIME", value_parser = parse_age)]
    older_than: Option<Duration>,
}

impl clap::ValueEnum for RecipientState {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

impl clap::ValueEnum for Lane {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

impl SelectionOptions {
    /// Whether any option limits the selection.
    pub fn is_limited(&self) -> bool {
        self.tenant.is_some()
            || !self.state.is_empty()
            || self.code.is_some()
            || self.lane.is_some()
            || self.older_than.is_some()
    }

    /// `states` are meant where no option names any; with it, those that both have.
    pub fn to_selection(&self, states: &[RecipientState], now: Timestamp) -> Selection {
        let named = |state: &RecipientState| self.state.is_empty() || self.state.contains(state);
        let age = self.older_than.map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        Selection {
            tenant: self.tenant.clone(),
            states: states.iter().copied().filter(named).collect(),
            code: self.code.clone(),
            lane: self.lane,
            until: Timestamp(now.0.saturating_sub(age)),
        }
    }
}

/// Whether a command changes something, and asks before.
#[derive(Debug, Args)]
pub(super) struct ConfirmOptions {
    /// Only count; change nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask for confirmation. Required without a terminal.
    #[arg(long)]
    pub yes: bool,
}

/// Parses a number with a unit: s, m, h or d.
pub(in crate::cli) fn parse_age(text: &str) -> Result<Duration, String> {
    let parsed = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
    };
    parsed().ok_or_else(|| "write a number followed by s, m, h or d, such as 15m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_with_a_unit() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7_200), ("3d", 259_200), ("0s", 0)] {
            assert_eq!(parse_age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "15", "1.5h", "-1m", "15 m", "1w", "99999999999999999999d", "1ü"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }
}
