//! Fuzz targets: host names as they are typed, and addresses as they are resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;

use super::policy::oracle::{in_v6_table, is_isatap, low_32_bits, refused_v4, refused_v6};
use super::{Host, Policy};
use crate::config::{Config, Egress};
use crate::fuzz_targets::Input;
use crate::mail::address::EmailAddress;
use crate::mail::domain_name;

/// A host as a tenant types it: one normal form; a name is never a number that a resolver takes for an address; an
/// address is judged as the table says.
pub fn host(data: &[u8]) {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    let policy = POLICY.get_or_init(|| Policy::new(&Config::default().egress).expect("good settings"));
    let text = String::from_utf8_lossy(data);
    if let Ok(address) = EmailAddress::parse(&text) {
        assert_eq!(EmailAddress::parse(address.as_str()).as_ref(), Ok(&address), "{text:?}");
        assert!(!address.as_str().chars().any(|c| c.is_control() || c.is_whitespace() || "<>".contains(c)));
        assert!(address.as_str().len() <= 254 && is_name(address.domain()), "{text:?}");
    }
    let Ok(host) = Host::parse(&text) else { return };
    let normal = host.to_string();
    assert_eq!(Host::parse(&normal).as_ref(), Ok(&host), "{text:?}");
    let written = policy.check_destination(Some(&host), None).is_ok();
    match &host {
        Host::Name(name) => {
            assert_eq!(domain_name::normalise(name).as_deref(), Ok(name.as_str()), "{text:?}");
            assert!(is_name(name) && name.parse::<IpAddr>().is_err(), "{text:?}");
            assert!(!is_number(name), "{text:?} resolves as a number");
            assert_eq!(written, !is_local(name), "{text:?}");
        }
        Host::Address(address) => {
            let refused = match address {
                IpAddr::V4(v4) => refused_v4(v4.to_bits()),
                IpAddr::V6(v6) => {
                    assert_eq!(v6.to_ipv4_mapped(), None, "a mapped address is its IPv4 address");
                    refused_v6(v6.to_bits())
                }
            };
            assert_eq!(written, !refused, "{text:?}");
        }
    }
}

/// Letters, digits and hyphens in labels, as RFC 1123 and RFC 1035 have it.
fn is_name(name: &str) -> bool {
    let ldh = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=253).contains(&name.len())
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(ldh)
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// What `inet_aton` takes, and with it getaddrinfo: one to four numbers, each decimal, octal or hexadecimal.
fn is_number(name: &str) -> bool {
    let number = |part: &str| {
        let digits = |digits: &str, radix: u32| digits.chars().all(|c| c.is_digit(radix));
        match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
            Some(hexadecimal) => digits(hexadecimal, 16),
            None => !part.is_empty() && digits(part, 10),
        }
    };
    name.split('.').count() <= 4 && name.split('.').all(number)
}

fn is_local(name: &str) -> bool {
    let last: Vec<&str> = name.rsplit('.').take(2).collect();
    last.len() == 1
        || ["localhost", "local", "internal", "svc"].contains(&last[0])
        || last == ["arpa", "home"]
        || last == ["local", "cluster"]
}

/// What an operator may write into the settings of a range, with the same range as first and last address.
struct Range {
    text: &'static str,
    first: u128,
    last: u128,
}

const fn v4(text: &'static str, first: u32, last: u32) -> Range {
    Range { text, first: 0xffff_0000_0000 | first as u128, last: 0xffff_0000_0000 | last as u128 }
}

