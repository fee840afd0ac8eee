//! The dialer on real sockets: what is refused is never connected to, and never looked up again.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use transports::config::{Config, Egress};
use transports::egress::{Connection, DialError, Dialer, Host, Policy, Refusal, ResolveError, Resolver};
use transports::mail::transcript::{Stage, Transcript};

/// A listener on loopback that nobody may reach, or that has to be reached.
struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    fn on(ip: &str) -> Self {
        Self::at((ip, 0))
    }

    fn at(address: (&str, u16)) -> Self {
        let listener = TcpListener::bind(address).expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a listener can be asked without waiting");
        let address = listener.local_addr().expect("is bound");
        Self { listener, address }
    }

    /// The connections since the last call: the kernel holds each before `connect` returns.
    fn knocks(&self) -> usize {
        std::iter::from_fn(|| self.listener.accept().ok()).count()
    }
}

/// A name table that counts its look-ups.
struct Names {
    asked: Arc<AtomicUsize>,
    resolver: Resolver,
}

impl Names {
    /// Answers with what `answer` makes of the number of the question, from 0.
    fn new(answer: impl Fn(usize) -> Result<Vec<IpAddr>, ResolveError> + Send + Sync + 'static) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let resolver = Resolver::Table(Arc::new(move |_| answer(count.fetch_add(1, Ordering::SeqCst))));
        Self { asked, resolver }
    }

