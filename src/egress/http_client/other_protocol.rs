//! Tells by its first octets what answered in place of a web server.

use std::fmt;

/// The record types of TLS with which a server begins: alert and handshake (RFC 8446 section 5.1).
const TLS_RECORDS: [u8; 2] = [21, 22];
const TLS_MAJOR_VERSION: u8 = 3;

/// What answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OtherProtocol {
    /// A reply with three digits: SMTP, such as that of the gateway, or a protocol of the same family.
    Smtp,
    /// HTTP, where the URL says `https://`.
    WithoutTls,
    /// TLS, where the URL says `http://`.
    Tls,
}

impl fmt::Display for OtherProtocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Smtp => "a mail server (SMTP) answers on this port, not a web server",
            Self::WithoutTls => "the server answers without TLS on this port",
            Self::Tls => "the server expects TLS on this port",
        })
    }
}

/// `outside` is what came first on the connection, `inside` what came first within its TLS.
pub(super) fn other_protocol(encrypted: bool, outside: &[u8], inside: &[u8]) -> Option<OtherProtocol> {
    if is_smtp_reply(outside) || is_smtp_reply(inside) {
        Some(OtherProtocol::Smtp)
    } else if encrypted && outside.starts_with(b"HTTP/") {
        Some(OtherProtocol::WithoutTls)
    } else if !encrypted && is_tls_record(outside) {
        Some(OtherProtocol::Tls)
    } else {
        None
    }
}

/// RFC 5321 section 4.2: three digits, and a space or a hyphen.
fn is_smtp_reply(octets: &[u8]) -> bool {
    matches!(octets, [first, second, third, b' ' | b'-', ..] if [first, second, third].iter().all(|octet| octet.is_ascii_digit()))
}

fn is_tls_record(octets: &[u8]) -> bool {
    matches!(octets, [record, TLS_MAJOR_VERSION, ..] if TLS_RECORDS.contains(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_octets_name_the_protocol() {
        let alert = [21, 3, 3, 0, 2, 2, 70];
        for (encrypted, outside, inside, expected) in [
            (false, &b"220 mail.example.com"[..], &b""[..], Some(OtherProtocol::Smtp)),
            (false, b"220-mail.example.com", b"", Some(OtherProtocol::Smtp)),
            (true, b"421 4.7.0 Too many", b"", Some(OtherProtocol::Smtp)),
            (true, &[22, 3, 3], b"220 mail.example.com", Some(OtherProtocol::Smtp)),
            (true, b"HTTP/1.1 400 Bad", b"", Some(OtherProtocol::WithoutTls)),
            (false, b"HTTP/1.1 400 Bad", b"", None),
            (false, &alert, b"", Some(OtherProtocol::Tls)),
            (true, &alert, b"", None),
            (true, &[22, 3, 3], b"HTTP/1.1 200 OK", None),
            (false, b"", b"", None),
            (false, b"2200 x", b"", None),
            (false, b"SSH-2.0-x", b"", None),
        ] {
            assert_eq!(
                other_protocol(encrypted, outside, inside),
                expected,
                "{encrypted} {outside:?} {inside:?}"
            );
        }
    }
}
