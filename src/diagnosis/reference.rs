//! The reference of all codes, written from the rules themselves.

use std::fmt::Write as _;

use super::rule::Rule;
use super::rules::PARTS;
use super::{Confidence, Effect, Owner};

/// How a verdict comes about.
const HOW: &str = "\n## How a verdict comes about\n\n\
    A reply that only one service gives has a rule of its own, which names that service and decides first. Every other \
    refusal is judged by evidence, in this order:\n\n\
    1. **The words.** The whole reply is decoded and read word by word. `src/diagnosis/lexicon.toml` says in seventeen \
    languages which words stand for which concept: a sign-in is wanted, the mailbox is full, an amount is reached.\n\
    2. **The session.** Whether somebody signed in, what the server offered, whether the host is a known service's \
    server, whether the message is within the size that the server states.\n\
    3. **The numbers.** The basic and the enhanced code count where words and session say nothing. Codes that no \
    standard has are read by their first digit.\n\n\
    `src/diagnosis/verdict.rs` is the table from this evidence to a code. Where nothing applies, the code is \
    `UNKNOWN_REPLY`, and nothing is claimed. The credentials are blamed only by a permanent reply to the sign-in that \
    says so, or by 535 without words that say something else.\n";

/// `docs/diagnosis.md`. A test holds the file to it.
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "# Diagnosis codes\n\n\
         Generated from the rules in `src/diagnosis/rules`; a test compares it. Placeholders in braces are filled from the configuration and from what the server said. A reply of the class 4yz is always retryable, and \
         what a server says about a recipient never changes the state of a configuration.\n",
    );
    table(&mut page);
    page.push_str(HOW);
    for (heading, rules) in PARTS {
        let _ = write!(page, "\n## {heading}\n");
        for rule in *rules {
            entry(&mut page, rule);
        }
    }
    page
}

/// One line for each code, to find it by.
fn table(page: &mut String) {
    page.push_str("\n## All codes\n\n| Code | Meaning | Who can fix it | Retry |\n|---|---|---|---|\n");
    for rule in PARTS.iter().flat_map(|(_, rules)| *rules) {
        let (code, anchor) = (rule.code, rule.code.to_lowercase());
        let retry = if rule.retryable { "yes" } else { "no" };
        let _ =
            writeln!(page, "| [`{code}`](#{anchor}) | {} | {} | {retry} |", rule.title, owner(rule.owner));
    }
}

fn entry(page: &mut String, rule: &Rule) {
    let _ = write!(page, "\n### {}\n\n**{}.** {}\n\n", rule.code, rule.title, rule.meaning);
    let _ = writeln!(
        page,
        "{} · retryable: {} · confidence: {} · `errorCode`: {} · `connectionFailed`: {}\n",
        who_can_fix(rule),
        if rule.retryable { "yes" } else { "no" },
        match rule.confidence {
            Confidence::Exact => "exact",
            Confidence::Generic => "generic",
        },
        match rule.effect {
            Effect::CredentialsRefused => "`INVALID_CREDENTIALS`",
            Effect::ProviderError => "`PROVIDER_ERROR`",
            Effect::None => "unchanged",
        },
        rule.connection_failed,
    );
    for case in rule.cases {
        let _ = match (case.meaning, case.step) {
            (meaning, "") => writeln!(page, "- In some cases: {meaning}"),
            ("", step) => writeln!(page, "- In some cases, first: {step}"),
            (meaning, step) => writeln!(page, "- In some cases: {meaning} First: {step}"),
        };
    }
    if !rule.cases.is_empty() {
        page.push('\n');
    }
    for (number, step) in (1..).zip(rule.steps) {
        let _ = writeln!(page, "{number}. {step}");
    }
    if !rule.links.is_empty() {
        page.push('\n');
    }
    for link in rule.links {
        let _ = writeln!(page, "- <{link}>");
    }
}

fn who_can_fix(rule: &Rule) -> String {
    match rule.owner {
        Owner::Nobody => "Nothing needs to be fixed".to_owned(),
        somebody => format!("Who can fix it: {}", owner(somebody)),
    }
}

fn owner(owner: Owner) -> &'static str {
    match owner {
        Owner::TenantAdmin => "the tenant's administrator",
        Owner::MailHost => "the mail provider",
        Owner::Microsoft365Admin => "the Microsoft 365 administrator",
        Owner::WorkspaceAdmin => "the Google Workspace administrator",
        Owner::DnsOwner => "the DNS administrators",
        Owner::Operator => "the operator of this service",
        Owner::Nobody => "nobody: nothing is broken",
    }
}