const RANGES: &[Range] = &[
    v4("10.0.0.0/8", 0x0a00_0000, 0x0aff_ffff),
    v4("10.1.2.0/24", 0x0a01_0200, 0x0a01_02ff),
    v4("127.0.0.0/8", 0x7f00_0000, 0x7fff_ffff),
    v4("169.254.0.0/16", 0xa9fe_0000, 0xa9fe_ffff),
    v4("192.0.0.0/24", 0xc000_0000, 0xc000_00ff),
    v4("8.8.8.0/24", 0x0808_0800, 0x0808_08ff),
    v4("100.64.0.0/10", 0x6440_0000, 0x647f_ffff),
    Range { text: "::1/128", first: 1, last: 1 },
    Range { text: "fd00::/16", first: 0xfd00 << 112, last: (0xfd01 << 112) - 1 },
    Range { text: "2001:db8::/32", first: 0x2001_0db8 << 96, last: (0x2001_0db9 << 96) - 1 },
    Range { text: "2606:4700::/32", first: 0x2606_4700 << 96, last: (0x2606_4701 << 96) - 1 },
    Range { text: "2002::/16", first: 0x2002 << 112, last: (0x2003 << 112) - 1 },
];

/// Prefixes of RFC 6052 with their values, one of each length.
const PREFIXES: &[(&str, u128, u32)] = &[
    ("64:ff9b::/96", 0x0064_ff9b << 96, 96),
    ("2001:db8::/32", 0x2001_0db8 << 96, 32),
    ("2a00:1:100::/40", 0x002a_0000_0101 << 88, 40),
    ("2a00:1:122::/48", 0x2a00_0001_0122 << 80, 48),
    ("2a00:1:122:300::/56", 0x002a_0000_0101_2203 << 72, 56),
    ("2a00:1:122:344::/64", 0x2a00_0001_0122_0344 << 64, 64),
];

/// What no setting opens: metadata services and the like, as first and last addresses.
const NEVER: &[(u128, u128)] = &[
    (0, 0),
    (0xffff_0000_0000, 0xffff_00ff_ffff),
    (0xffff_e000_0000, 0xffff_efff_ffff),
    (0xffff_a9fe_a9fe, 0xffff_a9fe_a9fe),
    (0xffff_a9fe_aa02, 0xffff_a9fe_aa02),
    (0xffff_a9fe_aa17, 0xffff_a9fe_aa17),
    (0xffff_a9fe_0017, 0xffff_a9fe_0017),
    (0xffff_6464_64c8, 0xffff_6464_64c8),
    (0xffff_c000_00c0, 0xffff_c000_00c0),
    (0xffff_a83f_8110, 0xffff_a83f_8110),
    (0xff00 << 112, u128::MAX),
    ((0xfd00_0ec2 << 96) | 0x254, (0xfd00_0ec2 << 96) | 0x254),
    ((0xfd00_0ec2 << 96) | 0x23, (0xfd00_0ec2 << 96) | 0x23),
    ((0xfd20_00ce << 96) | 0x254, (0xfd20_00ce << 96) | 0x254),
];

/// An address under an operator's settings: the verdict is that of the rules, written down a second time.
pub fn address(data: &[u8]) {
    static DEFAULTS: OnceLock<Egress> = OnceLock::new();
    let mut input = Input::new(data);
    let (allow, deny) = (input.choose(&OPTIONS), input.choose(&OPTIONS));
    let prefix = input.byte().checked_sub(1).map(|index| PREFIXES[usize::from(index) % PREFIXES.len()]);
    let form = input.byte() % 8;
    let bits = u128::from_be_bytes(input.array());
    let v4 = Ipv4Addr::from_bits(low_32_bits(bits));
    // Most of 128 bits is far from every rule: some addresses are made of others.
    let address = match form {
        0 => IpAddr::V4(v4),
        1 => v4.to_ipv6_mapped().into(),
        2 => Ipv6Addr::from_bits((bits & !(0xffff_ffff << 32)) | (0x5efe << 32)).into(),
        3 => Ipv6Addr::from_bits((0x2002 << 112) | (bits >> 16)).into(),
        4 => Ipv6Addr::from_bits(prefix.map_or(bits, |(_, value, length)| value | (bits >> length))).into(),
        5 => Ipv6Addr::from_bits(bits >> 96 << 96 | (bits & 0xfff)).into(),
        6 => Ipv6Addr::from_bits(bits & 0xffff_ffff_ffff).into(),
        _ => Ipv6Addr::from_bits(bits).into(),
    };
    let mut settings = DEFAULTS.get_or_init(|| Config::default().egress).clone();
    let texts = |ranges: [Option<usize>; 2]| -> Vec<String> {
        ranges.into_iter().flatten().map(|index| RANGES[index].text.to_owned()).collect()
    };
    (settings.allow, settings.deny) = (texts(allow), texts(deny));
    settings.nat64_prefixes = prefix.into_iter().map(|(text, _, _)| text.to_owned()).collect();
    let policy = Policy::new(&settings).expect("good settings");
    let opened = policy.check_address(SocketAddr::new(address, 587)).is_ok();
    let expected = expected(address, allow, deny, prefix);
    assert_eq!(opened, expected, "{address} allow {allow:?} deny {deny:?} prefix {prefix:?}");
    if policy.is_opened_by_operator(address) {
        assert!(opened, "{address}");
    }
}

