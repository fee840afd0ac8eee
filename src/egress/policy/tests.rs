//! The whole policy as tables.

mod against_oracle;
mod documented;

use super::*;
use crate::config::Config;

fn settings(change: impl FnOnce(&mut Egress)) -> Egress {
    let mut settings = Config::default().egress;
    change(&mut settings);
    settings
}

fn policy(change: impl FnOnce(&mut Egress)) -> Policy {
    Policy::new(&settings(change)).expect("good settings")
}

fn texts(entries: &[&str]) -> Vec<String> {
    entries.iter().map(|&entry| entry.to_owned()).collect()
}

fn socket(address: &str) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), 587)
}

/// What was said about an address: its class, or `open`.
fn verdict(policy: &Policy, address: &str) -> &'static str {
    match policy.check_address(socket(address)) {
        Ok(()) => "open",
        Err(Refusal::Address { class, .. }) => class,
        Err(other) => panic!("{other:?} is no verdict about an address"),
    }
}

fn written(policy: &Policy, host: &str) -> Result<(), Refusal> {
    policy.check_destination(Some(&Host::parse(host).unwrap()), None)
}

/// Security cases A1, A3, A4, A5, A7.
#[test]
fn addresses_by_class() {
    let policy = policy(|_| {});
    let cases = [
        ("a1", "127.0.0.1", "loopback"),
        ("a1", "10.0.0.5", "private"),
        ("a1", "169.254.169.254", "metadata service"),
        ("a1", "192.168.1.1", "private"),
        ("a3", "::1", "loopback"),
        ("a3", "::", "unspecified"),
        ("a3", "::ffff:127.0.0.1", "loopback"),
        ("a3", "::ffff:a9fe:a9fe", "metadata service"),
        ("a3", "0:0:0:0:0:ffff:7f00:1", "loopback"),
        ("a3", "::127.0.0.1", "not global unicast"),
        ("a3", "::ffff:0:7f00:1", "not global unicast"),
        ("a4", "64:ff9b::7f00:1", "NAT64"),
        ("a4", "64:ff9b:1::a00:1", "NAT64"),
        ("a4", "2002:7f00:1::", "6to4"),
        ("a4", "2002:a9fe:a9fe::", "metadata service"),
        ("a4", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "protocol assignments"),
        ("a4", "2606:4700::5efe:10.0.0.1", "private"),
        ("a4", "2606:4700::200:5efe:169.254.169.254", "metadata service"),
        ("a4", "2606:4700::5efe:8.8.8.8", "open"),
        ("a5", "fec0::1", "not global unicast"),
        ("a5", "fd00:ec2::254", "metadata service"),
        ("a5", "fe80::1", "link-local"),
        ("a5", "5f00::1", "not global unicast"),
        ("a5", "3fff::1", "documentation"),
        ("a5", "100::1", "not global unicast"),
        ("a7", "168.63.129.16", "platform service"),
        ("a7", "168.63.129.15", "open"),
        ("a7", "168.63.129.17", "open"),
        ("a7", "100.100.100.200", "metadata service"),
        ("a7", "192.0.0.192", "metadata service"),
        ("a7", "34.118.224.1", "platform service"),
        ("", "8.8.8.8", "open"),
        ("", "2606:4700:4700::1111", "open"),
    ];
    for (case, address, expected) in cases {
        assert_eq!(verdict(&policy, address), expected, "{case} {address}");
        let refused = written(&policy, address).is_err();
        assert_eq!(refused, expected != "open", "{case} {address} as it is written");
    }
    assert!(Host::parse("fe80::1%1").is_err(), "a5: a zone has a meaning on one machine only");
}

