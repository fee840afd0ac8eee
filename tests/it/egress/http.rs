//! The HTTP client against servers on loopback that say exactly what a test wants.

use std::net::{IpAddr, SocketAddr, TcpListener as Door};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use transports::config::{Config, Tls};
use transports::egress::http_client::{HttpClient, HttpError, Request, Response};
use transports::egress::{DialError, Dialer, Policy, Resolver, tls};

/// What the server does with the one connection that it takes.
#[derive(Clone, Copy)]
enum Manner {
    /// Reads the request, and answers with these bytes.
    Answer(&'static str),
    /// Reads the request, and says nothing until the client goes.
    Silence,
    /// Reads the request, and closes.
    Close,
    /// Closes while the request is still coming.
    CutOff,
}

/// Takes one connection; gives the request that it read.
async fn server(manner: Manner) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("is bound");
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        serve(stream, manner).await
    });
    (address, task)
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, manner: Manner) -> Vec<u8> {
    let mut request = Vec::new();
    if let Manner::CutOff = manner {
        let _ = stream.read_u8().await;
        return request;
    }
    while !is_whole(&request) {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return request,
        }
    }
    match manner {
        Manner::Answer(text) => {
            // A client that has seen enough may be gone.
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Manner::Silence => {
            let _ = stream.read_u8().await;
        }
        Manner::Close | Manner::CutOff => {}
    }
    request
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().expect("a number"))
}

fn client(ca_file: Option<std::path::PathBuf>, names: &'static str) -> HttpClient {
    let policy = Policy::new(&Config::default().egress).expect("the default settings are good");
    let resolver = Resolver::Table(Arc::new(move |_| Ok(vec![names.parse::<IpAddr>().expect("an address")])));
    let dialer = Dialer { policy: Arc::new(policy), resolver };
    HttpClient { dialer, tls: tls::client_config(&Tls { ca_file }).expect("good authorities") }
}

fn get(url: &str) -> Request<'_> {
    Request {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: Vec::new(),
        time_limit: Duration::from_mins(1),
        max_response_bytes: 1024,
    }
}

async fn fetch(manner: Manner) -> Result<Response, HttpError> {
    let (address, _) = server(manner).await;
    client(None, "127.0.0.1").send(get(&format!("http://{address}/path?query"))).await
}

#[tokio::test]
async fn a_request_and_its_response_arrive_complete() {
    let answer = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbody";
    let (address, seen) = server(Manner::Answer(answer)).await;
    let url = format!("http://localhost:{}/token?x=1", address.port());
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let request = Request { method: Method::POST, headers, body: b"hello".to_vec(), ..get(&url) };
    let response = client(None, "127.0.0.1").send(request).await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (429, b"body".as_slice()));
    assert_eq!(response.headers["retry-after"], "7");
    let seen = String::from_utf8(seen.await.unwrap()).unwrap();
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /token?x=1 HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: localhost:{}", address.port());
    let expected = [
        "accept-encoding: identity",
        "connection: close",
        "content-length: 5",
        "content-type: text/plain",
        &host,
        concat!("user-agent: transports/", env!("CARGO_PKG_VERSION")),
    ];
    assert_eq!((lines.as_slice(), body), (expected.as_slice(), "hello"));
}

#[tokio::test]
async fn a_redirect_is_returned_and_not_followed() {
    let elsewhere = Door::bind("127.0.0.1:0").expect("a free port");
    elsewhere.set_nonblocking(true).expect("can be asked without waiting");
    let location = format!("http://{}/", elsewhere.local_addr().expect("is bound"));
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    let response = fetch(Manner::Answer(answer.leak())).await.unwrap();
    assert_eq!(
        (response.status, response.headers[header::LOCATION].to_str().unwrap()),
        (302, location.as_str())
    );
    assert!(elsewhere.accept().is_err(), "nobody came");
}

#[tokio::test]
async fn a_response_is_bounded() {
    let fits = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
    assert_eq!(fetch(Manner::Answer(fits)).await.unwrap().body, b"abcd");
    let until_close = "HTTP/1.1 200 OK\r\n\r\nabc";
    assert_eq!(fetch(Manner::Answer(until_close)).await.unwrap().body, b"abc");

    let whole = "a".repeat(1024);
    let announced = format!("HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n{whole}");
    assert_eq!(fetch(Manner::Answer(announced.leak())).await.unwrap().body, whole.as_bytes());
    let chunks = "200\r\n".to_owned() + &whole[..512] + "\r\n";
    let in_two = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{chunks}0\r\n\r\n");
    assert_eq!(fetch(Manner::Answer(in_two.leak())).await.unwrap().body, whole.as_bytes());

    // Announced, and not even begun.
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 1025\r\n\r\n";
    assert!(matches!(fetch(Manner::Answer(announced)).await, Err(HttpError::TooLarge(1024))));
    let endless = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunks.repeat(3));
    assert!(matches!(fetch(Manner::Answer(endless.leak())).await, Err(HttpError::TooLarge(1024))));
    let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(1 << 20));
    assert!(matches!(fetch(Manner::Answer(head.leak())).await, Err(HttpError::Broken { sent: true, .. })));
}

#[tokio::test]
async fn a_compressed_response_is_refused() {
    let zipped = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc";
    assert!(matches!(fetch(Manner::Answer(zipped)).await, Err(HttpError::Compressed)));
    let twice = "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Encoding: br\r\n\r\nabc";
    assert!(matches!(fetch(Manner::Answer(twice)).await, Err(HttpError::Compressed)));
    let plain = "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(fetch(Manner::Answer(plain)).await.unwrap().body, b"abc");
}

