//! Chooses a language by `Accept-Language` (RFC 9110 section 12.5.4) with lookup (RFC 4647 section 3.4): `de-AT`
//! matches German.

use super::Language;

/// One element of the header.
struct Range<'a> {
    /// `None` for `*`.
    language: Option<&'a str>,
    /// A primary subtag only: `de`, not `de-AT`.
    is_bare: bool,
    /// In thousandths, so that comparisons are exact.
    quality: u16,
}

/// The language with the highest quality; among equals the one that stands first.
pub(super) fn accepted<'a>(values: impl IntoIterator<Item = &'a str>) -> Language {
    // Malformed elements are ignored.
    let ranges: Vec<Range<'_>> = values
        .into_iter()
        .flat_map(|value| value.split(','))
        .filter_map(|element| parse(element.trim()))
        .collect();
    let mut best: Option<(u16, usize, Language)> = None;
    for language in Language::ALL {
        let Some((quality, place)) = quality(language, &ranges) else { continue };
        let is_better = best
            .is_none_or(|(other, other_place, _)| quality > other || quality == other && place < other_place);
        if is_better {
            best = Some((quality, place, language));
        }
    }
    // A response in English serves better than 406.
    best.map_or_else(Language::default, |(_, _, language)| language)
}

/// The quality and the index of the matching element; `None` where the language is not accepted.
fn quality(language: Language, ranges: &[Range<'_>]) -> Option<(u16, usize)> {
    let of_it =
        |range: &&Range<'_>| range.language.is_some_and(|tag| tag.eq_ignore_ascii_case(language.tag()));
    if ranges.iter().filter(of_it).any(|range| range.is_bare && range.quality == 0) {
        return None;
    }
    let is_named = ranges.iter().any(|range| of_it(&range));
    let mut best: Option<(u16, usize)> = None;
    for (place, range) in ranges.iter().enumerate() {
        let applies = if is_named { of_it(&range) } else { range.language.is_none() };
        if applies && range.quality > 0 && best.is_none_or(|(quality, _)| range.quality > quality) {
            best = Some((range.quality, place));
        }
    }
    best
}

fn parse(element: &str) -> Option<Range<'_>> {
    let (range, quality) = match element.split_once(';') {
        None => (element, 1000),
        Some((range, weight)) => (range.trim_end(), parse_weight(weight.trim_start())?),
    };
    if range == "*" {
        return Some(Range { language: None, is_bare: true, quality });
    }
    let mut subtags = range.split('-');
    let is_subtag = |subtag: &str| (1..=8).contains(&subtag.len());
    let language = subtags
        .next()
        .filter(|subtag| is_subtag(subtag) && subtag.bytes().all(|byte| byte.is_ascii_alphabetic()))?;
    let rest_is_good =
        subtags.all(|subtag| is_subtag(subtag) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    rest_is_good.then_some(Range {
        language: Some(language),
        is_bare: language.len() == range.len(),
        quality,
    })
}

/// `q=0.8` in thousandths: from 0 to 1 with at most three digits behind the point.
fn parse_weight(weight: &str) -> Option<u16> {
    let value = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?;
    let (whole, digits) = value.split_once('.').unwrap_or((value, ""));
    if digits.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{digits:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{English, German};

    #[test]
    fn the_language_with_the_highest_quality_is_chosen() {
        let cases = [
            ("de", German),
            ("DE", German),
            ("de-AT", German),
            ("de-CH-1996, fr;q=0.9", German),
            ("en", English),
            ("en-GB,en;q=0.9,de;q=0.8", English),
            ("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", German),
            ("de-DE, en;q=0.95, de;q=0.9", German),
            ("en;q=0.3, de;q=0.301", German),
            ("fr, de;q=0.5", German),
            ("de;q=0.5 , en ; q=0.6", English),
            ("de,en", German),
            ("en,de", English),
            ("fr", English),
            ("den", English),
            // Anything, and what is left of it.
            ("*", English),
            ("fr, *;q=0.1", English),
            ("en;q=0, *", German),
            ("*;q=0.5, de;q=0.3", English),
            ("*;q=0.3, de;q=0.5", German),
            ("de;q=0, *", English),
            ("*;q=0", English),
            // Not acceptable.
            ("de;q=0", English),
            ("de;q=0.000, de-AT", English),
            ("de-AT;q=0, de", German),
            ("en;q=0", English),
            ("en;q=0, de;q=0.001", German),
            // Malformed.
            ("", English),
            (",,", English),
            ("de;q=2", English),
            ("de;q=1.001", English),
            ("de;q=0.1234", English),
            ("de;q=-1", English),
            ("de;q=abc", English),
            ("de;q=", English),
            ("de;level=1", English),
            ("de;q=1;q=0", English),
            ("de_DE", English),
            ("de-", English),
            ("de-toolongasubtag", English),
            ("\"de\"", English),
            ("de;q=x, de;q=0.4", German),
            ("@@, de", German),
        ];
        for (header, language) in cases {
            assert_eq!(accepted([header]), language, "{header:?}");
        }
        assert_eq!(accepted([]), English);
        assert_eq!(accepted(["en;q=0.5", "de"]), German, "two lines are one list");
    }
}