    fn all(addresses: &[&str]) -> Self {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Self::new(move |_| Ok(addresses.clone()))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// A dialer that opens `allow` on all ports.
    fn dialer(&self, allow: &[&str]) -> Dialer {
        self.dialer_with(|egress| egress.allow = texts(allow))
    }

    fn dialer_with(&self, change: impl FnOnce(&mut Egress)) -> Dialer {
        let mut egress = Config::default().egress;
        egress.ports = vec![0];
        change(&mut egress);
        let policy = Arc::new(Policy::new(&egress).expect("good settings"));
        Dialer { policy, resolver: self.resolver.clone() }
    }
}

fn texts(entries: &[&str]) -> Vec<String> {
    entries.iter().map(|&entry| entry.to_owned()).collect()
}

fn in_a_minute() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

async fn dial(dialer: &Dialer, host: &str, port: u16) -> Result<Connection, DialError> {
    let host = Host::parse(host).expect("a host");
    dialer.dial(&host, port, in_a_minute(), &mut Transcript::default()).await
}

/// The error; a connection has no `Debug`.
fn failure(outcome: Result<Connection, DialError>) -> DialError {
    match outcome {
        Ok(connection) => panic!("connected to {}", connection.peer),
        Err(error) => error,
    }
}

fn is_address_refused(outcome: Result<Connection, DialError>) -> bool {
    matches!(failure(outcome), DialError::Refused(Refusal::Address { .. }))
}

#[tokio::test]
async fn an_allowed_destination_is_connected_to() {
    let door = Door::on("127.0.0.1");
    let names = Names::all(&["127.0.0.1"]);
    let dialer = names.dialer(&["127.0.0.1/32"]);
    let host = Host::parse("smtp.example.com").unwrap();
    let mut transcript = Transcript::default();
    let connection = dialer.dial(&host, door.address.port(), in_a_minute(), &mut transcript).await.unwrap();
    assert_eq!(connection.peer, door.address);
    assert_eq!(connection.stream.peer_addr().unwrap(), door.address);
    assert!(connection.stream.nodelay().unwrap());
    assert!(connection.opened_by_operator && !connection.ipv6_path_broken);
    assert_eq!((door.knocks(), names.asked()), (1, 1));
    let steps: Vec<_> =
        transcript.entries().iter().map(|entry| (entry.stage, entry.detail.clone())).collect();
    let expected =
        [(Stage::Dns, "smtp.example.com was found".to_owned()), (Stage::Connect, door.address.to_string())];
    assert_eq!(steps, expected);
}

/// Security cases A1, A3.
#[tokio::test]
async fn a_denied_literal_is_neither_resolved_nor_connected_to() {
    let door = Door::on("127.0.0.1");
    let names = Names::all(&["127.0.0.1"]);
    let dialer = names.dialer(&[]);
    for host in ["127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "0.0.0.0", "::"] {
        assert!(is_address_refused(dial(&dialer, host, door.address.port()).await), "{host}");
    }
    assert_eq!((door.knocks(), names.asked()), (0, 0));
}

/// Security case A21.
#[tokio::test]
async fn a_local_name_is_never_resolved() {
    let door = Door::on("127.0.0.1");
    let names = Names::all(&["127.0.0.1"]);
    let dialer = names.dialer(&["127.0.0.0/8"]);
    for host in ["localhost", "localhost.", "foo.local", "a.b.svc.cluster.local", "metadata", "mail"] {
        let error = failure(dial(&dialer, host, door.address.port()).await);
        assert_eq!(error, DialError::Refused(Refusal::Name), "{host}");
    }
    assert_eq!((door.knocks(), names.asked()), (0, 0));
}

/// Security case A9.
#[tokio::test]
async fn dns_rebinding_is_ineffective() {
    let trap = Door::on("127.0.0.1");
    let good = Door::at(("127.0.0.2", trap.address.port()));
    let names = Names::new(|question| {
        let last = if question % 2 == 0 { 2 } else { 1 };
        Ok(vec![IpAddr::from([127, 0, 0, last])])
    });
    let dialer = names.dialer(&["127.0.0.2/32"]);
    for question in 0..1000 {
        let outcome = dial(&dialer, "evil.example.com", trap.address.port()).await;
        if question % 2 == 0 {
            assert_eq!(outcome.map(|connection| connection.peer), Ok(good.address));
            assert_eq!(good.knocks(), 1);
        } else {
            assert!(is_address_refused(outcome));
        }
    }
    assert_eq!((trap.knocks(), names.asked()), (0, 1000));
}

/// Security case A10.
#[tokio::test]
async fn one_denied_answer_refuses_all() {
    let door = Door::on("127.0.0.1");
    for denied in ["10.0.0.1", "::1", "::ffff:10.0.0.1", "169.254.169.254"] {
        for answers in [["127.0.0.1", denied], [denied, "127.0.0.1"]] {
            let names = Names::all(&answers);
            let dialer = names.dialer(&["127.0.0.1/32"]);
            assert!(is_address_refused(dial(&dialer, "two.example.com", door.address.port()).await));
            assert_eq!((door.knocks(), names.asked()), (0, 1), "{answers:?}");
        }
    }
}

/// Security case A11.
#[tokio::test]
async fn aliases_are_judged_by_their_addresses_and_attempts_are_bounded() {
    let names = Names::all(&["169.254.169.254"]);
    let open = names.dialer_with(|egress| {
        egress.allow = texts(&["169.254.0.0/16"]);
        egress.allow_hosts = texts(&["alias.example.com"]);
    });
    assert!(is_address_refused(dial(&open, "alias.example.com", 80).await));

    let many = |first: u8| {
        Names::new(move |_| {
            Ok((0..1000_u16)
                .map(|n| {
                    let [high, low] = n.to_be_bytes();
                    IpAddr::from([first, 1, high, low])
                })
                .collect())
        })
    };
    assert!(is_address_refused(dial(&many(10).dialer(&[]), "many.example.com", 25).await));
    let closed = Door::on("127.0.0.1").address.port();
    let mut transcript = Transcript::default();
    let host = Host::parse("many.example.com").unwrap();
    let outcome =
        many(127).dialer(&["127.0.0.0/8"]).dial(&host, closed, in_a_minute(), &mut transcript).await;
    assert_eq!(failure(outcome), DialError::ConnectRefused);
    let tries = transcript.entries().iter().filter(|entry| entry.stage == Stage::Connect).count();
    assert_eq!(tries, 6);

    // A loop of aliases is an error of the name server.
    let names = Names::new(|_| Err(ResolveError::Unavailable));
    assert_eq!(failure(dial(&names.dialer(&[]), "loop.example.com", 25).await), DialError::DnsUnavailable);
}

/// Security case A12.
#[tokio::test]
async fn failed_resolutions_are_distinguished() {
    let cases: [(Resolver, DialError); 4] = [
        (Names::new(|_| Err(ResolveError::NotFound)).resolver, DialError::NotFound),
        (Names::new(|_| Ok(Vec::new())).resolver, DialError::NotFound),
        (Names::new(|_| Err(ResolveError::Unavailable)).resolver, DialError::DnsUnavailable),
        (Resolver::Silent, DialError::DnsUnavailable),
    ];
    for (resolver, expected) in cases {
        let dialer = Dialer { resolver, ..Names::all(&[]).dialer(&[]) };
        let host = Host::parse("smtp.example.com").unwrap();
        let mut transcript = Transcript::default();
        let outcome = dialer.dial(&host, 25, Instant::now(), &mut transcript).await;
        let error = failure(outcome);
        assert_eq!((error.stage(), &error), (Stage::Dns, &expected));
        assert_eq!(transcript.entries().len(), 1);
    }
}

/// Security case A17.
#[tokio::test]
async fn the_own_listener_is_refused_even_by_a_public_name() {
    let door = Door::on("127.0.0.1");
    let names = Names::all(&["127.0.0.1"]);
    let dialer = names.dialer_with(|egress| {
        egress.allow = texts(&["127.0.0.0/8"]);
        egress.allow_hosts = texts(&["api.example.com"]);
    });
    dialer.policy.add_own_listener(door.address);
    for host in ["api.example.com", "other.example.com", "127.0.0.1"] {
        assert!(is_address_refused(dial(&dialer, host, door.address.port()).await), "{host}");
    }
    assert_eq!(door.knocks(), 0);
}

/// Security case A18.
#[tokio::test]
async fn only_the_allowed_ports_are_connected_to() {
    let door = Door::on("127.0.0.1");
    let other = Door::on("127.0.0.1");
    let names = Names::all(&["127.0.0.1"]);
    let dialer = names.dialer_with(|egress| {
        egress.allow = texts(&["127.0.0.1/32"]);
        egress.ports = vec![door.address.port()];
    });
    assert!(dial(&dialer, "127.0.0.1", door.address.port()).await.is_ok());
    let refusal = Refusal::Port { allowed: vec![door.address.port()] };
    for host in ["127.0.0.1", "smtp.example.com"] {
        let error = failure(dial(&dialer, host, other.address.port()).await);
        assert_eq!(error, DialError::Refused(refusal.clone()));
    }
    assert_eq!((door.knocks(), other.knocks(), names.asked()), (1, 0, 0));
}

#[tokio::test]
async fn an_allowed_name_reaches_a_denied_range_but_no_password_in_the_clear() {
    let door = Door::on("127.0.0.1");
    let names = Names::all(&["127.0.0.1"]);
    let dialer = names.dialer_with(|egress| egress.allow_hosts = texts(&["relay"]));
    let connection = dial(&dialer, "relay", door.address.port()).await.unwrap();
    assert!(!connection.opened_by_operator);
    assert!(is_address_refused(dial(&dialer, "127.0.0.1", door.address.port()).await));
    assert!(is_address_refused(dial(&dialer, "other.example.com", door.address.port()).await));
}

#[tokio::test]
async fn a_refusal_hides_the_resolved_addresses() {
    let shown = |answers: &'static [&'static str]| async move {
        let dialer = Names::all(answers).dialer(&[]);
        let host = Host::parse("evil.example.com").unwrap();
        let mut transcript = Transcript::default();
        let outcome = dialer.dial(&host, 25, in_a_minute(), &mut transcript).await;
        assert!(is_address_refused(outcome));
        transcript.entries().iter().map(|entry| (entry.stage, entry.detail.clone())).collect::<Vec<_>>()
    };
    let one = shown(&["127.0.0.1"]).await;
    assert_eq!(one, shown(&["10.0.0.1", "fd00::1", "169.254.169.254"]).await);
    let expected = [
        (Stage::Dns, "evil.example.com was found".to_owned()),
        (Stage::Policy, "the destination is not allowed".to_owned()),
    ];
    assert_eq!(one, expected);
}

