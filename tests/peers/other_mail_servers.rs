//! Mail servers of three registries: sign-in, refusals in their own words, and the bytes of what they take.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, SEND_TEST};
use crate::mail_server::{alice, read, with, without};
use crate::service::{Service, peers};

/// One of the servers in `mail_servers`. Killed when dropped.
struct Server {
    process: Child,
    folder: TempDir,
    /// Each port with the security type that it wants.
    ports: [(u16, &'static str); 2],
}

impl Server {
    fn smtp_server() -> Self {
        Self::start("node", "smtp_server.mjs")
    }

    fn haraka() -> Self {
        Self::start("node", "haraka.mjs")
    }

    fn exim() -> Self {
        Self::start("python3", "exim_server.py")
    }

    fn aiosmtpd() -> Self {
        Self::start(peers().join("mail-servers-pypi/bin/python"), "aiosmtpd_server.py")
    }

    fn start(program: impl AsRef<Path>, script: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        fs::write(folder.path().join("certificate.pem"), cert.pem()).expect("a file");
        fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).expect("a file");
        fs::create_dir(folder.path().join("mails")).expect("a folder");
        let mut process = Command::new(program.as_ref())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/mail_servers").join(script))
            .arg(folder.path())
            .env("TRANSPORTS_PEERS", peers())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server is installed");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("is piped");
        BufReader::new(stdout).read_line(&mut line).expect("both ports");
        let ports: Vec<u16> = line.split_whitespace().map(|port| port.parse().expect("a port")).collect();
        let [starttls, implicit] = ports[..] else { panic!("{script} says {line:?}") };
        Self { process, folder, ports: [(starttls, "StartTLS"), (implicit, "SSL/TLS")] }
    }

    /// The service, which trusts this server and may reach its ports.
    fn service(&self) -> Service {
        let authority = self.folder.path().join("certificate.pem");
        let ports = self.ports.map(|(port, _)| port.to_string()).join(",");
        Service::with(&[
            ("TRANSPORTS_TLS__CA_FILE", authority.to_str().expect("UTF-8")),
            ("TRANSPORTS_EGRESS__PORTS", &ports),
        ])
    }

    fn mails(&self) -> BTreeSet<String> {
        let names = fs::read_dir(self.folder.path().join("mails")).expect("a folder");
        names.map(|entry| entry.expect("a file").file_name().into_string().expect("a number")).collect()
    }

    /// The one mail that came since then: a server may answer before it has filed it.
    async fn next_mail(&self, before: &BTreeSet<String>) -> String {
        let arrival = async {
            loop {
                let mails = self.mails();
                let new: Vec<_> = mails.difference(before).collect();
                match new[..] {
                    [] => tokio::time::sleep(Duration::from_millis(5)).await,
                    [name] => return name.clone(),
                    _ => panic!("one mail each: {new:?}"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), arrival).await.expect("a mail is filed")
    }

    fn mail(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join("mails").join(name)).expect("a mail")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn code(answer: &Value) -> &str {
    answer["diagnosis"]["code"].as_str().unwrap_or("none")
}

/// What PUT says of settings that it does not store.
async fn refused(admin: &Client, settings: &Value) -> String {
    let answer = admin.put(settings).await.expect(400).json();
    answer["errors"][0]["meta"]["diagnosis"]["code"].as_str().unwrap_or("none").to_owned()
}

/// `unknown` is what the server's words for an unknown recipient are read as.
async fn sign_in_and_refusals(server: &Server, unknown: &str) {
    let service = server.service();
    for (port, security) in server.ports {
        let admin = service.admin(&format!("port-{port}"));
        let settings = alice(port, security);
        for (field, value) in [("emailPassword", "wrong"), ("username", "mallory")] {
            assert_eq!(
                refused(&admin, &with(settings.clone(), field, value)).await,
                "AUTH_REJECTED",
                "{security}"
            );
        }
        admin.put(&settings).await.expect(204);
        let verified = admin.verify().await;
        assert_eq!(verified["success"], json!(true), "{verified}");
        let answer = admin.send_test("nobody@example.com").await;
        assert_eq!(
            (code(&answer), &answer["rejected"]),
            (unknown, &json!(["nobody@example.com"])),
            "{answer}"
        );
        admin.patch(&json!({ "emailAddress": "boss@example.com" })).await.expect(204);
        for answer in [admin.verify().await, admin.send_test("bob@example.com").await] {
            assert_eq!(code(&answer), "SENDER_NOT_OWNED", "{answer}");
        }
        let without_sign_in = without(settings, &["username", "emailPassword"]);
        assert_eq!(refused(&admin, &without_sign_in).await, "SIGN_IN_REQUIRED", "{security}");
    }
    assert_eq!(server.mails().len(), 0);
}

/// Everything that a line end, a dot, a letter or a length could break on its way.
fn bodies() -> [String; 6] {
    [
        ".\n..\n.dot first\n...\nFrom here on\ntrailing space \n\ttab\t\nthe end".to_owned(),
        format!("{}\n{}\n", "a".repeat(990), "b".repeat(998)),
        format!("{}\n{}\n{}", "c".repeat(999), "d".repeat(2000), "e".repeat(5000)),
        "Grüße 🎉 =?utf-8?q?no?= =3D = \n=\n".to_owned(),
        "NEL \u{85} and a separator \u{2028} amid it".to_owned(),
        "x".to_owned(),
    ]
}

/// Without the headers that differ from mail to mail, and the one that Haraka adds.
fn comparable(mail: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(mail).expect("ASCII");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let mut is_compared = true;
    let head = head.lines().filter(|line| {
        if !line.starts_with([' ', '\t']) {
            let left_out = ["Date: ", "Message-ID: ", "Authentication-Results: "];
            is_compared = !left_out.iter().any(|name| line.starts_with(name));
        }
        is_compared
    });
    head.chain(body.lines()).map(str::to_owned).collect()
}

/// Each mail as each port has got it.
async fn delivered(server: &Server) -> Vec<Vec<Vec<u8>>> {
    let service = server.service();
    let mut by_port = Vec::new();
    for (port, security) in server.ports {
        let admin = service.admin("acme");
        admin.put(&with(alice(port, security), "senderName", "Müller, \"Alice\"")).await.expect(204);
        let mut mails = Vec::new();
        for body in bodies() {
            let before = server.mails();
            let subject = format!("Prüfung {}", "ä".repeat(90));
            let mail = json!({"recipient": "bob@example.com", "subject": subject, "body": body});
            let answer = admin.json("POST", SEND_TEST, &mail).await.expect(200).json();
            assert_eq!(answer["success"], json!(true), "{answer}");
            let bytes = server.mail(&server.next_mail(&before).await);
            assert!(bytes.is_ascii() && !bytes.split(|byte| *byte == b'\n').any(|line| line.len() > 79));
            let mail = read(&bytes);
            let text = mail.body_text(0).expect("a text").replace("\r\n", "\n");
            assert_eq!(text.trim_end_matches('\n'), body.trim_end_matches('\n'));
            mails.push(bytes);
        }
        by_port.push(mails);
    }
    by_port
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn smtp_server_signs_in_and_refuses_in_its_own_words() {
    sign_in_and_refusals(&Server::smtp_server(), "RECIPIENT_UNKNOWN").await;
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn haraka_signs_in_and_refuses_in_its_own_words() {
    sign_in_and_refusals(&Server::haraka(), "RECIPIENT_REFUSED").await;
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn aiosmtpd_signs_in_and_refuses_in_its_own_words() {
    sign_in_and_refusals(&Server::aiosmtpd(), "RECIPIENT_UNKNOWN").await;
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn exim_signs_in_and_refuses_in_its_own_words() {
    sign_in_and_refusals(&Server::exim(), "RECIPIENT_UNKNOWN").await;
}

/// A signature over a mail holds only where no server gets other bytes than another.
#[tokio::test]
#[ignore = "needs scripts/test"]
async fn every_server_gets_the_same_bytes() {
    let mut all = delivered(&Server::smtp_server()).await;
    all.extend(delivered(&Server::aiosmtpd()).await);
    all.extend(delivered(&Server::haraka()).await);
    all.extend(delivered(&Server::exim()).await);
    let first: Vec<_> = all[0].iter().map(|mail| comparable(mail)).collect();
    for mails in &all[1..] {
        let others: Vec<_> = mails.iter().map(|mail| comparable(mail)).collect();
        assert_eq!(others, first);
    }
}
