//! Replies of real servers in `tests/corpus`, judged. `scripts/corpus` prints how many are right.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::{Facts, Failure, facts};
use crate::diagnosis::{Effect, Finding, diagnose, lexicon, words};
use crate::mail::transcript::Stage;
use crate::providers::microsoft365::error_of_answer;
use crate::smtp::{Capabilities, EnhancedCode, Error, ErrorKind, Reply, Security};

const FILES: [&str; 9] = [
    include_str!("../../../tests/corpus/replies/before-sign-in.toml"),
    include_str!("../../../tests/corpus/replies/sign-in.toml"),
    include_str!("../../../tests/corpus/replies/sender.toml"),
    include_str!("../../../tests/corpus/replies/recipient.toml"),
    include_str!("../../../tests/corpus/replies/message.toml"),
    include_str!("../../../tests/corpus/replies/microsoft365.toml"),
    include_str!("../../../tests/corpus/replies/aside.toml"),
    include_str!("../../../tests/corpus/replies/second-aside.toml"),
    include_str!("../../../tests/corpus/replies/third-aside.toml"),
];

#[derive(Deserialize)]
struct File<T> {
    case: Vec<T>,
}

/// How a refusal came about, as a file tells it.
#[derive(Deserialize)]
struct Scene {
    id: String,
    stage: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    security: String,
    #[serde(default = "yes")]
    user_name: bool,
    #[serde(default = "yes")]
    signed_in: bool,
    #[serde(default)]
    unusual_password: bool,
    #[serde(default)]
    offers: Vec<String>,
    replies: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Working,
    Aside,
    SecondAside,
    ThirdAside,
}

#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    scene: Scene,
    part: Part,
    verdict: Vec<String>,
    #[serde(default)]
    blame: bool,
}

#[derive(Deserialize)]
struct Handed {
    #[serde(flatten)]
    scene: Scene,
    code: String,
    owner: String,
    retryable: bool,
    effect: String,
    says: Vec<String>,
    says_not: Vec<String>,
}

fn yes() -> bool {
    true
}

impl Scene {
    fn diagnosed(&self) -> Finding {
        let facts = self.facts();
        diagnose(&self.failure(), &facts, &[])
    }

    /// What the words of the reply are about.
    fn concepts(&self) -> String {
        let lines = self.replies.iter().map(String::as_str);
        format!("{:?}", lexicon::concepts(&words::read(lines, words::Known::default())).names())
    }

    fn stage(&self) -> Stage {
        match self.stage.as_str() {
            "after_dot" => Stage::Data,
            stage => Stage::parse(stage).expect("a stage"),
        }
    }

    fn facts(&self) -> Facts {
        let host = if self.host.is_empty() { "mail.example.com" } else { &self.host };
        // Where nobody signed in, this service has no user name: with one it would have signed in, or failed there.
        let named = self.user_name && (self.signed_in || self.stage() <= Stage::Auth);
        Facts {
            username: named.then(|| "alice@example.com".to_owned()),
            sender: Some("alice@example.com".to_owned()),
            security: Some(Security::parse(&self.security).unwrap_or(Security::StartTls)),
            unusual_password: self.unusual_password,
            ..facts(host)
        }
    }

    fn failure(&self) -> Failure {
        let stage = self.stage();
        if matches!(stage, Stage::Token | Stage::Graph) {
            let status = self.replies[0].trim_start_matches("HTTP ").parse().expect("a status");
            let error = error_of_answer(stage, status, &self.replies[1]).expect("a refusal");
            return Failure::Microsoft365(Box::new(error));
        }
        let mut lines = vec!["mail.example.com".to_owned()];
        lines.extend(self.offers.iter().cloned());
        let greeting = Reply { code: 250, enhanced: None, lines };
        let capabilities = (!self.offers.is_empty()).then(|| Box::new(Capabilities::parse(&greeting)));
        let command = (self.stage != "after_dot").then_some("COMMAND");
        let reply = reply(&self.replies);
        if stage == Stage::Tls && reply.code == 220 {
            return super::failed(stage, ErrorKind::PlainTextOnTls);
        }
        let reply = Some(Box::new(reply));
        Failure::Smtp(Error { stage, kind: ErrorKind::Refused, command, reply, capabilities })
    }
}

