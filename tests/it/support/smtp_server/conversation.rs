//! One connection of a scripted server, from its greeting to its end.

mod message;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::script::{Act, At, Protection, Script};
use super::{Command, Mail, Seen, SignIn};

/// Why a conversation ends: the script says so, or the client has gone.
struct End;

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self
    }
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_mut().0,
        }
    }

    async fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(chunk).await,
            Self::Tls(tls) => tls.read(chunk).await,
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.write_all(bytes).await,
            Self::Tls(tls) => {
                tls.write_all(bytes).await?;
                tls.flush().await
            }
        }
    }
}

/// Where an AUTH stands.
enum Auth {
    None,
    Plain,
    LoginUser,
    LoginPassword,
    Token,
    /// The challenge was sent; the next line is empty.
    TokenRefused,
}

struct Conversation<'a> {
    /// `None` while a handshake is under way.
    wire: Option<Wire>,
    script: &'a Script,
    seen: &'a Mutex<Seen>,
    log: &'a Mutex<Vec<Command>>,
    buffer: Vec<u8>,
    auth: Auth,
    mail: Mail,
    /// MAIL was accepted.
    has_sender: bool,
    /// The client has begun to wait, and its next command has not come.
    waited_for: bool,
    /// The first code that was sent at the present place.
    code: u16,
}

pub(super) async fn hold(tcp: TcpStream, script: &Script, seen: &Mutex<Seen>, log: &Mutex<Vec<Command>>) {
    let _ = tcp.set_nodelay(true);
    let _ = socket2::SockRef::from(&tcp).set_recv_buffer_size(64 * 1024);
    let mut conversation = Conversation {
        wire: Some(Wire::Plain(tcp)),
        script,
        seen,
        log,
        buffer: Vec::new(),
        auth: Auth::None,
        mail: Mail::default(),
        has_sender: false,
        waited_for: false,
        code: 0,
    };
    // It always ends with the client gone or the script's end.
    let _ = conversation.run().await;
}

