//! A client of SMTP that sends what a test says, octet for octet.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::certificates::client_config;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

#[expect(clippy::disallowed_methods, reason = "a test connects to the program under test")]
async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("it listens")
}

pub struct SmtpClient {
    stream: Box<dyn Stream>,
    buffered: Vec<u8>,
    /// What the server showed in TLS.
    pub certificate: Option<CertificateDer<'static>>,
}

impl SmtpClient {
    /// Connects, and reads the greeting or what takes its place.
    pub async fn connect(address: SocketAddr) -> (Self, String) {
        let tcp = connect(address).await;
        let mut client = Self { stream: Box::new(tcp), buffered: Vec::new(), certificate: None };
        let greeting = client.reply().await;
        (client, greeting)
    }

    /// The same with TLS from the start.
    pub async fn connect_tls(address: SocketAddr) -> (Self, String) {
        let tcp = connect(address).await;
        let mut client = Self::handshake(tcp).await;
        let greeting = client.reply().await;
        (client, greeting)
    }

    async fn handshake(stream: impl Stream + 'static) -> Self {
        let name = ServerName::try_from("localhost").expect("a name");
        // A resumed session would show the certificate of the first one.
        let mut config = rustls::ClientConfig::clone(&client_config());
        config.resumption = rustls::client::Resumption::disabled();
        let tls = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("TLS");
        let certificate = tls.get_ref().1.peer_certificates().map(|chain| chain[0].clone().into_owned());
        Self { stream: Box::new(tls), buffered: Vec::new(), certificate }
    }

    /// Says EHLO, changes to TLS, and says EHLO again.
    pub async fn start_tls(mut self) -> Self {
        self.command("EHLO client.example").await;
        let reply = self.command("STARTTLS").await;
        assert!(reply.starts_with("220"), "{reply}");
        let mut client = Self::handshake(self.stream).await;
        client.command("EHLO client.example").await;
        client
    }

    pub async fn write(&mut self, octets: &[u8]) {
        // The server may have closed.
        let _ = self.stream.write_all(octets).await;
        let _ = self.stream.flush().await;
    }

    /// Sends a line, and returns the whole reply, its lines joined by LF; empty where the connection has ended.
    pub async fn command(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    pub async fn reply(&mut self) -> String {
        let mut lines: Vec<String> = Vec::new();
        loop {
            while let Some(end) = self.buffered.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.buffered.drain(..end + 2).collect();
                let line = String::from_utf8_lossy(&line[..end]).into_owned();
                let is_last = line.as_bytes().get(3) != Some(&b'-');
                lines.push(line);
                if is_last {
                    return lines.join("\n");
                }
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return lines.join("\n"),
                Ok(count) => self.buffered.extend_from_slice(&chunk[..count]),
            }
        }
    }

    pub async fn sign_in(&mut self, user: &str, password: &str) -> String {
        self.command(&format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{user}\0{password}")))).await
    }

    /// MAIL and RCPT; the first reply that refuses, or the last.
    pub async fn envelope(&mut self, from: &str, to: &[&str]) -> String {
        let mut reply = self.command(&format!("MAIL FROM:<{from}>")).await;
        for recipient in to {
            if !reply.starts_with('2') {
                return reply;
            }
            reply = self.command(&format!("RCPT TO:<{recipient}>")).await;
        }
        reply
    }

    /// Sends a message in an envelope; the reply that decides.
    pub async fn send(&mut self, from: &str, to: &[&str], message: &[u8]) -> String {
        let reply = self.envelope(from, to).await;
        if !reply.starts_with('2') {
            return reply;
        }
        let reply = self.command("DATA").await;
        if !reply.starts_with("354") {
            return reply;
        }
        let mut wire = Vec::with_capacity(message.len() + 5);
        for line in message.split_inclusive(|octet| *octet == b'\n') {
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line);
        }
        wire.extend_from_slice(b".\r\n");
        self.write(&wire).await;
        self.reply().await
    }
}
