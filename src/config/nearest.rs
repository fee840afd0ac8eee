//! Finds the known key that somebody probably meant.

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

/// Levenshtein's distance: insertions, deletions and replacements of one character.
pub(crate) fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, left) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, &right) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distance_counts_single_characters() {
        for (from, to, expected) in [
            ("", "", 0),
            ("listen", "listen", 0),
            ("listn", "listen", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
            assert_eq!(distance(to, from), expected, "{to} {from}");
        }
    }
}
