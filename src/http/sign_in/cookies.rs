//! Reads and sets our cookies: their names and attributes (RFC 6265).

use std::time::Duration;

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use cookie::{Cookie, SameSite};

pub(super) struct Cookies {
    /// Whether browsers come by `https://`.
    pub secure: bool,
}

impl Cookies {
    /// Over TLS with a prefix, by which browsers refuse the cookie from other hosts and from pages without TLS.
    fn name(&self, name: &str) -> String {
        if self.secure { format!("__Host-{name}") } else { name.to_owned() }
    }

    /// The one cookie of this name; `None` where there is none or more than one.
    pub fn read(&self, headers: &HeaderMap, name: &str) -> Option<String> {
        let name = self.name(name);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut found = lines
            .flat_map(Cookie::split_parse)
            .filter_map(Result::ok)
            .filter(|cookie| cookie.name() == name)
            .map(|cookie| cookie.value().to_owned());
        match (found.next(), found.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// A `Set-Cookie` that a page's scripts cannot read, and that no other site's requests carry except when
    /// somebody follows a link: the way back from the provider is one.
    pub fn set(&self, name: &str, value: &str, time: Duration) -> HeaderValue {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        self.header(name, value, seconds)
    }

    pub fn clear(&self, name: &str) -> HeaderValue {
        self.header(name, "", 0)
    }

    fn header(&self, name: &str, value: &str, seconds: i64) -> HeaderValue {
        let cookie = Cookie::build((self.name(name), value))
            .path("/")
            .http_only(true)
            .secure(self.secure)
            .same_site(SameSite::Lax)
            .max_age(time::Duration::seconds(seconds))
            .build();
        // Names are ours and values Base64: both are header text.
        HeaderValue::try_from(cookie.to_string()).unwrap_or(HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::console_sign_in::SESSION_COOKIE as SESSION;

    fn with(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn one_cookie_of_the_name_is_read_and_no_other() {
        let plain = Cookies { secure: false };
        assert_eq!(plain.read(&with(&["a=b; transports-session=x"]), SESSION).as_deref(), Some("x"));
        assert_eq!(plain.read(&with(&["a=b", "transports-session=x"]), SESSION).as_deref(), Some("x"));
        assert_eq!(plain.read(&with(&["transports-session=x; transports-session=y"]), SESSION), None);
        assert_eq!(plain.read(&with(&["transports-sessions=x"]), SESSION), None);
        let secure = Cookies { secure: true };
        assert_eq!(secure.read(&with(&["transports-session=x"]), SESSION), None);
        assert_eq!(secure.read(&with(&["__Host-transports-session=x"]), SESSION).as_deref(), Some("x"));
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_and_other_sites() {
        let set = Cookies { secure: true }.set(SESSION, "abc", Duration::from_mins(1));
        let set = set.to_str().expect("header text");
        for part in
            ["__Host-transports-session=abc", "HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=60"]
        {
            assert!(set.contains(part), "{part} in {set}");
        }
        assert!(!set.contains("Domain"), "{set}");
    }
}
