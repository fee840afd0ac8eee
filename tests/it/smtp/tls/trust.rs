//! Certificates: which prove a host, and which do not.

use transports::config;
use transports::egress::tls;

use super::*;

fn fixture(chain: &str) -> Certificate {
    certificates::from_pem(chain, include_str!("../../fixtures/tls/key.pem"))
}

/// Trusts the authority of the fixtures.
fn trusting_fixtures(security: Security) -> Caller {
    let authority = fixture(include_str!("../../fixtures/tls/authority.pem")).chain;
    Caller::new(security).tls(certificates::client_config_trusting(&authority))
}

/// Security case D9.
#[tokio::test]
async fn a_certificate_that_does_not_prove_the_host_is_refused() {
    let named = |name: &str| Host::Name(name.to_owned());
    let untrusted = |issuer: &str, chain| TlsFailure::Untrusted { issuer: Some(issuer.to_owned()), chain };
    let wrong = |names: &[&str]| TlsFailure::WrongName {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        greeted_as: None,
    };
    let loopback = Host::Address("127.0.0.1".parse().unwrap());
    let cases = [
        ("expired", certificates::expired(&[HOST]), named(HOST), TlsFailure::Expired),
        ("not yet valid", certificates::not_yet_valid(&[HOST]), named(HOST), TlsFailure::NotYetValid),
        (
            "wrong name",
            certificates::valid_for(&["other.example.com", "192.0.2.1"]),
            named(HOST),
            wrong(&["other.example.com", "192.0.2.1"]),
        ),
        (
            "self-signed",
            certificates::self_signed(&[HOST]),
            named(HOST),
            untrusted("CN=a server under test", Chain::SelfSigned),
        ),
        (
            "self-signed authority",
            certificates::self_signed_authority(&[HOST]),
            named(HOST),
            untrusted("CN=a server under test", Chain::SelfSigned),
        ),
        (
            "unknown authority",
            certificates::of_unknown_authority(&[HOST]),
            named(HOST),
            untrusted("CN=Nobody Knows This Authority", Chain::Alone),
        ),
        ("common name only", certificates::common_name_only(HOST), named(HOST), wrong(&[])),
        (
            "wildcard over two levels",
            certificates::valid_for(&["*.example.com"]),
            named("a.mail.example.com"),
            wrong(&["*.example.com"]),
        ),
        ("IP host without IP SAN", certificates::valid_for(&["localhost"]), loopback, wrong(&["localhost"])),
        (
            "NUL in the name",
            certificates::with_raw_name("mail.example.com\0.evil.test"),
            named(HOST),
            wrong(&["mail.example.com?.evil.test"]),
        ),
    ];
    for (label, certificate, host, expected) in cases {
        for (security, script) in
            [(Security::StartTls, Script::starttls()), (Security::Tls, Script::implicit_tls())]
        {
            let caller = Caller::new(security).host(host.clone());
            let (error, server) = refused(script.certificate(&certificate), &caller).await;
            assert_eq!(error.stage, Stage::Tls, "{label}");
            let kind = match error.kind.clone() {
                // With STARTTLS the server had greeted before.
                ErrorKind::Tls(TlsFailure::WrongName { names, greeted_as }) => {
                    assert!(greeted_as.is_none() || security == Security::StartTls, "{label}");
                    ErrorKind::Tls(TlsFailure::WrongName { names, greeted_as: None })
                }
                kind => kind,
            };
            assert_eq!(kind, ErrorKind::Tls(expected.clone()), "{label}");
            assert!(!error.is_transient());
            assert_eq!(server.sign_ins(), [], "{label}");
        }
    }
}