/// No range, one, or two.
const OPTIONS: [[Option<usize>; 2]; 27] = {
    let mut options = [[None; 2]; 27];
    let mut index = 0;
    while index < RANGES.len() {
        options[1 + index] = [Some(index), None];
        options[13 + index] = [Some(index), Some((index + 5) % RANGES.len())];
        index += 1;
    }
    options[26] = [Some(0), Some(8)];
    options
};

fn expected(
    address: IpAddr,
    allow: [Option<usize>; 2],
    deny: [Option<usize>; 2],
    prefix: Option<(&str, u128, u32)>,
) -> bool {
    // All in one space: an IPv4 address is its mapped form.
    let address = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let inside = |ranges: [Option<usize>; 2], address: u128| {
        ranges
            .into_iter()
            .flatten()
            .any(|index| (RANGES[index].first..=RANGES[index].last).contains(&address))
    };
    let is_v4 = |address: u128| address >> 32 == 0xffff;
    let target = match prefix {
        Some((_, value, length)) if !is_v4(address) && (address ^ value) >> (128 - length) == 0 => {
            // Without octet 8, which is reserved, the IPv4 address stands behind the prefix in one piece.
            let without = (address >> 64 << 56) | (address & ((1 << 56) - 1));
            let before = if length > 64 { length - 8 } else { length };
            to_mapped(low_32_bits(without >> (120 - before - 32)))
        }
        _ => address,
    };
    let tunnelled = (!is_v4(target)).then(|| inner(target)).flatten().map(to_mapped);
    let all: Vec<u128> = [Some(address), Some(target), tunnelled].into_iter().flatten().collect();
    let never = |address: &u128| NEVER.iter().any(|(first, last)| (*first..=*last).contains(address));
    if all.iter().any(never) || all.iter().any(|address| inside(deny, *address)) {
        return false;
    }
    if inside(allow, target) {
        return true;
    }
    let refused = |address: u128| {
        if is_v4(address) { refused_v4(low_32_bits(address)) } else { in_v6_table(address) }
    };
    !refused(target) && tunnelled.is_none_or(|inner| inside(allow, inner) || !refused(inner))
}

fn to_mapped(v4: u32) -> u128 {
    (0xffff << 32) | u128::from(v4)
}

/// The IPv4 address in a 6to4, Teredo, IPv4-compatible, IPv4-translated or ISATAP address.
fn inner(address: u128) -> Option<u32> {
    if address >> 112 == 0x2002 {
        return Some(low_32_bits(address >> 80));
    }
    if address >> 96 == 0x2001_0000 {
        return Some(!low_32_bits(address));
    }
    let compatible = address >> 32 == 0 && address > 0xffff;
    let translated = address >> 32 == 0xffff_0000;
    (compatible || translated || is_isatap(address)).then_some(low_32_bits(address))
}
