//! The tables, as Markdown.

use std::fmt::Write;
use std::path::Path;

use super::delivery::Taking;
use super::figures::Spread;
use super::sides::{self, Database, Side};
use super::targets::{self, Target};
use super::{delivery, get, instructions, start, verify};

/// The end of the figures of each part in the file.
const END: &str = "<!-- end of the figures -->";

/// Everything that was measured.
pub struct Results {
    pub machine: String,
    pub configuration: Option<Configuration>,
    pub delivery: Option<delivery::Measured>,
}

/// What was measured of reading and checking configurations.
pub struct Configuration {
    pub get: Vec<get::Measured>,
    pub start: Vec<start::Measured>,
    pub verify: Vec<verify::Measured>,
    pub instructions: Option<Vec<instructions::Measured>>,
}

impl Configuration {
    pub fn of(&self, side: Side) -> &get::Measured {
        self.get.iter().find(|measured| measured.side == side).expect("all sides are measured")
    }

    pub fn start_of(&self, side: Side) -> Spread {
        self.start.iter().find(|measured| measured.side == side).expect("all sides are measured").millis
    }
}

/// What a round showed of one side beside what the same round showed of another.
pub fn ratio<T>(here: &[T], there: &[T], value: impl Fn(&T) -> f64) -> Spread {
    Spread::of(here.iter().zip(there).map(|(here, there)| value(here) / value(there)))
}

/// The tables of what was measured, by the part that they are of.
pub fn markdown(results: &Results) -> Vec<(&'static str, String)> {
    let mut parts = Vec::new();
    if let Some(configuration) = &results.configuration {
        let mut text = format!("{}\n", results.machine);
        targets(&mut text, &targets::of_configuration(configuration));
        get(&mut text, configuration);
        start_and_memory(&mut text, configuration);
        verify(&mut text, &configuration.verify);
        instructions(&mut text, configuration.instructions.as_deref());
        parts.push(("configuration", text));
    }
    if let Some(delivery) = &results.delivery {
        let mut text = format!("{}\n", results.machine);
        targets(&mut text, &targets::of_delivery(delivery));
        taking(&mut text, &delivery.taking);
        events(&mut text, &delivery.events);
        gateway(&mut text, &delivery.gateway);
        handing_over(&mut text, &delivery.handing_over);
        writing(&mut text, &delivery.writing);
        parts.push(("delivery", text));
    }
    parts
}

/// Puts the tables of a part between its marks in a file.
pub fn replace(file: &Path, part: &str, tables: &str) {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let begin = format!("<!-- figures of {part}: written by scripts/bench -->");
    let (before, rest) = text.split_once(&begin).expect("the mark at the begin of the figures");
    let (_, after) = rest.split_once(END).expect("the mark at the end of the figures");
    std::fs::write(file, format!("{before}{begin}\n{tables}{END}{after}")).expect("the file can be written");
}

fn line(text: &mut String, cells: &[String]) {
    writeln!(text, "| {} |", cells.join(" | ")).expect("a text takes it");
}

fn heading(text: &mut String, title: &str, columns: &[&str]) {
    let rule = "|---".repeat(columns.len());
    writeln!(text, "\n### {title}\n\n| {} |\n{rule}|", columns.join(" | ")).expect("a text takes it");
}

fn targets(text: &mut String, judged: &[Target]) {
    heading(text, "Targets", &["What", "Target", "Measured", "By CPU time", "Met"]);
    for target in judged {
        let met = if target.met() { "yes" } else { "**no**" };
        let by_cpu = target.by_cpu.map_or("–".to_owned(), |ratio| ratio.to_string());
        let measured = target.measured.to_string();
        line(text, &[target.what.to_owned(), target.wanted(), measured, by_cpu, met.to_owned()]);
    }
}

fn get(text: &mut String, results: &Configuration) {
    let columns = [
        "GET of a configuration",
        "requests/s",
        "of the static answer",
        "CPU µs per request",
        "PostgreSQL's CPU µs",
        "p50 ms",
        "p99 ms",
    ];
    heading(text, "GET", &columns);
    let floor = results.of(sides::FLOOR);
    for measured in &results.get {
        let rounds = &measured.rounds;
        let spread = |value: fn(&get::Round) -> f64| Spread::of(rounds.iter().map(value)).to_string();
        let database = match measured.side.database {
            Database::Postgres => spread(|round| round.database_cpu),
            Database::None | Database::Sqlite => "–".to_owned(),
        };
        line(
            text,
            &[
                measured.side.name.to_owned(),
                spread(|round| round.rate),
                ratio(rounds, &floor.rounds, |round| round.rate).to_string(),
                spread(|round| round.cpu),
                database,
                spread(|round| round.p50),
                spread(|round| round.p99),
            ],
        );
    }
    let title = format!("Latency under a light load of {} requests/s", get::LIGHT_LOAD);
    heading(text, &title, &["GET of a configuration", "p99 ms", "of the static answer"]);
    for measured in results.get.iter().filter(|measured| !measured.light_p99.is_empty()) {
        let ratio = ratio(&measured.light_p99, &floor.light_p99, |p99| *p99);
        let p99 = Spread::of(measured.light_p99.iter().copied());
        line(text, &[measured.side.name.to_owned(), p99.to_string(), ratio.to_string()]);
    }
}

fn start_and_memory(text: &mut String, results: &Configuration) {
    let columns = ["", "start to the first authenticated answer, ms", "private memory after the load, MiB"];
    heading(text, "Start and memory", &columns);
    for measured in &results.start {
        let memory =
            results.of(measured.side).private_mib.map_or("–".to_owned(), |mib| format!("{mib:.1}"));
        line(text, &[measured.side.name.to_owned(), measured.millis.to_string(), memory]);
    }
}

