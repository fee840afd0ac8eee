//! Servers that speak plain text or another protocol where TLS was chosen, and the reverse.

use super::*;

/// Security case D12.
#[tokio::test]
async fn a_server_in_plain_text_where_tls_was_chosen_is_told() {
    for greeting in ["220 mail.example.com ESMTP", "554 5.7.1 not you", "220-one\n220 two"] {
        let (error, server) =
            refused(Script::plain().on(At::Greeting, greeting), &Caller::new(Security::Tls)).await;
        assert_eq!((error.stage, error.kind), (Stage::Tls, ErrorKind::PlainTextOnTls));
        assert_eq!(server.sign_ins(), []);
    }
}

/// Security case D12.
#[tokio::test]
async fn other_services_where_tls_was_chosen_are_told() {
    for (greeting, protocol) in [
        ("* OK IMAP4 ready", OtherProtocol::Imap),
        ("+OK POP3 ready", OtherProtocol::Pop3),
        ("SSH-2.0-OpenSSH_9.2", OtherProtocol::Ssh),
    ] {
        let (error, _) =
            refused(Script::plain().on(At::Greeting, greeting), &Caller::new(Security::Tls)).await;
        assert_eq!(error.kind, ErrorKind::NotSmtp(protocol));
    }
    let script = Script::plain().on(At::Greeting, "HTTP/1.1 400 Bad Request");
    let (error, _) = refused(script, &Caller::new(Security::Tls)).await;
    assert_eq!(error.kind, ErrorKind::NotSmtp(OtherProtocol::Http));
}

/// Security case D12.
#[tokio::test]
async fn other_services_within_tls_are_told() {
    let script = Script::implicit_tls().on(At::Greeting, "* OK IMAP4 ready");
    let (error, server) = refused(script, &Caller::new(Security::Tls)).await;
    assert_eq!((error.stage, error.kind), (Stage::Greeting, ErrorKind::NotSmtp(OtherProtocol::Imap)));
    assert_eq!(server.verbs(), Vec::<String>::new());
}

/// Security case D12.
#[tokio::test]
async fn a_server_that_waits_for_tls_is_found_out_by_a_client_hello() {
    join_all([Security::StartTls, Security::None].map(async |security| {
        let (error, server) = refused(Script::implicit_tls(), &Caller::new(security).impatient()).await;
        assert_eq!((error.stage, error.kind), (Stage::Greeting, ErrorKind::TlsFromFirstByte));
        assert_eq!(server.verbs(), Vec::<String>::new());
    }))
    .await;
}

/// Security case D12.
#[tokio::test]
async fn a_server_that_gives_up_waiting_for_tls_is_told() {
    for security in [Security::StartTls, Security::None] {
        let script = Script::plain().on(At::Greeting, [alert(40), Act::Close]);
        let (error, _) = refused(script, &Caller::new(security)).await;
        assert_eq!((error.stage, error.kind), (Stage::Greeting, ErrorKind::TlsFromFirstByte));
    }
}

/// Security case D12.
#[tokio::test]
async fn a_server_that_is_silent_to_a_client_hello_too_is_slow_and_no_more() {
    let script = Script::plain().on(At::Greeting, Act::Silence);
    let (error, server) = refused(script, &Caller::new(Security::StartTls).impatient()).await;
    assert_eq!((error.stage, error.kind), (Stage::Greeting, ErrorKind::Timeout));
    assert!(server.last().stray.starts_with(&[0x16, 0x03]), "it was asked");
}