impl Conversation<'_> {
    async fn run(&mut self) -> Result<(), End> {
        if self.script.protection == Protection::Tls {
            self.handshake().await?;
        }
        self.act(&At::Greeting, "220 mail.example.com ESMTP ready\r\n").await?;
        loop {
            let line = self.line().await?;
            if matches!(self.auth, Auth::None) {
                self.command(&line).await?;
            } else {
                self.auth_response(&line).await?;
            }
        }
    }

    async fn command(&mut self, line: &str) -> Result<(), End> {
        let tls = matches!(self.wire, Some(Wire::Tls(_)));
        let command = Command { line: line.to_owned(), tls };
        let verb = command.verb();
        self.log.lock().unwrap().push(command.clone());
        self.seen.lock().unwrap().commands.push(command);
        let argument = line.split_once([' ', ':']).map_or("", |(_, argument)| argument);
        match verb.as_str() {
            "EHLO" => self.ehlo(tls).await,
            "HELO" => self.act(&At::Helo, "250 mail.example.com\r\n").await,
            "STARTTLS" => {
                self.act(&At::StartTls, "220 2.0.0 go ahead\r\n").await?;
                if self.code == 220 { self.handshake().await } else { Ok(()) }
            }
            "AUTH" => self.sign_in(argument, tls).await,
            "MAIL" => {
                self.mail = Mail { from: path(line), ..Mail::default() };
                self.act(&At::Mail, "250 2.1.0 sender ok\r\n").await?;
                self.has_sender = self.code / 100 == 2;
                Ok(())
            }
            "RCPT" => self.rcpt(path(line)).await,
            "DATA" => self.data().await,
            "BDAT" => self.bdat(argument).await,
            "RSET" => self.act(&At::Rset, "250 2.0.0 ok\r\n").await,
            "QUIT" => {
                self.act(&At::Quit, "221 2.0.0 bye\r\n").await?;
                self.finish().await
            }
            _ => self.send(b"500 5.5.2 what?\r\n").await,
        }
    }

    async fn ehlo(&mut self, tls: bool) -> Result<(), End> {
        let before = self.script.protection == Protection::StartTls && !tls;
        let offers = if before { &self.script.in_the_clear } else { &self.script.capabilities };
        let mut lines = vec!["mail.example.com".to_owned()];
        lines.extend(offers.iter().cloned());
        let last = lines.len() - 1;
        let usual: String = lines
            .iter()
            .enumerate()
            .flat_map(|(index, line)| [if index == last { "250 " } else { "250-" }, line, "\r\n"])
            .collect();
        let in_tls = tls
            && (self.script.at(&At::EhloInTls).is_some() || self.script.protection == Protection::StartTls);
        let at = if in_tls { At::EhloInTls } else { At::Ehlo };
        self.act(&at, &usual).await
    }

    async fn rcpt(&mut self, recipient: String) -> Result<(), End> {
        let own = |at: &At| matches!(at, At::RcptTo(address) if *address == recipient);
        let at = self.script.places().find(|at| own(at)).cloned().unwrap_or(At::Rcpt);
        self.act(&at, "250 2.1.5 recipient ok\r\n").await?;
        if self.code / 100 == 2 {
            self.mail.to.push(recipient);
        }
        Ok(())
    }

    async fn sign_in(&mut self, argument: &str, tls: bool) -> Result<(), End> {
        let mut words = argument.split(' ');
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        let initial = words.next();
        let attempt = SignIn { mechanism: mechanism.clone(), tls, ..SignIn::default() };
        self.seen.lock().unwrap().sign_ins.push(attempt);
        let next = match mechanism.as_str() {
            "LOGIN" => Auth::LoginUser,
            "XOAUTH2" => Auth::Token,
            _ => Auth::Plain,
        };
        let usual = match (initial, &next) {
            (Some(response), _) => self.judge(response, &next),
            (None, Auth::LoginUser) => "334 VXNlcm5hbWU6\r\n",
            (None, _) => "334 \r\n",
        };
        self.act(&At::Auth, usual).await?;
        self.auth = match (self.code, initial) {
            (334, Some(_)) => Auth::TokenRefused,
            (334, None) => next,
            _ => Auth::None,
        };
        Ok(())
    }

    async fn auth_response(&mut self, line: &str) -> Result<(), End> {
        let state = std::mem::replace(&mut self.auth, Auth::None);
        let (usual, next) = match state {
            Auth::LoginUser => {
                self.judge(line, &Auth::LoginUser);
                ("334 UGFzc3dvcmQ6\r\n".to_owned(), Auth::LoginPassword)
            }
            Auth::TokenRefused => (format!("{}\r\n", self.script.token_refusal), Auth::TokenRefused),
            state => (self.judge(line, &state).to_owned(), Auth::TokenRefused),
        };
        self.act(&At::AuthResponse, &usual).await?;
        if self.code == 334 {
            self.auth = next;
        }
        Ok(())
    }

    /// Records what a response says, and gives the usual answer to it.
    fn judge(&mut self, response: &str, state: &Auth) -> &'static str {
        const REFUSED: &str = "535 5.7.8 user name or password refused\r\n";
        let decoded = STANDARD.decode(response).unwrap_or_default();
        let text = String::from_utf8_lossy(&decoded).into_owned();
        let mut seen = self.seen.lock().unwrap();
        let Some(attempt) = seen.sign_ins.last_mut() else { return REFUSED };
        match state {
            Auth::LoginUser => attempt.username = text,
            Auth::LoginPassword => attempt.secret = text,
            Auth::Token => {
                let mut parts = text.split('\x01');
                attempt.username = parts.next().unwrap_or_default().replacen("user=", "", 1);
                attempt.secret = parts.next().unwrap_or_default().replacen("auth=Bearer ", "", 1);
            }
            _ => {
                let mut parts = text.splitn(3, '\0').skip(1).map(str::to_owned);
                attempt.username = parts.next().unwrap_or_default();
                attempt.secret = parts.next().unwrap_or_default();
            }
        }
        let token = matches!(state, Auth::Token);
        let secret = if token { self.script.token.as_ref() } else { Some(&self.script.password) };
        if secret.is_none_or(|secret| attempt.username == self.script.user && attempt.secret == *secret) {
            "235 2.7.0 welcome\r\n"
        } else if token {
            // {"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}
            "334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==\r\n"
        } else {
            REFUSED
        }
    }

    /// What the script says about a place, or the usual.
    async fn act(&mut self, at: &At, usual: &str) -> Result<(), End> {
        self.code = 0;
        let script = self.script;
        let Some(acts) = script.at(at) else { return self.send(usual.as_bytes()).await };
        for act in acts {
            match act {
                Act::Send(bytes) => self.send(bytes).await?,
                Act::Usual => self.send(usual.as_bytes()).await?,
                Act::Pause(pause) => tokio::time::sleep(*pause).await,
                Act::Wait(go) => {
                    // A test that has ended lets all go on.
                    let _ = go.clone().wait_for(|go| *go).await;
                }
                Act::Drip(bytes, pause) => loop {
                    for byte in bytes {
                        tokio::time::sleep(*pause).await;
                        self.send(&[*byte]).await?;
                    }
                },
                Act::Flood(bytes) => loop {
                    self.send(bytes).await?;
                },
                Act::Silence => self.drain().await?,
                Act::Freeze => std::future::pending().await,
                Act::Close => {
                    self.wire()?.tcp().shutdown().await?;
                    self.drain().await?;
                }
                Act::CloseNotify => self.finish().await?,
                Act::Reset => {
                    let tcp = self.wire()?.tcp();
                    socket2::SockRef::from(&*tcp).set_linger(Some(Duration::ZERO))?;
                    self.wire = None;
                    return Err(End);
                }
            }
        }
        Ok(())
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), End> {
        if self.code == 0 {
            self.code = std::str::from_utf8(&bytes[..bytes.len().min(3)])
                .ok()
                .and_then(|code| code.parse().ok())
                .unwrap_or_default();
        }
        Ok(self.wire()?.write(bytes).await?)
    }

    /// Ends as it should be, and waits for the client to go.
    async fn finish(&mut self) -> Result<(), End> {
        match self.wire()? {
            Wire::Plain(tcp) => tcp.shutdown().await?,
            Wire::Tls(tls) => tls.shutdown().await?,
        }
        self.drain().await
    }

    /// Reads until the client goes.
    async fn drain(&mut self) -> Result<(), End> {
        loop {
            self.fill().await?;
            let stray = std::mem::take(&mut self.buffer);
            self.seen.lock().unwrap().stray.extend(stray);
        }
    }

    async fn handshake(&mut self) -> Result<(), End> {
        if self.script.at(&At::Handshake).is_some() {
            self.fill().await?;
            self.act(&At::Handshake, "").await?;
            return self.drain().await;
        }
        let Some(Wire::Plain(tcp)) = self.wire.take() else { return Err(End) };
        let stream = TlsAcceptor::from(Arc::clone(&self.script.tls)).accept(tcp).await?;
        let session = stream.get_ref().1;
        let mut seen = self.seen.lock().unwrap();
        seen.tls = true;
        seen.sni = session.server_name().map(str::to_owned);
        seen.handshake_flights += match session.handshake_kind() {
            Some(HandshakeKind::FullWithHelloRetryRequest) => 2,
            _ => 1,
        };
        self.wire = Some(Wire::Tls(Box::new(stream)));
        Ok(())
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<String, End> {
        let end = loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                break end;
            }
            self.waited_for = true;
            self.fill().await?;
        };
        let rest = self.buffer.split_off(end + 1);
        let line = std::mem::replace(&mut self.buffer, rest);
        let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        if self.waited_for && line != "RSET" && line != "QUIT" {
            self.waited_for = false;
            self.seen.lock().unwrap().flights += 1;
        }
        Ok(line)
    }

    async fn fill(&mut self) -> Result<(), End> {
        let mut chunk = vec![0; 16 * 1_024];
        match self.wire()?.read(&mut chunk).await? {
            0 => Err(End),
            length => {
                self.buffer.extend_from_slice(&chunk[..length]);
                Ok(())
            }
        }
    }

    fn wire(&mut self) -> Result<&mut Wire, End> {
        self.wire.as_mut().ok_or(End)
    }
}

/// `a@example.com` of `MAIL FROM:<a@example.com> SIZE=1`.
fn path(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path);
    inner.unwrap_or_default().to_owned()
}