/// Security case A17.
#[test]
fn the_own_listeners_are_never_a_destination() {
    let policy = policy(|egress| {
        egress.allow = texts(&["127.0.0.0/8", "10.0.0.0/8"]);
        egress.allow_hosts = texts(&["api.example.com"]);
    });
    policy.add_own_listener("127.0.0.1:8080".parse().unwrap());
    policy.add_own_listener("0.0.0.0:9090".parse().unwrap());
    let cases = [
        ("127.0.0.1:8080", true),
        ("[::ffff:127.0.0.1]:8080", true),
        ("127.0.0.2:8080", false),
        ("127.0.0.1:8081", false),
        ("127.0.0.1:9090", true),
        ("127.4.5.6:9090", true),
        // Addresses of documentation are not this machine's.
        ("203.0.113.7:9090", false),
    ];
    let host = Host::parse("api.example.com").unwrap();
    for (address, own) in cases {
        let verdict = policy.check_answer(&host, address.parse().unwrap());
        let refused = matches!(verdict, Err(Refusal::Address { class: "own listener", .. }));
        assert_eq!(refused, own, "{address}: {verdict:?}");
    }
}

/// Security case A17.
#[test]
fn the_gateway_is_never_a_destination_and_is_named() {
    let policy = policy(|egress| egress.allow = texts(&["127.0.0.0/8"]));
    policy.add_gateway_listener("0.0.0.0:587".parse().unwrap());
    let cases = [("127.0.0.1", 587, true), ("::ffff:127.4.5.6", 587, true), ("127.0.0.1", 465, false)];
    for (address, port, own) in cases {
        let host = Host::parse(address).unwrap();
        let verdict = policy.check_destination(Some(&host), Some(port));
        assert_eq!(verdict == Err(Refusal::OwnGateway), own, "{address} {port}: {verdict:?}");
    }
    let answer = "203.0.113.7:587".parse().unwrap();
    let host = Host::parse("smtp.example.com").unwrap();
    assert_ne!(policy.check_answer(&host, answer), Err(Refusal::OwnGateway), "not this machine's");
}

/// Security case A18.
#[test]
fn allow_opens_ranges_on_the_allowed_ports() {
    let policy = policy(|egress| egress.allow = texts(&["10.1.0.0/16", "fd12:3456::/32"]));
    let cases = [
        ("10.1.2.3", 587, true),
        ("10.1.2.3", 466, false),
        ("10.2.0.1", 587, false),
        ("::ffff:10.1.2.3", 587, true),
        ("fd12:3456::1", 587, true),
        ("fd12:3457::1", 587, false),
        ("2606:4700::5efe:10.1.2.3", 587, true),
        ("8.8.8.8", 587, true),
    ];
    for (address, port, open) in cases {
        let host = Host::parse(address).unwrap();
        assert_eq!(policy.check_destination(Some(&host), Some(port)).is_ok(), open, "{address} {port}");
    }
    let opened = [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("8.8.8.8", false),
        ("2606:4700::5efe:10.1.2.3", false),
    ];
    for (address, opened) in opened {
        assert_eq!(policy.is_opened_by_operator(address.parse().unwrap()), opened, "{address}");
    }
}

#[test]
fn deny_wins_over_allow_and_some_addresses_are_never_opened() {
    let policy = policy(|egress| {
        egress.allow = texts(&[
            "10.0.0.0/8",
            "169.254.0.0/16",
            "100.64.0.0/10",
            "fd00::/16",
            "168.0.0.0/8",
            "2002::/16",
        ]);
        egress.deny = texts(&["10.9.0.0/16", "8.8.8.0/24", "2606:4700::/32"]);
        egress.allow_hosts = texts(&["relay.example.com"]);
    });
    let cases = [
        ("10.1.2.3", "open"),
        ("10.9.2.3", "egress.deny"),
        ("8.8.8.8", "egress.deny"),
        ("2606:4700::1", "egress.deny"),
        ("2002:a09:203::", "egress.deny"),
        ("2002:a01:203::", "open"),
        ("169.254.1.1", "open"),
        ("169.254.169.254", "metadata service"),
        ("::ffff:169.254.169.254", "metadata service"),
        ("2002:a9fe:a9fe::", "metadata service"),
        ("100.100.100.200", "metadata service"),
        ("168.63.129.16", "platform service"),
        ("fd00:ec2::254", "metadata service"),
        ("fd00:ec2::255", "open"),
        ("224.0.0.1", "multicast"),
        ("0.0.0.0", "this network"),
        ("::", "unspecified"),
        ("ff02::1", "multicast"),
    ];
    let named = Host::parse("relay.example.com").unwrap();
    for (address, expected) in cases {
        assert_eq!(verdict(&policy, address), expected, "{address}");
        let by_name = policy.check_answer(&named, socket(address));
        assert_eq!(by_name.is_ok(), expected == "open", "{address} through a name");
        assert_eq!(policy.is_opened_by_operator(address.parse().unwrap()), expected == "open", "{address}");
    }
}

