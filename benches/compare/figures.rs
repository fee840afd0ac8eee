//! Numbers of several rounds, and how they are shown.

use std::fmt::{self, Display};

/// The median of the rounds, and the lowest and the highest of them.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
}

impl Spread {
    /// Of at least one value.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self { median: sorted[sorted.len() / 2], lowest: sorted[0], highest: sorted[sorted.len() - 1] }
    }
}

impl Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Three digits that count, whatever the unit.
        let digits = match self.median.abs() {
            value if value >= 100.0 => 0,
            value if value >= 10.0 => 1,
            _ => 2,
        };
        let [median, lowest, highest] =
            [self.median, self.lowest, self.highest].map(|value| format!("{value:.digits$}"));
        write!(formatter, "{median} ({lowest} to {highest})")
    }
}

/// Durations of single operations, in microseconds.
pub struct Latencies(Vec<u32>);

impl Latencies {
    pub fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        Self(micros)
    }

    pub fn count(&self) -> u32 {
        u32::try_from(self.0.len()).expect("less than four thousand million")
    }

    /// At so many hundredths, in milliseconds.
    pub fn at(&self, hundredth: usize) -> f64 {
        f64::from(self.0[(self.0.len() - 1) * hundredth / 100]) / 1000.0
    }
}