#[tokio::test]
async fn a_dead_ipv6_address_is_reported_when_ipv4_connects() {
    let door = Door::on("127.0.0.1");
    let names = Names::all(&["::1", "127.0.0.1"]);
    let dialer = names.dialer(&["127.0.0.1/32", "::1/128"]);
    let connection = dial(&dialer, "dual.example.com", door.address.port()).await.unwrap();
    assert_eq!((connection.peer, connection.ipv6_path_broken), (door.address, true));
    assert_eq!((door.knocks(), names.asked()), (1, 1));
}

#[tokio::test]
async fn a_mapped_address_is_connected_to_once_as_ipv4() {
    let closed = Door::on("127.0.0.1").address;
    let dialer = Names::all(&["::ffff:127.0.0.1", "127.0.0.1"]).dialer(&["127.0.0.1/32"]);
    let host = Host::parse("mapped.example.com").unwrap();
    let mut transcript = Transcript::default();
    let outcome = dialer.dial(&host, closed.port(), in_a_minute(), &mut transcript).await;
    assert_eq!(failure(outcome), DialError::ConnectRefused);
    let tries: Vec<_> = transcript
        .entries()
        .iter()
        .filter(|entry| entry.stage == Stage::Connect)
        .map(|e| &e.detail)
        .collect();
    assert_eq!(tries, [&format!("{closed}: the connection was refused")]);
}

#[tokio::test]
async fn operator_destinations_are_exempt_from_the_policy() {
    let door = Door::on("127.0.0.1");
    let dialer = Names::all(&["127.0.0.1"]).dialer_with(|egress| egress.ports = vec![25]);
    for host in ["127.0.0.1", "keys", "keys.internal"] {
        let host = Host::parse(host).unwrap();
        let connection = dialer.dial_for_operator(&host, door.address.port(), in_a_minute()).await.unwrap();
        assert_eq!(connection.peer, door.address);
        assert!(!connection.opened_by_operator);
    }
    assert_eq!(door.knocks(), 3);
}
