//! The policy against the second table, at its edges and at random.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::egress::policy::oracle::{V4, V6, refused_v4, refused_v6};

fn agree(policy: &Policy, address: IpAddr) {
    let expected = match address {
        IpAddr::V4(v4) => refused_v4(v4.to_bits()),
        IpAddr::V6(v6) => refused_v6(v6.to_bits()),
    };
    let refused = policy.check_address(SocketAddr::new(address, 587)).is_err();
    assert_eq!(refused, expected, "{address}");
}

/// Security case A6.
#[test]
fn the_edges_of_every_range_get_the_right_verdict() {
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

/// Security case A6.
#[test]
fn a_million_addresses_get_the_right_verdict() {
    let policy = policy(|_| {});
    let mut random = SplitMix(0x5eed);
    for _ in 0..250_000 {
        let (a, b) = (random.next(), random.next());
        agree(&policy, Ipv4Addr::from_bits(low_32_bits(a)).into());
        let v6 = (u128::from(a) << 64) | u128::from(b);
        agree(&policy, Ipv6Addr::from_bits(v6).into());
        // Most of the table lies in a few places: near to a range, mapped, and with an ISATAP identifier.
        let (first, _) = V6[usize::try_from(a % 7).unwrap()];
        agree(&policy, Ipv6Addr::from_bits(first ^ (v6 >> (b % 100))).into());
        let wrapped = if a & 1 == 0 { 0xffff << 32 } else { (0x2606 << 112) | (0x0200_5efe << 32) };
        agree(&policy, Ipv6Addr::from_bits(wrapped | u128::from(low_32_bits(b))).into());
    }
}

fn low_32_bits(bits: u64) -> u32 {
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