#[tokio::test]
async fn a_lost_connection_reports_whether_the_request_was_sent() {
    let lost = fetch(Manner::Close).await;
    assert!(matches!(lost, Err(HttpError::Broken { sent: true, .. })), "{lost:?}");
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
    let lost = fetch(Manner::Answer(cut)).await;
    assert!(matches!(lost, Err(HttpError::Broken { sent: true, .. })), "{lost:?}");
    let nonsense = fetch(Manner::Answer("220 smtp.example.com ESMTP\r\n")).await;
    assert!(matches!(nonsense, Err(HttpError::Broken { sent: true, .. })), "{nonsense:?}");

    // More than the buffers on the way can hold.
    let (address, _) = server(Manner::CutOff).await;
    let url = format!("http://{address}/");
    let request = Request { method: Method::POST, body: vec![b'a'; 64 << 20], ..get(&url) };
    let lost = client(None, "127.0.0.1").send(request).await;
    assert!(matches!(lost, Err(HttpError::Broken { sent: false, .. })), "{lost:?}");
}

#[tokio::test]
async fn a_timeout_reports_whether_the_request_was_sent() {
    let (address, _) = server(Manner::Silence).await;
    let url = format!("http://{address}/");
    let request = Request { time_limit: Duration::from_secs(2), ..get(&url) };
    let late = client(None, "127.0.0.1").send(request).await;
    assert!(matches!(late, Err(HttpError::Timeout { sent: true })), "{late:?}");

    // The server never answers the greeting of TLS.
    let door = Door::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}/", door.local_addr().expect("is bound"));
    let request = Request { time_limit: Duration::from_millis(50), ..get(&url) };
    let late = client(None, "127.0.0.1").send(request).await;
    assert!(matches!(late, Err(HttpError::Timeout { sent: false })), "{late:?}");
}

#[tokio::test]
async fn plain_http_is_for_this_machine_only() {
    // The name is that of this machine, what it resolves to is not.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a free port");
    socket.connect("192.0.2.1:9").expect("a route: nothing is sent");
    let outside = socket.local_addr().expect("is bound").ip();
    assert!(!outside.is_loopback(), "this test needs an address beside loopback");
    let door = Door::bind((outside, 0)).expect("a free port");
    let url = format!("http://localhost:{}/", door.local_addr().expect("is bound").port());
    let client = client(None, outside.to_string().leak());
    let refused = client.send(get(&url)).await;
    assert!(matches!(refused, Err(HttpError::Url(_))), "{refused:?}");
    let (mut stream, _) = door.accept().expect("came to the door");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut bytes).expect("the client has gone");
    assert_eq!(bytes, b"", "nothing was said");
}

#[tokio::test]
async fn a_failed_connection_carries_the_dialers_reason() {
    let address = Door::bind("127.0.0.1:0").expect("a free port").local_addr().expect("is bound");
    let failed = client(None, "127.0.0.1").send(get(&format!("http://{address}/"))).await;
    assert!(matches!(failed, Err(HttpError::Dial(DialError::ConnectRefused))), "{failed:?}");
}

/// A server with a certificate for `name` from an authority of its own; gives the authority's file.
async fn encrypted_server(name: &str) -> (SocketAddr, std::path::PathBuf) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::from_params(&authority, &authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let path = std::env::temp_dir().join(format!("transports-{}.pem", uuid::Uuid::new_v4()));
    std::fs::write(&path, authority_certificate.pem()).expect("can be written");

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = TlsAcceptor::from(Arc::new(config.clone())).accept(stream).await {
                serve(stream, Manner::Answer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")).await;
            }
        }
    });
    (address, path)
}

#[tokio::test]
async fn a_certificate_is_always_verified() {
    let (address, authority) = encrypted_server("login.example.com").await;
    let url = |host: &str| format!("https://{host}:{}/", address.port());
    let knowing = client(Some(authority), "127.0.0.1");
    let response = knowing.send(get(&url("login.example.com"))).await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (200, b"secret".as_slice()));
    let wrong_names = [url("other.example.com"), url("127.0.0.1")];
    for url in wrong_names {
        let failed = knowing.send(get(&url)).await;
        assert!(matches!(failed, Err(HttpError::Tls(_))), "{url}: {failed:?}");
    }
    let failed = client(None, "127.0.0.1").send(get(&url("login.example.com"))).await;
    let Err(HttpError::Tls(text)) = failed else { panic!("{failed:?}") };
    assert!(text.contains("UnknownIssuer"), "{text}");

    let (address, authority) = encrypted_server("127.0.0.1").await;
    let by_address = client(Some(authority), "192.0.2.1");
    assert_eq!(by_address.send(get(&format!("https://{address}/"))).await.unwrap().status, 200);
}

/// Security case A23.
#[tokio::test]
async fn proxy_variables_of_the_environment_are_ignored() {
    let proxy = Door::bind("127.0.0.1:0").expect("a free port");
    proxy.set_nonblocking(true).expect("can be asked without waiting");
    let proxy_url = format!("http://{}", proxy.local_addr().expect("is bound"));
    // The environment of a running process is not changed: this test runs once more in one that has proxies.
    let mut again = Command::new(std::env::current_exe().expect("this test's program"));
    again.args(["--exact", "egress::http::a_redirect_is_returned_and_not_followed"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        again.env(name, &proxy_url);
    }
    let ran = again.output().expect("runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("1 passed"));
    assert!(proxy.accept().is_err(), "nobody came");
}
