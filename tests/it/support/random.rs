//! Random numbers from a seed, so that a failure can be seen again.

/// `SplitMix64`.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    /// From `TEST_SEED`, or another one each time. Says which: a failing test shows it.
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, and a seed from the clock")]
    pub fn announced() -> Self {
        let given = std::env::var("TEST_SEED").ok();
        let from_the_clock = || {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            u64::from(now.expect("after 1970").subsec_nanos())
        };
        let seed = given.map_or_else(from_the_clock, |text| text.parse().expect("TEST_SEED is a number"));
        super::figures::tell(&format!("seed {seed}: run it again with TEST_SEED={seed}"));
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of so many numbers, from 0 on.
    pub fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).expect("below a usize")
    }

    pub fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A generator of its own, so that two tasks do not depend on each other's order.
    pub fn split(&mut self) -> Self {
        Self(self.next())
    }
}
