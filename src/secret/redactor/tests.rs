#![expect(clippy::format_collect, reason = "short texts, built once")]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

/// As in a trial with a hostile server.
const PASSWORD: &str = "Tr0ub4dor&3-pässwörd-Σ";

fn redactor(secret: &str) -> Redactor {
    Redactor::new(&Secret::new(secret.to_owned()), &["ada@example.com", "mail.acme-widgets.example"])
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

fn escaped(sign: &str, octets: &[u8]) -> String {
    let one = |octet: &u8| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(*octet).to_string(),
        octet => format!("{sign}{octet:02X}"),
    };
    octets.iter().map(one).collect()
}

/// Security case M17.
#[test]
fn a_secret_is_found_in_every_form_in_which_servers_repeat_it() {
    let octets = PASSWORD.as_bytes();
    let plain = STANDARD.encode(format!("\0ada\0{PASSWORD}"));
    let bearer = STANDARD.encode(format!("user=ada@example.com\x01auth=Bearer {PASSWORD}\x01\x01"));
    let latin1: Vec<u8> = "Tr0ub4dor&3-pässwörd-".chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
    let cases = [
        PASSWORD.to_owned(),
        "Tr0ub4dor&3-p".to_owned(),
        "Tr0ub4dor&3-p?ssw?rd-".to_owned(),
        PASSWORD.to_uppercase(),
        PASSWORD.to_lowercase(),
        PASSWORD.chars().rev().collect(),
        PASSWORD.chars().map(|c| format!("{c} ")).collect(),
        "Ge0ho4qbe&3-cäffjöeq-Σ".to_owned(),
        STANDARD.encode(octets),
        STANDARD.encode(octets)[..STANDARD.encode(octets).len() - 4].to_owned(),
        STANDARD.encode(format!("x{PASSWORD}")),
        STANDARD.encode(format!("xy{PASSWORD}")),
        STANDARD.encode(&latin1),
        URL_SAFE_NO_PAD.encode(octets),
        plain.clone(),
        plain[..plain.len() - 6].to_owned(),
        bearer,
        plain.as_bytes().chunks(9).map(|line| format!("{}\r\n", String::from_utf8_lossy(line))).collect(),
        hex(octets),
        hex(octets).as_bytes().chunks(2).map(|pair| format!("{}:", String::from_utf8_lossy(pair))).collect(),
        hex(&latin1),
        escaped("%", octets),
        escaped("=", octets),
        escaped("=", &latin1),
        "Tr0ub4dor&amp;3-p&#228;ssw&#246;rd-".to_owned(),
        "Tr0ub4dor&3-p\\u00e4ssw\\u00f6rd-".to_owned(),
    ];
    let redactor = redactor(PASSWORD);
    for echo in &cases {
        for text in [echo.clone(), format!("5.7.8 '{echo}' is wrong"), format!("x{echo}x")] {
            assert!(redactor.finds(&text), "{text}");
            assert_eq!(redactor.redact(text), NOT_SHOWN);
        }
    }
}

/// Security case M17.
#[test]
fn any_six_characters_in_a_row_are_found() {
    for secret in
        ["Tr0ub4dor&3-passwd", "!$%&/()=?+*#", "пароль-тайна", "密码是这个东西吗", "123456", "aB3?xY"]
    {
        let redactor = redactor(secret);
        let characters: Vec<char> = secret.chars().collect();
        for run in characters.windows(6) {
            let run: String = run.iter().collect();
            for text in [run.clone(), format!("<{run}>"), run.to_uppercase()] {
                assert!(redactor.finds(&text), "{secret}: {text}");
            }
        }
        assert!(!redactor.finds("535 5.7.8 Error: authentication failed"), "{secret}");
    }
}

#[test]
fn symbols_that_are_escaped_are_found() {
    let secret = "&<>\"'äöü&<>";
    let redactor = redactor(secret);
    for text in [
        "&amp;&lt;&gt;&quot;&#39;&#228;&#246;&#252;&amp;&lt;&gt;",
        "\\u00e4\\u00f6\\u00fc",
        "%26%3C%3E%22%27%C3%A4%C3%B6",
        "&<>\"'=E4=F6=FC&<>",
        "&<>\"'=C3=A4=C3=B6=C3=BC&<>",
    ] {
        assert!(redactor.finds(text), "{text}");
    }
}

#[test]
fn ordinary_words_and_public_names_are_no_sign_of_a_secret() {
    for (secret, reply) in [
        ("Password-123!", "535 5.7.8 Username and Password not accepted"),
        ("acme-widgets-2026", "220 mail.acme-widgets.example ESMTP"),
        ("ada@example.com!1", "550 5.7.1 <ada@example.com>: Sender address rejected"),
        ("correct horse battery", "535 5.7.139 the user credentials were incorrect."),
    ] {
        let redactor = redactor(secret);
        assert!(!redactor.finds(reply), "{secret}");
        assert!(redactor.finds(&format!("{reply} {secret}")), "{secret}");
    }
    assert!(redactor("password").finds("you said password"), "there is nothing else to tell it by");
}

#[test]
fn short_secrets_are_found_as_words_or_as_a_whole() {
    for (secret, text, found) in [
        ("ok", "you said ok, which is wrong", true),
        ("ok", "token booked", false),
        ("?!", "you said '?!'", true),
        ("mail", "you said MAIL", true),
        ("abc4", "xabc4x", true),
        ("abc4", STANDARD.encode("abc4").as_str(), true),
        ("abc4", "abc", false),
        ("", "anything", false),
    ] {
        assert_eq!(redactor(secret).finds(text), found, "{secret}: {text}");
    }
    assert!(!Redactor::default().finds("anything"));
}

#[test]
fn of_a_token_twelve_characters_are_a_sign() {
    let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.".to_owned() + &"aZ9-kQ_3".repeat(200);
    let redactor = redactor(&token);
    assert!(redactor.finds(&format!("denied for Bearer {}", &token[..40])));
    assert!(redactor.finds(&STANDARD.encode(format!("user=a\x01auth=Bearer {token}\x01\x01"))));
    assert!(!redactor.finds("eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiQmVhcmVyIn0="));
}

#[test]
fn several_secrets_are_found_and_each_is_taken_apart_once() {
    let mut redactor = redactor("hunter2-hunter2");
    let runs = redactor.folded.values().map(HashSet::len).sum::<usize>();
    redactor.add(&Secret::new("hunter2-hunter2".to_owned()), &[]);
    assert_eq!(redactor.folded.values().map(HashSet::len).sum::<usize>(), runs);
    redactor.add(&Secret::new("another-secret".to_owned()), &[]);
    assert!(redactor.finds("x hunter2 x") && redactor.finds("x another-s x"));
}

proptest! {
    /// Security case M17.
    #[test]
    fn whatever_the_secret_it_is_found_behind_and_before_anything(
        secret in "\\PC{6,40}", before in "[a-z]{0,5}", after in "[a-z]{0,5}",
    ) {
        prop_assume!(condense(&secret).len() >= 6);
        let redactor = Redactor::new(&Secret::new(secret.clone()), &[]);
        let whole = format!("{before}{secret}{after}");
        prop_assert!(redactor.finds(&whole));
        prop_assert!(redactor.finds(&hex(whole.as_bytes())));
        prop_assert!(redactor.finds(&whole.to_lowercase()));
        prop_assert!(redactor.finds(&STANDARD.encode(whole.as_bytes())));
    }
}
