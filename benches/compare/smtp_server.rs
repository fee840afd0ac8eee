//! A fast SMTP server with STARTTLS and sign-in, as a process of its own: for what a mail server of Debian is too slow.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use transports::http::server;

use super::certificate;

pub const USER: &str = "ada@example.com";
pub const PASSWORD: &str = "a password of the benchmark";

/// Serves until the process is ended. The authority of its certificate for `localhost` is written to a file first.
pub fn serve(port: u16, authority: &Path) {
    let acceptor = TlsAcceptor::from(certificate(authority));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = server::bind(([127, 0, 0, 1], port).into()).expect("the port is free");
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            // A client that goes away is no trouble here.
            tokio::spawn(async move { hold(stream, &acceptor).await.ok() });
        }
    });
}

/// TLS with a certificate for `localhost`, of an authority that is written to a file.
pub fn certificate(authority: &Path) -> Arc<ServerConfig> {
    let issued = certificate::issue();
    // Where it can be read it is whole.
    let written = authority.with_extension("new");
    std::fs::write(&written, issued.authority).expect("a file");
    std::fs::rename(&written, authority).expect("a file");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes()).expect("PEM")],
            PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("PEM"),
        );
    Arc::new(config.expect("a key that belongs to the certificate"))
}

async fn hold(stream: TcpStream, acceptor: &TlsAcceptor) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut plain = BufStream::new(stream);
    reply(&mut plain, "220 mail.example.com ESMTP\r\n").await?;
    while let Some(line) = command(&mut plain).await? {
        match verb(&line).as_str() {
            "EHLO" => reply(&mut plain, "250-mail.example.com\r\n250-8BITMIME\r\n250 STARTTLS\r\n").await?,
            "STARTTLS" => {
                reply(&mut plain, "220 2.0.0 go ahead\r\n").await?;
                let encrypted = acceptor.accept(plain.into_inner()).await?;
                return hold_encrypted(BufStream::new(encrypted)).await;
            }
            _ => reply(&mut plain, "530 5.7.0 STARTTLS first\r\n").await?,
        }
    }
    Ok(())
}

async fn hold_encrypted<S: AsyncRead + AsyncWrite + Unpin>(mut stream: BufStream<S>) -> std::io::Result<()> {
    while let Some(line) = command(&mut stream).await? {
        let answer = match verb(&line).as_str() {
            "EHLO" => "250-mail.example.com\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n",
            "AUTH" if line.split_whitespace().nth(2) == Some(&sign_in()) => "235 2.7.0 welcome\r\n",
            "AUTH" => "535 5.7.8 user name or password refused\r\n",
            "MAIL" | "RSET" => "250 2.0.0 ok\r\n",
            "QUIT" => {
                reply(&mut stream, "221 2.0.0 bye\r\n").await?;
                return stream.shutdown().await;
            }
            _ => "502 5.5.1 not here\r\n",
        };
        reply(&mut stream, answer).await?;
    }
    Ok(())
}

/// What PLAIN sends (RFC 4616).
fn sign_in() -> String {
    STANDARD.encode(format!("\0{USER}\0{PASSWORD}"))
}

async fn command<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    Ok((stream.read_line(&mut line).await? > 0).then_some(line))
}

fn verb(line: &str) -> String {
    line.split([' ', ':', '\r']).next().unwrap_or_default().to_ascii_uppercase()
}

/// In one write.
async fn reply<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
    text: &str,
) -> std::io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await
}
