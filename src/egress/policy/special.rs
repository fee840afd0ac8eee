//! The special-purpose address ranges, with their sources.
//!
//! The IANA registries (<https://www.iana.org/assignments/iana-ipv4-special-registry>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>), and what cloud providers put beside them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// One range.
pub(super) struct Range {
    pub network: IpNet,
    /// For the operator's log.
    pub class: &'static str,
    /// Where it is written down.
    #[cfg_attr(not(test), expect(dead_code, reason = "shown in docs/egress.md, which a test writes"))]
    pub source: &'static str,
}

/// Refused whatever the settings say.
pub(super) const NEVER_OPENED: &[Range] = &[
    v4([0, 0, 0, 0], 8, "this network", "RFC 791"),
    v4([224, 0, 0, 0], 4, "multicast", "RFC 5771"),
    v4([169, 254, 169, 254], 32, "metadata service", "AWS, Azure, Google Cloud and others"),
    v4([169, 254, 170, 2], 32, "metadata service", "AWS: ECS task credentials"),
    v4([169, 254, 170, 23], 32, "metadata service", "AWS: EKS pod identity"),
    v4([169, 254, 0, 23], 32, "metadata service", "Tencent Cloud"),
    v4([100, 100, 100, 200], 32, "metadata service", "Alibaba Cloud"),
    v4([192, 0, 0, 192], 32, "metadata service", "Oracle Cloud"),
    v4([168, 63, 129, 16], 32, "platform service", "Azure: wire server"),
    v6(&[], 128, "unspecified", "RFC 4291 section 2.5.2"),
    v6(&[0xff00], 8, "multicast", "RFC 4291 section 2.7"),
    v6(&[0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128, "metadata service", "AWS"),
    v6(&[0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], 128, "metadata service", "AWS: EKS pod identity"),
    v6(&[0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128, "metadata service", "Google Cloud"),
];

/// Refused unless `egress.allow` opens them. The first range that holds an address names its class.
pub(super) const REFUSED: &[Range] = &[
    v4([0, 0, 0, 0], 8, "this network", "RFC 791"),
    v4([10, 0, 0, 0], 8, "private", "RFC 1918"),
    v4([34, 118, 224, 0], 20, "platform service", "Google Cloud: services of GKE"),
    v4([100, 64, 0, 0], 10, "shared address space", "RFC 6598"),
    v4([127, 0, 0, 0], 8, "loopback", "RFC 1122 section 3.2.1.3"),
    v4([168, 63, 129, 16], 32, "platform service", "Azure: wire server"),
    v4([169, 254, 0, 0], 16, "link-local", "RFC 3927"),
    v4([172, 16, 0, 0], 12, "private", "RFC 1918"),
    v4([192, 0, 0, 0], 24, "protocol assignments", "RFC 6890"),
    v4([192, 0, 2, 0], 24, "documentation", "RFC 5737"),
    v4([192, 31, 196, 0], 24, "AS112", "RFC 7535"),
    v4([192, 52, 193, 0], 24, "multicast tunnelling", "RFC 7450"),
    v4([192, 88, 99, 0], 24, "6to4 relay", "RFC 7526"),
    v4([192, 168, 0, 0], 16, "private", "RFC 1918"),
    v4([192, 175, 48, 0], 24, "AS112", "RFC 7534"),
    v4([198, 18, 0, 0], 15, "benchmarking", "RFC 2544"),
    v4([198, 51, 100, 0], 24, "documentation", "RFC 5737"),
    v4([203, 0, 113, 0], 24, "documentation", "RFC 5737"),
    v4([224, 0, 0, 0], 4, "multicast", "RFC 5771"),
    v4([240, 0, 0, 0], 4, "reserved", "RFC 1112 section 4"),
    v6(&[], 128, "unspecified", "RFC 4291 section 2.5.2"),
    v6(&[0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback", "RFC 4291 section 2.5.3"),
    v6(&[0x64, 0xff9b], 96, "NAT64", "RFC 6052 section 2.1"),
    v6(&[0x64, 0xff9b, 1], 48, "NAT64", "RFC 8215"),
    v6(&[0xfc00], 7, "private", "RFC 4193: unique local"),
    v6(&[0xfe80], 10, "link-local", "RFC 4291 section 2.5.6"),
    v6(&[0xff00], 8, "multicast", "RFC 4291 section 2.7"),
    v6(&[0x2001], 23, "protocol assignments", "RFC 2928; with Teredo, RFC 4380"),
    v6(&[0x2001, 0xdb8], 32, "documentation", "RFC 3849"),
    v6(&[0x2002], 16, "6to4", "RFC 3056"),
    v6(&[0x2620, 0x4f, 0x8000], 48, "AS112", "RFC 7534"),
    v6(&[0x3fff], 20, "documentation", "RFC 9637"),
];

/// All of IPv6 that is handed out for use (IANA, "Internet Protocol Version 6 Address Space").
const GLOBAL_UNICAST: Range = v6(&[0x2000], 3, "global unicast", "RFC 4291 section 2.4");

/// The class of an address that no setting opens.
pub(super) fn never_opened(address: IpAddr) -> Option<&'static str> {
    class_of(NEVER_OPENED, address)
}

/// The class of a special-purpose address.
pub(super) fn refused(address: IpAddr) -> Option<&'static str> {
    class_of(REFUSED, address).or_else(|| {
        (address.is_ipv6() && !GLOBAL_UNICAST.network.contains(&address)).then_some("not global unicast")
    })
}

fn class_of(ranges: &[Range], address: IpAddr) -> Option<&'static str> {
    ranges.iter().find(|range| range.network.contains(&address)).map(|range| range.class)
}

const fn v4(octets: [u8; 4], length: u8, class: &'static str, source: &'static str) -> Range {
    let [a, b, c, d] = octets;
    let network = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length));
    Range { network, class, source }
}

/// `segments` are the first ones; the rest is zero.
const fn v6(segments: &[u16], length: u8, class: &'static str, source: &'static str) -> Range {
    let mut bits = 0;
    let mut index = 0;
    while index < segments.len() {
        bits |= (segments[index] as u128) << (112 - 16 * index);
        index += 1;
    }
    let network = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), length));
    Range { network, class, source }
}
