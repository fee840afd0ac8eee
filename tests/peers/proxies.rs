//! The examples of proxies in `deploy/`, run before the service: TLS, the client's own address, large requests, and answers
//! that arrive in parts or late.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{CONFIG, replace};
use crate::service::Service;

const NAME: &str = "mail.example.com";
/// A client beside the proxy's own address, so that both can be told apart.
const CLIENT: &str = "127.0.0.5";

/// A proxy with its example, but for names of files and ports. Killed when dropped.
struct Proxy {
    process: Child,
    folder: TempDir,
    port: u16,
    token: String,
}

impl Proxy {
    fn nginx(service: &Service) -> Self {
        Self::start(|folder, port| {
            let example = example(
                "nginx/transports.conf",
                &[
                    ("server 127.0.0.1:8080;", &format!("server {};", service.address)),
                    ("listen 443 ssl http2;", &format!("listen 127.0.0.1:{port} ssl http2;")),
                    // The service of this test takes the largest messages that it can be set to.
                    ("client_max_body_size 16m;", "client_max_body_size 40m;"),
                    ("listen 80;", &format!("listen unix:{}/plain.sock;", folder.display())),
                    (
                        "/etc/letsencrypt/live/mail.example.com/fullchain.pem",
                        path(&folder.join("certificate.pem")),
                    ),
                    ("/etc/letsencrypt/live/mail.example.com/privkey.pem", path(&folder.join("key.pem"))),
                ],
            );
            let place = folder.display();
            let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {place}/{kind};"))
                .join(" ");
            let main = format!(
                "{user} daemon off; pid {place}/nginx.pid; error_log stderr; events {{}}\n\
                 http {{ access_log off; {temporary}\n{example} }}"
            );
            fs::write(folder.join("nginx.conf"), main).expect("a file");
            let mut command = Command::new("/usr/sbin/nginx");
            command.arg("-e").arg("stderr").arg("-c").arg(folder.join("nginx.conf"));
            command
        })
    }

    fn caddy(service: &Service) -> Self {
        let address = service.address.to_string();
        Self::start(|folder, port| {
            let files = format!("\ttls {}/certificate.pem {}/key.pem\n", folder.display(), folder.display());
            let opening = "{$DOMAIN:mail.example.com} {\n";
            let example = example("caddy/Caddyfile", &[(opening, &format!("{opening}{files}"))]);
            let text = format!("{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{example}");
            fs::write(folder.join("Caddyfile"), text).expect("a file");
            let mut command = Command::new("/usr/bin/caddy");
            command
                .args(["run", "--adapter", "caddyfile", "--config"])
                .arg(folder.join("Caddyfile"))
                .env("DOMAIN", format!("https://{NAME}:{port}"))
                .env("TRANSPORTS_ADDRESS", &address)
                .env("XDG_DATA_HOME", folder)
                .env("XDG_CONFIG_HOME", folder);
            command
        })
    }