#[test]
fn an_allowed_name_may_lead_into_a_refused_range_but_not_in_the_clear() {
    let policy = policy(|egress| egress.allow_hosts = texts(&["Relay.Example.com.", "mail"]));
    let relay = Host::parse("relay.example.com").unwrap();
    let other = Host::parse("other.example.com").unwrap();
    assert_eq!(policy.check_answer(&relay, socket("10.0.0.5")), Ok(()));
    assert!(policy.check_answer(&other, socket("10.0.0.5")).is_err());
    assert!(policy.check_address(socket("10.0.0.5")).is_err());
    assert!(!policy.is_opened_by_operator("10.0.0.5".parse().unwrap()));
    assert_eq!(written(&policy, "mail"), Ok(()));
}

/// Security case A4.
#[test]
fn addresses_behind_the_operators_nat64_are_judged_as_ipv4() {
    let policy = policy(|egress| {
        egress.nat64_prefixes = texts(&["64:ff9b::/96", "2a00:1234::/32", "2a00:1234:ffff::/96"]);
        egress.allow = texts(&["10.1.0.0/16"]);
    });
    let cases = [
        ("64:ff9b::8.8.8.8", "open"),
        ("64:ff9b::127.0.0.1", "loopback"),
        ("64:ff9b::10.1.2.3", "open"),
        ("64:ff9b::10.2.2.3", "private"),
        ("64:ff9b::169.254.169.254", "metadata service"),
        ("64:ff9b:1::8.8.8.8", "NAT64"),
        ("2a00:1234:0808:0808::", "open"),
        ("2a00:1234:7f00:1::", "loopback"),
        ("2a00:1234:ffff::127.0.0.1", "loopback"),
        ("2a00:1234:ffff::8.8.8.8", "open"),
    ];
    for (address, expected) in cases {
        assert_eq!(verdict(&policy, address), expected, "{address}");
    }
    assert!(policy.is_opened_by_operator("64:ff9b::10.1.2.3".parse().unwrap()));
    policy.add_own_listener("10.1.2.3:587".parse().unwrap());
    assert_eq!(verdict(&policy, "64:ff9b::10.1.2.3"), "own listener");
}

/// Security case A21.
#[test]
fn local_names_are_refused_unless_the_operator_allows_them() {
    let closed = policy(|_| {});
    let names = [
        "localhost",
        "localhost.",
        "LOCALHOST",
        "a.localhost",
        "foo.local",
        "local",
        "a.b.svc.cluster.local",
        "a.b.svc",
        "metadata",
        "metadata.google.internal",
        "router.home.arpa",
        "home.arpa",
        "mail",
    ];
    for name in names {
        assert_eq!(written(&closed, name), Err(Refusal::Name), "{name}");
        let open = policy(|egress| egress.allow_hosts = texts(&[name]));
        assert_eq!(written(&open, name), Ok(()), "{name}");
    }
    for name in ["smtp.example.com", "notlocalhost.com", "mylocal.example", "xhome.arpa", "internal.com"] {
        assert_eq!(written(&closed, name), Ok(()), "{name}");
    }
}

#[test]
fn only_the_operators_ports_are_open() {
    let some = policy(|_| {});
    let all = policy(|egress| egress.ports = vec![0]);
    for (port, open) in [(25, true), (587, true), (22, false), (80, false), (6379, false), (0, false)] {
        let verdict = some.check_destination(None, Some(port));
        assert_eq!(verdict.is_ok(), open, "{port}");
        assert_eq!(all.check_destination(None, Some(port)).is_ok(), port != 0, "{port}");
        if let Err(refusal) = verdict {
            assert_eq!(refusal, Refusal::Port { allowed: vec![25, 465, 587, 2465, 2525, 2587] });
        }
    }
    let denied = Host::parse("127.0.0.1").unwrap();
    assert!(matches!(some.check_destination(Some(&denied), Some(22)), Err(Refusal::Address { .. })));
}

