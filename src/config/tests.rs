//! The loader as tables: where a value comes from, and what is said about a wrong one.

mod serving;

use std::ffi::OsString;

use super::*;

const NO_VARIABLES: [(&str, &str); 0] = [];

fn from_file(text: &str) -> Result<Config, Invalid> {
    Config::from_sources(Some(("test.toml", text)), NO_VARIABLES)
}

fn from_environment(variables: &[(&str, &str)]) -> Result<Config, Invalid> {
    Config::from_sources(None, variables.iter().copied())
}

/// The problems as text, hint included.
fn problems(result: Result<Config, Invalid>) -> Vec<String> {
    let told = |problem: Problem| match problem.hint {
        Some(hint) => format!("{} ({hint})", problem.text),
        None => problem.text,
    };
    result.expect_err("has to be refused").problems.into_iter().map(told).collect()
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let config = Config::default();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.metrics_listen, None);
    assert_eq!(config.server.max_connections, 10_000);
    assert_eq!(config.database.url.expose(), "sqlite://transports.db");
    assert!(config.encryption.keys.is_empty());
    assert_eq!(config.auth.jwks_max_age_hours, 24);
    assert_eq!(config.auth.token_cache_entries, 10_000);
    assert_eq!(config.auth.tenant_claim, "tenantId");
    assert_eq!(config.auth.user_claim, "sub");
    assert_eq!(config.auth.roles_claim, "roles");
    assert_eq!(config.auth.admin_roles, ["TenantAdmin"]);
    assert_eq!(config.egress.ports, [25, 465, 587, 2465, 2525, 2587]);
    assert_eq!(config.egress.timeout_seconds, 8);
    assert!(config.egress.allow.is_empty() && config.egress.deny.is_empty());
    assert_eq!(config.rate_limit.tier1_per_minute, 1000);
    assert_eq!(config.rate_limit.tier2_per_minute, 100);
    assert_eq!(config.rate_limit.unauthenticated_per_minute, 600);
    assert_eq!(config.audit.retention_days, 365);
    assert_eq!((config.log.format, config.log.filter.as_str()), (LogFormat::Auto, "info"));
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let file = "[egress]\ntimeout_seconds = 5\nports = [25]\n[log]\nformat = 'json'\n";
    let variables = [("TRANSPORTS_EGRESS__TIMEOUT_SECONDS", "6")];
    let config = Config::from_sources(Some(("test.toml", file)), variables).unwrap();
    assert_eq!(config.egress.timeout_seconds, 6);
    assert_eq!(config.egress.ports, [25]);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.log.filter, "info");
}

#[test]
fn lists_are_separated_by_commas() {
    for (text, expected) in
        [("", &[][..]), ("25", &[25][..]), ("25,587", &[25, 587]), (" 25 , 587 ,", &[25, 587])]
    {
        let config = from_environment(&[("TRANSPORTS_EGRESS__PORTS", text)]).unwrap();
        assert_eq!(config.egress.ports, expected, "{text:?}");
    }
    let config = from_environment(&[("TRANSPORTS_ENCRYPTION__KEYS", "k2:YQ==,k1:Yg==")]).unwrap();
    let keys: Vec<&str> = config.encryption.keys.iter().map(Secret::expose).collect();
    assert_eq!(keys, ["k2:YQ==", "k1:Yg=="]);
}

#[test]
fn an_empty_variable_leaves_an_optional_setting_unset() {
    let file = "[auth]\nissuer = 'https://login.example.com'\n";
    let config = Config::from_sources(Some(("test.toml", file)), [("TRANSPORTS_AUTH__ISSUER", "")]).unwrap();
    assert_eq!(config.auth.issuer, None);
    // But an empty value is none for a setting that has to have one, and none that a file may hold.
    assert_eq!(problems(from_environment(&[("TRANSPORTS_AUTH__USER_CLAIM", "")])).len(), 1);
    assert_eq!(problems(from_file("[auth]\nissuer = ''\n")).len(), 1);
}

