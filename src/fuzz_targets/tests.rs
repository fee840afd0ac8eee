//! The kept corpus, replayed: the inputs with which the fuzzer reached each part, and those that it found at fault.

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

#[test]
fn e15_replies_of_the_corpus_hold() {
    replay("reply", super::reply);
}

#[test]
fn e15_offers_of_ehlo_of_the_corpus_hold() {
    replay("capabilities", super::capabilities);
}

#[test]
fn e15_answers_to_auth_of_the_corpus_hold() {
    replay("sign_in", super::sign_in);
}

#[test]
fn e15_i3_diagnosed_replies_of_the_corpus_hold() {
    replay("diagnosis", super::diagnosis);
}

#[test]
fn a2_a22_hosts_of_the_corpus_hold() {
    replay("host", super::host);
}

#[test]
fn a6_a18_addresses_of_the_corpus_hold() {
    replay("address", super::address);
}

#[test]
fn g5_g6_json_of_the_corpus_hold() {
    replay("json", super::json);
}

#[test]
fn g1_to_g5_patch_documents_of_the_corpus_hold() {
    replay("patch", super::patch);
}

#[test]
fn b8_put_documents_of_the_corpus_hold() {
    replay("put", super::put);
}

#[test]
fn f1_f3_f4_tokens_of_the_corpus_hold() {
    replay("token", super::token);
}

#[test]
fn f5_f6_f7_f13_claims_of_the_corpus_hold() {
    replay("claims", super::claims);
}

#[test]
fn l2_l14_envelopes_of_the_corpus_hold() {
    replay("envelope", super::envelope);
}

#[test]
fn j1_c14_values_in_a_setup_help_of_the_corpus_hold() {
    replay("setup", super::setup);
}
