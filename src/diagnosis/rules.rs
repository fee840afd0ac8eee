//! All that is known about failures, as one table in parts.
//!
//! The first rule that applies wins, so the parts go from the specific to the generic: replies that only one
//! provider gives, then what every server may do. A rule without a condition is reached by a verdict.

mod configuration;
mod connection;
mod content;
mod encryption;
mod entra;
mod fallback;
mod google;
mod graph;
mod microsoft365;
mod sender;
mod services;
mod sign_in;

use super::observation::Observation;
use super::rule::Rule;
use super::verdict;

/// The parts with their headings in the reference.
pub(super) const PARTS: &[(&str, &[Rule])] = &[
    ("The configuration itself", configuration::RULES),
    ("Microsoft 365: access tokens", entra::RULES),
    ("Microsoft 365: Graph", graph::RULES),
    ("Microsoft 365: SMTP sign-in", microsoft365::RULES),
    ("Microsoft 365: sending by SMTP", microsoft365::sending::RULES),
    ("Google", google::RULES),
    ("Sending services", services::RULES),
    ("Reaching the server", connection::RULES),
    ("Encryption", encryption::RULES),
    ("Introduction and sign-in", sign_in::RULES),
    ("Sender and recipient", sender::RULES),
    ("Content, limits and outcome", content::RULES),
    ("Everything else", fallback::RULES),
];

pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    PARTS.iter().flat_map(|(_, rules)| rules.iter())
}

/// The rule for what was seen: the first exact one, else that of the verdict from words, session and numbers, else
/// the one that says that nothing is known.
pub(super) fn rule_for(observation: &Observation<'_>) -> &'static Rule {
    let exact = all().find(|rule| rule.when.iter().any(|when| observation.matches(when)));
    let by_verdict = || {
        observation.reply()?;
        by_code(verdict::decide(&observation.evidence())?)
    };
    exact.or_else(by_verdict).unwrap_or(&fallback::UNKNOWN_REPLY)
}

pub(super) fn by_code(code: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.code == code)
}