/// Security case A19.
#[test]
fn a_setting_that_cannot_stand_is_named() {
    let cases: [(&str, &str, &str); 28] = [
        ("egress.allow", "0.0.0.0/0", "is shorter than /8, and would open too much"),
        ("egress.allow", "8.0.0.0/7", "is shorter than /8, and would open too much"),
        ("egress.allow", "10.0.0.0/4", "is shorter than /8, and would open too much"),
        ("egress.allow", "fd00::1/15", "is shorter than /16, and would open too much"),
        ("egress.allow", "::/0", "is shorter than /16, and would open too much"),
        ("egress.allow", "2000::/15", "is shorter than /16, and would open too much"),
        ("egress.allow", "10.1.0.0/16:587", "is not a network in CIDR notation, such as 10.1.2.0/24"),
        ("egress.allow", "10.1.0.0/33", "is not a network in CIDR notation, such as 10.1.2.0/24"),
        ("egress.allow", "relay.example.com", "is not a network in CIDR notation, such as 10.1.2.0/24"),
        ("egress.allow", "", "is not a network in CIDR notation, such as 10.1.2.0/24"),
        ("egress.allow", "10.1.2.3", "has no prefix length; write 10.1.2.3/32 for this address alone"),
        ("egress.allow", "10.1.2.3/16", "has bits set behind its prefix; write 10.1.0.0/16"),
        ("egress.allow", "169.254.169.254/32", "holds only addresses that are never opened"),
        ("egress.allow", "239.0.0.0/8", "holds only addresses that are never opened"),
        ("egress.allow", "ff00::/16", "holds only addresses that are never opened"),
        (
            "egress.allow",
            "64:ff9b::/96",
            "is for NAT64; use egress.nat64_prefixes, and allow the IPv4 addresses",
        ),
        ("egress.allow", "64::/16", "is for NAT64; use egress.nat64_prefixes, and allow the IPv4 addresses"),
        ("egress.allow", "::ffff:10.0.0.0/104", "holds IPv4 addresses in IPv6 form; write them as IPv4"),
        ("egress.deny", "::ffff:10.0.0.0/104", "holds IPv4 addresses in IPv6 form; write them as IPv4"),
        ("egress.deny", "all", "is not a network in CIDR notation, such as 10.1.2.0/24"),
        ("egress.allow_hosts", "10.0.0.1", "is an address; use egress.allow"),
        ("egress.allow_hosts", "*.example.com", "contains `*`, which no host name may hold"),
        ("egress.allow_hosts", "mail:25", "contains a port; put the port into its own field"),
        ("egress.nat64_prefixes", "10.0.0.0/8", "is IPv4; a NAT64 prefix is IPv6, such as 64:ff9b::/96"),
        (
            "egress.nat64_prefixes",
            "64:ff9b::/95",
            "has a length that RFC 6052 does not know; it is one of 32, 40, 48, 56, 64, 96",
        ),
        (
            "egress.nat64_prefixes",
            "2a00::100:0:0:0/96",
            "has bits set between 64 and 71, which RFC 6052 reserves",
        ),
        ("egress.nat64_prefixes", "x", "is not a network in CIDR notation, such as 10.1.2.0/24"),
        ("egress.ports", "", "is empty, so nothing could be reached; [0] allows all"),
    ];
    for (key, entry, reason) in cases {
        let settings = settings(|egress| match key {
            "egress.allow" => egress.allow = texts(&["10.0.0.0/8", entry]),
            "egress.deny" => egress.deny = texts(&[entry]),
            "egress.allow_hosts" => egress.allow_hosts = texts(&[entry]),
            "egress.nat64_prefixes" => egress.nat64_prefixes = texts(&[entry]),
            _ => egress.ports = Vec::new(),
        });
        let error = Policy::new(&settings).expect_err("cannot stand").to_string();
        let start = if key == "egress.ports" { format!("{key}: ") } else { format!("{key}: {entry} ") };
        assert_eq!(error, format!("{start}{reason}"));
    }
    policy(|egress| egress.deny = texts(&["0.0.0.0/0", "::/0"]));
}
