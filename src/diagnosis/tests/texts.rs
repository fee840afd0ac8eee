//! The words: complete, without dates, filled, and safe to show.

use std::fmt::Write as _;

use super::{facts, failed, refused};
use crate::diagnosis::observation::Observation;
use crate::diagnosis::{Facts, Failure, diagnose, fill, reference_markdown, rule_for, rules, verdict};
use crate::egress::{DialError, Refusal};
use crate::language::Language;
use crate::mail::transcript::Stage;
use crate::smtp::{Capabilities, Chain, Error, ErrorKind, OtherProtocol, TlsFailure};

#[test]
fn every_rule_has_all_its_words() {
    for rule in rules::all() {
        let code = rule.code;
        assert!(
            !code.is_empty()
                && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        );
        assert!(!rule.title.is_empty() && !rule.meaning.is_empty() && !rule.steps.is_empty(), "{code}");
        assert!(!rule.title.ends_with('.') && rule.meaning.ends_with('.'), "{code}");
        let reached = !rule.when.is_empty() || verdict::codes().any(|found| found == code);
        assert!(reached || code == "UNKNOWN_REPLY", "{code}");
        assert!(rule.links.iter().all(|link| link.starts_with("https://")), "{code}");
        for text in rule.texts() {
            assert!(!text.contains("  ") && text.trim() == text, "{code}: {text}");
            let names = text.split('{').skip(1).map(|rest| rest.split_once('}').expect(code).0);
            for name in names {
                assert!(fill::PLACEHOLDERS.contains(&name), "{code}: {name}");
            }
        }
    }
}

#[test]
fn a_refused_relay_is_told_by_what_the_session_has_shown() {
    let refusal = refused(Stage::RcptTo, "550 5.7.1 Relaying denied");
    let told = |facts: &Facts| {
        let diagnosis = diagnose(&refusal, facts, &[]).diagnosis;
        format!("{} {}", diagnosis.meaning, diagnosis.steps.join(" "))
    };
    let account = facts("mail.example.com");
    let signed_in = told(&account);
    assert!(
        signed_in.contains("had worked") && signed_in.contains("550 5.7.1 Relaying denied"),
        "{signed_in}"
    );
    for wrong in ["Nobody has signed in", "Enter user name", "port 587"] {
        assert!(!signed_in.contains(wrong), "{signed_in}");
    }
    let nobody = told(&Facts { username: None, ..account });
    assert!(nobody.contains("Nobody has signed in") && nobody.contains("Enter user name"), "{nobody}");
    assert!(!nobody.contains("had worked"), "{nobody}");
}

#[test]
fn codes_are_unique_and_can_be_looked_up() {
    let mut codes: Vec<_> = rules::all().map(|rule| rule.code).collect();
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count);
    for code in codes {
        assert_eq!(rule_for(code).expect(code).code, code);
    }
    assert_eq!(rule_for("NO_SUCH_CODE"), None);
}

#[test]
fn texts_name_no_year() {
    for rule in rules::all() {
        for text in rule.texts() {
            let numbers = text.split(|c: char| !c.is_ascii_digit());
            let years = numbers.filter(|n| n.len() == 4 && (n.starts_with("19") || n.starts_with("20")));
            assert_eq!(years.count(), 0, "{}: {text}", rule.code);
        }
    }
}

#[test]
fn patterns_are_in_lower_case_as_the_text_that_they_meet() {
    for rule in rules::all() {
        for when in rule.when {
            for pattern in [when.users, when.texts, when.unless].concat() {
                assert_eq!(pattern, pattern.to_ascii_lowercase(), "{}", rule.code);
            }
        }
    }
}

#[test]
fn a_blocked_destination_names_neither_class_nor_address() {
    let address = Refusal::Address { address: "169.254.169.254".parse().unwrap(), class: "metadata" };
    let finding = diagnose(&Failure::Dial(DialError::Refused(address)), &facts("mail.example.com"), &[]);
    let shown = format!("{:?}", (finding.diagnosis, finding.message, finding.status_reason));
    assert!(!shown.contains("169.254") && !shown.contains("metadata"), "{shown}");
}

#[test]
fn another_protocol_is_named_by_one_word_and_its_bytes_are_not_shown() {
    let failure = refused(Stage::Greeting, "500 SSH-2.0-secret-banner");
    let Failure::Smtp(mut error) = failure else { unreachable!() };
    error.kind = ErrorKind::NotSmtp(OtherProtocol::Ssh);
    let finding = diagnose(&Failure::Smtp(error), &facts("mail.example.com"), &[]);
    let shown = format!("{:?}", (&finding.diagnosis, &finding.message, &finding.status_reason));
    assert!(finding.message.contains("(protocol: SSH)") && !shown.contains("banner"), "{shown}");
}

