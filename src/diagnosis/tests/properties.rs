//! What holds for every failure, whatever a server says.

use proptest::prelude::*;

use super::{facts, refused};
use crate::diagnosis::rule::{RULE, Rule};
use crate::diagnosis::{Effect, Facts, Failure, diagnose, effect, observation};
use crate::mail::transcript::Stage;
use crate::smtp::{EnhancedCode, Error, ErrorKind, OtherProtocol, Reply, TlsFailure};

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

const HOSTS: [&str; 6] = [
    "mail.example.com",
    "smtp.gmail.com",
    "smtp.office365.com",
    "smtp.sendgrid.net",
    "email-smtp.eu-west-1.amazonaws.com",
    "{user} \u{fc}",
];

fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "credentials were incorrect",
        "support.google.com/?p=BadCredentials",
        "authentication failed",
        "bad username / password",
        "Relay access denied",
        "not owned by user",
        "basic authentication is disabled",
        "TenantAttribution",
        "Must issue a STARTTLS command first",
        "{reply}{host",
    ]);
    prop_oneof![any::<String>(), known.prop_map(str::to_owned), "[45]\\.[0-9]{1,6}\\.[0-9]{1,6} .{0,40}"]
}

fn kind() -> impl Strategy<Value = ErrorKind> {
    prop_oneof![
        6 => Just(ErrorKind::Refused),
        2 => text().prop_map(|challenge| ErrorKind::OAuthRefused { challenge }),
        1 => Just(ErrorKind::NotSmtp(OtherProtocol::Http)),
        1 => text().prop_map(|problem| ErrorKind::Tls(TlsFailure::Other(problem))),
        1 => prop::collection::vec(text(), 0..8).prop_map(|names| ErrorKind::Tls(TlsFailure::WrongName { names, greeted_as: None })),
        1 => Just(ErrorKind::OutcomeUnknown),
        1 => Just(ErrorKind::ConnectionLost),
        1 => Just(ErrorKind::Timeout),
        1 => text().prop_map(ErrorKind::Protocol),
        1 => any::<(u64, u64)>().prop_map(|(limit, size)| ErrorKind::TooLarge { limit, size }),
    ]
}

fn reply() -> impl Strategy<Value = Option<Box<Reply>>> {
    let code = prop_oneof![any::<u16>(), 400..600_u16, Just(535)];
    let detail = prop_oneof![any::<u16>(), Just(8), Just(139), Just(3)];
    let enhanced = prop::option::of((4..6_u8, 0..9_u16, detail).prop_map(|(a, b, c)| EnhancedCode(a, b, c)));
    let lines = prop::collection::vec(text(), 0..4);
    let reply = (code, enhanced, lines).prop_map(|(code, enhanced, lines)| Reply { code, enhanced, lines });
    prop::option::of(reply.prop_map(Box::new))
}

#[test]
fn no_rule_can_blame_the_credentials_for_anything_but_a_permanent_reply_to_the_sign_in() {
    let careless = Rule { effect: Effect::CredentialsRefused, ..RULE };
    let facts = facts("mail.example.com");
    for stage in STAGES {
        for line in ["235 ok", "454 4.7.0 later", "535 5.7.8 no"] {
            let failure = refused(stage, line);
            let found = effect(&careless, &observation::Observation::new(&failure, &facts));
            let blamed = stage == Stage::Auth && line.starts_with('5');
            assert_eq!(found == Effect::CredentialsRefused, blamed, "{stage:?}: {line}");
        }
    }
}

/// Security cases E2, E15.
#[test]
fn of_a_huge_reply_only_the_beginning_is_looked_at() {
    let said = "support.google.com/?p=BadCredentials";
    let judged = |text: String| {
        let failure = refused(Stage::Auth, &format!("535 {text}"));
        diagnose(&failure, &facts("smtp.gmail.com"), &[]).diagnosis.code
    };
    let known = judged(said.to_owned());
    assert_ne!(known, judged("no".to_owned()));
    assert_eq!(judged(format!("{} {said}", "x".repeat(8_000))), known);
    assert_eq!(judged(format!("{} {said}", "x".repeat(9_000))), judged("no".to_owned()));
}

proptest! {
    #[test]
    fn a_part_is_found_as_the_pattern_of_it_is(part in "[a-c*]{1,5}", text in "[a-c]{0,12}") {
        let failure = refused(Stage::Auth, &format!("535 {text}"));
        let facts = Facts::default();
        let observation = observation::Observation::new(&failure, &facts);
        prop_assert_eq!(observation.contains_in_order(&part), observation::matches_pattern(&format!("*{part}*"), &text));
    }

    #[test]
    fn any_reply_gets_an_honest_answer(
        stage in prop::sample::select(&STAGES[..]),
        host in prop::sample::select(&HOSTS[..]),
        kind in kind(),
        reply in reply(),
        known in any::<bool>(),
    ) {
        let facts = if known { facts(host) } else { Facts::default() };
        let code = reply.as_ref().map(|reply| reply.code);
        let refusal = matches!(kind, ErrorKind::Refused | ErrorKind::OAuthRefused { .. });
        let unknown_outcome = kind == ErrorKind::OutcomeUnknown;
        let error = Error { stage, kind, command: None, reply, capabilities: None };
        let finding = diagnose(&Failure::Smtp(error), &facts, &[]);
        let class = code.filter(|_| refusal).map(|code| code / 100);

        if finding.effect == Effect::CredentialsRefused {
            prop_assert_eq!((stage, class), (Stage::Auth, Some(5)));
        }
        if class == Some(4) {
            prop_assert!(finding.diagnosis.retryable);
            prop_assert_ne!(finding.effect, Effect::CredentialsRefused);
        }
        if unknown_outcome {
            prop_assert!(!finding.diagnosis.retryable && !finding.connection_failed);
        }
        prop_assert!(!finding.diagnosis.steps.is_empty());
        prop_assert!(finding.message.len() < 1500 && finding.diagnosis.meaning.len() < 3000);
        prop_assert_eq!(finding.diagnosis.stage, stage);
    }

    #[test]
    fn a_pattern_without_signs_is_a_comparison(a in "[a-z.]{0,6}", b in "[a-z.]{0,6}") {
        prop_assert_eq!(observation::matches_pattern(&a, &b), a == b);
        prop_assert_eq!(observation::matches_pattern(&format!("*{a}*"), &b), b.contains(&a));
        let starts_and_ends = b.len() >= a.len() * 2 && b.starts_with(&a) && b.ends_with(&a);
        prop_assert_eq!(observation::matches_pattern(&format!("{a}*{a}"), &b), starts_and_ends);
    }
}
