//! Fuzz targets: the replies of a hostile mail server.

use std::collections::BTreeSet;

use super::auth::{Dialogue, NextStep, challenge};
use super::reply::{MAX_LINE, MAX_LINES, MAX_REPLY, Malformed, Replies};
use super::{Capabilities, Credentials, Mechanism, Reply};
use crate::fuzz_targets::Input;
use crate::mail::transcript::Transcript;
use crate::secret::{Redactor, Secret};

/// The reply parser: how the bytes are cut changes nothing; a reply is within the limits, printable, and reads back
/// from its own bytes.
pub fn reply(data: &[u8]) {
    let mut input = Input::new(data);
    let piece = usize::from(input.byte());
    let bytes = input.rest();
    let (whole, end) = read_all(std::iter::once(bytes));
    if piece > 0 {
        assert_eq!(read_all(bytes.chunks(piece)), (whole.clone(), end));
    }
    let mut lines = bytes.split(|byte| *byte == b'\n');
    for reply in whole {
        for number in 1..=reply.lines.len() {
            let line = lines.next().and_then(|line| line.strip_suffix(b"\r")).expect("a line of the reply");
            let rest = line.strip_prefix(reply.code.to_string().as_bytes()).expect("each line has the code");
            assert_eq!(rest.first() == Some(&b'-'), number < reply.lines.len());
        }
        assert!(matches!(reply.code, 200..=559) && reply.code / 10 % 10 <= 5);
        assert!((1..=MAX_LINES).contains(&reply.lines.len()));
        assert!(reply.lines.iter().all(|line| is_printable(line)));
        if let Some(enhanced) = reply.enhanced {
            assert_eq!(u16::from(enhanced.0), reply.code / 100);
            assert!(enhanced.1 <= 999 && enhanced.2 <= 999);
        }
        if let Some(bytes) = on_the_wire(&reply) {
            assert_eq!(read_all(std::iter::once(&bytes[..])), (vec![reply], Ok(())));
        }
    }
}

/// All replies of bytes that arrive in these pieces, up to what is none.
fn read_all<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Reply>, Result<(), Malformed>) {
    let mut replies = Replies::default();
    let mut read = Vec::new();
    for piece in pieces {
        replies.feed(piece);
        loop {
            match replies.next() {
                Ok(Some(reply)) => read.push(reply),
                Ok(None) => break,
                Err(malformed) => return (read, Err(malformed)),
            }
        }
        assert!(replies.pending().len() < MAX_LINE, "what waits for its line end is bounded");
    }
    (read, Ok(()))
}

