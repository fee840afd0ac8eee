//! Fuzz target: what is said about any failure.

use super::{Confidence, Effect, Facts, Failure, Finding, StoredDiagnosis, diagnose, rule_for};
use crate::fuzz_targets::Input;
use crate::language::Language;
use crate::mail::transcript::Stage;
use crate::smtp::{
    Capabilities, Chain, EnhancedCode, Error, ErrorKind, OtherProtocol, Reply, Security, TlsFailure,
};

const STAGES: [Stage; 13] = [
    Stage::Policy,
    Stage::Dns,
    Stage::Connect,
    Stage::Tls,
    Stage::Greeting,
    Stage::Ehlo,
    Stage::Starttls,
    Stage::Token,
    Stage::Auth,
    Stage::MailFrom,
    Stage::RcptTo,
    Stage::Data,
    Stage::Graph,
];

const HOSTS: [&str; 8] = [
    "mail.example.com",
    "smtp.gmail.com",
    "smtp-relay.gmail.com",
    "smtp.office365.com",
    "contoso-com.mail.protection.outlook.com",
    "smtp.sendgrid.net",
    "email-smtp.eu-west-1.amazonaws.com",
    "192.0.2.7",
];

/// Any failure gets one honest answer: a known code, texts that are bounded and hold no control character, no blame of
/// the credentials but by a permanent reply to the sign-in, and nothing said about the configuration by a recipient.
pub fn diagnosis(data: &[u8]) {
    let mut input = Input::new(data);
    let stage = input.choose(&STAGES);
    let host = input.choose(&HOSTS);
    let kind = input.byte();
    let reply = reply(&mut input);
    let text = reply.text();
    let names: Vec<String> = reply.lines.clone();
    let kind = match kind % 16 {
        0 => ErrorKind::OAuthRefused { challenge: text },
        1 => ErrorKind::Tls(TlsFailure::Other(text)),
        2 => ErrorKind::Tls(TlsFailure::WrongName { names, greeted_as: None }),
        3 => ErrorKind::Tls(TlsFailure::Untrusted { issuer: Some(text), chain: Chain::Alone }),
        4 => ErrorKind::NoCommonMechanism { offered: names },
        5 => ErrorKind::NotSmtp(OtherProtocol::Http),
        6 => ErrorKind::Protocol(text),
        7 => ErrorKind::OutcomeUnknown,
        8 => ErrorKind::ConnectionLost,
        9 => ErrorKind::TooLarge { limit: u64::from(reply.code), size: u64::MAX },
        _ => ErrorKind::Refused,
    };
    let refused = matches!(kind, ErrorKind::Refused | ErrorKind::OAuthRefused { .. });
    let class = refused.then_some(reply.code / 100);
    let unknown_outcome = kind == ErrorKind::OutcomeUnknown;
    let capabilities = Capabilities { auth: reply.lines.clone(), size: Some(1), ..Capabilities::default() };
    let error = Error {
        stage,
        kind,
        command: None,
        reply: Some(Box::new(reply)),
        capabilities: Some(Box::new(capabilities)),
    };
    let facts = facts(host);
    let failure = Failure::Smtp(error);
    let finding = diagnose(&failure, &facts, &[]);
    check_texts(&finding);
    check_texts(&finding.in_language(Language::German));
    check_stored(&diagnose(&failure, &Facts { recipient: None, ..facts }, &[]));
    assert_eq!(finding.diagnosis.stage, stage);
    if finding.effect == Effect::CredentialsRefused {
        assert_eq!((stage, class), (Stage::Auth, Some(5)));
    }
    match class {
        Some(4) => assert!(finding.diagnosis.retryable),
        Some(_) => assert!(finding.reply.is_some()),
        None => assert!(finding.reply.is_none()),
    }
    if unknown_outcome {
        assert!(!finding.diagnosis.retryable && !finding.connection_failed);
    }
    if finding.diagnosis.confidence == Confidence::Exact {
        assert!(!finding.diagnosis.links.is_empty() || !finding.diagnosis.steps.is_empty());
    }
}

/// What is stored says the same in each language, after it was written and read.
fn check_stored(finding: &Finding) {
    let stored = serde_json::to_string(&finding.to_stored()).expect("JSON");
    let stored: StoredDiagnosis = serde_json::from_str(&stored).expect("what was written");
    for language in Language::ALL {
        assert_eq!(stored.in_language(language).as_ref(), Some(&finding.in_language(language).diagnosis));
    }
}

fn check_texts(finding: &Finding) {
    let diagnosis = &finding.diagnosis;
    let rule = rule_for(diagnosis.code).expect("a documented code");
    assert_eq!(rule.owner, diagnosis.owner);
    assert_eq!(
        rule.status_reason_in(Language::English, &finding.status_reason).as_ref(),
        Some(&finding.status_reason),
    );
    assert!(!diagnosis.steps.is_empty() && diagnosis.steps.len() < 20);
    let texts = [&diagnosis.title, &diagnosis.meaning, &finding.message, &finding.status_reason];
    for text in texts.into_iter().chain(&diagnosis.steps).chain(&diagnosis.links) {
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!((1..4_000).contains(&text.chars().count()), "{text:?}");
    }
    assert!(finding.message.len() < 1_500);
}

/// A reply as the parser gives it: two bytes for the code, three for the enhanced one, then its lines.
fn reply(input: &mut Input<'_>) -> Reply {
    let code = 200 + u16::from_be_bytes(input.array()) % 360;
    let [detail, subject, given] = input.array();
    let class = u8::try_from(code / 100).expect("one digit");
    let detail = u16::from(detail) * if given & 2 == 0 { 1 } else { 3 };
    let enhanced = (given & 1 == 1).then(|| EnhancedCode(class, u16::from(subject) % 8, detail));
    let mut lines = Vec::new();
    while lines.is_empty() || !input.is_empty() {
        let printable = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { ' ' };
        lines.push(input.line().iter().map(printable).collect());
    }
    Reply { code, enhanced, lines }
}

fn facts(host: &str) -> Facts {
    Facts {
        host: host.to_owned(),
        port: 587,
        security: Some(Security::StartTls),
        username: Some("anna@example.com".to_owned()),
        sender: Some("news@example.com".to_owned()),
        recipient: Some("bob@example.org".to_owned()),
        timeout_seconds: 8,
        ..Facts::default()
    }
}
