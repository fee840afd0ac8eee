//! What the figures were measured on.

use std::process::Command;

use super::Extents;

/// A line of Markdown.
pub fn description(extents: &Extents) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("an unknown processor", |(_, name)| name.trim());
    let speed = cpu.lines().find_map(|line| line.strip_prefix("cpu MHz")?.split_once(':'));
    let speed = speed.map_or("?", |(_, speed)| speed.trim());
    let cores = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{} · {model} at {speed} MHz, cores {} · Linux {} · {} · Node {} · {} · {} tenants, {} rounds of {} s, \
         64 connections · load average at the end {}",
        said("date", &["-u", "+%Y-%m-%d"]),
        cores.trim(),
        kernel.trim(),
        said("rustc", &["--version"]),
        said("node", &["--version"]),
        said("psql", &["--version"]),
        extents.tenants,
        extents.rounds,
        extents.round.as_secs_f64(),
        load.split(' ').next().unwrap_or_default(),
    )
}

/// The first line that a program prints.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("?").trim().to_owned()
}
