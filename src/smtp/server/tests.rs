//! The server over connections in memory: a table for each RFC, hostile input, and every bound.

mod bounds;
mod hostile;
mod properties;
mod rfc;
mod tls;

use std::sync::{LazyLock, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, End};
use super::*;
use crate::smtp::{EnhancedCode, Security};

const PEER: ([u8; 4], u16) = ([192, 0, 2, 1], 40_000);

/// `\0ada\0secret` in Base64.
const SIGN_IN: &str = "AUTH PLAIN AGFkYQBzZWNyZXQ=";

/// A certificate for `localhost`, and the server's configuration with it.
static TLS: LazyLock<(rustls::pki_types::CertificateDer<'static>, Arc<ServerConfig>)> = LazyLock::new(|| {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = issued.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (certificate, Arc::new(config))
});

/// Takes mail of anyone, and of `ada` with the password `secret` where it is asked for one.
pub(super) struct TestDoor {
    pub plain: SignInRule,
    pub encrypted: SignInRule,
    pub mail: Mutex<Vec<(Transaction, Vec<u8>)>>,
    pub sign_ins: Mutex<Vec<String>>,
}

impl Default for TestDoor {
    fn default() -> Self {
        Self {
            plain: SignInRule::Optional,
            encrypted: SignInRule::Required,
            mail: Mutex::default(),
            sign_ins: Mutex::default(),
        }
    }
}

impl FrontDoor for TestDoor {
    type Caller = String;

    fn hostname(&self) -> &'static str {
        "mx.example"
    }

    fn banner(&self) -> &'static str {
        "ESMTP test"
    }

    fn help(&self) -> &'static str {
        "Help yourself"
    }

    fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&TLS.1)
    }

    fn sign_in_rule(&self, is_encrypted: bool) -> SignInRule {
        if is_encrypted { self.encrypted } else { self.plain }
    }

    fn peer_group(&self, _: IpAddr) -> Option<u128> {
        None
    }

    async fn admit(&self, peer: SocketAddr) -> Result<(), Reply> {
        if peer.port() == 1 { Err(Reply::new(421, EnhancedCode(4, 7, 0), "Later")) } else { Ok(()) }
    }

    async fn sign_in(&self, _: &Client<String>, sign_in: SignIn) -> Result<String, Reply> {
        let SignIn { username, password } = sign_in;
        self.sign_ins.lock().unwrap().push(format!("{username}:{}", password.expose()));
        match password.expose() {
            "secret" => Ok(username),
            "later" => Err(Reply::new(454, EnhancedCode(4, 7, 0), "Temporary authentication failure")),
            _ => Err(reply::WRONG_CREDENTIALS.into()),
        }
    }

    async fn begin(&self, _: &Client<String>, transaction: &Transaction) -> Result<(), Reply> {
        match transaction.sender.as_str() {
            "refused@a.example" => Err(Reply::new(550, EnhancedCode(5, 7, 1), "Not\r\n250 from here")),
            "busy@a.example" => Err(Reply::new(421, EnhancedCode(4, 3, 2), "Busy")),
            _ => Ok(()),
        }
    }

    async fn add_recipient(&self, _: &Client<String>, _: &Transaction, recipient: &str) -> Result<(), Reply> {
        if recipient.starts_with("unknown@") {
            return Err(Reply::new(550, EnhancedCode(5, 1, 1), "No such user"));
        }
        Ok(())
    }

    async fn accept(&self, _: &Client<String>, transaction: Transaction, message: MessageOctets) -> Outcome {
        let is_lost = transaction.recipients.iter().any(|recipient| recipient.starts_with("lost@"));
        let is_refused = transaction.recipients.iter().any(|recipient| recipient.starts_with("full@"));
        self.mail.lock().unwrap().push((transaction, message.into_vec()));
        if is_lost {
            return Outcome::Disconnect;
        }
        if is_refused {
            return Outcome::Reply(Reply::new(452, EnhancedCode(4, 3, 1), "Full"));
        }
        Outcome::Reply(Reply::new(250, EnhancedCode(2, 0, 0), "queued"))
    }
}

