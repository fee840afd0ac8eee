//! The same finding in another language.

use super::{facts, failed, refused};
use crate::diagnosis::fill::Words;
use crate::diagnosis::observation::Observation;
use crate::diagnosis::{Facts, StoredDiagnosis, diagnose, rule_for, rules};
use crate::language::Language::{English, German};
use crate::mail::transcript::{Entry, Stage};
use crate::smtp::{ErrorKind, TlsFailure};

#[test]
fn only_the_words_of_a_finding_change() {
    let transcript = [Entry { stage: Stage::Auth, ms: 3, detail: "> AUTH PLAIN <hidden>".to_owned() }];
    let english = diagnose(&refused(Stage::Auth, "535 5.7.8 No"), &facts("mail.example.com"), &transcript);
    let german = english.in_language(German);
    assert_eq!(german.message, "mail.example.com hat die Anmeldung abgelehnt (535 5.7.8 No).");
    assert_eq!(german.status_reason, "mail.example.com refused the sign-in.", "what is stored is English");
    let (before, after) = (&english.diagnosis, &german.diagnosis);
    assert!(before.title != after.title && before.meaning != after.meaning);
    assert_eq!(before.steps.len(), after.steps.len());
    assert!(before.steps.iter().all(|step| !after.steps.contains(step)), "{:?}", after.steps);
    assert_eq!((before.code, before.stage, before.owner), (after.code, after.stage, after.owner));
    assert_eq!((&before.links, &before.transcript), (&after.links, &after.transcript));
    assert_eq!((english.effect, &english.reply), (german.effect, &german.reply));
    assert_eq!(german.in_language(English).diagnosis, english.diagnosis);
}

#[test]
fn a_stored_diagnosis_has_no_language_and_names_no_recipient() {
    let at = |stage, ms, detail: &str| Entry { stage, ms, detail: detail.to_owned() };
    let transcript = [
        at(Stage::Auth, 3, "> AUTH PLAIN <hidden>"),
        at(Stage::RcptTo, 4, "> RCPT TO:<Bob@Example.org>, 550 5.1.1 <bob@example.org> is unknown"),
    ];
    let failure = refused(Stage::RcptTo, "550 5.1.1 <BOB@example.org>: no such user, bob@example.org");
    let finding = diagnose(&failure, &facts("mail.example.com"), &transcript);
    assert!(finding.diagnosis.title.contains("bob@example.org"), "{}", finding.diagnosis.title);
    let stored = serde_json::to_string(&finding.to_stored()).unwrap();
    assert!(!stored.to_lowercase().contains("bob@"), "{stored}");
    let stored: StoredDiagnosis = serde_json::from_str(&stored).unwrap();
    let unnamed = Facts { recipient: None, ..facts("mail.example.com") };
    let (english, german) = (stored.in_language(English).unwrap(), stored.in_language(German).unwrap());
    assert_eq!(english.title, diagnose(&failure, &unnamed, &[]).diagnosis.title);
    assert_ne!(english.title, german.title);
    assert_eq!(english.transcript[0], transcript[0]);
    let shown = &english.transcript[1].detail;
    assert_eq!(shown, "> RCPT TO:<<recipient>>, 550 5.1.1 <<recipient>> is unknown");
    let named = stored.clone().with_recipient("bob@example.org");
    assert_eq!(named.in_language(German).unwrap().title, finding.in_language(German).diagnosis.title);
    assert_eq!(stored.without_transcript().in_language(English).unwrap().transcript, []);
}

/// Amounts and lists are written in the reader's language too.
#[test]
fn a_stored_diagnosis_is_the_same_as_the_one_that_was_told() {
    let names: Vec<String> = (0..9).map(|number| format!("{number}.example.com")).collect();
    for (stage, kind) in [
        (Stage::MailFrom, ErrorKind::TooLarge { limit: 30_000_000, size: 41_234_567 }),
        (Stage::MailFrom, ErrorKind::TooLarge { limit: 30_000, size: 412_345 }),
        (Stage::Tls, ErrorKind::Tls(TlsFailure::WrongName { names, greeted_as: None })),
        (Stage::Auth, ErrorKind::NoCommonMechanism { offered: Vec::new() }),
    ] {
        let unnamed = Facts { recipient: None, ..facts("mail.example.com") };
        let finding = diagnose(&failed(stage, kind), &unnamed, &[]);
        let stored = serde_json::to_value(finding.to_stored()).unwrap();
        let read: StoredDiagnosis = serde_json::from_value(stored.clone()).unwrap();
        for language in [English, German] {
            let told = finding.in_language(language).diagnosis;
            assert_eq!(read.in_language(language), Some(told), "{stored}");
        }
    }
}

#[test]
fn a_code_of_a_newer_version_has_no_diagnosis_here() {
    let finding = diagnose(&refused(Stage::Auth, "535 5.7.8 No"), &facts("mail.example.com"), &[]);
    let mut stored = serde_json::to_value(finding.to_stored()).unwrap();
    stored["code"] = "NEW_CODE".into();
    let stored: StoredDiagnosis = serde_json::from_value(stored).unwrap();
    assert_eq!(stored.in_language(English), None);
}

#[test]
fn every_stored_title_can_be_said_in_german() {
    let failure = refused(Stage::Auth, "535 5.7.8 No");
    for facts in [facts("mail.example.com"), Facts::default()] {
        let observation = Observation::new(&failure, &facts);
        for rule in rules::all() {
            let said =
                |language| format!("{}.", Words { language, observation: &observation }.fill(rule.title));
            let told = rule_for(rule.code).unwrap().status_reason_in(German, &said(English));
            assert_eq!(told, Some(said(German)), "{}", rule.code);
            assert_ne!(told, Some(said(English)), "{}", rule.code);
        }
    }
}

#[test]
fn a_stored_title_keeps_the_values_of_its_time() {
    let rule = rule_for("NOT_SMTP").unwrap();
    let stored = "The service on port 993 of unknown is not a server for outgoing mail (protocol: unknown).";
    assert_eq!(
        rule.status_reason_in(German, stored).as_deref(),
        Some(
            "Der Dienst auf Port 993 von unknown ist kein Server für ausgehende E-Mails (Protokoll: unbekannt)."
        )
    );
    assert_eq!(rule.status_reason_in(German, "An older title."), None);
    assert_eq!(rule.status_reason_in(English, stored).as_deref(), Some(stored));
}