#[test]
fn what_is_no_setting_is_ignored() {
    let variables = [
        ("TRANSPORTS_TOKEN", "abc"),
        ("TRANSPORTS_PORT", "tcp://10.0.0.1:8080"),
        ("TRANSPORTS_SERVICE_HOST", "10.0.0.1"),
        ("OTHER_SERVER__LISTEN", "x"),
        ("SERVER__LISTEN", "x"),
    ];
    assert_eq!(from_environment(&variables).unwrap().server.listen.port(), 8080);
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    for (file, expected) in [
        (
            "[server]\nlistn = '127.0.0.1:1'",
            "test.toml: server.listn: unknown setting (the nearest known setting is server.listen)",
        ),
        (
            "[server]\nissuer = 'x'",
            "test.toml: server.issuer: unknown setting (the nearest known setting is auth.issuer)",
        ),
        (
            "[sever]\nlisten = '127.0.0.1:1'",
            "test.toml: [sever]: unknown section (the nearest known section is [server])",
        ),
        (
            "listen = '127.0.0.1:1'",
            "test.toml: listen: stands outside a section (the nearest known setting is server.listen)",
        ),
        (
            "[rate_limit]\ntier1 = 5",
            "test.toml: rate_limit.tier1: unknown setting \
             (the nearest known setting is rate_limit.tier1_per_minute)",
        ),
    ] {
        assert_eq!(problems(from_file(file)), [expected]);
    }
    for (variable, expected) in [
        ("TRANSPORTS_SERVER__LISTN", "TRANSPORTS_SERVER__LISTEN"),
        ("TRANSPORTS_server__listen", "TRANSPORTS_SERVER__LISTEN"),
        ("TRANSPORTS_AUTH__HS256_SECRETS", "TRANSPORTS_AUTH__HS256_SECRET"),
        ("TRANSPORTS_DB__URL", "TRANSPORTS_DATABASE__URL"),
    ] {
        let text = format!("{variable}: unknown setting (the nearest known one is {expected})");
        assert_eq!(problems(from_environment(&[(variable, "hunter2")])), [text]);
    }
}

#[test]
fn a_wrong_value_is_told_with_its_place_and_what_was_expected() {
    for (section, key, value, expected) in [
        ("egress", "timeout_seconds", "0", "expected an integer from 1 to 60, got 0"),
        ("egress", "timeout_seconds", "61", "expected an integer from 1 to 60, got 61"),
        ("egress", "timeout_seconds", "'8'", "expected an integer from 1 to 60, got \"8\""),
        ("egress", "timeout_seconds", "8.5", "expected an integer from 1 to 60, got 8.5"),
        ("egress", "ports", "[70000]", "expected a list, each entry an integer from 0 to 65535, got [70000]"),
        ("egress", "ports", "25", "expected a list, each entry an integer from 0 to 65535, got 25"),
        ("egress", "ehlo_name", "true", "expected a text, got true"),
        ("log", "format", "\"xml\"", "expected one of `auto`, `text` or `json`, got \"xml\""),
        (
            "server",
            "listen",
            "\"8080\"",
            "expected an IP address with a port, such as `127.0.0.1:8080` or `[::1]:8080`, got \"8080\"",
        ),
        (
            "server",
            "trusted_proxies",
            "[\"10.0.0.0/40\"]",
            "expected a list, each entry a network, such as `10.0.0.0/8`, got [\"10.0.0.0/40\"]",
        ),
        (
            "auth",
            "jwks_url",
            "\"login.example.com\"",
            "expected a text that starts with `https://` or `http://`, got \"login.example.com\"",
        ),
    ] {
        let found = problems(from_file(&format!("[{section}]\n{key} = {value}\n")));
        assert_eq!(found, [format!("test.toml: {section}.{key}: {expected}")]);
    }
    assert_eq!(
        problems(from_environment(&[("TRANSPORTS_EGRESS__TIMEOUT_SECONDS", "eight")])),
        ["TRANSPORTS_EGRESS__TIMEOUT_SECONDS: expected an integer from 1 to 60, got \"eight\""]
    );
    assert_eq!(
        problems(from_environment(&[("TRANSPORTS_AUDIT__RETENTION_DAYS", "99999999999999999999")])).len(),
        1
    );
}

