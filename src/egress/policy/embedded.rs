//! Finds IPv4 addresses inside IPv6 addresses: what a translator or a tunnel would connect to.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;

/// The lengths that a NAT64 prefix may have (RFC 6052 section 2.2).
pub(super) const NAT64_LENGTHS: [u8; 6] = [32, 40, 48, 56, 64, 96];

/// The IPv4 address that a NAT64 of this prefix connects to (RFC 6052 section 2.2).
pub(super) fn nat64_target(prefix: &Ipv6Net, address: Ipv6Addr) -> Option<Ipv4Addr> {
    if !prefix.contains(&address) {
        return None;
    }
    let octets = address.octets();
    // Octet 8 is reserved, and the address continues after it.
    let mut behind_prefix = (usize::from(prefix.prefix_len() / 8)..16).filter(|index| *index != 8);
    let mut next = || behind_prefix.next().map(|index| octets[index]);
    Some(Ipv4Addr::new(next()?, next()?, next()?, next()?))
}

/// The IPv4 address in a 6to4, Teredo, ISATAP, IPv4-compatible or IPv4-translated address.
pub(super) fn tunnel_target(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = address.octets();
    let last = Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]);
    match address.segments() {
        // RFC 3056 section 2.
        [0x2002, ..] => Some(Ipv4Addr::new(octets[2], octets[3], octets[4], octets[5])),
        // RFC 4380 section 4: the client's address with all bits turned over.
        [0x2001, 0, ..] => Some(Ipv4Addr::from_bits(!last.to_bits())),
        // RFC 4291 section 2.5.5.1, apart from `::` and `::1`, and RFC 2765 section 2.1.
        [0, 0, 0, 0, 0, 0, 1..=0xffff, _] | [0, 0, 0, 0, 0xffff, 0, _, _] => Some(last),
        // RFC 5214 section 6.1, whatever the bits for universal and group say.
        [_, _, _, _, identifier, 0x5efe, _, _] if identifier & !0x0300 == 0 => Some(last),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_length_of_rfc_6052_is_decoded() {
        // The examples of section 2.4.
        let cases = [
            ("2001:db8::/32", "2001:db8:c000:221::"),
            ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
            ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
            ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
            ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
            ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
            ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
        ];
        for (prefix, address) in cases {
            let prefix: Ipv6Net = prefix.parse().unwrap();
            let found = nat64_target(&prefix, address.parse().unwrap());
            assert_eq!(found, Some(Ipv4Addr::new(192, 0, 2, 33)), "{prefix}");
            assert_eq!(nat64_target(&prefix, "2001:db9::1".parse().unwrap()), None);
            assert!(NAT64_LENGTHS.contains(&prefix.prefix_len()));
        }
    }

    #[test]
    fn addresses_behind_tunnels_are_found() {
        let cases = [
            ("2002:a00:1::", Some("10.0.0.1")),
            ("2001:0:1234::f5ff:fffe", Some("10.0.0.1")),
            ("::10.0.0.1", Some("10.0.0.1")),
            ("::ffff:0:10.0.0.1", Some("10.0.0.1")),
            ("2606:4700::5efe:10.0.0.1", Some("10.0.0.1")),
            ("2606:4700::200:5efe:10.0.0.1", Some("10.0.0.1")),
            ("2606:4700::300:5efe:10.0.0.1", Some("10.0.0.1")),
            ("2606:4700::400:5efe:10.0.0.1", None),
            ("2606:4700::5eff:10.0.0.1", None),
            ("::", None),
            ("::1", None),
            ("2606:4700::1", None),
        ];
        for (address, expected) in cases {
            let found = tunnel_target(address.parse().unwrap());
            assert_eq!(found, expected.map(|text| text.parse().unwrap()), "{address}");
        }
    }
}
