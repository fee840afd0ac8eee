//! What changes with the number of tenants: size on disk, start, memory, reading, listing; and what the index for
//! the lists costs a change.
//!
//! `scripts/soak growth` runs it: it fills databases, starts the built service on each as a process, and lets them
//! take turns in short rounds, so that a noisy neighbour meets all of them. Nothing is asserted about a time; the
//! figures are printed as Markdown.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the tables are what it is for, and the progress"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a client of the service, and the settings of the measurement"
)]

#[path = "growth/figures.rs"]
mod figures;
#[path = "growth/fill.rs"]
mod fill;
#[path = "growth/listing.rs"]
mod listing;
#[path = "growth/load.rs"]
mod load;
#[path = "growth/place.rs"]
mod place;
#[path = "support/proc.rs"]
mod proc;
#[path = "support/service.rs"]
mod service;

use std::path::PathBuf;

use figures::{number, spread};
use place::{Engine, Place};
use service::Service;

fn main() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("growth-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let places = filled(&folder).await;
        starts(&places).await;
        reading(&places).await;
        listing::measure(&places);
        drop(places);
        changing(&folder).await;
    });
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}

fn engines() -> Vec<Engine> {
    let asked = std::env::var("GROWTH_ENGINES").unwrap_or_else(|_| "sqlite postgres".to_owned());
    asked.split_whitespace().map(Engine::named).collect()
}

fn sizes() -> Vec<usize> {
    let asked = std::env::var("GROWTH_SIZES").unwrap_or_else(|_| "1000 100000 1000000".to_owned());
    asked.split_whitespace().map(|size| size.parse().expect("GROWTH_SIZES holds numbers")).collect()
}

async fn filled(folder: &std::path::Path) -> Vec<Place> {
    println!("| database | tenants | MB on disk | bytes for each tenant |\n|---|---|---|---|");
    let mut places = Vec::new();
    for engine in engines() {
        for size in sizes() {
            let place = Place::create(engine, folder, "", size).await;
            fill::fill(&place).await;
            let bytes = place.bytes().await;
            println!(
                "| {} | {size} | {:.1} | {} |",
                engine.name(),
                to_float(bytes) / 1e6,
                bytes / size as u64
            );
            places.push(place);
        }
    }
    places
}

async fn starts(places: &[Place]) {
    let rounds = number("GROWTH_STARTS", 9);
    let mut taken = vec![Vec::new(); places.len()];
    for round in 0..=rounds {
        eprintln!("starting, round {round} of {rounds}");
        for (place, taken) in places.iter().zip(&mut taken) {
            let started = std::time::Instant::now();
            let service = place.serve();
            load::first_answer(&service, place).await;
            // The first round warms up.
            if round > 0 {
                taken.push(started.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    println!("\n| database | tenants | ms from the start to the first authenticated answer |\n|---|---|---|");
    for (place, taken) in places.iter().zip(taken) {
        println!("| {} | {} | {} |", place.engine.name(), place.size, spread(taken, 0));
    }
}

async fn reading(places: &[Place]) {
    let rounds = number("GROWTH_ROUNDS", 9);
    let services: Vec<Service> = places.iter().map(Place::serve).collect();
    let mut found: Vec<Vec<load::Figures>> = vec![Vec::new(); places.len()];
    for round in 0..=rounds {
        eprintln!("reading, round {round} of {rounds}");
        for ((place, service), found) in places.iter().zip(&services).zip(&mut found) {
            let figures = load::measure(service, place, load::Kind::Get).await;
            if round > 0 {
                found.push(figures);
            }
        }
    }
    println!(
        "\n| GET on | tenants | requests/s | CPU µs of the service | CPU µs of PostgreSQL | p50 µs | p99 µs | private \
         MB | PSS MB |\n|---|---|---|---|---|---|---|---|---|"
    );
    for ((place, service), found) in places.iter().zip(&services).zip(&found) {
        let megabytes = |kinds: &[&str]| proc::memory_bytes(service.id(), kinds) / 1e6;
        println!(
            "| {} | {} | {} | {:.1} | {:.1} |",
            place.engine.name(),
            place.size,
            load::cells(found),
            megabytes(&proc::PRIVATE),
            megabytes(&["Pss"])
        );
    }
}

/// What a PATCH costs with the index that the lists are read from, and without it.
async fn changing(folder: &std::path::Path) {
    let (size, rounds) = (number("GROWTH_PATCH_TENANTS", 100_000), number("GROWTH_ROUNDS", 9));
    let mut places = Vec::new();
    for engine in engines() {
        for name in ["with", "without"] {
            let place = Place::create(engine, folder, name, size).await;
            fill::fill(&place).await;
            if name == "without" {
                place.execute("drop index email_configs_listing").await;
            }
            places.push(place);
        }
    }
    let services: Vec<Service> = places.iter().map(Place::serve).collect();
    let mut found: Vec<Vec<load::Figures>> = vec![Vec::new(); places.len()];
    for round in 0..=rounds {
        eprintln!("changing, round {round} of {rounds}");
        for ((place, service), found) in places.iter().zip(&services).zip(&mut found) {
            let figures = load::measure(service, place, load::Kind::Patch).await;
            if round > 0 {
                found.push(figures);
            }
        }
    }
    println!(
        "\n| PATCH on | index | requests/s | CPU µs of the service | CPU µs of PostgreSQL | p50 µs | p99 µs \
         |\n|---|---|---|---|---|---|---|"
    );
    for (place, found) in places.iter().zip(&found) {
        println!("| {}, {size} tenants | {} | {} |", place.engine.name(), place.name, load::cells(found));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn to_float(number: u64) -> f64 {
    number as f64
}
