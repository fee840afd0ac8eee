//! Shows an internationalised domain name in its own script, where it cannot be mistaken for another name.
//!
//! The rule is stricter than "one script for each label" (UTS #39): a label of Greek or Cyrillic letters that all look
//! like Latin ones stays in ASCII too, and so does every alphabet that is not listed here, such as those that are read
//! from right to left, which would turn the text around the name.

use idna::AsciiDenyList;
use idna::uts46::{Hyphens, Uts46};

/// The name as people read it: `smtp.xn--gre-6ka8i.de` is `smtp.größe.de`. A name that is not valid, or of which a label
/// could be mistaken for another one, stays as it is.
pub fn to_unicode(name: &str) -> String {
    if !name.contains("xn--") {
        return name.to_owned();
    }
    let (shown, result) = Uts46::new().to_unicode(name.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow);
    let is_readable = result.is_ok()
        && shown.split('.').all(is_unmistakable)
        // What is entered again as it is shown has to be the same name.
        && super::normalise(&shown).as_deref() == Ok(name);
    if is_readable { shown.into_owned() } else { name.to_owned() }
}

/// Groups of letters that names of hosts are written in. This is a table by hand, since Unicode's scripts also hold letters
/// that look like punctuation or like letters of ASCII.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Letters {
    Latin,
    Greek,
    Cyrillic,
    Han,
    Kana,
    Hangul,
}

impl Letters {
    fn of(letter: char) -> Option<Self> {
        Some(match letter {
            // Without a dot it is taken for an i, and the kra for a k.
            'ı' | 'ĸ' => return None,
            'a'..='z' | 'ß'..='ö' | 'ø'..='ž' | 'ơ' | 'ư' | 'ș' | 'ț' | 'ẁ'..='ỹ' => Self::Latin,
            'ΐ' | 'ά'..='ώ' => Self::Greek,
            'а'..='џ' | 'ґ' => Self::Cyrillic,
            '々' | '㐀'..='䶿' | '一'..='鿿' => Self::Han,
            'ぁ'..='ゖ' | 'ァ'..='ヺ' | 'ー' => Self::Kana,
            '가'..='힣' => Self::Hangul,
            _ => return None,
        })
    }

    /// The group of a word that holds both; none where no language mixes them. Japanese and Korean use Han letters.
    fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Han, joined @ (Self::Kana | Self::Hangul))
            | (joined @ (Self::Kana | Self::Hangul), Self::Han) => Some(joined),
            _ => (self == other).then_some(self),
        }
    }
}

/// Greek and Cyrillic letters that look like Latin ones.
const LIKE_LATIN: &str = "αάγηήικνορόςτυύχωώϊϋΐΰίаеёіїјкопрсухгьъѕ";

/// Whether the label is of one script, and has a letter by which it is seen.
fn is_unmistakable(label: &str) -> bool {
    let mut found: Option<Letters> = None;
    let mut has_own_letter = false;
    for character in label.chars().filter(|character| !character.is_ascii_digit() && *character != '-') {
        let Some(letters) = Letters::of(character) else { return false };
        let joined = found.map_or(Some(letters), |known| known.join(letters));
        if joined.is_none() {
            return false;
        }
        found = joined;
        has_own_letter |= !LIKE_LATIN.contains(character);
    }
    found.is_none() || has_own_letter
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::domain_name::normalise;

    #[test]
    fn a_name_is_read_in_its_own_script() {
        for (name, expected) in [
            ("smtp.xn--gre-6ka8i.de", "smtp.größe.de"),
            ("xn--r8jz45g.jp", "例え.jp"),
            ("smtp.example.com", "smtp.example.com"),
            ("xn--a.example", "xn--a.example"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(to_unicode(name), expected, "{name}");
        }
        for name in [
            "smtp.straße.de",
            "почта.рф",
            "smtp.почта.рф",
            "ταχυδρομείο.ελ",
            "メール.jp",
            "메일.kr",
            "邮件.cn",
            "thư.vn",
            "łódź.pl",
            "çağrı-2.com.tr",
            "mail-2.größe24.de",
        ] {
            let ascii = normalise(name).expect("a name");
            let expected = if name.contains('ı') { &ascii } else { name };
            assert_eq!(to_unicode(&ascii), expected, "{ascii}");
        }
    }

    #[test]
    fn a_name_that_could_be_mistaken_for_another_one_stays_in_ascii() {
        for (name, why) in [
            ("аpple.com", "one Cyrillic letter among Latin ones"),
            ("xn--80ak6aa92e.com", "Cyrillic letters that all look like Latin ones"),
            ("ороо.рф", "the same below a domain that does not"),
            ("νιωτ.gr", "Greek letters that all look like Latin ones"),
            ("gmaıl.com", "an i without its dot"),
            ("exampleノlogin.jp", "Kana among Latin letters"),
            ("例え-mail.jp", "Latin letters among Han"),
            ("메일かな.kr", "Hangul and Kana"),
            ("かな例메.kr", "the same beside Han"),
            ("smtp.דואר.example", "read from right to left"),
            ("smtp.بريد.example", "read from right to left"),
            ("ǃmail.com", "a letter that looks like a mark"),
        ] {
            let ascii = normalise(name).expect("a name");
            assert!(ascii.contains("xn--"), "{name}");
            assert_eq!(to_unicode(&ascii), ascii, "{name}: {why}");
        }
    }
}
