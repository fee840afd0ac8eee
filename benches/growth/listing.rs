//! What an operator waits for the lists, from the start of the command to its end.

use std::process::Stdio;
use std::time::Instant;

use crate::figures::{number, spread};
use crate::place::Place;
use crate::service::command;

const COMMANDS: [&[&str]; 10] = [
    &["ls"],
    &["ls", "--state", "OK"],
    &["ls", "--state", "INVALID_CREDENTIALS"],
    &["ls", "--provider", "BasicAuth"],
    &["ls", "--provider", "Microsoft365"],
    &["ls", "--code", "TLS_CERT_EXPIRED"],
    &["ls", "--code", "AUTH_REJECTED", "--provider", "Microsoft365", "--format", "json"],
    &["ls", "--password-at-microsoft365", "--format", "csv"],
    &["ls", "--password-at-microsoft365", "--after", "f0000000"],
    &["summary"],
];

const ALL: [&[&str]; 2] =
    [&["ls", "--all", "--format", "csv"], &["ls", "--password-at-microsoft365", "--all", "--format", "json"]];

pub fn measure(places: &[Place]) {
    let rounds = number("GROWTH_LISTINGS", 5);
    let heads: Vec<String> =
        places.iter().map(|place| format!("{}, {}", place.engine.name(), place.size)).collect();
    println!(
        "\n| ms for `transports tenants` | {} |\n|---|{}",
        heads.join(" | "),
        "---|".repeat(places.len())
    );
    for (arguments, rounds) in COMMANDS.map(|one| (one, rounds)).into_iter().chain(ALL.map(|one| (one, 1))) {
        eprintln!("listing: {}", arguments.join(" "));
        let mut taken = vec![Vec::new(); places.len()];
        for _ in 0..rounds {
            for (place, taken) in places.iter().zip(&mut taken) {
                taken.push(run(place, arguments));
            }
        }
        let cells: Vec<String> = taken.into_iter().map(|taken| spread(taken, 0)).collect();
        println!("| `{}` | {} |", arguments.join(" "), cells.join(" | "));
    }
}

fn run(place: &Place, arguments: &[&str]) -> f64 {
    let started = Instant::now();
    let ended = command(&[("DATABASE__URL", &place.url)], &[&["tenants"], arguments].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it is built");
    assert!(ended.success(), "{arguments:?}");
    started.elapsed().as_secs_f64() * 1e3
}
