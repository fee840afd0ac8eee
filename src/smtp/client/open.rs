//! Opens a session on a connection: greeting, EHLO, and STARTTLS or TLS where chosen.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::time::Instant;

use super::exchange::{ReplyResult, Step, is_success, record, stream_error_kind};
use super::{Session, Settings};
use crate::egress::{Connection, Host};
use crate::mail::transcript::{Stage, Transcript};
use crate::secret::Redactor;
use crate::smtp::first_bytes::{self, Verdict};
use crate::smtp::socket::Socket;
use crate::smtp::stream::{Stream, StreamError};
use crate::smtp::{
    Capabilities, Credentials, Error, ErrorKind, OtherProtocol, Reply, Security, TlsFailure, timeouts, tls,
};

const GREETING: Step<'_> = Step {
    stage: Stage::Greeting,
    verb: None,
    shown: "",
    limit: timeouts::GREETING,
    accepts: |code| code == 220,
};

/// Ports at which a server greets in plain text. Some delay the greeting on purpose and refuse clients that speak
/// before it, so a silent server is not probed there.
const GREETS_IN_PLAIN_TEXT: [u16; 6] = [24, 25, 26, 587, 2525, 2587];

const STARTTLS: Step<'_> = Step {
    stage: Stage::Starttls,
    verb: Some("STARTTLS"),
    shown: "STARTTLS",
    limit: timeouts::COMMAND,
    accepts: |code| code == 220,
};

impl Session {
    /// Greeting, EHLO, and STARTTLS or TLS where chosen. Every reply is redacted by `credentials`: a server may know
    /// the secret before the sign-in.
    ///
    /// # Errors
    /// See [`Error`]. Nothing but EHLO and STARTTLS has been said in the clear.
    pub async fn open(
        connection: Connection,
        host: &Host,
        security: Security,
        settings: &Settings,
        credentials: Option<&Credentials<'_>>,
        deadline: Instant,
        transcript: &mut Transcript,
    ) -> Result<Self, Error> {
        let mut redactor = Redactor::default();
        if let Some(credentials) = credentials {
            credentials.add_to(&mut redactor, &[&host.to_string()]);
        }
        let mut session = Self {
            stream: Stream::plain(Socket::new(connection.stream)),
            deadline,
            opened_by_operator: connection.opened_by_operator,
            capabilities: Capabilities::default(),
            redactor,
            greeted_as: None,
            in_step: false,
            reset_pending: false,
            uses_chunking: settings.chunking,
            last_reply_at: Instant::now(),
        };
        let probes_for_tls = !GREETS_IN_PLAIN_TEXT.contains(&connection.peer.port());
        if security == Security::Tls {
            session = session.encrypt(host, security, settings, transcript).await?;
        }
        let opened = session.begin(host, security, probes_for_tls, settings, transcript).await;
        session = session.quit_on_error(opened).await?;
        if security == Security::StartTls {
            session = session.encrypt(host, security, settings, transcript).await?;
            let greeted = session.send_ehlo(settings, transcript).await;
            session = session.quit_on_error(greeted).await?;
        }
        Ok(session)
    }

    /// Greeting, EHLO and, where chosen, STARTTLS up to its reply.
    async fn begin(
        &mut self,
        host: &Host,
        security: Security,
        probes_for_tls: bool,
        settings: &Settings,
        transcript: &mut Transcript,
    ) -> Result<(), Error> {
        transcript.begin(Stage::Greeting);
        let started = Instant::now();
        let greeting = self.read_greeting(host, probes_for_tls.then_some(&settings.tls)).await;
        record(&GREETING, started, greeting.as_ref(), transcript);
        let greeting = greeting?;
        self.send_ehlo(settings, transcript).await.map_err(|error| self.detect_ftp(&greeting, error))?;
        if security == Security::StartTls {
            self.start_tls(transcript).await?;
        }
        Ok(())
    }

    async fn quit_on_error<T>(self, result: Result<T, Error>) -> Result<Self, Error> {
        match result {
            Ok(_) => Ok(self),
            Err(error) => {
                self.quit().await;
                Err(error)
            }
        }
    }