impl TestDoor {
    pub(super) fn messages(&self) -> Vec<Vec<u8>> {
        self.mail.lock().unwrap().iter().map(|(_, message)| message.clone()).collect()
    }

    fn transactions(&self) -> Vec<Transaction> {
        self.mail.lock().unwrap().iter().map(|(transaction, _)| transaction.clone()).collect()
    }
}

fn server(limits: Limits) -> Arc<Server<TestDoor>> {
    Server::new(TestDoor::default(), limits)
}

/// Serves a connection in memory.
async fn serve(server: &Server<TestDoor>, stream: DuplexStream, security: Security) -> End {
    serve_until(server, stream, security, CancellationToken::new()).await
}

async fn serve_until(
    server: &Server<TestDoor>,
    stream: DuplexStream,
    security: Security,
    stop: CancellationToken,
) -> End {
    let place = server.connections.admit(None).expect("a place");
    Connection { server, peer: PEER.into(), place, stop, end: CancellationToken::new() }
        .serve(stream, security)
        .await
        .1
}

/// Sends `input` as it is, then ends its side; returns all that the server says.
async fn exchange(server: &Server<TestDoor>, input: &[u8]) -> String {
    let (near, far) = duplex(64 * 1024);
    let (mut reading, mut writing) = tokio::io::split(near);
    let mut output = Vec::new();
    let send = async {
        // The server may refuse before it has read everything.
        let _ = writing.write_all(input).await;
        let _ = writing.shutdown().await;
    };
    let receive = async { reading.read_to_end(&mut output).await.unwrap() };
    tokio::join!(serve(server, far, Security::StartTls), send, receive);
    String::from_utf8(output).expect("replies are UTF-8")
}

/// `250 2.1.0` of each reply, of the last line where it has several; the greeting is left out.
fn codes(output: &str) -> Vec<String> {
    let mut codes = Vec::new();
    assert!(output.is_empty() || output.ends_with("\r\n"), "{output:?}");
    for line in output.split_terminator("\r\n") {
        assert!(!line.contains(char::is_control), "{line:?}");
        let code = line.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
        assert!(code.is_some() && matches!(line.as_bytes().get(3), Some(b' ' | b'-')), "{line:?}");
        if line.as_bytes().get(3) == Some(&b' ') {
            let words = line.split(' ').take(2);
            let words: Vec<_> = words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).collect();
            codes.push(words.join(" "));
        }
    }
    if codes.first().is_some_and(|code| code == "220") {
        codes.remove(0);
    }
    codes
}

/// The codes of the replies to these lines, sent at once.
async fn replies(server: &Server<TestDoor>, lines: &[&str]) -> Vec<String> {
    let input: String = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
    codes(&exchange(server, input.as_bytes()).await)
}

/// The client's side of a connection that goes step by step.
struct Talk {
    stream: DuplexStream,
}

impl Talk {
    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// What comes up to this text.
    async fn read_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let octet = self.stream.read_u8().await;
            text.push(octet.unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&text))));
        }
        String::from_utf8(text).unwrap()
    }

    /// The last line of a reply.
    async fn reply(&mut self) -> String {
        loop {
            let line = self.read_until("\r\n").await;
            if line.as_bytes()[3] == b' ' {
                return line.trim_end().to_owned();
            }
        }
    }

    async fn say(&mut self, line: &str) -> String {
        self.send(&format!("{line}\r\n")).await;
        self.reply().await
    }

    /// All that comes before the server ends the connection.
    async fn rest(&mut self) -> String {
        let mut text = String::new();
        self.stream.read_to_string(&mut text).await.unwrap();
        text
    }
}

/// A conversation of `talk` with a server of these limits; returns why the connection ended.
async fn conversation(server: &Server<TestDoor>, talk: impl AsyncFnOnce(Talk)) -> End {
    let (near, far) = duplex(1024);
    let (end, ()) = tokio::join!(serve(server, far, Security::StartTls), talk(Talk { stream: near }));
    end
}
