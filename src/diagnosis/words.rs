//! A reply as the words in it: in lower case, without accents, each Chinese or Japanese character a word of its own.
//!
//! Addresses, IP addresses and links are no words. They stand as signs, so that a phrase can ask for one and no
//! word inside them is taken for the server's.

use std::net::{IpAddr, SocketAddr};

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The sender address of the configuration.
pub(super) const FROM: &str = "@from";
/// The recipient of the mail.
pub(super) const RECIPIENT: &str = "@to";
/// Any other mail address.
pub(super) const ADDRESS: &str = "@";
/// An IP address.
pub(super) const IP: &str = "@ip";

/// How many words of a reply are looked at: real ones have some tens, a hostile one thousands.
const MAX_WORDS: usize = 400;

/// One word, and the line of the reply that it stands in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Word {
    pub text: String,
    pub line: usize,
}

/// The addresses that a reply may name.
#[derive(Clone, Copy, Default)]
pub(super) struct Known<'a> {
    pub sender: Option<&'a str>,
    pub recipient: Option<&'a str>,
}

/// The words of a reply, at most [`MAX_WORDS`].
pub(super) fn read<'a>(lines: impl IntoIterator<Item = &'a str>, known: Known<'_>) -> Vec<Word> {
    let mut words = Vec::new();
    for (line, text) in lines.into_iter().enumerate() {
        // `isn't` is one word, `d'application` are two.
        let text = text.replace('\u{2019}', "'").replace("n't", "nt");
        for piece in
            text.split(|c: char| c.is_whitespace() || "<>()[]{}\"',;、，。；：（）【】「」".contains(c))
        {
            if words.len() >= MAX_WORDS {
                return words;
            }
            for text in words_of(piece, known) {
                words.push(Word { text, line });
            }
        }
    }
    words.truncate(MAX_WORDS);
    words
}

fn words_of(piece: &str, known: Known<'_>) -> Vec<String> {
    let piece = piece.trim_matches(|c: char| !c.is_alphanumeric());
    if piece.is_empty() {
        return Vec::new();
    }
    if let Some((_, link)) = piece.split_once("://") {
        // The path of a link is for a browser; its host may name a list.
        return split(link.split(['/', '?', '#']).next().unwrap_or_default());
    }
    if is_ip(piece) {
        return vec![IP.to_owned()];
    }
    if let Some((before, after)) = piece.split_once(':').filter(|_| piece.contains('@')) {
        return [words_of(before, known), words_of(after, known)].concat();
    }
    if piece.contains('@') {
        return vec![address(piece, known).to_owned()];
    }
    split(piece)
}

fn is_ip(piece: &str) -> bool {
    let bare = piece.strip_prefix("IPv6:").unwrap_or(piece);
    let bare = bare.rsplit('=').next().unwrap_or(bare);
    bare.parse::<IpAddr>().is_ok() || bare.parse::<SocketAddr>().is_ok()
}

fn address(piece: &str, known: Known<'_>) -> &'static str {
    let is = |known: Option<&str>| known.is_some_and(|known| piece.eq_ignore_ascii_case(known));
    if is(known.sender) {
        FROM
    } else if is(known.recipient) {
        RECIPIENT
    } else {
        ADDRESS
    }
}

/// Runs of letters and digits, folded; each ideograph alone.
fn split(piece: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut inside = false;
    for c in fold(piece) {
        if !c.is_alphanumeric() {
            inside = false;
        } else if is_ideograph(c) || !inside {
            words.push(c.to_string());
            inside = !is_ideograph(c);
        } else if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words
}

/// Lower case without accents.
fn fold(text: &str) -> impl Iterator<Item = char> + '_ {
    text.nfkd()
        // Two kana differ by such a mark alone.
        .filter(|c| !is_combining_mark(*c) || matches!(*c, '\u{3099}' | '\u{309a}'))
        .nfc()
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            'ß' => 's',
            'ł' => 'l',
            'ø' => 'o',
            'ı' => 'i',
            c => c,
        })
}

/// The words of a phrase in the lexicon, folded as replies are; signs (`*`, `|`, `@`) stay.
pub(super) fn fold_phrase(phrase: &str) -> String {
    fold(phrase).collect()
}

/// Chinese characters, and the kana between them: they are written without spaces.
pub(super) fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[&str]) -> Vec<String> {
        let known = Known { sender: Some("news@example.com"), recipient: Some("bob@example.org") };
        read(lines.iter().copied(), known).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn a_reply_is_read_word_by_word() {
        for (line, expected) in [
            ("Client host [192.0.2.10] blocked", "client host @ip blocked"),
            ("relaying not permitted for 192.0.2.10:40000", "relaying not permitted for @ip"),
            ("<News@example.com>... isn't owned", "@from isnt owned"),
            ("User <bob@example.org> unknown", "user @to unknown"),
            ("(bob@example.org:blocked)", "@to blocked"),
            ("see https://www.spamhaus.org/query/lookup?auth=1", "see www spamhaus org"),
            ("AUTH-Required: rate_limited", "auth required rate limited"),
            ("boîte pleine, überschritten", "boite pleine uberschritten"),
            ("mot de passe d'application", "mot de passe d application"),
            ("Wrong SpamException", "wrong spamexception"),
            ("使用授权码login", "使 用 授 权 码 login"),
            ("", ""),
        ] {
            assert_eq!(texts(&[line]).join(" "), expected, "{line}");
        }
    }

    #[test]
    fn no_more_words_are_read_than_count() {
        assert_eq!(texts(&["a ".repeat(100_000).as_str()]).len(), MAX_WORDS);
    }
}