/// The lines as they came, split as the session's parser does. The last code decides.
fn reply(lines: &[String]) -> Reply {
    let mut reply = Reply { code: 0, enhanced: None, lines: Vec::new() };
    for line in lines {
        let (code, rest) = match line.split_at_checked(3) {
            Some((code, rest)) if code.bytes().all(|byte| byte.is_ascii_digit()) => (code.parse().ok(), rest),
            _ => (None, line.as_str()),
        };
        reply.code = code.unwrap_or(reply.code);
        let rest = rest.strip_prefix(['-', ' ']).unwrap_or(rest);
        let (enhanced, text) = split_enhanced(rest);
        reply.enhanced = reply.enhanced.or(enhanced);
        reply.lines.push(text.to_owned());
    }
    reply
}

fn split_enhanced(text: &str) -> (Option<EnhancedCode>, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut numbers = word.split('.').map(str::parse::<u16>);
    match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(class @ 2..=5)), Some(Ok(subject)), Some(Ok(detail)), None) => {
            (Some(EnhancedCode(u8::try_from(class).expect("a digit"), subject, detail)), rest)
        }
        _ => (None, text),
    }
}

/// The one table from our codes to the words of the corpus.
fn verdicts(code: &str) -> &'static [&'static str] {
    match code {
        "GREETING_REFUSED" => {
            &["connection_refused_by_policy", "too_many_connections", "temporary", "unknown"]
        }
        "CLIENT_ADDRESS_REFUSED" | "REVERSE_DNS_REFUSED" | "PROVIDER_IP_NOT_ALLOWED" => {
            &["connection_refused_by_policy"]
        }
        "GSUITE_RELAY_NOT_AUTHORIZED" => &["connection_refused_by_policy", "relaying"],
        "EHLO_NAME_REJECTED" => &["ehlo_name"],
        "TLS_VERSION" => &["tls", "encryption"],
        "STARTTLS_TEMP" => &["encryption", "temporary"],
        "TLS_MODE_MISMATCH_USE_STARTTLS"
        | "TLS_MODE_MISMATCH_USE_IMPLICIT"
        | "STARTTLS_REQUIRED"
        | "STARTTLS_MISSING"
        | "AUTH_NEEDS_TLS" => &["encryption"],
        "CONVERSATION_REFUSED" => &["provider", "unknown"],
        "PROVIDER_TROUBLE" => &["provider", "temporary"],
        "TOO_MANY_CONNECTIONS" | "M365_CONCURRENCY" => &["too_many_connections"],
        "SIGN_IN_REQUIRED" | "M365_NOT_AUTHENTICATED" => &["sign_in_wanted"],
        "RELAY_DENIED" | "M365_CONNECTOR_MISMATCH" => &["relaying", "sign_in_wanted"],
        "AUTH_REJECTED"
        | "AUTHORIZATION_CODE_REQUIRED"
        | "APP_PASSWORD_REQUIRED"
        | "PASSWORD_TOO_WEAK"
        | "GMAIL_BAD_CREDENTIALS"
        | "GMAIL_APP_PASSWORD_REQUIRED"
        | "SES_BAD_SMTP_CREDENTIALS"
        | "SENDGRID_APIKEY"
        | "M365_BAD_CREDENTIALS"
        | "OAUTH_TOKEN_REFUSED"
        | "OAUTH_REAUTH_REQUIRED"
        | "ENTRA_SECRET_INVALID"
        | "ENTRA_SECRET_EXPIRED"
        | "ENTRA_CERT_ASSERTION"
        | "ENTRA_USER" => &["credentials"],
        "WEB_SIGN_IN_REQUIRED" | "GMAIL_WEB_LOGIN_REQUIRED" | "M365_AUTH_GENERIC" => {
            &["credentials", "sign_in_policy"]
        }
        "SIGN_IN_SWITCHED_OFF"
        | "M365_SMTP_AUTH_DISABLED_TENANT"
        | "M365_SMTP_AUTH_DISABLED_MAILBOX"
        | "MSA_SMTP_UNAVAILABLE"
        | "M365_BASIC_AUTH_DISABLED"
        | "M365_BASIC_AUTH_RETIRED"
        | "M365_SECURITY_DEFAULTS"
        | "M365_CONDITIONAL_ACCESS"
        | "ENTRA_CONDITIONAL_ACCESS" => &["sign_in_policy"],
        "AUTH_MECHANISM_MISMATCH" | "AUTH_NOT_OFFERED" => &["no_mechanism"],
        "AUTH_TEMPORARY" => &["temporary", "quota"],
        "CREDITS_USED_UP" | "SANDBOX_ONLY" | "PROVIDER_NOT_ACTIVATED" => &["credits"],
        "ACCOUNT_BLOCKED" | "M365_SENDER_BLOCKED" | "M365_TENANT_BLOCKED" | "M365_OUTBOUND_SPAM" => {
            &["account_blocked"]
        }
        "SENDER_NOT_OWNED"
        | "SENDER_NOT_VERIFIED"
        | "SENDER_REFUSED"
        | "M365_SEND_AS_DENIED"
        | "GRAPH_SEND_AS_DENIED"
        | "SES_IDENTITY_NOT_VERIFIED"
        | "SENDGRID_SENDER" => &["sender"],
        "SENDER_DOMAIN_NOT_FOUND" => &["sender_domain"],
        "DMARC_FAIL" => &["authentication_of_mail"],
        "SENDER_DOMAIN_LISTED" => &["sender", "service_rule"],
        "ANTI_SPOOFING_RULE" | "POLICY_REFUSED" => &["service_rule"],
        "RECIPIENT_UNKNOWN" => &["recipient_unknown"],
        "RECIPIENT_UNAVAILABLE" | "GRAPH_RECIPIENT_REFUSED" => &["recipient_unknown", "recipient_policy"],
        "RECIPIENT_MAILBOX_FULL" => &["recipient_full"],
        "RECIPIENT_RATE_LIMITED" => &["recipient_policy", "quota"],
        "RECIPIENT_REFUSED" => &["recipient_policy"],
        "SENDING_LIMIT_REACHED"
        | "QUOTA_DAILY"
        | "M365_QUOTA_MAILBOX"
        | "M365_QUOTA_TENANT"
        | "SES_THROTTLED"
        | "MAILBOX_FULL" => &["quota"],
        "RATE_LIMITED_REPUTATION" | "M365_SUSPICIOUS" => {
            &["quota", "temporary", "connection_refused_by_policy"]
        }
        "TOO_MANY_RECIPIENTS" => &["quota", "service_rule"],
        "GRAPH_THROTTLED" => &["temporary", "quota", "too_many_connections"],
        "CONTENT_REJECTED" | "MESSAGE_FORM_REFUSED" | "GRAPH_MIME" => &["content"],
        "MESSAGE_TOO_LARGE" | "GRAPH_TOO_LARGE" => &["size"],
        "GREYLISTED"
        | "PROVIDER_TEMPORARY"
        | "TRY_LATER"
        | "TOKEN_ENDPOINT_TEMPORARY"
        | "ENTRA_THROTTLED" => &["temporary"],
        "GRAPH_TOKEN_AUDIENCE" => &["configuration", "temporary"],
        "UNKNOWN_REPLY" => &["unknown"],
        code if code.starts_with("ENTRA_") || code.starts_with("GRAPH_") => &["configuration"],
        _ => &[],
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Judged {
    Right,
    Generic,
    Wrong,
}

impl Case {
    fn judge(&self) -> (Judged, bool, Finding) {
        let finding = self.scene.diagnosed();
        let found = verdicts(finding.diagnosis.code);
        let judged = if self.verdict.iter().any(|verdict| found.contains(&verdict.as_str())) {
            Judged::Right
        } else if finding.diagnosis.code == "UNKNOWN_REPLY" {
            Judged::Generic
        } else {
            Judged::Wrong
        };
        let blamed = finding.effect == Effect::CredentialsRefused;
        (judged, blamed == self.blame, finding)
    }
}

fn corpus() -> Vec<Case> {
    FILES.iter().flat_map(|file| toml::from_str::<File<Case>>(file).expect("a corpus").case).collect()
}

/// `cargo test --lib corpus -- --nocapture` prints it.
#[test]
#[allow(clippy::print_stdout, reason = "the counts are for the work on the rules")]
fn the_working_part_of_the_corpus_is_judged_right() {
    let mut counts: BTreeMap<(Part, String), BTreeMap<Judged, usize>> = BTreeMap::new();
    let (mut blame_is_wrong, mut not_right) = (Vec::new(), String::new());
    let mut working: BTreeMap<Judged, usize> = BTreeMap::new();
    for case in corpus() {
        let (judged, blame_is_right, finding) = case.judge();
        let (part, id) = (case.part, &case.scene.id);
        *counts.entry((part, case.scene.stage.clone())).or_default().entry(judged).or_default() += 1;
        if judged != Judged::Right || !blame_is_right {
            let code = finding.diagnosis.code;
            let said = case.scene.concepts();
            let _ = writeln!(not_right, "{part:?} {judged:?} {id}: {code} for {:?}, of {said}", case.verdict);
        }
        if !blame_is_right {
            blame_is_wrong.push(id.clone());
        }
        if part == Part::Working {
            *working.entry(judged).or_default() += 1;
        } else if !blame_is_right {
            *counts.entry((part, "(blame is wrong)".to_owned())).or_default().entry(judged).or_default() += 1;
        }
    }
    for ((part, stage), judged) in &counts {
        println!("{part:?} {stage}: {judged:?}");
    }
    println!("{not_right}");
    let total: usize = working.values().sum();
    let count = |judged| working.get(&judged).copied().unwrap_or_default();
    assert!(count(Judged::Right) * 100 >= total * 85, "{working:?}\n{not_right}");
    assert!(count(Judged::Wrong) * 100 <= total * 2, "{working:?}\n{not_right}");
    assert_eq!(blame_is_wrong, Vec::<String>::new());
}

#[test]
fn every_case_has_its_own_id_and_a_source() {
    let mut ids: Vec<_> = corpus().into_iter().map(|case| case.scene.id).collect();
    assert!(ids.len() >= 400);
    let before = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), before);
}

