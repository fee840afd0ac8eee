//! STARTTLS and TLS from the first byte, seen from the server's side.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

async fn encrypt(stream: DuplexStream) -> TlsStream<DuplexStream> {
    let mut roots = RootCertStore::empty();
    roots.add(TLS.0.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// Sends lines over TLS, and returns the codes of the replies.
async fn replies_over(stream: &mut TlsStream<DuplexStream>, lines: &[&str]) -> Vec<String> {
    let input: String = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
    stream.write_all(input.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut output = Vec::new();
    let mut octets = [0; 4_096];
    while !String::from_utf8_lossy(&output).contains("221 ") {
        let read = stream.read(&mut octets).await.unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&output));
        output.extend_from_slice(&octets[..read]);
    }
    codes(&String::from_utf8(output).unwrap())
}

/// Security case N3.
#[tokio::test]
async fn what_was_said_before_tls_counts_for_nothing() {
    let server = server(Limits::default());
    conversation(&server, async |mut talk| {
        talk.reply().await;
        for line in ["EHLO me", SIGN_IN, "MAIL FROM:<a@b>", "RCPT TO:<c@d>"] {
            assert_eq!(talk.say(line).await.get(..1), Some("2"), "{line}");
        }
        assert_eq!(talk.say("STARTTLS").await, "220 2.0.0 Begin TLS");
        let mut stream = encrypt(talk.stream).await;
        let lines = [
            "DATA",
            "MAIL FROM:<a@b>",
            "EHLO me",
            "MAIL FROM:<a@b>",
            "STARTTLS",
            SIGN_IN,
            "MAIL FROM:<a@b>",
            "RCPT TO:<c@d>",
            "DATA",
            "x",
            ".",
            "QUIT",
        ];
        let codes = replies_over(&mut stream, &lines[1..]).await;
        let expected = [
            "503 5.5.1",
            "250",
            "530 5.7.0",
            "503 5.5.1",
            "235 2.7.0",
            "250 2.1.0",
            "250 2.1.5",
            "354",
            "250 2.0.0",
            "221 2.0.0",
        ];
        assert_eq!(codes, expected);
    })
    .await;
    assert_eq!(server.door.messages(), [b"x\r\n"]);
}

/// Security cases D1, N3.
#[tokio::test]
async fn commands_behind_starttls_are_not_read_and_end_the_session() {
    for behind in ["EHLO injected\r\n", "\r\n", "x", "MAIL FROM:<evil@b>\r\nRCPT TO:<evil@d>\r\nDATA\r\n"] {
        let server = server(Limits::default());
        let output = exchange(&server, format!("EHLO me\r\nSTARTTLS\r\n{behind}").as_bytes()).await;
        assert_eq!(codes(&output)[1..], ["503 5.5.1"], "{behind:?}");
    }
}

/// Security case N3.
#[tokio::test]
async fn commands_in_plain_text_after_the_220_are_no_handshake() {
    let server = server(Limits::default());
    let end = conversation(&server, async |mut talk| {
        talk.reply().await;
        talk.say("EHLO me").await;
        talk.say("STARTTLS").await;
        talk.send("EHLO injected\r\nMAIL FROM:<evil@b>\r\n").await;
        let mut rest = Vec::new();
        let _ = talk.stream.read_to_end(&mut rest).await;
        assert!(!String::from_utf8_lossy(&rest).contains("250"), "an alert at most");
    })
    .await;
    assert!(matches!(end, End::Failed(_)), "{end}");
}

#[tokio::test]
async fn tls_from_the_first_byte_needs_no_starttls() {
    let server = server(Limits::default());
    let (near, far) = duplex(16 * 1024);
    tokio::join!(serve(&server, far, Security::Tls), async {
        let mut stream = encrypt(near).await;
        let lines = ["EHLO me", "STARTTLS", "MAIL FROM:<a@b>", SIGN_IN, "MAIL FROM:<a@b>", "QUIT"];
        let expected = ["250", "502 5.5.1", "530 5.7.0", "235 2.7.0", "250 2.1.0", "221 2.0.0"];
        assert_eq!(replies_over(&mut stream, &lines).await, expected);
    });
}

/// Security case N9.
#[tokio::test]
async fn a_handshake_that_never_begins_ends_in_time() {
    let limits = Limits { handshake: std::time::Duration::from_millis(50), ..Limits::default() };
    let server = server(limits);
    let (near, far) = duplex(1024);
    let end = serve(&server, far, Security::Tls).await;
    assert!(matches!(end, End::Failed(_)), "{end}");
    drop(near);
}

/// Security case N3.
#[tokio::test]
async fn a_listener_without_tls_does_not_offer_it() {
    let server = server(Limits::default());
    let (near, far) = duplex(1024);
    let mut talk = Talk { stream: near };
    tokio::join!(serve(&server, far, Security::None), async {
        talk.reply().await;
        talk.send("EHLO me\r\n").await;
        let offered = talk.read_until("250 ENHANCEDSTATUSCODES\r\n").await;
        assert!(!offered.contains("STARTTLS"), "{offered}");
        assert_eq!(talk.say("STARTTLS").await, "502 5.5.1 Not implemented");
        talk.say("QUIT").await;
        drop(talk);
    });
}
