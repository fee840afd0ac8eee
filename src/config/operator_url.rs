//! URLs that the operator configures: key sets, sign-in services, Graph.

use anyhow::{Context, bail};

/// `https`, or `http` on this machine: who can change the answer can sign tokens or take a secret.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with the URL.
pub fn check_operator_url(url: &str) -> anyhow::Result<()> {
    let parsed: hyper::Uri = url.parse().context("it is no URL")?;
    let host = parsed.host().context("it has no host")?;
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let is_loopback = host == "localhost" || literal.is_ok_and(|address| address.is_loopback());
    match parsed.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_loopback => Ok(()),
        _ => bail!("it must begin with https://"),
    }
}

#[cfg(test)]
mod tests {
    use super::check_operator_url;

    #[test]
    fn an_operators_url_is_over_tls_or_on_this_machine() {
        for (url, good) in [
            ("https://login.example/jwks.json", true),
            ("http://127.0.0.1:8081/jwks.json", true),
            ("http://[::1]:8081/jwks.json", true),
            ("http://localhost:8081/jwks.json", true),
            ("http://login.example/jwks.json", false),
            ("http://10.0.0.1/jwks.json", false),
            ("http://localhost.example/jwks.json", false),
            ("ftp://login.example/jwks.json", false),
            ("file:///etc/jwks.json", false),
            ("login.example/jwks.json", false),
            ("/jwks.json", false),
            ("", false),
        ] {
            assert_eq!(check_operator_url(url).is_ok(), good, "{url}");
        }
    }
}