#[test]
fn the_reply_goes_into_the_message_and_not_into_the_stored_reason() {
    let finding = diagnose(&refused(Stage::Auth, "535 5.7.8 No\u{1b}way"), &facts("mail.example.com"), &[]);
    assert_eq!(finding.message, "mail.example.com refused the sign-in (535 5.7.8 No?way).");
    assert_eq!(finding.status_reason, "mail.example.com refused the sign-in.");
    let long = diagnose(&refused(Stage::Auth, &format!("535 {}", "x".repeat(5000))), &Facts::default(), &[]);
    assert!(long.message.len() < 600);
}

#[test]
fn values_that_look_like_placeholders_stay_what_they_are() {
    let finding = diagnose(&Failure::Dial(DialError::NotFound), &facts("{user}"), &[]);
    assert_eq!(finding.diagnosis.title, "No server named {user} was found");
}

/// The whole of what an administrator reads, for the failures that come most often.
#[test]
fn the_words_of_the_main_failures() {
    insta::assert_snapshot!(page_of_the_main_failures(Language::English));
}

#[test]
fn the_words_of_the_main_failures_in_german() {
    insta::assert_snapshot!(page_of_the_main_failures(Language::German));
}

fn page_of_the_main_failures(language: Language) -> String {
    let tls = |failure| failed(Stage::Tls, ErrorKind::Tls(failure));
    let no_auth = Failure::Smtp(Error {
        stage: Stage::Auth,
        kind: ErrorKind::AuthNotOffered { encrypted: false },
        command: None,
        reply: None,
        capabilities: Some(Box::new(Capabilities { starttls: true, ..Capabilities::default() })),
    });
    let offered = ["XOAUTH2", "GSSAPI"].map(str::to_owned).to_vec();
    let unverified = "554 Message rejected: Email address is not verified. The following identities failed the \
                      check in region EU-WEST-1: bob@example.org";
    let failures = [
        ("anna@gmail.com", Failure::Dial(DialError::NotFound)),
        ("mail.example.com", Failure::Dial(DialError::Refused(Refusal::Port { allowed: vec![465, 587] }))),
        ("mail.example.com", Failure::Dial(DialError::ConnectRefused)),
        ("mail.example.com", Failure::Dial(DialError::ConnectTimeout)),
        ("mail.example.com", failed(Stage::Tls, ErrorKind::PlainTextOnTls)),
        ("mail.example.com", failed(Stage::Greeting, ErrorKind::TlsFromFirstByte)),
        (
            "mail.example.com",
            tls(TlsFailure::Untrusted { issuer: Some("CN=Our CA".into()), chain: Chain::Alone }),
        ),
        ("192.0.2.7", tls(TlsFailure::WrongName { names: vec!["mx.example.com".into()], greeted_as: None })),
        ("mail.example.com", no_auth),
        ("mail.example.com", failed(Stage::Auth, ErrorKind::NoCommonMechanism { offered })),
        ("mail.example.com", refused(Stage::Auth, "535 5.7.8 Error: authentication failed")),
        (
            "smtp.office365.com",
            refused(
                Stage::Auth,
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
            ),
        ),
        ("email-smtp.eu-west-1.amazonaws.com", refused(Stage::Data, unverified)),
        ("mail.example.com", failed(Stage::Data, ErrorKind::OutcomeUnknown)),
        (
            "mail.example.com",
            failed(Stage::MailFrom, ErrorKind::TooLarge { limit: 10_485_760, size: 14_000_000 }),
        ),
        ("mail.example.com", refused(Stage::MailFrom, "550 5.7.999 Computer says no")),
        ("", Failure::ConfigIncomplete { missing: vec!["serverAddress", "serverPort"] }),
    ];
    let mut page = String::new();
    for (host, failure) in &failures {
        let finding = diagnose(failure, &facts(host), &[]).in_language(language);
        let diagnosis = finding.diagnosis;
        let _ = write!(
            page,
            "{}
  {}
  {}
",
            diagnosis.code, finding.message, diagnosis.meaning
        );
        for step in diagnosis.steps {
            let _ = writeln!(page, "  - {step}");
        }
    }
    page
}

