//! What the long-running tests are told, and what they tell: small numbers in CI, full ones in `scripts/soak`.

/// A number of rounds: the variable, or what CI runs.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests")]
pub fn rounds(variable: &str, in_ci: usize) -> usize {
    std::env::var(variable)
        .map_or(in_ci, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

/// Tells a figure; `scripts/soak` shows it, and so does a test that fails.
#[expect(clippy::print_stdout, reason = "how a figure reaches the one who runs the test")]
pub fn tell(text: &str) {
    println!("{text}");
}

/// Tells how far a long run is, on standard error: every so many rounds.
#[expect(clippy::print_stderr, reason = "progress goes to standard error")]
pub fn progress(what: &str, done: usize, of: usize) {
    if done > 0 && done.is_multiple_of(100) {
        eprintln!("{what}: {done} of {of}");
    }
}
