//! What is aimed at, beside what was measured.

use super::figures::Spread;
use super::report::{Configuration, ratio};
use super::{delivery, sides, verify};

pub struct Target {
    pub what: &'static str,
    pub measured: Spread,
    /// The same ratio by CPU time instead of by the rate, where it is one: what it would be if each side had its core
    /// to itself. With neighbours on the cores the rates tell more of them than of the sides.
    pub by_cpu: Option<Spread>,
    bound: Bound,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};

impl Target {
    /// The median decides.
    pub fn met(&self) -> bool {
        match self.bound {
            AtLeast(bound) => self.measured.median >= bound,
            AtMost(bound) => self.measured.median <= bound,
        }
    }

    pub fn wanted(&self) -> String {
        match self.bound {
            AtLeast(bound) => format!("≥ {bound}"),
            AtMost(bound) => format!("≤ {bound}"),
        }
    }
}

pub fn of_configuration(results: &Configuration) -> Vec<Target> {
    let target = |what, bound, measured| Target { what, measured, by_cpu: None, bound };
    let rate = |what, bound, here, there| {
        let (here, there) = (&results.of(here).rounds, &results.of(there).rounds);
        let by_cpu = Some(ratio(here, there, |round| 1.0 / round.cpu));
        Target { what, measured: ratio(here, there, |round| round.rate), by_cpu, bound }
    };
    let checks = |what, bound, one: &verify::Measured| {
        let (here, there) = (&one.service, &one.nodemailer);
        let by_cpu = Some(ratio(here, there, |round| 1.0 / round.cpu));
        Target { what, measured: ratio(here, there, |round| round.rate), by_cpu, bound }
    };
    let cpu = |here, there| ratio(&results.of(here).rounds, &results.of(there).rounds, |round| round.cpu);
    let p99 = |here, there| ratio(&results.of(here).light_p99, &results.of(there).light_p99, |p99| *p99);
    let memory = |side| Spread::of(results.of(side).private_mib);
    let (postfix, fast) = (&results.verify[0], &results.verify[results.verify.len() - 1]);
    let mut targets = vec![
        rate("GET, SQLite: rate, of the static answer", AtLeast(0.35), sides::SQLITE, sides::FLOOR),
        target("GET, SQLite: CPU, of the static answer", AtMost(2.9), cpu(sides::SQLITE, sides::FLOOR)),
        rate(
            "GET, SQLite: rate, of Fastify + jose + better-sqlite3",
            AtLeast(7.0),
            sides::SQLITE,
            sides::JOSE_SQLITE,
        ),
        rate(
            "GET, SQLite: rate, of the strongest peer, Fastify + fast-jwt + better-sqlite3",
            AtLeast(4.0),
            sides::SQLITE,
            sides::FAST_JWT_SQLITE,
        ),
        rate("GET, PostgreSQL: rate, of the static answer", AtLeast(0.3), sides::POSTGRES, sides::FLOOR),
        rate(
            "GET, PostgreSQL: rate, of the likeliest peer, Express + jsonwebtoken + pg",
            AtLeast(10.0),
            sides::POSTGRES,
            sides::EXPRESS_POSTGRES,
        ),
        rate(
            "GET, PostgreSQL: rate, of the strongest peer, Fastify + fast-jwt + pg",
            AtLeast(3.0),
            sides::POSTGRES,
            sides::FAST_JWT_POSTGRES,
        ),
        rate(
            "GET, SQLite, tokens never seen before: rate, of the static answer",
            AtLeast(0.16),
            sides::SQLITE_NEW_TOKENS,
            sides::FLOOR,
        ),
        target(
            "GET, SQLite: p99 under a light load, of the static answer",
            AtMost(2.0),
            p99(sides::SQLITE, sides::FLOOR),
        ),
        target(
            "GET, PostgreSQL: p99 under a light load, of the static answer",
            AtMost(2.0),
            p99(sides::POSTGRES, sides::FLOOR),
        ),
        checks("verify, Postfix with STARTTLS, one at a time: rate, of nodemailer", AtLeast(15.0), postfix),
        target(
            "verify, Postfix with STARTTLS, one at a time: p50, ms",
            AtMost(3.0),
            Spread::of(postfix.service.iter().map(|round| round.p50)),
        ),
        checks("verify, a fast server with STARTTLS, 50 at once: rate, of nodemailer", AtLeast(4.5), fast),
        target(
            "start to the first authenticated answer, SQLite, ms",
            AtMost(50.0),
            results.start_of(sides::SQLITE),
        ),
        target(
            "start to the first authenticated answer, PostgreSQL, ms",
            AtMost(100.0),
            results.start_of(sides::POSTGRES),
        ),
        target("private memory under load, SQLite, MiB", AtMost(40.0), memory(sides::SQLITE)),
        target("private memory under load, PostgreSQL, MiB", AtMost(40.0), memory(sides::POSTGRES)),
    ];
    for one in results.instructions.iter().flatten() {
        if one.side == sides::SQLITE {
            let counted = Spread::of([one.each]);
            targets.push(target("GET, SQLite: instructions", AtMost(150_000.0), counted));
        }
    }
    targets
}

pub fn of_delivery(measured: &delivery::Measured) -> Vec<Target> {
    let target = |what, bound, measured| Target { what, measured, by_cpu: None, bound };
    let rate = |side: &delivery::Side| Spread::of(side.rounds.iter().map(|round| round.rate));
    let beside = |what, bound, here: &delivery::Side, there: &delivery::Side| {
        let by_cpu = Some(ratio(&here.rounds, &there.rounds, |round| 1.0 / round.cpu));
        Target { what, measured: ratio(&here.rounds, &there.rounds, |round| round.rate), by_cpu, bound }
    };
    let (taking, handing_over) = (&measured.taking, &measured.handing_over);
    let one = |value: f64| Spread::of([value]);
    vec![
        target("POST /emails, SQLite, mails/s", AtLeast(5000.0), rate(&taking.sqlite)),
        beside(
            "POST /emails, SQLite: rate, of Fastify + better-sqlite3 that stores the same",
            AtLeast(2.0),
            &taking.sqlite,
            &taking.sqlite_peer,
        ),
        target("POST /emails, PostgreSQL, mails/s", AtLeast(2500.0), rate(&taking.postgres)),
        beside(
            "gateway, one session, SQLite: rate, of Postfix",
            AtLeast(2.0),
            &measured.gateway[0].sqlite,
            &measured.gateway[0].postfix,
        ),
        beside(
            "gateway, ten sessions, SQLite: rate, of Postfix",
            AtLeast(2.0),
            &measured.gateway[1].sqlite,
            &measured.gateway[1].postfix,
        ),
        target("request to the server's 250, SQLite, mails/s", AtLeast(2500.0), rate(&handing_over.sqlite)),
        target(
            "request to the server's 250, PostgreSQL, mails/s",
            AtLeast(1200.0),
            rate(&handing_over.postgres),
        ),
        target("the same, one mail at a time, SQLite: p50, ms", AtMost(5.0), one(handing_over.alone_p50)),
        target(
            "the writes of hand-overs alone, SQLite, transactions/s",
            AtLeast(20_000.0),
            measured.writing[0].rate,
        ),
        target(
            "the writes of hand-overs alone, PostgreSQL, transactions/s",
            AtLeast(5000.0),
            measured.writing[1].rate,
        ),
    ]
}
