//! Checking a mail account: `POST …/actions/verify-connection`, beside nodemailer's `verify()` at the same servers.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use super::Extents;
use super::client::{Client, PATH, with_body};
use super::figures::Latencies;
use super::process::{self, OTHER_CORE, Process, SERVER_CORE, free_port};
use super::sides::{Place, service_settings, sqlite_url};
use super::smtp_server::{PASSWORD, USER};

/// A mail server, and how it is asked.
pub struct Case {
    pub name: &'static str,
    port: u16,
    security: &'static str,
    user: &'static str,
    password: &'static str,
    concurrency: usize,
    /// How many checks there are in a round: of the service, and of nodemailer, which takes longer.
    counts: [usize; 2],
}

#[derive(Clone, Copy)]
pub struct Round {
    /// Checks a second.
    pub rate: f64,
    /// CPU time of the client for each, in microseconds.
    pub cpu: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
}

/// Rounds of the service, and of nodemailer.
pub struct Measured {
    pub case: Case,
    pub service: Vec<Round>,
    pub nodemailer: Vec<Round>,
}

/// Measures both at `postfix`, the folder of a running `tests/peers/postfix-dovecot`, and at a fast server.
pub async fn measure(place: &Place, extents: &Extents, postfix: &Path) -> Vec<Measured> {
    let (fast, authorities) = start_fast_server(place, postfix);
    let cases = [
        case("Postfix, STARTTLS, one at a time", 2587, "StartTLS", 1, extents.checks),
        case("Postfix, implicit TLS, one at a time", 2465, "SSL/TLS", 1, extents.checks),
        case("Postfix, no TLS and no sign-in, one at a time", 2525, "none", 1, extents.checks),
        Case {
            user: USER,
            password: PASSWORD,
            ..case("a fast server, STARTTLS, 50 at once", fast.address.port(), "StartTLS", 50, extents.checks)
        },
    ];
    let (service, tenants) = start_service(place, &authorities, &cases).await;
    let mut nodemailer = Nodemailer::start(place, &authorities);
    let mut measured = Vec::new();
    for (case, tenants) in cases.into_iter().zip(tenants) {
        let mut found = Measured { case, service: Vec::new(), nodemailer: Vec::new() };
        for round in 0..=extents.check_rounds {
            super::progress(format_args!("verify, {}: round {round}", found.case.name));
            let ours = check_by_service(&service, &tenants, &found.case).await;
            let theirs = nodemailer.check(&found.case);
            // The first round warms up.
            if round > 0 {
                found.service.push(ours);
                found.nodemailer.push(theirs);
            }
        }
        measured.push(found);
    }
    measured
}

fn case(name: &'static str, port: u16, security: &'static str, concurrency: usize, checks: usize) -> Case {
    let counts = if concurrency == 1 { [checks, checks.div_ceil(4)] } else { [checks * 10, checks * 3] };
    Case { name, port, security, user: "alice", password: "secret", concurrency, counts }
}

impl Case {
    fn signs_in(&self) -> bool {
        self.security != "none"
    }

    /// The body of a PUT.
    fn configuration(&self) -> String {
        let sender =
            if self.user.contains('@') { self.user.to_owned() } else { format!("{}@example.com", self.user) };
        let mut account = serde_json::json!({
            "serverAddress": "localhost", "serverPort": self.port, "securityType": self.security,
            "emailAddress": sender,
        });
        if self.signs_in() {
            account["username"] = self.user.into();
            account["emailPassword"] = self.password.into();
        }
        serde_json::json!({ "serviceProvider": "BasicAuth", "providerConfig": account }).to_string()
    }
}

