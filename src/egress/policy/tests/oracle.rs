//! The table of refused addresses written down a second time, as first and last addresses in hexadecimal.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const V4: &[(u32, u32)] = &[
    (0x0000_0000, 0x00ff_ffff),
    (0x0a00_0000, 0x0aff_ffff),
    (0x2276_e000, 0x2276_efff),
    (0x6440_0000, 0x647f_ffff),
    (0x7f00_0000, 0x7fff_ffff),
    (0xa83f_8110, 0xa83f_8110),
    (0xa9fe_0000, 0xa9fe_ffff),
    (0xac10_0000, 0xac1f_ffff),
    (0xc000_0000, 0xc000_00ff),
    (0xc000_0200, 0xc000_02ff),
    (0xc01f_c400, 0xc01f_c4ff),
    (0xc034_c100, 0xc034_c1ff),
    (0xc058_6300, 0xc058_63ff),
    (0xc0a8_0000, 0xc0a8_ffff),
    (0xc0af_3000, 0xc0af_30ff),
    (0xc612_0000, 0xc613_ffff),
    (0xc633_6400, 0xc633_64ff),
    (0xcb00_7100, 0xcb00_71ff),
    (0xe000_0000, 0xffff_ffff),
];

/// Without mapped addresses and ISATAP, which are computed.
const V6: &[(u128, u128)] = &[
    (0, 0x1fff_ffff_ffff_ffff_ffff_ffff_ffff_ffff),
    (0x2001_0000_0000_0000_0000_0000_0000_0000, 0x2001_01ff_ffff_ffff_ffff_ffff_ffff_ffff),
    (0x2001_0db8_0000_0000_0000_0000_0000_0000, 0x2001_0db8_ffff_ffff_ffff_ffff_ffff_ffff),
    (0x2002_0000_0000_0000_0000_0000_0000_0000, 0x2002_ffff_ffff_ffff_ffff_ffff_ffff_ffff),
    (0x2620_004f_8000_0000_0000_0000_0000_0000, 0x2620_004f_8000_ffff_ffff_ffff_ffff_ffff),
    (0x3fff_0000_0000_0000_0000_0000_0000_0000, 0x3fff_0fff_ffff_ffff_ffff_ffff_ffff_ffff),
    (0x4000_0000_0000_0000_0000_0000_0000_0000, u128::MAX),
];

fn refused_v4(address: u32) -> bool {
    V4.iter().any(|(first, last)| (*first..=*last).contains(&address))
}

fn refused_v6(address: u128) -> bool {
    let low = u32::try_from(address & 0xffff_ffff).unwrap();
    if address >> 32 == 0xffff {
        return refused_v4(low);
    }
    let identifier = (address >> 32) & 0xfcff_ffff;
    V6.iter().any(|(first, last)| (*first..=*last).contains(&address))
        || (identifier == 0x5efe && refused_v4(low))
}

fn agree(policy: &Policy, address: IpAddr) {
    let expected = match address {
        IpAddr::V4(v4) => refused_v4(v4.to_bits()),
        IpAddr::V6(v6) => refused_v6(v6.to_bits()),
    };
    let refused = policy.check_address(SocketAddr::new(address, 587)).is_err();
    assert_eq!(refused, expected, "{address}");
}

#[test]
fn a6_the_edges_of_every_range_get_the_right_verdict() {
    let policy = policy(|_| {});
    for (first, last) in V4 {
        for bits in [first.wrapping_sub(1), *first, *last, last.wrapping_add(1)] {
            let address = Ipv4Addr::from_bits(bits);
            agree(&policy, address.into());
            agree(&policy, address.to_ipv6_mapped().into());
            let isatap = (0x2606_4700_u128 << 96) | (0x5efe << 32) | u128::from(bits);
            agree(&policy, Ipv6Addr::from_bits(isatap).into());
        }
    }
    for (first, last) in V6 {
        for bits in [first.wrapping_sub(1), *first, *last, last.wrapping_add(1)] {
            agree(&policy, Ipv6Addr::from_bits(bits).into());
        }
    }
    for range in special::NEVER_OPENED.iter().chain(special::REFUSED) {
        for address in [range.network.network(), range.network.broadcast()] {
            agree(&policy, address);
        }
    }
}

#[test]
fn a6_a_million_addresses_get_the_right_verdict() {
    let policy = policy(|_| {});
    let mut random = SplitMix(0x5eed);
    for _ in 0..250_000 {
        let (a, b) = (random.next(), random.next());
        agree(&policy, Ipv4Addr::from_bits(low(a)).into());
        let v6 = (u128::from(a) << 64) | u128::from(b);
        agree(&policy, Ipv6Addr::from_bits(v6).into());
        // Most of the table lies in a few places: near to a range, mapped, and with an ISATAP identifier.
        let (first, _) = V6[usize::try_from(a % 7).unwrap()];
        agree(&policy, Ipv6Addr::from_bits(first ^ (v6 >> (b % 100))).into());
        let wrapped = if a & 1 == 0 { 0xffff << 32 } else { (0x2606 << 112) | (0x0200_5efe << 32) };
        agree(&policy, Ipv6Addr::from_bits(wrapped | u128::from(low(b))).into());
    }
}

fn low(bits: u64) -> u32 {
    u32::try_from(bits & 0xffff_ffff).unwrap()
}

/// Sebastiano Vigna's generator: the same numbers each time.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
