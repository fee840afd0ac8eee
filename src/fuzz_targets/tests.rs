//! Replays the stored corpus: inputs for coverage, seeds, and earlier findings.

use std::path::Path;

/// Every file of `fuzz/corpus/TARGET`, and no bytes at all.
fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("a corpus of the target") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("a readable file");
        let held = std::panic::catch_unwind(|| body(&bytes));
        assert!(held.is_ok(), "{} is at fault", path.display());
        count += 1;
    }
    assert!(count > 10, "{target} has a corpus");
    body(b"");
}

/// Security case E15.
#[test]
fn replies_of_the_corpus_hold() {
    replay("reply", super::reply);
}

/// Security case E15.
#[test]
fn offers_of_ehlo_of_the_corpus_hold() {
    replay("capabilities", super::capabilities);
}

/// Security case E15.
#[test]
fn answers_to_auth_of_the_corpus_hold() {
    replay("sign_in", super::sign_in);
}

/// Security cases N1, N15.
#[test]
fn what_clients_send_of_the_corpus_holds() {
    replay("smtp_server", super::smtp_server);
}

/// Security cases E15, I3.
#[test]
fn diagnosed_replies_of_the_corpus_hold() {
    replay("diagnosis", super::diagnosis);
}

/// Security cases A2, A22.
#[test]
fn hosts_of_the_corpus_hold() {
    replay("host", super::host);
}

/// Security cases A6, A18.
#[test]
fn addresses_of_the_corpus_hold() {
    replay("address", super::address);
}

/// Security cases G5, G6.
#[test]
fn json_of_the_corpus_hold() {
    replay("json", super::json);
}

/// Security cases G1 to G5.
#[test]
fn patch_documents_of_the_corpus_hold() {
    replay("patch", super::patch);
}

/// Security case B8.
#[test]
fn put_documents_of_the_corpus_hold() {
    replay("put", super::put);
}

/// Security cases F1, F3, F4.
#[test]
fn tokens_of_the_corpus_hold() {
    replay("token", super::token);
}

/// Security cases F5, F6, F7, F13.
#[test]
fn claims_of_the_corpus_hold() {
    replay("claims", super::claims);
}

/// Security cases L2, L14.
#[test]
fn envelopes_of_the_corpus_hold() {
    replay("envelope", super::envelope);
}

/// Security cases J1, C14.
#[test]
fn values_in_a_setup_help_of_the_corpus_hold() {
    replay("setup", super::setup);
}

/// Security cases C4, C5, C13.
#[test]
fn messages_of_the_corpus_hold() {
    replay("message", super::message);
}

/// Security case C6.
#[test]
fn whole_messages_of_the_corpus_hold() {
    replay("raw_message", super::raw_message);
}