/// Security case D9.
#[tokio::test]
async fn weak_signatures_and_keys_are_refused() {
    for (chain, accepted) in [
        (include_str!("../../fixtures/tls/good.pem"), true),
        (include_str!("../../fixtures/tls/sha1.pem"), false),
        (include_str!("../../fixtures/tls/short.pem"), false),
    ] {
        let server = SmtpServer::start(Script::implicit_tls().certificate(&fixture(chain))).await;
        let verified = trusting_fixtures(Security::Tls).verify(&server, &mut Transcript::default()).await;
        match verified {
            Ok(_) => assert!(accepted),
            Err(error) => {
                assert!(!accepted, "{:?}", error.kind);
                assert!(
                    matches!(error.kind, ErrorKind::Tls(TlsFailure::Untrusted { .. })),
                    "{:?}",
                    error.kind
                );
                assert_eq!(server.sign_ins(), []);
            }
        }
    }
}

/// Security case D9.
#[tokio::test]
async fn an_authority_out_of_a_file_is_trusted() {
    let pem = std::fs::read_to_string(certificates::authority_file()).unwrap();
    let authority = fixture(&pem).chain;
    let server = SmtpServer::start(Script::starttls()).await;
    let caller = Caller::new(Security::StartTls).tls(certificates::client_config_trusting(&authority));
    caller.verify(&server, &mut Transcript::default()).await.unwrap();
}

/// Security case M4.
#[tokio::test]
async fn an_exchanged_certificate_is_judged_although_the_server_knows_the_session() {
    let settings = config::Tls { ca_file: Some(certificates::authority_file().to_owned()) };
    for version in [&TLS12, &TLS13] {
        let script = Script::implicit_tls().tls_version(version);
        let server = SmtpServer::start(script.clone()).await;
        let caller = Caller::new(Security::Tls).tls(tls::client_config(&settings).unwrap());
        caller.verify(&server, &mut Transcript::default()).await.unwrap();
        let expired = certificates::expired(&[HOST]);
        server.play(Script::implicit_tls().certificate_with_sessions_of(&expired, &script));
        let error = caller.verify(&server, &mut Transcript::default()).await.expect_err("it has expired");
        assert_eq!(error.kind, ErrorKind::Tls(TlsFailure::Expired));
        assert_eq!(server.sign_ins().len(), 1, "the first session alone signed in");
    }
}

/// Security case D9.
#[tokio::test]
async fn a_certificate_that_proves_the_host_is_accepted() {
    for (certificate, host) in [
        (certificates::valid_for(&["*.example.com"]), Host::Name(HOST.to_owned())),
        (certificates::valid_for(&["127.0.0.1"]), Host::Address("127.0.0.1".parse().unwrap())),
        (certificates::valid_for(&["::1"]), Host::Address("::1".parse().unwrap())),
        (certificates::valid_for(&[HOST]), Host::Name(HOST.to_owned())),
    ] {
        let server = SmtpServer::start(Script::starttls().certificate(&certificate)).await;
        let caller = Caller::new(Security::StartTls).host(host);
        caller.verify(&server, &mut Transcript::default()).await.unwrap();
    }
}

/// Security case D14.
#[tokio::test]
async fn the_name_in_tls_is_the_host_as_typed() {
    for (host, sni) in [
        (Host::Name(HOST.to_owned()), Some(HOST)),
        (Host::Name("smtp.example.com".to_owned()), Some("smtp.example.com")),
        (Host::Address("127.0.0.1".parse().unwrap()), None),
    ] {
        for (security, script) in
            [(Security::StartTls, Script::starttls()), (Security::Tls, Script::implicit_tls())]
        {
            let server = SmtpServer::start(script).await;
            let caller = Caller::new(security).host(host.clone());
            caller.open(&server, &mut Transcript::default()).await.unwrap();
            assert_eq!(server.last().sni.as_deref(), sni);
        }
    }
}

/// Security case D14.
#[tokio::test]
async fn a_name_that_no_certificate_can_hold_is_refused_before_the_handshake() {
    let caller = Caller::new(Security::Tls).host(Host::Name("not a name".to_owned()));
    let (error, server) = refused(Script::implicit_tls(), &caller).await;
    assert!(matches!(error.kind, ErrorKind::Tls(TlsFailure::Other(_))));
    assert!(server.seen().iter().all(|seen| !seen.tls));
}
