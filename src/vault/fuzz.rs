//! Fuzz target: the sealed envelope.

use std::sync::OnceLock;

use super::envelope::{DataKey, length_prefixed};
use crate::fuzz_targets::Input;

/// A sealed secret opens with its key and its place only, to what was sealed; a changed, cut or lengthened one, and
/// arbitrary bytes, never open.
pub fn envelope(data: &[u8]) {
    static KEYS: OnceLock<[DataKey; 2]> = OnceLock::new();
    let keys = || [DataKey::random(), DataKey::random()].map(|key| key.expect("randomness"));
    let [key, other] = KEYS.get_or_init(keys);
    assert!(key.open(data, b"").is_err(), "nobody sealed this");

    let mut input = Input::new(data);
    let (change, at, with) = (input.byte(), usize::from(u16::from_be_bytes(input.array())), input.byte());
    let parts = [input.line(), input.line()].map(String::from_utf8_lossy);
    let place = length_prefixed(&[&parts[0], &parts[1]]);
    let plain = input.rest();
    let sealed = key.seal(plain, &place).expect("randomness");
    assert_eq!(sealed.len(), 1 + 12 + plain.len() + 16);
    assert_eq!(key.open(&sealed, &place).as_deref().map(Vec::as_slice), Ok(plain));
    assert!(other.open(&sealed, &place).is_err());

    let mut changed = sealed.clone();
    let at = at % sealed.len();
    match change % 5 {
        0 => changed[at] ^= with.max(1),
        1 => changed.truncate(at),
        2 => changed.insert(at, with),
        3 => drop(changed.drain(..at.max(1))),
        // In another place: another part, or the same letters divided otherwise.
        _ => {
            let joined = parts.concat();
            let cut = (0..=joined.len()).filter(|cut| joined.is_char_boundary(*cut)).nth(usize::from(with));
            let (first, second) = joined.split_at(cut.unwrap_or(0));
            let elsewhere = length_prefixed(&[first, second]);
            assert_eq!(elsewhere == place, first == parts[0] && second == parts[1]);
            assert_eq!(key.open(&sealed, &elsewhere).is_ok(), elsewhere == place);
            assert!(key.open(&sealed, &length_prefixed(&[&joined])).is_err());
            return;
        }
    }
    assert!(key.open(&changed, &place).is_err(), "a changed envelope opened");
}