#[test]
fn the_handed_refusals_are_told_whole() {
    let file = include_str!("../../../tests/corpus/handed.toml");
    let mut problems = String::new();
    for case in toml::from_str::<File<Handed>>(file).expect("the handed cases").case {
        let finding = case.scene.diagnosed();
        let diagnosis = &finding.diagnosis;
        let effect = match finding.effect {
            Effect::CredentialsRefused => "credentials",
            Effect::ProviderError => "provider",
            Effect::None => "none",
        };
        let owner = serde_json::to_value(diagnosis.owner).expect("an owner");
        let found = (diagnosis.code, owner.as_str().expect("a text"), diagnosis.retryable, effect);
        let expected = (case.code.as_str(), case.owner.as_str(), case.retryable, case.effect.as_str());
        let id = &case.scene.id;
        if found != expected {
            let _ = writeln!(problems, "{id}: {found:?} in place of {expected:?}");
        }
        let said =
            [&[diagnosis.title.clone(), diagnosis.meaning.clone()][..], &diagnosis.steps].concat().join("\n");
        let lower = said.to_lowercase();
        for part in case.says.iter().filter(|part| !lower.contains(&part.to_lowercase())) {
            let _ = writeln!(problems, "{id} does not say {part:?}:\n{said}");
        }
        // What the server said itself is no claim of ours.
        let reply = finding.reply.as_ref().map(|reply| reply.text().to_lowercase()).unwrap_or_default();
        let ours = if reply.is_empty() { lower } else { lower.replace(&reply, "") };
        for part in case.says_not.iter().filter(|part| ours.contains(&part.to_lowercase())) {
            let _ = writeln!(problems, "{id} says {part:?}:\n{said}");
        }
    }
    assert!(problems.is_empty(), "{problems}");
}