    /// Reads the greeting, or recognises a server that speaks another protocol or waits for TLS.
    async fn read_greeting(&mut self, host: &Host, probe: Option<&Arc<ClientConfig>>) -> ReplyResult {
        let deadline = timeouts::within(GREETING.limit, self.deadline);
        let probe = probe.filter(|_| !self.stream.is_encrypted());
        let greeting_deadline =
            if probe.is_some() { timeouts::greeting_deadline(self.deadline) } else { deadline };
        let decided = |bytes: &[u8]| first_bytes::judge(bytes) != Verdict::Undecided;
        let filled = self.stream.fill_until(decided, greeting_deadline).await;
        match first_bytes::judge(self.stream.pending()) {
            Verdict::Smtp => {}
            Verdict::TlsAlert => return Err(self.error(&GREETING, ErrorKind::TlsFromFirstByte)),
            Verdict::Other(protocol) => return Err(self.error(&GREETING, ErrorKind::NotSmtp(protocol))),
            Verdict::Undecided => {
                let probe = probe.filter(|_| self.stream.pending().is_empty());
                let kind = match (filled.err().unwrap_or(StreamError::Lost), probe) {
                    (StreamError::Timeout, Some(config)) => self.probe_for_tls(host, config).await,
                    (error, _) => stream_error_kind(error),
                };
                return Err(self.error(&GREETING, kind));
            }
        }
        let reply = self.read(&GREETING).await?;
        self.in_step = true;
        self.greeted_as = host_in_greeting(&reply);
        self.judge(&GREETING, reply)
    }

    /// Sends a `ClientHello` to a server that does not greet, to learn whether it expects TLS. The connection is of no
    /// use afterwards.
    async fn probe_for_tls(&mut self, host: &Host, config: &Arc<ClientConfig>) -> ErrorKind {
        let Ok(hello) = tls::client_hello(host, config) else { return ErrorKind::Timeout };
        if self.stream.write(&hello, self.deadline).await.is_err() {
            return ErrorKind::Timeout;
        }
        let decided =
            |bytes: &[u8]| first_bytes::is_tls(bytes) || first_bytes::judge(bytes) != Verdict::Undecided;
        // No answer is judged below, as empty.
        let _ = self.stream.fill_until(decided, self.deadline).await;
        let answer = self.stream.pending();
        if first_bytes::is_tls(answer) {
            return ErrorKind::TlsFromFirstByte;
        }
        match first_bytes::judge(answer) {
            Verdict::Other(protocol) => ErrorKind::NotSmtp(protocol),
            // A greeting that came too late, or nothing.
            _ => ErrorKind::Timeout,
        }
    }

    /// EHLO, and HELO where the server does not know EHLO (RFC 5321 section 3.2).
    async fn send_ehlo(&mut self, settings: &Settings, transcript: &mut Transcript) -> Result<(), Error> {
        let name = self.ehlo_name_or_address(settings);
        let (ehlo, helo) = (format!("EHLO {name}"), format!("HELO {name}"));
        let step = Step {
            stage: Stage::Ehlo,
            verb: Some("EHLO"),
            shown: &ehlo,
            limit: timeouts::COMMAND,
            accepts: is_success,
        };
        let Err(refused) = self.exchange(&step, format!("{ehlo}\r\n").as_bytes(), transcript).await else {
            return Ok(());
        };
        if refused.reply.as_ref().is_none_or(|reply| reply.code < 500) {
            return Err(refused);
        }
        let step = Step { verb: Some("HELO"), shown: &helo, ..step };
        match self.exchange(&step, format!("{helo}\r\n").as_bytes(), transcript).await {
            Ok(_) => Ok(()),
            // A server that hangs up has given its reason before.
            Err(error) if error.reply.is_none() => Err(refused),
            Err(error) => Err(error),
        }
    }

