//! What `serve` needs beyond valid values, and what it warns of.

use super::*;

/// A configuration that serves, with one line replaced or added.
fn serving(more: &[(&str, &str)]) -> Config {
    let mut variables = vec![
        ("TRANSPORTS_ENCRYPTION__KEYS", "k1:c2VjcmV0"),
        ("TRANSPORTS_AUTH__HS256_SECRET", "0123456789abcdef0123456789abcdef"),
        ("TRANSPORTS_AUTH__ISSUER", "https://login.example.com"),
        ("TRANSPORTS_AUTH__AUDIENCE", "transports"),
    ];
    variables.extend_from_slice(more);
    Config::from_sources(None, variables).unwrap()
}

#[test]
fn what_serving_needs_is_told_with_a_remedy() {
    assert_eq!(check_for_serving(&serving(&[])), []);
    for (variables, expected) in [
        (vec![("TRANSPORTS_ENCRYPTION__KEYS", "")], "encryption.keys: "),
        (vec![("TRANSPORTS_AUTH__HS256_SECRET", "")], "auth: no key to check tokens with"),
        (vec![("TRANSPORTS_AUTH__HS256_SECRET", "short")], "auth.hs256_secret: is shorter than 32 bytes"),
        (vec![("TRANSPORTS_AUTH__ISSUER", "")], "auth.issuer: has to be set"),
        (vec![("TRANSPORTS_AUTH__AUDIENCE", "")], "auth.audience: has to be set"),
        (vec![("TRANSPORTS_SERVER__METRICS_LISTEN", "127.0.0.1:8080")], "server.metrics_listen: "),
        (vec![("TRANSPORTS_SERVER__METRICS_LISTEN", "0.0.0.0:8080")], "server.metrics_listen: "),
        (
            vec![
                ("TRANSPORTS_SUBMISSION__LISTEN", "127.0.0.1:8080"),
                ("TRANSPORTS_SUBMISSION__CERTIFICATE_FILE", "c.pem"),
                ("TRANSPORTS_SUBMISSION__KEY_FILE", "k.pem"),
            ],
            "submission.listen: 127.0.0.1:8080 is taken by server.listen",
        ),
        (
            vec![
                ("TRANSPORTS_SUBMISSION__LISTEN", "0.0.0.0:587"),
                ("TRANSPORTS_SUBMISSION__LISTEN_TLS", "127.0.0.1:587"),
                ("TRANSPORTS_SUBMISSION__CERTIFICATE_FILE", "c.pem"),
                ("TRANSPORTS_SUBMISSION__KEY_FILE", "k.pem"),
            ],
            "submission.listen_tls: 127.0.0.1:587 is taken by submission.listen",
        ),
        (
            vec![
                ("TRANSPORTS_SUBMISSION__LISTEN", "127.0.0.1:587"),
                ("TRANSPORTS_SUBMISSION__KEY_FILE", "k.pem"),
            ],
            "submission.certificate_file: has to be set",
        ),
        (
            vec![
                ("TRANSPORTS_SUBMISSION__LISTEN_TLS", "127.0.0.1:465"),
                ("TRANSPORTS_SUBMISSION__CERTIFICATE_FILE", "c.pem"),
            ],
            "submission.key_file: has to be set",
        ),
        (vec![("TRANSPORTS_SERVER__REQUEST_TIMEOUT_SECONDS", "8")], "server.request_timeout_seconds: "),
        (vec![("TRANSPORTS_EGRESS__MAX_CONNECTIONS", "3")], "egress.max_connections_per_tenant: "),
        (vec![("TRANSPORTS_RATE_LIMIT__STORE", "database")], "rate_limit.store: `database` needs PostgreSQL"),
    ] {
        let found = check_for_serving(&serving(&variables));
        assert_eq!(found.len(), 1, "{variables:?}: {found:?}");
        assert!(found[0].text.starts_with(expected), "{found:?}");
        assert!(found[0].hint.is_some(), "{found:?}");
        assert!(!found[0].text.contains("short\""), "{found:?}");
    }
    assert_eq!(check_for_serving(&Config::default()).len(), 4);
    for fitting in [
        ("TRANSPORTS_SERVER__METRICS_LISTEN", "127.0.0.2:8080"),
        ("TRANSPORTS_SERVER__METRICS_LISTEN", "127.0.0.1:9090"),
        ("TRANSPORTS_SERVER__REQUEST_TIMEOUT_SECONDS", "9"),
    ] {
        assert_eq!(check_for_serving(&serving(&[fitting])), [], "{fitting:?}");
    }
    let free = [("TRANSPORTS_SERVER__LISTEN", "[::1]:0"), ("TRANSPORTS_SERVER__METRICS_LISTEN", "[::1]:0")];
    assert_eq!(check_for_serving(&serving(&free)), []);
}

#[test]
fn requests_are_counted_where_the_setting_says_or_as_the_database_allows() {
    let postgres = ("TRANSPORTS_DATABASE__URL", "postgres://db.internal/transports");
    let store = |value| ("TRANSPORTS_RATE_LIMIT__STORE", value);
    for (variables, shared) in [
        (vec![], false),
        (vec![store("memory")], false),
        (vec![postgres], true),
        (vec![postgres, store("")], true),
        (vec![postgres, store("database")], true),
        (vec![postgres, store("memory")], false),
    ] {
        let config = serving(&variables);
        assert_eq!(config.shares_rate_limits(), shared, "{variables:?}");
        assert_eq!(check_for_serving(&config), [], "{variables:?}");
    }
    let wrong = problems(from_environment(&[store("redis")]));
    let expected = "TRANSPORTS_RATE_LIMIT__STORE: expected one of `memory` or `database`, got \"redis\"";
    assert_eq!(wrong, [expected]);
}

#[test]
fn a_listener_beyond_loopback_is_warned_of() {
    for (listen, warned) in [
        ("127.0.0.1:80", false),
        ("127.9.9.9:80", false),
        ("[::1]:80", false),
        ("[::ffff:127.0.0.1]:80", false),
        ("0.0.0.0:80", true),
        ("[::]:80", true),
        ("10.0.0.1:80", true),
    ] {
        for variable in ["TRANSPORTS_SERVER__LISTEN", "TRANSPORTS_SERVER__METRICS_LISTEN"] {
            let found = warnings(&serving(&[(variable, listen)]));
            assert_eq!(!found.is_empty(), warned, "{variable} {listen}");
        }
    }
}

/// Security case M18.
#[test]
fn metrics_beside_an_api_that_others_reach_are_warned_of() {
    let warned = |variables: &[(&str, &str)]| {
        let found = warnings(&serving(variables));
        found.iter().any(|problem| format!("{problem:?}").contains("/metrics is served to everybody"))
    };
    let everywhere = ("TRANSPORTS_SERVER__LISTEN", "0.0.0.0:80");
    assert!(warned(&[everywhere]));
    assert!(!warned(&[("TRANSPORTS_SERVER__LISTEN", "127.0.0.1:80")]));
    assert!(!warned(&[everywhere, ("TRANSPORTS_SERVER__METRICS_LISTEN", "127.0.0.1:9000")]));
}
