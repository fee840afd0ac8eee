//! Decodes the bytes of a reply. SMTP replies should be ASCII; servers that write other languages use any encoding and
//! name none.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

use crate::mail::transcript::make_printable;

/// The lines of a reply as text that may be shown. UTF-8 is taken as it is; other bytes are decoded by the encoding
/// that fits the whole reply, and left out where none does.
pub(super) fn lines(lines: &[Vec<u8>]) -> Vec<String> {
    if lines.iter().all(|line| std::str::from_utf8(line).is_ok())
        && !lines.iter().any(|line| is_iso_2022(line))
    {
        return lines.iter().map(|line| make_printable(&String::from_utf8_lossy(line))).collect();
    }
    let encoding = guess(lines);
    lines.iter().map(|line| make_printable(&decode(line, encoding))).collect()
}

/// An escape sequence that selects Japanese characters.
fn is_iso_2022(line: &[u8]) -> bool {
    line.windows(3).any(|bytes| matches!(bytes, [0x1b, b'$', b'B' | b'@']))
}

fn guess(lines: &[Vec<u8>]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let Some((last, first)) = lines.split_last() else { return UTF_8 };
    for line in first {
        detector.feed(line, false);
        detector.feed(b"\n", false);
    }
    detector.feed(last, true);
    detector.guess(None, Utf8Detection::Deny)
}

/// The line in this encoding; where it does not fit, what is ASCII in it.
fn decode(line: &[u8], encoding: &'static Encoding) -> String {
    let (text, malformed) = encoding.decode_without_bom_handling(line);
    if malformed {
        line.iter().filter(|byte| byte.is_ascii()).map(|byte| char::from(*byte)).collect()
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(line: &[u8]) -> String {
        lines(&[line.to_vec()]).remove(0)
    }

    #[test]
    fn what_is_utf_8_is_taken_as_it_is() {
        for text in
            ["Postfach voll", "Boîte du destinataire pleine", "请使用授权码登录", "認証に失敗しました"]
        {
            assert_eq!(decoded(text.as_bytes()), text);
        }
    }

    #[test]
    fn other_encodings_are_told_by_the_bytes() {
        for (encoding, text) in [
            (encoding_rs::GB18030, "请使用授权码登录。详情请看"),
            (encoding_rs::WINDOWS_1252, "Boîte du destinataire pleine, quota dépassé"),
            (encoding_rs::WINDOWS_1251, "Неверный логин или пароль, попробуйте позже"),
        ] {
            assert_eq!(decoded(&encoding.encode(text).0), text, "{}", encoding.name());
        }
    }

    #[test]
    fn what_controls_a_terminal_or_turns_the_direction_is_left_out() {
        assert_eq!(decoded("a\u{202e}b\u{200f}c\u{85}d".as_bytes()), "abcd");
        assert_eq!(decoded(b"a\x1b[31mb"), "a?[31mb");
    }

    proptest! {
        #[test]
        fn any_bytes_become_printable_text(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = decoded(&bytes);
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert!(text.chars().count() <= bytes.len());
        }
    }
}
