//! SMTP sessions of the crate towards a scripted server, without the service around them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;
use transports::egress::{Connection, Host};
use transports::mail::address::EmailAddress;
use transports::mail::message::Message;
use transports::mail::transcript::Transcript;
use transports::secret::Secret;
use transports::smtp::{Credentials, Envelope, Error, Receipt, Reply, Security, Session, Settings};

use super::certificates;
use super::smtp_server::{SmtpServer, USER, good_password, good_token};

/// Who calls a server, and how. Made for `mail.example.com`, and stopped after ten seconds by default.
#[derive(Clone)]
pub struct Caller {
    pub host: Host,
    pub security: Security,
    pub settings: Settings,
    /// As `egress.allow` would have it.
    pub opened_by_operator: bool,
    /// For everything from the greeting on.
    pub time: Duration,
    pub username: String,
    pub password: String,
}

impl Caller {
    pub fn new(security: Security) -> Self {
        Self {
            host: Host::Name("mail.example.com".to_owned()),
            security,
            settings: Settings { ehlo_name: None, tls: certificates::client_config(), chunking: true },
            opened_by_operator: true,
            time: Duration::from_secs(10),
            username: USER.to_owned(),
            password: good_password().to_owned(),
        }
    }

    /// With so little time that a server which keeps it waiting is given up.
    #[must_use]
    pub fn impatient(mut self) -> Self {
        self.time = Duration::from_secs(3);
        self
    }

    #[must_use]
    pub fn host(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        password.clone_into(&mut self.password);
        self
    }

    #[must_use]
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.settings.tls = config;
        self
    }

    pub async fn open(&self, server: &SmtpServer, log: &mut Transcript) -> Result<Session, Error> {
        let connection = connect(server.address, self.opened_by_operator).await;
        let deadline = Instant::now() + self.time;
        let password = Secret::new(self.password.clone());
        let credentials = Credentials::Password { username: &self.username, password: &password };
        let (settings, credentials) = (&self.settings, Some(&credentials));
        Session::open(connection, &self.host, self.security, settings, credentials, deadline, log).await
    }

    /// Opens, signs in, asks about the sender, and leaves: what verify-connection does.
    pub async fn verify(&self, server: &SmtpServer, log: &mut Transcript) -> Result<Reply, Error> {
        let mut session = self.open(server, log).await?;
        let verified = match self.sign_in(&mut session, log).await {
            Ok(_) => session.probe_sender(&address(USER), log).await,
            Err(error) => Err(error),
        };
        session.quit().await;
        verified
    }

    pub async fn sign_in(&self, session: &mut Session, log: &mut Transcript) -> Result<Reply, Error> {
        let password = Secret::new(self.password.clone());
        let credentials = Credentials::Password { username: &self.username, password: &password };
        session.sign_in(&credentials, log).await
    }

    /// Opens, signs in, sends, and leaves: what send-test-email does.
    pub async fn send(
        &self,
        server: &SmtpServer,
        to: &[&str],
        message: &[u8],
        log: &mut Transcript,
    ) -> Result<Receipt, Error> {
        let mut session = self.open(server, log).await?;
        let sent = match self.sign_in(&mut session, log).await {
            Ok(_) => send(&mut session, USER, to, message, log).await,
            Err(error) => Err(error),
        };
        session.quit().await;
        sent
    }
}

/// Signs in with a token instead of a password.
pub async fn sign_in_with_token(
    session: &mut Session,
    token: &str,
    log: &mut Transcript,
) -> Result<Reply, Error> {
    let token = Secret::new(token.to_owned());
    session.sign_in(&Credentials::OAuthToken { username: USER, token: &token }, log).await
}

/// The token of the server's account.
pub async fn sign_in_with_good_token(session: &mut Session, log: &mut Transcript) -> Result<Reply, Error> {
    sign_in_with_token(session, good_token(), log).await
}

pub async fn send(
    session: &mut Session,
    from: &str,
    to: &[&str],
    message: &[u8],
    log: &mut Transcript,
) -> Result<Receipt, Error> {
    let to: Vec<_> = to.iter().map(|recipient| address(recipient)).collect();
    let envelope = Envelope { from: &address(from), to: &to };
    let message = Message { message_id: "<1@example.com>".to_owned(), bytes: message.to_vec() };
    session.send(&envelope, &message, log).await
}

pub fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("an address")
}

/// What the dialer would give.
#[expect(clippy::disallowed_methods, reason = "the dialer is not under test here")]
pub async fn connect(peer: SocketAddr, opened_by_operator: bool) -> Connection {
    let stream = TcpStream::connect(peer).await.expect("the scripted server listens");
    stream.set_nodelay(true).expect("a socket");
    // So that a message need not be large to stop where the server does not read it.
    socket2::SockRef::from(&stream).set_send_buffer_size(64 * 1024).expect("a socket");
    Connection { stream, peer, opened_by_operator, ipv6_path_broken: false, alternatives: Vec::new() }
}

/// The entries of a transcript, `stage: detail` each.
pub fn lines(log: &Transcript) -> Vec<String> {
    log.entries().iter().map(|entry| format!("{}: {}", entry.stage.as_str(), entry.detail)).collect()
}
