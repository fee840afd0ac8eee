//! PostgreSQL over TLS.

use super::*;

/// What a client sends to a server that has no TLS and asks for the password in the clear.
async fn sent_to_a_server_without_tls(parameters: &str) -> (Vec<u8>, String) {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let mut sent = Vec::new();
        let (mut client, _) = listener.accept().await.unwrap();
        for answer in [&b"N"[..], b"R\0\0\0\x08\0\0\0\x03", b""] {
            sent.reserve(1024);
            match client.read_buf(&mut sent).await {
                Ok(1..) => client.write_all(answer).await.unwrap(),
                Ok(0) | Err(_) => break,
            }
        }
        sent
    });
    // Leads here, and is no address of loopback.
    let error = refusal(&format!("postgres://svc:hunter2@0.0.0.0:{port}/mail{parameters}")).await;
    (server.await.unwrap(), error)
}

/// Security case M5.
#[tokio::test]
async fn a_server_that_says_no_to_tls_gets_no_password() {
    for parameters in ["", "?sslmode=require", "?sslmode=verify-full", "?application_name=x"] {
        let (sent, error) = sent_to_a_server_without_tls(parameters).await;
        assert_eq!(sent, [0, 0, 0, 8, 4, 210, 22, 47], "{parameters}: it asks for TLS, and no more");
        assert!(error.contains("switch it on there, or add sslmode=disable"), "{parameters}: {error}");
    }
    let (sent, _) = sent_to_a_server_without_tls("?sslmode=prefer").await;
    assert!(sent.ends_with(b"hunter2\0"), "the URL allows it");
}

/// A server that offers TLS in front of one that does not. `true` where a client went on behind the handshake.
async fn behind_tls(database: &Database, certificate: &CertifiedKey<rcgen::KeyPair>) -> SocketAddr {
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, server) = (listener.local_addr().unwrap(), server_address(database));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let _ = carry_tls(client, acceptor, server).await;
            });
        }
    });
    address
}

#[expect(clippy::disallowed_methods, reason = "the proxy stands outside of the service")]
async fn carry_tls(mut client: TcpStream, acceptor: TlsAcceptor, server: SocketAddr) -> std::io::Result<()> {
    let mut request = [0; 8];
    client.read_exact(&mut request).await?;
    assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47], "a client must ask for TLS before anything else");
    client.write_all(b"S").await?;
    let mut client = acceptor.accept(client).await?;
    copy_bidirectional(&mut client, &mut TcpStream::connect(server).await?).await.map(|_| ())
}

#[tokio::test]
async fn a_server_that_offers_tls_has_to_prove_who_it_is() {
    let Some(database) = fresh().await else { return };
    let certificate = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.cert.der().clone()).unwrap();
    let trusting = tls_trusting(roots);
    let address = behind_tls(&database, &certificate).await;
    for mode in ["sslmode=require", "sslmode=verify-full", "sslmode=prefer", ""] {
        let url = by_way_of(&database, address, mode);
        Db::open(&settings(&url), &trusting).await.expect("it opens").ping().await.unwrap();
        let error = refusal(&url).await;
        assert!(error.contains("name its authority in tls.ca_file"), "{mode}: {error}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_certificate_is_told_by_its_cause() {
    let Some(database) = fresh().await else { return };
    let mut expired = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    expired.not_after = date_time_ymd(2020, 1, 1);
    let another = CertificateParams::new(["db.example.com".to_owned()]).unwrap();
    for (parameters, expected) in [(expired, "has expired"), (another, "is for another name")] {
        let signing_key = KeyPair::generate().unwrap();
        let cert = parameters.self_signed(&signing_key).unwrap();
        let certificate = CertifiedKey { cert, signing_key };
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate.cert.der().clone()).unwrap();
        let url = by_way_of(&database, behind_tls(&database, &certificate).await, "sslmode=require");
        let Err(error) = Db::open(&settings(&url), &tls_trusting(roots)).await else { panic!("it opens") };
        let error = format!("{error:#}");
        assert!(error.contains(expected) && !error.contains("sslmode=disable"), "{error}");
    }
}
