//! What Linux tells of a process under `/proc`. Nothing where it has ended, or does not let us look.

/// `/proc` counts CPU time in these, on every Linux (`getconf CLK_TCK`).
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time of a process in user and system mode, in microseconds.
pub fn cpu_micros(id: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name of the command stands in parentheses and may hold anything; `utime` and `stime` are fields 14 and 15.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks * 1e6 / TICKS_PER_SECOND
}

/// CPU time of a process's children, in microseconds: of PostgreSQL's, which are its connections.
pub fn children_cpu_micros(parent: u32) -> f64 {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let children = children.unwrap_or_default();
    children.split_whitespace().filter_map(|id| id.parse().ok()).map(cpu_micros).sum()
}

/// The kinds of memory that are a process's own and shared with no other.
pub const PRIVATE: [&str; 2] = ["Private_Clean", "Private_Dirty"];

/// Memory of these kinds, by their names in `smaps_rollup`, in bytes. A process that keeps others from its memory is
/// told of to root alone.
pub fn memory_bytes(id: u32, kinds: &[&str]) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
    let line = |line: &str| {
        let (kind, rest) = line.split_once(':')?;
        kinds.contains(&kind).then(|| rest.trim().trim_end_matches(" kB").parse::<f64>().ok())?
    };
    text.lines().filter_map(line).sum::<f64>() * 1024.0
}