#[test]
fn the_reference_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diagnosis.md");
    #[expect(clippy::disallowed_methods, reason = "how a developer asks this test to write the file anew")]
    let update = std::env::var("UPDATE_DOCS").is_ok();
    if update {
        std::fs::write(path, reference_markdown()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == reference_markdown(), "docs/diagnosis.md is old: run the tests with UPDATE_DOCS=1");
    assert!(!written.contains("Who can fix it: nobody"), "where nothing is broken, a sentence says so");
}

#[test]
fn every_verdict_has_a_rule() {
    for code in verdict::codes() {
        assert!(rules::by_code(code).is_some(), "{code}");
    }
}

#[test]
fn a_typing_error_in_a_known_servers_name_is_told_with_the_name_that_was_meant() {
    let not_found = Failure::Dial(DialError::NotFound);
    let steps =
        |host: &str, language| diagnose(&not_found, &facts(host), &[]).in_language(language).diagnosis.steps;
    assert_eq!(
        steps("smtp.gmial.com", Language::English)[0],
        "Did you mean smtp.gmail.com? Then enter that name."
    );
    assert_eq!(
        steps("smtp.gmial.com", Language::German)[0],
        "Meinten Sie smtp.gmail.com? Dann geben Sie diesen Namen ein."
    );
    assert!(!steps("smtp.example.com", Language::English)[0].starts_with("Did you mean"));
}

#[test]
fn a_title_shows_a_name_in_its_own_script() {
    let found = diagnose(&Failure::Dial(DialError::NotFound), &facts("smtp.xn--gre-6ka8i.de"), &[]);
    assert_eq!(found.diagnosis.title, "No server named smtp.größe.de was found");
    let title = |host: &str| diagnose(&Failure::Dial(DialError::NotFound), &facts(host), &[]).diagnosis.title;
    assert_eq!(
        title("xn--80ak6aa92e.com"),
        "No server named xn--80ak6aa92e.com was found",
        "which looks like another name"
    );
    let account = Facts {
        sender: Some("news@xn--gre-6ka8i.de".to_owned()),
        username: Some("bea@xn--gre-6ka8i.de".to_owned()),
        ..facts("smtp.example.com")
    };
    let failure = Failure::ConfigNotSet;
    let observation = Observation::new(&failure, &account);
    let words = fill::Words { language: Language::English, observation: &observation };
    assert_eq!(words.fill("{user} as {from}"), "bea@größe.de as news@größe.de");
    assert_eq!(words.fill("Run `x {user} {from}`"), "Run `x bea@xn--gre-6ka8i.de news@xn--gre-6ka8i.de`");
}

/// A delivery has a limit for each of its steps, which are minutes.
#[test]
fn only_a_check_names_its_time_limit_and_who_can_raise_it() {
    let silent = |stage| failed(stage, ErrorKind::Timeout);
    for (failure, asks_operator) in [
        (silent(Stage::Greeting), true),
        (silent(Stage::Auth), false),
        (Failure::Dial(DialError::ConnectTimeout), false),
    ] {
        for timeout_seconds in [8, 0] {
            let facts = Facts { timeout_seconds, ..facts("mail.example.com") };
            let diagnosis = diagnose(&failure, &facts, &[]).diagnosis;
            let is_check = timeout_seconds > 0;
            assert_eq!(
                diagnosis.meaning.contains("A check may take 8 seconds in total."),
                is_check,
                "{diagnosis:?}"
            );
            assert!(!diagnosis.meaning.contains("0 seconds"), "{diagnosis:?}");
            let steps = diagnosis.steps.join(" ");
            assert_eq!(steps.contains("egress.timeout_seconds"), is_check && asks_operator, "{diagnosis:?}");
        }
    }
}

#[test]
fn ids_that_may_have_been_swapped_are_told() {
    let swapped = |provider_tenant: &str| {
        let facts = Facts { provider_tenant: Some(provider_tenant.to_owned()), ..facts("") };
        let rule = rules::all().find(|rule| rule.code == "ENTRA_TENANT_NOT_FOUND").expect("a rule");
        let failure = Failure::ConfigNotSet;
        let observation = Observation::new(&failure, &facts);
        fill::Words { language: Language::English, observation: &observation }.meaning(rule)
    };
    assert!(swapped("99999999-2222-3333-4444-555555555555").ends_with("The two IDs may have been swapped."));
    assert!(!swapped("contoso.example").contains("swapped"));
}
