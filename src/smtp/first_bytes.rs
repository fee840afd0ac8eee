//! Recognises a server's protocol by its first bytes. Only the verdict leaves this module, never the bytes: a tenant
//! must not read what an internal service sends.

use super::OtherProtocol;

/// What the first bytes of a server mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Too few to decide.
    Undecided,
    /// They may begin an SMTP reply.
    Smtp,
    /// A TLS alert: the server gave up waiting for a `ClientHello`.
    TlsAlert,
    Other(OtherProtocol),
}

/// Enough to recognise every protocol of [`STARTS`] and the greeting of `MySQL`.
const MAX_SNIFFED_BYTES: usize = 8;

/// How the first line of each protocol begins. HTTP and Redis answer only after the client has spoken, here after a
/// `ClientHello`.
const STARTS: &[(&[u8], OtherProtocol)] = &[
    (b"HTTP/", OtherProtocol::Http),
    (b"<!DOCTYP", OtherProtocol::Http),
    (b"<!doctyp", OtherProtocol::Http),
    (b"<html", OtherProtocol::Http),
    (b"<HTML", OtherProtocol::Http),
    (b"* OK", OtherProtocol::Imap),
    (b"* BYE", OtherProtocol::Imap),
    (b"* PREAUT", OtherProtocol::Imap),
    (b"+OK", OtherProtocol::Pop3),
    (b"SSH-", OtherProtocol::Ssh),
    (b"-DENIED", OtherProtocol::Redis),
    (b"-NOAUTH", OtherProtocol::Redis),
    (b"-ERR unk", OtherProtocol::Redis),
    (b"-ERR Pro", OtherProtocol::Redis),
    (b"-ERR", OtherProtocol::Pop3),
];

/// The verdict about the bytes that a server began with.
pub(super) fn judge(bytes: &[u8]) -> Verdict {
    let complete = bytes.len() >= MAX_SNIFFED_BYTES || bytes.contains(&b'\n');
    let first = &bytes[..bytes.len().min(MAX_SNIFFED_BYTES)];
    let undecided = STARTS.iter().any(|(start, _)| start.starts_with(first) && start.len() > first.len());
    match first {
        [] => Verdict::Undecided,
        [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', ..] => Verdict::Smtp,
        [0x15, 0x03, ..] => Verdict::TlsAlert,
        [0x16, 0x03, ..] => Verdict::Other(OtherProtocol::Tls),
        // MySQL: three octets of length, sequence number 0, then the protocol's version (10) or an error (255).
        [a, b, c, 0, 0x0a | 0xff, ..] if ![a, b, c].contains(&&b'\n') => Verdict::Other(OtherProtocol::MySql),
        _ if undecided && !complete => Verdict::Undecided,
        _ => match STARTS.iter().find(|(start, _)| first.starts_with(start)) {
            Some((_, protocol)) => Verdict::Other(*protocol),
            None if complete => Verdict::Other(OtherProtocol::Unknown),
            None => Verdict::Undecided,
        },
    }
}

/// Whether a server that answers a `ClientHello` with these bytes speaks TLS: any record of TLS 1.x.
pub(super) fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x14..=0x17, 0x03, ..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Security case A16.
    #[test]
    fn other_protocols_are_told_by_their_first_bytes() {
        use OtherProtocol::{Http, Imap, MySql, Pop3, Redis, Ssh, Tls, Unknown};
        for (bytes, expected) in [
            (&b""[..], Verdict::Undecided),
            (b"2", Verdict::Undecided),
            (b"220 mail ESMTP\r\n", Verdict::Smtp),
            (b"554-no\r\n", Verdict::Smtp),
            (b"299", Verdict::Smtp),
            (b"HTTP/1.1 400 Bad Request\r\n", Verdict::Other(Http)),
            (b"<html><head>", Verdict::Other(Http)),
            (b"* OK [CAPABILITY IMAP4rev1]\r\n", Verdict::Other(Imap)),
            (b"* BYE\r\n", Verdict::Other(Imap)),
            (b"* ", Verdict::Undecided),
            (b"+OK POP3 ready\r\n", Verdict::Other(Pop3)),
            (b"-ERR busy\r\n", Verdict::Other(Pop3)),
            (b"-ERR unknown command\r\n", Verdict::Other(Redis)),
            (b"-DENIED Redis is running in protected mode", Verdict::Other(Redis)),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Verdict::Other(Ssh)),
            (b"\x4a\0\0\0\x0a8.0.36\0", Verdict::Other(MySql)),
            (b"\x45\0\0\0\xffj\x04Host is not allowed", Verdict::Other(MySql)),
            (b"\x15\x03\x01\x00\x02\x02\x28", Verdict::TlsAlert),
            (b"\x16\x03\x03\x00\x7a", Verdict::Other(Tls)),
            (b"hello\r\n", Verdict::Other(Unknown)),
            (b"\r\n", Verdict::Other(Unknown)),
            (b"\0\0\0\0\0\0\0\0", Verdict::Other(Unknown)),
            (b" 220 leading space\r\n", Verdict::Other(Unknown)),
            (b"220", Verdict::Smtp),
            (b"650 no such class\r\n", Verdict::Other(Unknown)),
        ] {
            assert_eq!(judge(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #[test]
        fn a_verdict_stands_once_it_is_given(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut verdict = Verdict::Undecided;
            for end in 0..=bytes.len() {
                let now = judge(&bytes[..end]);
                prop_assert!(verdict == Verdict::Undecided || verdict == now);
                verdict = now;
            }
            prop_assert!(bytes.len() < MAX_SNIFFED_BYTES || verdict != Verdict::Undecided);
        }
    }
}
