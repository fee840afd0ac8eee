//! Parses and checks the URL of a request.

use hyper::Uri;
use hyper::header::HeaderValue;

use super::HttpError;
use crate::egress::Host;

/// Where a URL that begins with `http://` may lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PlainHttp {
    /// What the operator configures carries keys and tokens of all tenants.
    LoopbackOnly,
    /// What the user of the command line types is their own choice.
    Anywhere,
}

/// Where a request goes.
#[derive(Debug)]
pub(super) struct RequestTarget {
    pub host: Host,
    pub port: u16,
    /// False for `http://`.
    pub encrypted: bool,
    /// As it stands in the `Host` header.
    pub authority: HeaderValue,
    /// Path and query, as they stand in the first line.
    pub path: String,
}

impl RequestTarget {
    pub fn parse(url: &str, plain: PlainHttp) -> Result<Self, HttpError> {
        let refuse = |reason: &str| Err(HttpError::Url(reason.to_owned()));
        let uri: Uri = url.parse().map_err(|error| HttpError::Url(format!("{error}")))?;
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return refuse("it does not begin with https://"),
        };
        let Some(authority) = uri.authority() else { return refuse("it names no host") };
        if authority.as_str().contains('@') {
            return refuse("it holds a user name");
        }
        let host = Host::parse(authority.host().trim_matches(['[', ']']))
            .map_err(|error| HttpError::Url(format!("its host {error}")))?;
        if !encrypted && plain == PlainHttp::LoopbackOnly && !is_loopback(&host) {
            return refuse("http:// is for loopback only; use https://");
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") if encrypted => 443,
            Some("") => 80,
            behind => match behind.and_then(|behind| behind.strip_prefix(':')?.parse().ok()) {
                Some(port) if port != 0 => port,
                _ => return refuse("its port is not one"),
            },
        };
        let authority = HeaderValue::from_str(authority.as_str())
            .map_err(|_| HttpError::Url("its host cannot stand in a header".to_owned()))?;
        let path = uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        Ok(Self { host, port, encrypted, authority, path })
    }
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Name(name) => name == "localhost",
        Host::Address(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let cases = [
            ("https://login.example.com", "login.example.com", 443, true, "login.example.com", "/"),
            (
                "https://LOGIN.example.com:8443/a/b?c=d",
                "login.example.com",
                8443,
                true,
                "LOGIN.example.com:8443",
                "/a/b?c=d",
            ),
            ("https://example.com?x=1", "example.com", 443, true, "example.com", "/?x=1"),
            ("https://[2001:db8::1]/", "2001:db8::1", 443, true, "[2001:db8::1]", "/"),
            ("http://127.0.0.1:8080/x", "127.0.0.1", 8080, false, "127.0.0.1:8080", "/x"),
            ("http://[::1]:8080/x", "::1", 8080, false, "[::1]:8080", "/x"),
            ("http://localhost/x#fragment", "localhost", 80, false, "localhost", "/x"),
        ];
        for (url, host, port, encrypted, authority, path) in cases {
            let target = RequestTarget::parse(url, PlainHttp::LoopbackOnly).unwrap();
            assert_eq!(target.host.to_string(), host, "{url}");
            assert_eq!((target.port, target.encrypted), (port, encrypted), "{url}");
            assert_eq!((target.authority.to_str().unwrap(), target.path.as_str()), (authority, path));
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused() {
        for url in [
            "",
            "login.example.com",
            "/path",
            "ftp://example.com/",
            "https:///path",
            "https://user@example.com/",
            "https://user:password@example.com/",
            "https://example.com:0/",
            "https://example.com:65536/",
            "https://2130706433/",
            "https://127.1/",
            "https://exa mple.com/",
            "https://example.com/a b",
            "https://example.com/\r\nX: y",
            "http://example.com/",
            "http://10.0.0.1/",
            "http://localhost.example.com/",
            "http://0.0.0.0/",
        ] {
            let parsed = RequestTarget::parse(url, PlainHttp::LoopbackOnly);
            assert!(matches!(parsed, Err(HttpError::Url(_))), "{url:?}");
        }
    }

    #[test]
    fn a_typed_url_may_be_plain_http_but_is_otherwise_held_to_the_rules() {
        for (url, good) in [
            ("http://transports:8080/x", true),
            ("http://10.0.0.1/x", true),
            ("ftp://example.com/", false),
            ("http://user@example.com/", false),
            ("http://127.1/", false),
        ] {
            assert_eq!(RequestTarget::parse(url, PlainHttp::Anywhere).is_ok(), good, "{url:?}");
        }
    }
}
