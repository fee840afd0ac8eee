//! Counts events by remote address in bounded memory. Where the table of addresses is full, wider networks are counted
//! instead, so that a client with many addresses shares its count only with its neighbours.

use std::net::IpAddr;

use super::windows::{Exceeded, WindowKind, Windows};
use crate::clock::Timestamp;

/// The widths by which an IPv6 and an IPv4 address are counted. A client may use every address of its /64.
const WIDTHS: [(u32, u32); 4] = [(64, 32), (56, 24), (48, 16), (32, 8)];

/// Counts by address. To affect other networks, a client would have to send from hundreds of thousands of networks of
/// every width.
#[derive(Default)]
pub struct Addresses {
    tables: [Windows; WIDTHS.len()],
}

impl Addresses {
    /// Counts one event and says whether it may happen.
    pub fn count(&self, kind: WindowKind, remote: IpAddr, now: Timestamp) -> Result<(), Exceeded> {
        self.count_by_widths(0, kind, remote, now)
    }

    /// The same for an address that another table has no room for: by the wider networks alone.
    pub fn count_by_wider_networks(
        &self,
        kind: WindowKind,
        remote: IpAddr,
        now: Timestamp,
    ) -> Result<(), Exceeded> {
        self.count_by_widths(1, kind, remote, now)
    }

    fn count_by_widths(
        &self,
        first: usize,
        kind: WindowKind,
        remote: IpAddr,
        now: Timestamp,
    ) -> Result<(), Exceeded> {
        let networks = WIDTHS.map(|widths| network(remote, widths));
        for (table, network) in self.tables.iter().zip(networks).skip(first) {
            if let Some(counted) = table.count_where_room(kind, &network, now) {
                return counted;
            }
        }
        let [.., widest] = &self.tables;
        let [.., network] = networks;
        widest.count(kind, &network, now)
    }
}

/// What an address is counted by: the address, or an IPv6 address's /64.
pub fn network_of(remote: IpAddr) -> u128 {
    network(remote, WIDTHS[0])
}

fn network(remote: IpAddr, (width_of_v6, width_of_v4): (u32, u32)) -> u128 {
    match remote.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits() & (u32::MAX << (32 - width_of_v4))),
        IpAddr::V6(address) => address.to_bits() & (u128::MAX << (128 - width_of_v6)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounded::MAX_KEYS;
    use super::*;

    const KIND: WindowKind = WindowKind { number: 2, length: 60_000, max: 3 };
    const NOW: Timestamp = Timestamp(0);

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn passing(addresses: &Addresses, texts: &[&str]) -> usize {
        texts.iter().filter(|text| addresses.count(KIND, address(text), NOW).is_ok()).count()
    }

    /// Security case M8.
    #[test]
    fn a_full_table_counts_by_wider_networks_and_others_do_not_pay() {
        let addresses = Addresses::default();
        // One attacker's /40: every /64 of some of its /48.
        for number in 0..u128::try_from(MAX_KEYS).expect("a small number") {
            let bits = (0x2001_0db8_0100_u128 << 80) | (number << 64);
            assert_eq!(addresses.count(KIND, IpAddr::V6(bits.into()), NOW), Ok(()));
        }
        let same_56 =
            ["2001:db8:f00:100::1", "2001:db8:f00:101::1", "2001:db8:f00:1ff::1", "2001:db8:f00:102::1"];
        assert_eq!(passing(&addresses, &same_56), 3, "neighbours within a /56 share a count");
        assert_eq!(passing(&addresses, &["2001:db8:f00:200::1"; 5]), 3, "the next /56 has its own");
        let same_24 = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "198.51.100.1"];
        assert_eq!(passing(&addresses, &same_24), 4, "another /24 has its own");
        assert_eq!(passing(&addresses, &["2001:db8:100::1"; 5]), 2, "who was known before is counted alone");
    }

    #[test]
    fn an_address_is_counted_by_what_its_client_may_use() {
        assert_eq!(network_of(address("2001:db8::1")), network_of(address("2001:db8::ffff")));
        assert_ne!(network_of(address("2001:db8::1")), network_of(address("2001:db8:0:1::1")));
        assert_ne!(network_of(address("192.0.2.1")), network_of(address("192.0.2.2")));
        assert_eq!(network_of(address("192.0.2.1")), network_of(address("::ffff:192.0.2.1")));
    }
}