#[test]
fn all_faults_are_told_at_once() {
    let file = "[server]\nlisten = 1\nlistn = 2\n[egress]\ntimeout_seconds = 0\n[sever]\n";
    let variables = [("TRANSPORTS_LOG__FORMAT", "xml"), ("TRANSPORTS_LOG__FORMT", "json")];
    let found = problems(Config::from_sources(Some(("test.toml", file)), variables));
    for start in [
        "test.toml: server.listen: expected",
        "test.toml: server.listn: unknown setting",
        "test.toml: egress.timeout_seconds: expected",
        "test.toml: [sever]: unknown section",
        "TRANSPORTS_LOG__FORMAT: expected",
        "TRANSPORTS_LOG__FORMT: unknown setting",
    ] {
        assert_eq!(found.iter().filter(|text| text.starts_with(start)).count(), 1, "{start} in {found:?}");
    }
    assert_eq!(found.len(), 6, "{found:?}");
}

/// Security case I5.
#[test]
fn the_value_of_a_secret_is_in_no_message() {
    let canary = "hunter2";
    for text in [
        format!("[database]\nurl = '{canary}'"),
        format!("[database]\nurl = ['{canary}']"),
        format!("[auth]\nhs256_secret = ['{canary}']"),
        format!("[encryption]\nkeys = '{canary}'"),
        format!("[encryption]\nkeys = ['{canary}', 1]"),
        format!("[encryption]\nkey = '{canary}'"),
        format!("hs256_secret = '{canary}'"),
        format!("[auth]\nhs256_secret = '{canary}"),
        format!("[auth]\nhs256_secret = {canary}"),
    ] {
        let invalid = from_file(&text).expect_err(&text);
        assert!(!invalid.problems.is_empty());
        assert!(!format!("{invalid} {invalid:?}").contains(canary), "{invalid:?}");
    }
    let invalid = from_environment(&[("TRANSPORTS_DATABASE__URL", canary)]).unwrap_err();
    assert!(!format!("{invalid} {invalid:?}").contains(canary), "{invalid:?}");
    let config = from_environment(&[("TRANSPORTS_AUTH__HS256_SECRET", canary)]).unwrap();
    assert!(!format!("{config:?} {:?}", config.shown()).contains(canary));
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_line() {
    let found = problems(from_file("[server]\nlisten = '127.0.0.1:1'\n[auth\n"));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("test.toml: line 3 is not valid TOML: "), "{found:?}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_told() {
    use std::os::unix::ffi::OsStringExt as _;
    let value = OsString::from_vec(vec![0xff]);
    let found = problems(Config::from_sources(None, [("TRANSPORTS_LOG__FILTER", value)]));
    assert_eq!(found, ["TRANSPORTS_LOG__FILTER: is not valid UTF-8"]);
}

#[test]
fn the_consoles_title_is_a_name_that_can_be_shown() {
    let title =
        |text| from_environment(&[("TRANSPORTS_CONSOLE__TITLE", text)]).map(|config| config.console.title);
    assert_eq!(from_environment(&[]).unwrap().console.title, "Email transport");
    let longest = "ä".repeat(60);
    for name in ["Mail", "Grüße & <Co>", "بريد", longest.as_str()] {
        assert_eq!(title(name).unwrap(), name);
    }
    for wrong in ["", "  ", "a\u{202e}b", "a\u{2066}b", "a\nb", "a\u{0}b", &"ä".repeat(61)] {
        let error = title(wrong).unwrap_err().to_string();
        assert!(
            error.contains("CONSOLE__TITLE") && error.contains("1 to 60 characters"),
            "{wrong:?}: {error}"
        );
    }
}

#[test]
fn every_setting_is_documented() {
    for setting in all() {
        assert!(!setting.documentation.is_empty() && setting.documentation.ends_with('.'), "{setting:?}");
        assert!(!setting.documentation.contains('|'), "breaks the table: {setting:?}");
    }
    let secrets: Vec<String> = all()
        .iter()
        .filter(|setting| setting.is_secret)
        .map(|setting| format!("{}.{}", setting.section, setting.key))
        .collect();
    let expected = [
        "database.url",
        "encryption.keys",
        "auth.hs256_secret",
        "console.oidc_client_secret",
        "console.session_secret",
        "telemetry.otlp_headers",
    ];
    assert_eq!(secrets, expected);
}
