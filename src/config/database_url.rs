//! The value of `database.url`: a file of SQLite, or a server of PostgreSQL with a password, which is not shown.

use std::fmt::Write as _;
use std::path::Path;

use super::value::{Input, Rule, Value, quoted};
use crate::secret::Secret;

const SQLITE: &str = "sqlite://";

/// Parameters whose values hold no secret.
const SHOWN_PARAMETERS: [&str; 12] = [
    "application_name",
    "connect_timeout",
    "dbname",
    "host",
    "keepalives",
    "keepalives_idle",
    "options",
    "port",
    "sslmode",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// Where the database is.
#[derive(Debug)]
pub struct DatabaseUrl(Secret);

impl DatabaseUrl {
    pub fn new(url: impl Into<String>) -> Self {
        Self(Secret::new(url.into()))
    }

    /// The whole URL with its password.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The file of an SQLite database.
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.expose().strip_prefix(SQLITE).map(Path::new)
    }

    /// The URL with `***` in place of the password. Where it is not clear where a password would end, the whole place is
    /// hidden.
    pub fn shown(&self) -> String {
        let url = self.expose();
        if self.sqlite_path().is_some() {
            return url.to_owned();
        }
        shown_server(url).unwrap_or_else(|| "postgres://***".to_owned())
    }
}

fn shown_server(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (address, parameters) =
        rest.split_once('?').map_or((rest, None), |(address, all)| (address, Some(all)));
    let (user, place) = address.rsplit_once('@').map_or((None, address), |(user, place)| (Some(user), place));
    let (hosts, database) = place.split_once('/').map_or((place, None), |(hosts, name)| (hosts, Some(name)));
    if !hosts.split(',').all(is_host) || !database.unwrap_or_default().chars().all(is_plain) {
        return None;
    }
    let user = match user.map(|user| user.split_once(':').map_or((user, ""), |(name, _)| (name, ":***"))) {
        Some((name, _)) if !name.chars().all(is_plain) => return None,
        Some((name, password)) => format!("{name}{password}@"),
        None => String::new(),
    };
    let mut shown = format!("{scheme}://{user}{place}");
    for (index, parameter) in parameters.into_iter().flat_map(|all| all.split('&')).enumerate() {
        let (name, value) = parameter.split_once('=')?;
        let value = match name {
            "password" => "***",
            name if SHOWN_PARAMETERS.contains(&name) => value,
            _ => return None,
        };
        // What has another form may be the rest of a password with a question mark in it.
        if value != "***" && !value.chars().all(|c| is_plain(c) || "/:,".contains(c)) {
            return None;
        }
        let separator = if index == 0 { '?' } else { '&' };
        // Writing to a String cannot fail.
        let _ = write!(shown, "{separator}{name}={value}");
    }
    Some(shown)
}

/// A name or an address, and digits for a port: what stands behind a colon may be a password whose host is missing.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    let inside = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.map_or_else(|| name.chars().all(is_plain), |address| address.parse::<std::net::Ipv6Addr>().is_ok())
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._~%-".contains(character)
}

impl Value for DatabaseUrl {
    const IS_SECRET: bool = true;

    fn expected(rule: Rule) -> String {
        Secret::expected(rule)
    }

    fn read(input: Input<'_>, rule: Rule) -> Option<Self> {
        Secret::read(input, rule).map(Self)
    }

    fn relative_to(self, folder: &Path) -> Self {
        match self.sqlite_path().map(|path| folder.join(path)) {
            Some(path) => Self::new(format!("{SQLITE}{}", path.display())),
            None => self,
        }
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.shown()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_is_hidden() {
        for (url, shown) in [
            ("sqlite:///var/lib/transports.db", "sqlite:///var/lib/transports.db"),
            ("postgres://anna:hunter2@db.example.com/mail", "postgres://anna:***@db.example.com/mail"),
            ("postgresql://anna:hunter2@a:1,b:2/mail", "postgresql://anna:***@a:1,b:2/mail"),
            ("postgres://anna@db.example.com:5433/mail", "postgres://anna@db.example.com:5433/mail"),
            ("postgres://db/mail?sslmode=disable", "postgres://db/mail?sslmode=disable"),
            ("postgres://anna:hunter2@[::1]:5432/mail", "postgres://anna:***@[::1]:5432/mail"),
            (
                "postgres://anna@/mail?host=/run/postgresql&password=hunter2&port=5433",
                "postgres://anna@/mail?host=/run/postgresql&password=***&port=5433",
            ),
            (
                "postgres://%2Frun%2Fpostgresql/mail?password=hunter2",
                "postgres://%2Frun%2Fpostgresql/mail?password=***",
            ),
            ("postgres://anna:p@hunter2@db/mail", "postgres://anna:***@db/mail"),
            ("postgres://anna:hunter2/x@db/mail", "postgres://anna:***@db/mail"),
        ] {
            assert_eq!(DatabaseUrl::new(url).shown(), shown, "{url}");
        }
    }

    #[test]
    fn where_the_password_might_end_elsewhere_nothing_is_shown() {
        for url in [
            "postgres://anna:hunter2",
            "postgres://anna:hunter2/mail",
            "postgres://anna:hunter2?x@db/mail",
            "postgres://anna:1?sslmode=hunter2@db/mail",
            "postgres://anna:1?hunter2@db/mail",
            "postgres://db/mail?nonsense=hunter2",
            "postgres://db/mail?hunter2",
            "postgres://db/ma il#hunter2",
            "postgres://[hunter2]:1/mail",
            "postgres://a:b:hunter2/mail",
        ] {
            assert_eq!(DatabaseUrl::new(url).shown(), "postgres://***", "{url}");
        }
    }
}
