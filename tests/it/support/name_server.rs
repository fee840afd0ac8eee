//! A name server on loopback that says what a test tells it, and the files that lead to it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::net::UdpSocket;
use transports::egress::SystemResolver;

/// What the name server says to a question.
pub enum Reply {
    Addresses(Vec<IpAddr>),
    NoSuchName,
    Failure,
    /// Nothing, ever.
    Silence,
}

pub struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
}

impl NameServer {
    /// `answer` is given each name that is asked for, in lower case and without the final dot.
    pub async fn start(answer: impl Fn(&str) -> Reply + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = socket.local_addr().expect("is bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut packet = [0; 1500];
            while let Ok((length, client)) = socket.recv_from(&mut packet).await {
                let (name, kind, question) = question(&packet[..length]);
                log.lock().expect("no panic").push(name.clone());
                let Some((code, addresses)) = outcome(answer(&name), kind) else { continue };
                let mut reply = packet[..2].to_vec();
                reply.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(addresses.len()).expect("few")]);
                reply.extend([0, 0, 0, 0]);
                reply.extend(&packet[12..question]);
                for address in addresses {
                    reply.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 0]);
                    match address {
                        IpAddr::V4(v4) => reply.extend([&[0, 4], &v4.octets()[..]].concat()),
                        IpAddr::V6(v6) => reply.extend([&[0, 16], &v6.octets()[..]].concat()),
                    }
                }
                let _ = socket.send_to(&reply, client).await;
            }
        });
        Self { address, asked, folder: TempDir::new().expect("a folder") }
    }

    /// A resolver with a `resolv.conf` that names this server and has these lines, and with this table of hosts.
    pub fn resolver(&self, lines: &str, hosts: &str) -> SystemResolver {
        self.write_settings(lines);
        std::fs::write(self.hosts(), hosts).expect("a file");
        SystemResolver::new(self.settings(), self.hosts(), self.address.port())
    }

    pub fn write_settings(&self, lines: &str) {
        let text = format!("nameserver {}\n{lines}\n", self.address.ip());
        std::fs::write(self.settings(), text).expect("a file");
    }

    /// The names that were asked for since the last call, each once, in order.
    pub fn asked(&self) -> Vec<String> {
        let mut names = std::mem::take(&mut *self.asked.lock().expect("no panic"));
        names.dedup();
        names
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("resolv.conf")
    }

    fn hosts(&self) -> PathBuf {
        self.folder.path().join("hosts")
    }
}

/// The name, the type and the end of the one question.
fn question(packet: &[u8]) -> (String, u8, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while packet[at] != 0 {
        let end = at + 1 + usize::from(packet[at]);
        labels.push(String::from_utf8_lossy(&packet[at + 1..end]).to_lowercase());
        at = end;
    }
    (labels.join("."), packet[at + 2], at + 5)
}

/// The response code, and the addresses of the type that was asked for.
fn outcome(reply: Reply, kind: u8) -> Option<(u8, Vec<IpAddr>)> {
    match reply {
        Reply::Addresses(addresses) => {
            Some((0, addresses.into_iter().filter(|address| address.is_ipv6() == (kind == 28)).collect()))
        }
        Reply::NoSuchName => Some((3, Vec::new())),
        Reply::Failure => Some((2, Vec::new())),
        Reply::Silence => None,
    }
}
