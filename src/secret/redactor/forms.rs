//! The forms in which a secret comes back, and what is compared of them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// Code points: a slice of these is hashed in one go, one of `char` is not.
pub(super) type Characters = Zeroizing<Vec<u32>>;

/// The ASCII letters and digits of `text` in lower case: what survives another character set, wrapping, spacing and
/// another alphabet of Base64.
pub(super) fn fold(text: &str) -> Characters {
    let mut folded = Zeroizing::new(Vec::with_capacity(text.len()));
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    folded.extend(letters.map(|c| u32::from(c.to_ascii_lowercase())));
    folded
}

/// The characters of `text` in lower case, without blanks.
pub(super) fn condense(text: &str) -> Characters {
    let mut condensed = Zeroizing::new(Vec::with_capacity(text.len()));
    let characters = text.chars().filter(|c| !c.is_whitespace());
    condensed.extend(characters.flat_map(char::to_lowercase).map(u32::from));
    condensed
}

/// An encoded secret, folded.
pub(super) struct Form {
    pub text: Characters,
    encoding: Encoding,
    /// The fewest characters that are looked for.
    pub shortest: usize,
}

#[derive(Clone, Copy)]
enum Encoding {
    Letters,
    Base64,
    Hexadecimal,
    Escaped,
}

impl Form {
    fn new(text: &str, encoding: Encoding) -> Self {
        let shortest = match encoding {
            Encoding::Base64 => 4,
            Encoding::Letters | Encoding::Escaped => super::RUN,
            Encoding::Hexadecimal => 8,
        };
        Self { text: fold(text), encoding, shortest }
    }

    /// How many characters of the form tell as much as `run` characters of the secret.
    pub fn length(&self, run: usize) -> usize {
        match self.encoding {
            Encoding::Letters => run,
            // Four for three octets, without the one that its neighbours decide.
            Encoding::Base64 => run * 4 / 3 - 1,
            Encoding::Hexadecimal => run * 2,
            // Some of the characters are escaped.
            Encoding::Escaped => run + 2,
        }
    }
}

/// Every form but the plain one.
pub(super) fn encoded(secret: &str) -> Vec<Form> {
    let mut forms = vec![
        Form::new(&collect(secret, secret.chars().rev().map(String::from)), Encoding::Letters),
        Form::new(&collect(secret, secret.chars().map(|c| rot13(c).to_string())), Encoding::Letters),
    ];
    let mut octets = vec![Zeroizing::new(secret.as_bytes().to_vec())];
    if !secret.is_ascii() && secret.chars().all(|c| u8::try_from(c).is_ok()) {
        octets.push(Zeroizing::new(secret.chars().filter_map(|c| u8::try_from(c).ok()).collect()));
    }
    for octets in &octets {
        let hexadecimal = collect(secret, octets.iter().map(|octet| format!("{octet:02x}")));
        forms.push(Form::new(&hexadecimal, Encoding::Hexadecimal));
        forms.extend((0..3).map(|before| Form::new(&base64(octets, before), Encoding::Base64)));
        let conditions: [fn(u8) -> bool; 2] = [
            |octet| !octet.is_ascii_alphanumeric() && !b"-._~".contains(&octet),
            |octet| !octet.is_ascii_graphic() || octet == b'=',
        ];
        for is_escaped in conditions {
            let characters = octets.iter().map(|octet| {
                if is_escaped(*octet) { format!("%{octet:02x}") } else { char::from(*octet).to_string() }
            });
            forms.push(Form::new(&collect(secret, characters), Encoding::Escaped));
        }
    }
    for escape in [html as fn(char) -> Option<String>, json] {
        let escaped = secret.chars().map(|c| escape(c).unwrap_or_else(|| c.to_string()));
        forms.push(Form::new(&collect(secret, escaped), Encoding::Escaped));
    }
    forms
}

/// The pieces in one text, in one allocation: what is freed on the way holds at most a piece.
fn collect(secret: &str, pieces: impl Iterator<Item = String>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(secret.len() * 6));
    for piece in pieces {
        text.push_str(&piece);
    }
    text
}

/// The characters of the Base64 of `octets` that do not depend on what stands before and behind them, where `before`
/// octets (modulo three) stand before them: as a part of PLAIN's message, of XOAUTH2's, of JSON.
fn base64(octets: &[u8], before: usize) -> Zeroizing<String> {
    let padded = Zeroizing::new([&[0; 2][..before], octets].concat());
    let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(&*padded));
    let from = (before * 8).div_ceil(6);
    let until = padded.len() * 8 / 6;
    Zeroizing::new(encoded[from.min(until)..until].to_owned())
}

fn rot13(c: char) -> char {
    match c {
        'a'..='m' | 'A'..='M' => char::from_u32(u32::from(c) + 13).unwrap_or(c),
        'n'..='z' | 'N'..='Z' => char::from_u32(u32::from(c) - 13).unwrap_or(c),
        _ => c,
    }
}

fn html(c: char) -> Option<String> {
    match c {
        '&' => Some("&amp;".to_owned()),
        '<' => Some("&lt;".to_owned()),
        '>' => Some("&gt;".to_owned()),
        '"' => Some("&quot;".to_owned()),
        '\'' => Some("&#39;".to_owned()),
        _ => (!c.is_ascii()).then(|| format!("&#{};", u32::from(c))),
    }
}

fn json(c: char) -> Option<String> {
    if c.is_ascii() && !c.is_ascii_control() {
        return None;
    }
    let mut escaped = String::new();
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing into a string does not fail.
        let _ = write!(escaped, "\\u{unit:04x}");
    }
    Some(escaped)
}