/// The fast server, and a file with its authority and that of Postfix.
fn start_fast_server(place: &Place, postfix: &Path) -> (Process, std::path::PathBuf) {
    let port = free_port();
    let (own, all) = (place.folder.join("fast.pem"), place.folder.join("authorities.pem"));
    let mut command = process::pinned(OTHER_CORE, &std::env::current_exe().expect("this program"));
    command.args(["smtp", "--port", &port.to_string(), "--authority"]).arg(&own);
    let mut process = Process::start(command, port, &place.folder.join("fast.log"));
    process.wait_until_it_listens();
    let read = |file: &Path| {
        std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    std::fs::write(&all, read(&own) + &read(&postfix.join("ca.pem"))).expect("a file");
    (process, all)
}

/// The service with a database of its own, and for each case the tokens of tenants whose account is set.
async fn start_service(place: &Place, authorities: &Path, cases: &[Case]) -> (Process, Vec<Vec<String>>) {
    let port = free_port();
    let url = sqlite_url(&place.folder.join("verify.db"));
    let mut command = process::pinned(SERVER_CORE, &place.service);
    command
        .arg("serve")
        .envs(service_settings(place, port, &url))
        .env("TRANSPORTS_EGRESS__ALLOW", "127.0.0.0/8,::1/128")
        .env("TRANSPORTS_EGRESS__ALLOW_HOSTS", "localhost")
        .env("TRANSPORTS_EGRESS__PORTS", "0")
        .env("TRANSPORTS_TLS__CA_FILE", authorities);
    let mut process = Process::start(command, port, &place.folder.join("verify.log"));
    process.wait_until_it_listens();
    let mut client = Client::connect(process.address).await.expect("it listens");
    let mut tenants = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        // A tenant has one check under way at a time.
        let tokens: Vec<_> = (0..case.concurrency)
            .map(|tenant| place.signer.token(&format!("verify-{number}-{tenant:04}"), tenant))
            .collect();
        for token in &tokens {
            let answer = client.ask(&with_body("PUT", PATH, token, &case.configuration())).await;
            let shown = String::from_utf8_lossy(&answer.body);
            assert_eq!(answer.status, 204, "{}: the account is not taken: {shown}", case.name);
        }
        tenants.push(tokens);
    }
    (process, tenants)
}

async fn check_by_service(service: &Process, tokens: &[String], case: &Case) -> Round {
    let mut clients = Vec::new();
    for token in tokens {
        let request = with_body("POST", &format!("{PATH}/actions/verify-connection"), token, "");
        clients.push((Client::connect(service.address).await.expect("it listens"), request));
    }
    let each = case.counts[0] / case.concurrency;
    let (cpu, started) = (service.cpu_micros(), Instant::now());
    let checking: Vec<_> = clients
        .into_iter()
        .map(|(mut client, request)| {
            tokio::spawn(async move {
                let mut micros = Vec::with_capacity(each);
                for _ in 0..each {
                    let asked = Instant::now();
                    let answer = client.ask(&request).await;
                    micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
                    let shown = String::from_utf8_lossy(&answer.body);
                    assert!(
                        answer.status == 200 && answer.json()["success"] == true,
                        "the check failed: {shown}"
                    );
                }
                micros
            })
        })
        .collect();
    let mut micros = Vec::new();
    for one in checking {
        micros.append(&mut one.await.expect("every check succeeds"));
    }
    round(micros, started.elapsed(), service.cpu_micros() - cpu)
}

/// The process of `benches/peers/nodemailer-verify.mjs`.
struct Nodemailer {
    process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Nodemailer {
    fn start(place: &Place, authorities: &Path) -> Self {
        let mut command = process::pinned(SERVER_CORE, Path::new("node"));
        command.arg(place.peers.join("nodemailer-verify.mjs")).env("PEER_AUTHORITY", authorities);
        let (process, input, output) = Process::spoken_to(command);
        Self { process, input, output: BufReader::new(output) }
    }

    fn check(&mut self, case: &Case) -> Round {
        let task = serde_json::json!({
            "port": case.port, "secure": case.security == "SSL/TLS", "plain": !case.signs_in(),
            "user": case.user, "password": case.password,
            "count": case.counts[1], "concurrency": case.concurrency,
        });
        let (cpu, started) = (self.process.cpu_micros(), Instant::now());
        writeln!(self.input, "{task}").expect("it is there");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        let elapsed = started.elapsed();
        let micros: Vec<u32> = serde_json::from_str(&line).expect("nodemailer's verify succeeds");
        assert_eq!(micros.len(), case.counts[1]);
        round(micros, elapsed, self.process.cpu_micros() - cpu)
    }
}

fn round(micros: Vec<u32>, elapsed: Duration, cpu: f64) -> Round {
    let latencies = Latencies::of(micros);
    let count = f64::from(latencies.count());
    Round {
        rate: count / elapsed.as_secs_f64(),
        cpu: cpu / count,
        p50: latencies.at(50),
        p99: latencies.at(99),
    }
}
