//! All that is known about failures, as one table in parts.
//!
//! The first rule that applies wins, so the parts go from the specific to the generic: replies that only one
//! provider gives, then what every server may do, then the class of a reply.

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

/// The parts with their headings in the reference.
pub(super) const PARTS: &[(&str, &[Rule])] = &[
    ("The configuration itself", configuration::RULES),
    ("Microsoft 365: access tokens", entra::RULES),
    ("Microsoft 365: Graph", graph::RULES),
    ("Microsoft 365: SMTP", microsoft365::RULES),
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

/// The rule for what was seen; the last one takes everything.
pub(super) fn first_match(observation: &Observation<'_>) -> &'static Rule {
    all()
        .find(|rule| rule.when.iter().any(|when| observation.matches(when)))
        .unwrap_or(&fallback::UNKNOWN_REPLY)
}
