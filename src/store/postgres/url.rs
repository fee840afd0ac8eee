//! `database.url` for PostgreSQL: the parameters that the driver does not know, and the URL without its password.

use std::net::IpAddr;

use anyhow::anyhow;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::TIME_LIMIT;

/// How long a server may be silent, in seconds, before a connection to it is probed.
const KEEPALIVE_IDLE: std::time::Duration = std::time::Duration::from_secs(30);

/// # Errors
/// A text without any part of the URL: in a malformed one it is unknown where the password ends.
pub(super) fn parse(url: &str) -> anyhow::Result<Config> {
    let mut config: Config = checked_certificates(url).parse().map_err(|_| {
        anyhow!(
            "database.url: is not a URL that the driver understands: it has to be \
             postgres://USER:PASSWORD@HOST:PORT/NAME, with %XX for special characters in user and password; \
             parameters may be sslmode, host, port, user, password, dbname, options, application_name, \
             connect_timeout, tcp_user_timeout, keepalives, keepalives_idle, target_session_attrs"
        )
    })?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(TIME_LIMIT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(TIME_LIMIT);
    }
    if config.get_application_name().is_none() {
        config.application_name("transports");
    }
    config.keepalives_idle(config.get_keepalives_idle().min(KEEPALIVE_IDLE));
    if !has_parameter(url, "sslmode") && leaves_this_host(&config) {
        config.ssl_mode(SslMode::Require);
    }
    // Behind a failover the name may lead to a node that only reads: such a connection is none.
    if !has_parameter(url, "target_session_attrs") {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    Ok(config)
}

/// Whether the URL allows a connection over a network without TLS.
pub(super) fn allows_clear_text(url: &str) -> bool {
    parse(url).is_ok_and(|config| config.get_ssl_mode() != SslMode::Require && leaves_this_host(&config))
}

fn has_parameter(url: &str, name: &str) -> bool {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    parameters.split('&').any(|parameter| parameter.split('=').next() == Some(name))
}

/// Whether one of the servers is reached by neither a Unix socket nor loopback.
fn leaves_this_host(config: &Config) -> bool {
    let addresses = config.get_hostaddrs();
    if !addresses.is_empty() {
        return !addresses.iter().all(is_loopback);
    }
    config.get_hosts().iter().any(|host| match host {
        Host::Unix(_) => false,
        Host::Tcp(name) => {
            let name = name.trim_start_matches('[').trim_end_matches(']');
            !name.eq_ignore_ascii_case("localhost")
                && !name.parse().is_ok_and(|address| is_loopback(&address))
        }
    })
}

fn is_loopback(address: &IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The driver has no `verify-full`: with it, TLS always checks certificate and name.
fn checked_certificates(url: &str) -> String {
    let Some((address, parameters)) = url.split_once('?') else { return url.to_owned() };
    let parameters = parameters.split('&').map(|parameter| match parameter {
        "sslmode=verify-full" | "sslmode=verify-ca" => "sslmode=require",
        other => other,
    });
    format!("{address}?{}", parameters.collect::<Vec<_>>().join("&"))
}

/// The place without the password: `postgres://user@host:port/name`.
pub(super) fn shown(config: &Config) -> String {
    let hosts: Vec<_> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(index, host)| {
            let host = match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => path.display().to_string(),
            };
            let ports = config.get_ports();
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            format!("{host}:{port}")
        })
        .collect();
    let user = config.get_user().map_or_else(String::new, |user| format!("{user}@"));
    let name = config.get_dbname().unwrap_or_default();
    format!("postgres://{user}{}/{name}", hosts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_shown_without_the_password() {
        let shows = [
            ("postgres://anna:hunter2@db.example.com/mail", "postgres://anna@db.example.com:5432/mail"),
            ("postgresql://anna:hunter2@a:1,b:2/mail", "postgres://anna@a:1,b:2/mail"),
            (
                "postgres://anna@/mail?host=/run/postgresql&port=5433",
                "postgres://anna@/run/postgresql:5433/mail",
            ),
            ("postgres://%2Frun%2Fpostgresql/mail?password=hunter2", "postgres:///run/postgresql:5432/mail"),
        ];
        for (url, expected) in shows {
            assert_eq!(shown(&parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_read_is_not_repeated() {
        for url in [
            "postgres://anna:hunter2@db/mail?nonsense=1",
            "postgres://anna:x@db:port/mail?hunter2=1",
            "postgres://anna:x@db/mail?sslmode=hunter2",
        ] {
            let error = format!("{:#}", parse(url).unwrap_err());
            assert!(error.starts_with("database.url: ") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn certificates_are_checked_whenever_tls_is_asked_for() {
        let modes = [
            ("postgres://db/mail?sslmode=verify-full", SslMode::Require),
            ("postgres://db/mail?application_name=x&sslmode=verify-ca", SslMode::Require),
            ("postgres://db/mail?sslmode=require", SslMode::Require),
            ("postgres://db/mail?sslmode=disable", SslMode::Disable),
        ];
        for (url, mode) in modes {
            assert_eq!(parse(url).unwrap().get_ssl_mode(), mode, "{url}");
        }
    }

    /// Security case M5.
    #[test]
    fn beyond_this_host_tls_is_required_unless_the_url_says_otherwise() {
        let required = [
            "postgres://db/mail",
            "postgres://10.0.0.7/mail",
            "postgres://127.0.0.1,db/mail",
            "postgres://127.0.0.1/mail?host=db",
            "postgres://localhost/mail?hostaddr=10.0.0.7",
            "postgres://localhost.example.com/mail?application_name=sslmode",
        ];
        for url in required {
            assert_eq!(parse(url).unwrap().get_ssl_mode(), SslMode::Require, "{url}");
            assert!(!allows_clear_text(url), "{url}");
        }
        for mode in ["disable", "prefer"] {
            let url = format!("postgres://db/mail?sslmode={mode}");
            assert_ne!(parse(&url).unwrap().get_ssl_mode(), SslMode::Require, "{url}");
            assert!(allows_clear_text(&url), "{url}");
        }
        let here = [
            "postgres://127.0.0.1/mail",
            "postgres://localhost:5433/mail?sslmode=disable",
            "postgres://db/mail?hostaddr=127.8.8.8",
            "postgres:///mail?host=/run/postgresql",
        ];
        for url in here {
            assert_ne!(parse(url).unwrap().get_ssl_mode(), SslMode::Require, "{url}");
            assert!(!allows_clear_text(url), "{url}");
        }
    }

    #[test]
    fn a_connection_has_to_write_unless_the_url_says_otherwise() {
        let wanted = [
            ("postgres://db/mail", TargetSessionAttrs::ReadWrite),
            ("postgres://db/mail?target_session_attrs=any", TargetSessionAttrs::Any),
        ];
        for (url, expected) in wanted {
            assert_eq!(parse(url).unwrap().get_target_session_attrs(), expected, "{url}");
        }
    }

    /// Security case K9.
    #[test]
    fn no_connection_waits_for_ever() {
        let config = parse("postgres://db/mail").unwrap();
        assert_eq!(config.get_connect_timeout(), Some(&TIME_LIMIT));
        assert_eq!(config.get_tcp_user_timeout(), Some(&TIME_LIMIT));
        let config = parse("postgres://db/mail?connect_timeout=2&keepalives_idle=9").unwrap();
        assert_eq!(config.get_connect_timeout().unwrap().as_secs(), 2);
        assert_eq!(config.get_keepalives_idle().as_secs(), 9);
    }
}