    fn start(prepare: impl FnOnce(&Path, u16) -> Command) -> Self {
        let folder = TempDir::new().expect("a folder");
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
        fs::write(folder.path().join("certificate.pem"), cert.pem()).expect("a file");
        fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).expect("a file");
        let port = free_port();
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let process = prepare(folder.path(), port)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("the proxy is installed");
        let mut proxy = Self { process, folder, port, token: Service::token("acme", "admin", true) };
        proxy.wait_until_it_listens();
        proxy
    }

    fn wait_until_it_listens(&mut self) {
        for _ in 0..600 {
            let address = SocketAddr::from(([127, 0, 0, 1], self.port));
            #[expect(clippy::disallowed_methods, reason = "a test asks whether a proxy listens")]
            if TcpStream::connect(address).is_ok() {
                return;
            }
            let ended = self.process.try_wait().expect("a state");
            assert!(ended.is_none(), "the proxy ended: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the proxy does not listen: {}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// curl with these arguments behind those that lead to the proxy.
    fn curl(&self, route: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--no-buffer", "--interface", CLIENT, "--cacert"])
            .arg(self.folder.path().join("certificate.pem"))
            .args(["--resolve", &format!("{NAME}:{}:127.0.0.1", self.port)])
            .args(["--header", &format!("Authorization: Bearer {}", self.token)])
            .args(["--header", "Content-Type: application/json"])
            .args(arguments)
            .arg(format!("https://{NAME}:{}{route}", self.port))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The status and the body.
    #[track_caller]
    fn ask(&self, route: &str, arguments: &[&str]) -> (String, String) {
        let arguments = [arguments, &["--write-out", "\n%{http_code}"]].concat();
        let Output { status, stdout, stderr } =
            self.curl(route, &arguments).output().expect("curl is installed");
        assert!(status.success(), "{}{}", String::from_utf8_lossy(&stderr), self.log());
        let text = String::from_utf8(stdout).expect("text");
        let (body, status) = text.rsplit_once('\n').expect("a status");
        (status.to_owned(), body.to_owned())
    }

    /// Stores an account at a server, unchecked.
    fn store(&self, server: SocketAddr) {
        let account = json!({
            "serverAddress": server.ip().to_string(), "serverPort": server.port(), "securityType": "none",
            "emailAddress": "platform@example.com",
        });
        let patch = replace(&account).to_string();
        let arguments = ["--request", "PATCH", "--data", &patch];
        let (status, body) =
            self.ask(CONFIG, &[&arguments[..], &["--header", "X-Forwarded-For: 203.0.113.9"]].concat());
        assert_eq!(status, "204", "{body}");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // nginx's workers end with their master only where it ends in order.
        if let Some(pid) = rustix::process::Pid::from_raw(self.process.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

/// An example with each of these texts, which it holds once or more, replaced.
fn example(file: &str, replacements: &[(&str, &str)]) -> String {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
    let text = fs::read_to_string(place).expect("a file");
    replacements.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{file} holds {from}");
        text.replace(from, to)
    })
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

fn service() -> Service {
    Service::with(&[
        ("TRANSPORTS_SERVER__TRUSTED_PROXIES", "127.0.0.1/32"),
        ("TRANSPORTS_DELIVERY__ENABLED", "false"),
        ("TRANSPORTS_DELIVERY__MAX_MESSAGE_BYTES", "26214400"),
        ("TRANSPORTS_EGRESS__PORTS", "0"),
        ("TRANSPORTS_EGRESS__TIMEOUT_SECONDS", "25"),
    ])
}

fn carries_the_api(proxy: &Proxy) {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    proxy.store(server.local_addr().expect("an address"));
    the_clients_own_address_arrives(proxy);
    assert_eq!(proxy.ask("/metrics", &[]).0, "404");
    a_large_request_arrives(proxy);
    the_refusal_of_a_larger_one_is_the_services_own(proxy);
    steps_arrive_as_they_happen(proxy, &server);
    a_long_poll_ends_by_itself(proxy);
}

/// What the client says of its address is not believed, and the proxy's is not taken for it.
fn the_clients_own_address_arrives(proxy: &Proxy) {
    let (status, body) = proxy.ask(&format!("{CONFIG}/audit"), &[]);
    let page: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status.as_str(), &page["data"][0]["remoteAddress"]), ("200", &json!(CLIENT)), "{body}");
}

fn a_large_request_arrives(proxy: &Proxy) {
    let content = "QUJD".repeat(6 * 1024 * 1024);
    let email = json!({
        "to": "ada@example.org", "subject": "Invoice 8841", "text": "Thank you.",
        "attachments": [{"filename": "invoice.bin", "content": content}],
    });
    // JSON may hold as many spaces as it likes.
    let body = format!("{email}{}", " ".repeat(1024 * 1024));
    assert!(body.len() > 25 * 1024 * 1024);
    let file = proxy.folder.path().join("email.json");
    fs::write(&file, body).expect("a file");
    let data = format!("@{}", file.display());
    let (status, body) = proxy.ask("/api/v1/transports/emails", &["--data-binary", &data]);
    assert_eq!(status, "202", "{body}");
}

/// The answer to a request of so many octets.
fn too_large(proxy: &Proxy, octets: usize) -> (String, String) {
    let file = proxy.folder.path().join("email.json");
    fs::write(&file, " ".repeat(octets)).expect("a file");
    proxy.ask("/api/v1/transports/emails", &["--data-binary", &format!("@{}", file.display())])
}

/// Larger than the service takes, and not than the proxy does.
fn the_refusal_of_a_larger_one_is_the_services_own(proxy: &Proxy) {
    let (status, body) = too_large(proxy, 39 * 1024 * 1024);
    let refusal: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status} {body}"));
    assert_eq!((status.as_str(), refusal["statusCode"].as_u64()), ("413", Some(413)), "{body}");
}

/// The mail server greets once the test has read that the check has begun: a proxy that keeps the first steps until the end
/// lets it wait in vain.
fn steps_arrive_as_they_happen(proxy: &Proxy, server: &TcpListener) {
    let arguments = ["--request", "POST", "--header", "Accept: text/event-stream"];
    let mut curl =
        proxy.curl(&format!("{CONFIG}/actions/verify-connection"), &arguments).spawn().expect("curl");
    let mut events = BufReader::new(curl.stdout.take().expect("is piped"));
    let (mut connection, _) = server.accept().expect("the service connects");
    let mut first = String::new();
    events.read_line(&mut first).expect("a line");
    assert_eq!(first, "event: stage\n");
    connection.write_all(b"554 come back tomorrow\r\n").expect("a greeting");
    drop(connection);
    let mut rest = String::new();
    events.read_to_string(&mut rest).expect("text");
    assert!(rest.contains("event: result") && rest.contains("come back tomorrow"), "{rest}");
    assert!(curl.wait().expect("it ends").success());
}

fn a_long_poll_ends_by_itself(proxy: &Proxy) {
    let (_, body) = proxy.ask("/api/v1/transports/events", &[]);
    let page: Value = serde_json::from_str(&body).expect("JSON");
    let last = page["next"].as_str().unwrap_or_else(|| panic!("{body}"));
    let (status, body) = proxy.ask(&format!("/api/v1/transports/events?wait=2&after={last}"), &[]);
    assert_eq!(status, "200", "{body}");
}

#[test]
#[ignore = "needs scripts/test"]
fn nginx_leads_to_the_service_as_in_the_example() {
    let service = service();
    let proxy = Proxy::nginx(&service);
    carries_the_api(&proxy);
    assert_eq!(too_large(&proxy, 41 * 1024 * 1024).0, "413");

    // Who comes without TLS is sent to it.
    let socket: PathBuf = proxy.folder.path().join("plain.sock");
    let output = Command::new("curl")
        .args(["--silent", "--head", "--unix-socket", path(&socket), &format!("http://{NAME}/console/?a=b")])
        .output()
        .expect("curl is installed");
    let head = String::from_utf8_lossy(&output.stdout).to_ascii_lowercase();
    assert!(
        head.contains(" 301 ") && head.contains("location: https://mail.example.com/console/?a=b\r\n"),
        "{head}"
    );
}

#[test]
#[ignore = "needs scripts/test"]
fn caddy_leads_to_the_service_as_in_the_example() {
    let service = service();
    let proxy = Proxy::caddy(&service);
    carries_the_api(&proxy);
}