fn verify(text: &mut String, measured: &[verify::Measured]) {
    let columns = ["verify", "", "checks/s", "CPU µs per check", "p50 ms", "p99 ms", "ratio of the rates"];
    heading(text, "Checking an account", &columns);
    for one in measured {
        let ratio = ratio(&one.service, &one.nodemailer, |round| round.rate).to_string();
        let sides = [
            ("transports, through the API", &one.service, ratio),
            ("nodemailer", &one.nodemailer, "1".into()),
        ];
        for (name, rounds, ratio) in sides {
            let spread = |value: fn(&verify::Round) -> f64| Spread::of(rounds.iter().map(value)).to_string();
            line(
                text,
                &[
                    one.case.name.to_owned(),
                    name.to_owned(),
                    spread(|round| round.rate),
                    spread(|round| round.cpu),
                    spread(|round| round.p50),
                    spread(|round| round.p99),
                    ratio,
                ],
            );
        }
    }
}

fn instructions(text: &mut String, measured: Option<&[instructions::Measured]>) {
    heading(text, "Instructions of one GET", &["", "instructions", "of the static answer"]);
    let Some(measured) = measured else {
        text.push_str("| not counted: valgrind was not installed | – | – |\n");
        return;
    };
    for one in measured {
        let ratio = one.each / measured[0].each;
        line(text, &[one.side.name.to_owned(), format!("{:.0}", one.each), format!("{ratio:.2}")]);
    }
}

fn taking(text: &mut String, measured: &delivery::Taking) {
    heading(
        text,
        "Taking mail, 64 callers",
        &beside_the_floor("POST /emails, 10 kB", "mails/s", "CPU µs per mail"),
    );
    let Taking { floor, sqlite, sqlite_peer, postgres, postgres_peer } = measured;
    for side in [floor, sqlite, sqlite_peer, postgres, postgres_peer] {
        rounds_beside(text, side, floor);
    }
}

fn events(text: &mut String, measured: &delivery::Events) {
    let columns = beside_the_floor("GET /events, a hundred of them", "pages/s", "CPU µs per page");
    heading(text, "Reading events, 64 callers", &columns);
    for side in [&measured.floor, &measured.sqlite, &measured.postgres] {
        rounds_beside(text, side, &measured.floor);
    }
}

fn beside_the_floor<'a>(what: &'a str, rate: &'a str, cpu: &'a str) -> [&'a str; 8] {
    [what, rate, "of the floor", cpu, "times the floor's", "PostgreSQL's CPU µs", "p50 ms", "p99 ms"]
}

fn gateway(text: &mut String, measured: &[delivery::Gateway]) {
    for one in measured {
        let columns = beside_the_floor("TLS, sign-in, 10 kB", "mails/s", "CPU µs per mail");
        let sessions = if one.sessions == 1 { "one session" } else { "ten sessions" };
        heading(text, &format!("Taking mail by SMTP, {sessions}"), &columns);
        for side in [&one.floor, &one.sqlite, &one.postgres, &one.postfix] {
            rounds_beside(text, side, &one.floor);
        }
    }
}

fn handing_over(text: &mut String, measured: &delivery::HandingOver) {
    let columns = [
        "request to the server's 250, 10 kB",
        "mails/s",
        "CPU µs per mail",
        "PostgreSQL's or Redis' CPU µs",
        "p50 ms of the answer",
        "p99 ms of the answer",
    ];
    heading(text, "Handing mail over, 50 accounts", &columns);
    for side in [&measured.sqlite, &measured.postgres, &measured.peer] {
        mail_rounds(text, side);
    }
    writeln!(
        text,
        "\n{} mails one after the other on SQLite, from the request to the server's 250: p50 {:.2} ms, p99 {:.2} ms.",
        delivery::ONE_AT_A_TIME,
        measured.alone_p50,
        measured.alone_p99,
    )
    .expect("a text takes it");
}

fn mail_rounds(text: &mut String, side: &delivery::Side) {
    let [rate, cpu, database, p50, p99] = figures(side);
    line(text, &[side.name.to_owned(), rate, cpu, database, p50, p99]);
}

fn rounds_beside(text: &mut String, side: &delivery::Side, floor: &delivery::Side) {
    let [rate, cpu, database, p50, p99] = figures(side);
    let rates = ratio(&side.rounds, &floor.rounds, |round| round.rate).to_string();
    let times = ratio(&side.rounds, &floor.rounds, |round| round.cpu).to_string();
    line(text, &[side.name.to_owned(), rate, rates, cpu, times, database, p50, p99]);
}

/// Rate, CPU time, that of the database, and the latencies.
fn figures(side: &delivery::Side) -> [String; 5] {
    let spread = |value: fn(&delivery::Round) -> f64| Spread::of(side.rounds.iter().map(value));
    let database = spread(|round| round.database_cpu);
    let database = if database.highest > 0.0 { database.to_string() } else { "–".to_owned() };
    [
        spread(|round| round.rate).to_string(),
        spread(|round| round.cpu).to_string(),
        database,
        spread(|round| round.p50).to_string(),
        spread(|round| round.p99).to_string(),
    ]
}

fn writing(text: &mut String, measured: &[delivery::Writing]) {
    heading(text, "The writes of a hand-over alone", &["", "transactions/s"]);
    for one in measured {
        line(text, &[one.name.to_owned(), one.rate.to_string()]);
    }
}
