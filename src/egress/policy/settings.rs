//! Parses the `egress` settings, and refuses entries that would open too much, or nothing at all.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use super::embedded::NAT64_LENGTHS;
use super::special::NEVER_OPENED;
use super::{Host, PolicyError};

/// The widest ranges that one entry of `egress.allow` opens.
const SHORTEST_ALLOWED_V4: u8 = 8;
const SHORTEST_ALLOWED_V6: u8 = 16;

/// The prefixes of RFC 6052 section 2.1 and RFC 8215.
const WELL_KNOWN_NAT64: [Ipv6Net; 2] = [
    Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
    Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
];

pub(super) fn allow(entries: &[String]) -> Result<Vec<IpNet>, PolicyError> {
    parse_entries("egress.allow", entries, |entry| {
        check_length(entry)?;
        let network = parse_network(entry)?;
        if NEVER_OPENED.iter().any(|range| range.network.contains(&network)) {
            return Err("holds only addresses that are never opened".to_owned());
        }
        if let IpNet::V6(network) = network
            && WELL_KNOWN_NAT64.iter().any(|prefix| prefix.contains(&network) || network.contains(prefix))
        {
            return Err("is for NAT64; use egress.nat64_prefixes, and allow the IPv4 addresses".to_owned());
        }
        Ok(network)
    })
}

/// Comes before the advice on bits behind the prefix, which would lead to a range that is too wide all the same.
fn check_length(entry: &str) -> Result<(), String> {
    let Ok(network) = entry.parse::<IpNet>() else { return Ok(()) };
    let shortest = if network.addr().is_ipv4() { SHORTEST_ALLOWED_V4 } else { SHORTEST_ALLOWED_V6 };
    if network.prefix_len() < shortest {
        return Err(format!("is shorter than /{shortest}, and would open too much"));
    }
    Ok(())
}

pub(super) fn deny(entries: &[String]) -> Result<Vec<IpNet>, PolicyError> {
    parse_entries("egress.deny", entries, parse_network)
}

pub(super) fn allow_hosts(entries: &[String]) -> Result<HashSet<String>, PolicyError> {
    let names = parse_entries("egress.allow_hosts", entries, |entry| match Host::parse(entry) {
        Ok(Host::Name(name)) => Ok(name),
        Ok(Host::Address(_)) => Err("is an address; use egress.allow".to_owned()),
        Err(error) => Err(error.to_string()),
    })?;
    Ok(names.into_iter().collect())
}

pub(super) fn ports(ports: &[u16]) -> Result<Vec<u16>, PolicyError> {
    if ports.is_empty() {
        let reason = "is empty, so nothing could be reached; [0] allows all".to_owned();
        return Err(PolicyError { key: "egress.ports", reason });
    }
    Ok(ports.to_vec())
}

/// The longest first, so that the first one that holds an address is the one that translates it.
pub(super) fn nat64_prefixes(entries: &[String]) -> Result<Vec<Ipv6Net>, PolicyError> {
    let mut prefixes =
        parse_entries("egress.nat64_prefixes", entries, |entry| match parse_network(entry)? {
            IpNet::V4(_) => Err("is IPv4; a NAT64 prefix is IPv6, such as 64:ff9b::/96".to_owned()),
            IpNet::V6(prefix) if !NAT64_LENGTHS.contains(&prefix.prefix_len()) => {
                Err("has a length that RFC 6052 does not know; it is one of 32, 40, 48, 56, 64, 96"
                    .to_owned())
            }
            IpNet::V6(prefix) if prefix.addr().octets()[8] != 0 => {
                Err("has bits set between 64 and 71, which RFC 6052 reserves".to_owned())
            }
            IpNet::V6(prefix) => Ok(prefix),
        })?;
    prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.prefix_len()));
    Ok(prefixes)
}

fn parse_entries<T>(
    key: &'static str,
    entries: &[String],
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, PolicyError> {
    let read = |entry: &String| {
        read(entry).map_err(|reason| PolicyError { key, reason: format!("{entry} {reason}") })
    };
    entries.iter().map(read).collect()
}

fn parse_network(entry: &str) -> Result<IpNet, String> {
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Err(format!("has no prefix length; write {} for this address alone", IpNet::from(address)));
    }
    let network: IpNet =
        entry.parse().map_err(|_| "is not a network in CIDR notation, such as 10.1.2.0/24".to_owned())?;
    if network != network.trunc() {
        return Err(format!("has bits set behind its prefix; write {}", network.trunc()));
    }
    // Addresses are judged in canonical form, so that this would match nothing.
    let mapped = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
    match network {
        IpNet::V6(network) if mapped.contains(&network) => {
            Err("holds IPv4 addresses in IPv6 form; write them as IPv4".to_owned())
        }
        network => Ok(network),
    }
}
