//! Names are looked up as they were judged, and nobody's silent name server holds up others.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use transports::config::{Config, Egress};
use transports::egress::{Connection, DialError, Dialer, Host, Policy, Resolver};
use transports::mail::transcript::Transcript;

use crate::support::name_server::{NameServer, Reply};

fn addresses(text: &str) -> Reply {
    Reply::Addresses(vec![text.parse::<IpAddr>().expect("an address")])
}

fn dialer(resolver: transports::egress::SystemResolver, settings: &Egress) -> Dialer {
    let policy = Arc::new(Policy::new(settings).expect("good settings"));
    Dialer { policy, resolver: Resolver::System(Arc::new(resolver)) }
}

async fn dial(dialer: &Dialer, host: &str, within: Duration) -> Result<Connection, DialError> {
    let host = Host::parse(host).expect("a host");
    dialer.dial(&host, 25, Instant::now() + within, &mut Transcript::default()).await
}

async fn dial_for_operator(dialer: &Dialer, host: &str) -> Result<Connection, DialError> {
    let host = Host::parse(host).expect("a host");
    dialer.dial_for_operator(&host, 25, Instant::now() + AMPLE).await
}

/// More than a look-up may take.
const AMPLE: Duration = Duration::from_secs(20);

/// Security case M3.
#[tokio::test]
async fn the_search_list_is_not_used_for_tenants() {
    let server = NameServer::start(|name| match name {
        "relay.mail.svc.cluster.local" | "vault.svc.cluster.local" | "short.svc.cluster.local" => {
            addresses("127.0.0.1")
        }
        _ => Reply::NoSuchName,
    })
    .await;
    let settings = Egress {
        allow_hosts: vec!["short".to_owned()],
        allow: vec!["127.0.0.0/8".to_owned()],
        ..Config::default().egress
    };
    for dots in ["options ndots:1", "options ndots:5"] {
        let resolver = server.resolver(&format!("search svc.cluster.local corp.example\n{dots}"), "");
        let dialer = dialer(resolver, &settings);
        let outcome = dial(&dialer, "relay.mail", AMPLE).await;
        assert_eq!(outcome.err(), Some(DialError::NotFound), "{dots}");
        assert_eq!(server.asked(), ["relay.mail"], "{dots}");
        // What the operator configured is completed: an address was found, and nobody answers there.
        for name in ["short", "vault"] {
            let found = if name == "short" {
                dial(&dialer, name, AMPLE).await
            } else {
                dial_for_operator(&dialer, name).await
            };
            assert!(!matches!(found.err(), Some(DialError::NotFound | DialError::DnsUnavailable)), "{name}");
            assert!(server.asked().contains(&format!("{name}.svc.cluster.local")), "{name}");
        }
    }
}

/// Security cases A12, E14, M1.
#[test]
fn silent_name_servers_of_many_tenants_delay_no_other_tenant() {
    // With few threads for what blocks, few look-ups would take all of them.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING).build();
    runtime.expect("a runtime").block_on(look_up_beside_silent_names());
}

const BLOCKING: usize = 4;

async fn look_up_beside_silent_names() {
    let server = NameServer::start(|name| match name {
        name if name.ends_with("tarpit.example") => Reply::Silence,
        "mail.good.example" => addresses("127.0.0.1"),
        _ => Reply::NoSuchName,
    })
    .await;
    let settings = Egress { allow: vec!["127.0.0.0/8".to_owned()], ..Config::default().egress };
    let dialer = Arc::new(dialer(server.resolver("", ""), &settings));
    let silent: Vec<_> = (0..8 * BLOCKING)
        .map(|number| {
            let dialer = Arc::clone(&dialer);
            tokio::spawn(async move {
                dial(&dialer, &format!("a{number}.tarpit.example"), Duration::from_mins(1)).await
            })
        })
        .collect();
    let good = dial(&dialer, "mail.good.example", AMPLE).await;
    assert!(matches!(good, Ok(_) | Err(DialError::ConnectRefused)), "{:?}", good.err());
    assert!(dial_for_operator(&dialer, "nowhere.example").await.err() == Some(DialError::NotFound));
    assert!(silent.iter().all(|look_up| !look_up.is_finished()), "the silent names were still waited for");
    for look_up in silent {
        let outcome = look_up.await.expect("no panic");
        assert_eq!(outcome.err(), Some(DialError::DnsUnavailable), "a look-up has a time of its own");
    }
}

/// Security case A12.
#[tokio::test]
async fn answers_of_name_servers_are_distinguished() {
    let server = NameServer::start(|name| match name {
        "fails.example.com" => Reply::Failure,
        "empty.example.com" => Reply::Addresses(Vec::new()),
        "silent.example.com" => Reply::Silence,
        _ => Reply::NoSuchName,
    })
    .await;
    let dialer = dialer(server.resolver("", ""), &Config::default().egress);
    let cases = [
        ("fails.example.com", DialError::DnsUnavailable),
        ("empty.example.com", DialError::NotFound),
        ("silent.example.com", DialError::DnsUnavailable),
        ("unknown.example.com", DialError::NotFound),
    ];
    for (name, expected) in cases {
        let within = if name.starts_with("silent") { Duration::from_millis(100) } else { AMPLE };
        assert_eq!(dial(&dialer, name, within).await.err(), Some(expected), "{name}");
    }
}

#[tokio::test]
async fn the_hosts_file_comes_first_and_changed_files_are_reloaded() {
    let server = NameServer::start(|name| match name {
        "relay.corp.example" => addresses("127.0.0.1"),
        _ => Reply::NoSuchName,
    })
    .await;
    let settings = Egress { allow: vec!["127.0.0.0/8".to_owned()], ..Config::default().egress };
    let dialer = dialer(server.resolver("", "127.0.0.1 in-the-table.example\n"), &settings);
    let outcome = dial(&dialer, "in-the-table.example", AMPLE).await;
    assert!(matches!(outcome, Ok(_) | Err(DialError::ConnectRefused)), "{:?}", outcome.err());
    assert_eq!(server.asked(), Vec::<String>::new());
    assert_eq!(dial_for_operator(&dialer, "relay").await.err(), Some(DialError::NotFound));
    server.write_settings("search corp.example");
    assert_ne!(dial_for_operator(&dialer, "relay").await.err(), Some(DialError::NotFound));
}