/// The reply as a server sends it; `None` where the enhanced code, repeated on each line, would make it too long.
fn on_the_wire(reply: &Reply) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let last = reply.lines.len() - 1;
    for (index, line) in reply.lines.iter().enumerate() {
        let separator = if index == last { ' ' } else { '-' };
        let enhanced = reply.enhanced.map(|code| format!("{code} ")).unwrap_or_default();
        let text = format!("{}{separator}{enhanced}{line}\r\n", reply.code);
        if text.len() > MAX_LINE {
            return None;
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    (bytes.len() <= MAX_REPLY).then_some(bytes)
}

/// EHLO: what is offered is what stands there, in any order, and the first line offers nothing.
pub fn capabilities(data: &[u8]) {
    let lines: Vec<String> = data
        .split(|byte| *byte == b'\n')
        .map(|line| {
            line.iter()
                .map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' })
                .collect()
        })
        .collect();
    let reply = |lines: Vec<String>| Reply { code: 250, enhanced: None, lines };
    let offers = Capabilities::parse(&reply(lines.clone()));

    let upper: Vec<String> = lines[1..].iter().map(|line| line.to_ascii_uppercase()).collect();
    let words =
        upper.iter().map(|line| line.split([' ', '=']).filter(|word| !word.is_empty()).collect::<Vec<_>>());
    let said: Vec<Vec<&str>> = words.filter(|words| !words.is_empty()).collect();
    let has = |keyword: &str| said.iter().any(|words| words[0] == keyword);
    for (offered, keyword) in [
        (offers.starttls, "STARTTLS"),
        (offers.pipelining, "PIPELINING"),
        (offers.eight_bit_mime, "8BITMIME"),
        (offers.smtputf8, "SMTPUTF8"),
        (offers.chunking, "CHUNKING"),
        (offers.enhanced_status_codes, "ENHANCEDSTATUSCODES"),
    ] {
        assert_eq!(offered, has(keyword), "{keyword}");
    }
    let named = said.iter().filter(|words| words[0] == "AUTH").flat_map(|words| words[1..].iter().copied());
    let named: BTreeSet<&str> = named.collect();
    assert_eq!(offers.auth.iter().map(String::as_str).collect::<BTreeSet<_>>(), named);
    assert_eq!(offers.auth.len(), named.len(), "no mechanism stands twice");
    assert_ne!(offers.size, Some(0));

    let mut again = vec!["name".to_owned(), format!("AUTH {}", offers.auth.join(" "))];
    again.extend(offers.size.map(|size| format!("SIZE {size}")));
    again.extend(said.iter().filter(|words| words[0] != "SIZE").map(|words| words.join(" ")));
    assert_eq!(Capabilities::parse(&reply(again)), offers, "what was read reads the same again");
}

const PASSWORD: &str = "hunter2-correct-horse";

/// AUTH with a server that answers anything: at most three lines are sent, only Base64 after the command; it succeeds
/// only after the last response; the text of a refused token is shown without the secret.
pub fn sign_in(data: &[u8]) {
    let mut input = Input::new(data);
    let mechanism = input.choose(&[Mechanism::Plain, Mechanism::Login, Mechanism::XOAuth2]);
    // The longest does not fit into a command line.
    let secret = Secret::new(PASSWORD.repeat(input.choose(&[1, 30])));
    let username = "ada@example.com";
    let credentials = match mechanism {
        Mechanism::XOAuth2 => Credentials::OAuthToken { username, token: &secret },
        Mechanism::Plain | Mechanism::Login => Credentials::Password { username, password: &secret },
    };
    let mut redactor = Redactor::default();
    credentials.add_to(&mut redactor, &[]);
    let mut replies = Replies::default();
    replies.feed(input.rest());
    let (mut dialogue, command) = Dialogue::begin(mechanism, &credentials);
    assert!(command.len() <= 512 && command.ends_with("\r\n"));
    let mut said = command.trim_end().split(' ').skip(2).map(str::to_owned).collect::<Vec<_>>();
    let mut lines = 1;
    while let Ok(Some(reply)) = replies.next() {
        let reply = reply.redacted(&redactor);
        assert!(!reply.text().contains(&PASSWORD[..12]));
        match dialogue.next(reply.code) {
            NextStep::Send(line) => {
                assert_eq!(reply.code, 334);
                let response = line.strip_suffix("\r\n").expect("a whole line");
                assert!(response.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)));
                said.push(response.to_owned());
                lines += 1;
                assert!(lines <= 3, "no server can ask for ever");
            }
            NextStep::SignedIn => {
                assert_eq!(reply.code, 235);
                assert_eq!(said.len(), if mechanism == Mechanism::Login { 2 } else { 1 });
                break;
            }
            NextStep::TokenRefused => {
                assert_eq!((mechanism, reply.code, said.len()), (Mechanism::XOAuth2, 334, 1));
                let shown = challenge(&reply.text(), &redactor);
                assert!(is_printable(&shown) && shown.chars().count() <= Transcript::MAX_DETAIL);
                assert!(!shown.contains(&PASSWORD[..12]));
                break;
            }
            NextStep::Refused => {
                assert!(reply.code != 334 || said.len() == if mechanism == Mechanism::Login { 2 } else { 1 });
                break;
            }
        }
    }
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
