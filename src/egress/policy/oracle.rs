//! The table of refused addresses written down a second time, as first and last addresses in hexadecimal: for tests
//! and for the fuzz target, which hold the policy against it.

pub(in crate::egress) const V4: &[(u32, u32)] = &[
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
pub(in crate::egress) const V6: &[(u128, u128)] = &[
    (0, 0x1fff_ffff_ffff_ffff_ffff_ffff_ffff_ffff),
    (0x2001_0000_0000_0000_0000_0000_0000_0000, 0x2001_01ff_ffff_ffff_ffff_ffff_ffff_ffff),
    (0x2001_0db8_0000_0000_0000_0000_0000_0000, 0x2001_0db8_ffff_ffff_ffff_ffff_ffff_ffff),
    (0x2002_0000_0000_0000_0000_0000_0000_0000, 0x2002_ffff_ffff_ffff_ffff_ffff_ffff_ffff),
    (0x2620_004f_8000_0000_0000_0000_0000_0000, 0x2620_004f_8000_ffff_ffff_ffff_ffff_ffff),
    (0x3fff_0000_0000_0000_0000_0000_0000_0000, 0x3fff_0fff_ffff_ffff_ffff_ffff_ffff_ffff),
    (0x4000_0000_0000_0000_0000_0000_0000_0000, u128::MAX),
];

pub(in crate::egress) fn refused_v4(address: u32) -> bool {
    V4.iter().any(|(first, last)| (*first..=*last).contains(&address))
}

pub(in crate::egress) fn refused_v6(address: u128) -> bool {
    let low = low_32_bits(address);
    if address >> 32 == 0xffff {
        return refused_v4(low);
    }
    in_v6_table(address) || (is_isatap(address) && refused_v4(low))
}

pub(in crate::egress) fn in_v6_table(address: u128) -> bool {
    V6.iter().any(|(first, last)| (*first..=*last).contains(&address))
}

pub(in crate::egress) fn is_isatap(address: u128) -> bool {
    (address >> 32) & 0xfcff_ffff == 0x5efe
}

/// The last four octets.
pub(in crate::egress) fn low_32_bits(address: u128) -> u32 {
    u32::try_from(address & 0xffff_ffff).expect("32 bits")
}