    /// RFC 5321 section 4.1.3: where there is no name, the address in brackets.
    fn ehlo_name_or_address(&self, settings: &Settings) -> String {
        let address = match &settings.ehlo_name {
            Some(Host::Name(name)) => return name.clone(),
            Some(Host::Address(address)) => Some(*address),
            None => self.stream.local_address().ok().map(|address| address.ip()),
        };
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
            Some(IpAddr::V4(address)) => format!("[{address}]"),
            None => "[127.0.0.1]".to_owned(),
        }
    }

    /// FTP greets with 220 too; its greeting usually names it, and it knows neither EHLO nor HELO.
    fn detect_ftp(&self, greeting: &Reply, error: Error) -> Error {
        let text = greeting.text().to_ascii_lowercase();
        if error.kind == ErrorKind::Refused && text.contains("ftp") && !text.contains("smtp") {
            return self.error(&GREETING, ErrorKind::NotSmtp(OtherProtocol::Ftp));
        }
        error
    }

    /// STARTTLS up to its 220, which nothing may follow.
    async fn start_tls(&mut self, transcript: &mut Transcript) -> Result<(), Error> {
        transcript.begin(Stage::Starttls);
        let started = Instant::now();
        let answer = self.request_start_tls().await;
        record(&STARTTLS, started, answer.as_ref(), transcript);
        answer.map(drop)
    }

    async fn request_start_tls(&mut self) -> ReplyResult {
        if !self.capabilities.starttls {
            self.require_no_surplus(&STARTTLS).await?;
            return Err(self.error(&STARTTLS, ErrorKind::StartTlsMissing));
        }
        if !self.stream.is_drained() {
            self.in_step = false;
            return Err(self.error(&STARTTLS, ErrorKind::ResponseInjection));
        }
        let reply = self.exchange_unjudged(&STARTTLS, b"STARTTLS\r\n").await?;
        let reply = self.judge(&STARTTLS, reply)?;
        // Nothing more is sent unencrypted.
        self.in_step = false;
        if !self.stream.is_drained() {
            return Err(self.error(&STARTTLS, ErrorKind::ResponseInjection));
        }
        Ok(reply)
    }

    /// The TLS handshake. It drops what was read before it: buffer and capabilities.
    async fn encrypt(
        self,
        host: &Host,
        security: Security,
        settings: &Settings,
        transcript: &mut Transcript,
    ) -> Result<Self, Error> {
        transcript.begin(Stage::Tls);
        let started = Instant::now();
        let end = timeouts::within(timeouts::HANDSHAKE, self.deadline);
        let handshake = match self.stream.into_plain() {
            Some(socket) => tls::handshake(socket, host, &settings.tls, end).await,
            None => {
                Err(tls::HandshakeError { kind: ErrorKind::ConnectionLost, answered_in_plain_text: false })
            }
        };
        match handshake {
            Ok(stream) => {
                transcript.add(Stage::Tls, started.elapsed(), &tls::describe(&stream));
                Ok(Self {
                    stream: Stream::tls(stream),
                    capabilities: Capabilities::default(),
                    // After STARTTLS it is the client's turn (RFC 3207 section 4.2); elsewhere the greeting's.
                    in_step: security == Security::StartTls,
                    ..self
                })
            }
            Err(failed) => {
                let injected = failed.answered_in_plain_text && security == Security::StartTls;
                let kind = match failed.kind {
                    _ if injected => ErrorKind::ResponseInjection,
                    ErrorKind::Tls(TlsFailure::WrongName { mut names, .. }) => {
                        names.retain(|name| !self.redactor.finds(name));
                        ErrorKind::Tls(TlsFailure::WrongName { names, greeted_as: self.greeted_as })
                    }
                    ErrorKind::Tls(TlsFailure::Untrusted { issuer, chain }) => {
                        let issuer = issuer.filter(|issuer| !self.redactor.finds(issuer));
                        ErrorKind::Tls(TlsFailure::Untrusted { issuer, chain })
                    }
                    kind => kind,
                };
                transcript.fail(Stage::Tls, started.elapsed(), &kind.to_string());
                Err(Error { stage: Stage::Tls, kind, command: None, reply: None, capabilities: None })
            }
        }
    }
}

/// The first word of a greeting, where it is a host's whole name (RFC 5321 section 4.2).
fn host_in_greeting(greeting: &Reply) -> Option<String> {
    let word = greeting.lines.first()?.split_whitespace().next()?;
    match Host::parse(word) {
        Ok(Host::Name(name)) if name.contains('.') => Some(name),
        _ => None,
    }
}
