//! Finds the known setting that is most similar to an unknown one.

use strsim::levenshtein as distance;

use super::Setting;

/// The setting nearest to `section.key`. The key alone counts too, so that a known key under the wrong
/// section is found.
pub(super) fn setting<'a>(known: &'a [Setting], section: &str, key: &str) -> Option<&'a Setting> {
    known.iter().min_by_key(|setting| {
        let in_place = distance(section, setting.section) + key_distance(key, setting.key);
        let elsewhere = 2 + key_distance(key, setting.key);
        in_place.min(elsewhere)
    })
}

/// The section nearest to `name`.
pub(super) fn section(known: &[Setting], name: &str) -> Option<&'static str> {
    known.iter().map(|setting| setting.section).min_by_key(|section| distance(section, name))
}

/// A key that was cut short (`tier1` for `tier1_per_minute`) is one step away.
fn key_distance(key: &str, known: &str) -> usize {
    let is_cut = key.len() >= 3 && key != known && known.starts_with(key);
    if is_cut { 1 } else { distance(key, known) }
}
