//! The same finding in another language.

use super::{facts, refused};
use crate::diagnosis::fill::Words;
use crate::diagnosis::observation::Observation;
use crate::diagnosis::{Facts, diagnose, rule_for, rules};
use crate::language::Language::{English, German};
use crate::mail::transcript::{Entry, Stage};

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
