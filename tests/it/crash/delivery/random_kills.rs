//! Kills at random moments while mail is taken and handed over: each mail that was acknowledged arrives or is told to be
//! unknown, and there are no more copies than the policy allows.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::{EMAILS, POLICIES, Site, Tenant, headers, id_of, mail, script, settled};
use crate::delivery::status;
use crate::support::figures::{progress, rounds, tell};
use crate::support::process::Process;
use crate::support::random::Random;
use crate::support::smtp_server::{Act, At, Script};

const MAILS_OF_A_ROUND: usize = 3;

/// A server that takes a moment at each place, so that kills meet all of them.
fn slow(random: &mut Random) -> Script {
    let mut pause = || Act::Pause(Duration::from_millis(random.below(60) as u64));
    script()
        .on(At::Greeting, [pause(), Act::Usual])
        .on(At::Mail, [pause(), Act::Usual])
        .on(At::Rcpt, [pause(), Act::Usual])
        .on(At::Data, [pause(), Act::Usual])
        .on(At::Message, [pause(), Act::Usual])
}

/// Sends the requests that have no answer yet, each with its key, until one fails.
async fn enqueue(
    tenant: &Tenant,
    process: &Process,
    on_unknown: &str,
    taken: &mut BTreeMap<usize, Option<String>>,
) {
    let client = tenant.admin(process);
    for (number, id) in taken.iter_mut().filter(|(_, id)| id.is_none()) {
        let (key, body) = (format!("key-{number}"), mail(on_unknown).to_string().into_bytes());
        let Ok(answer) = client.try_send("POST", EMAILS, &headers(&key), body).await else { return };
        assert!([200, 202].contains(&answer.status), "{answer:?}");
        *id = Some(id_of(&answer.json()));
    }
}

#[derive(Default)]
struct Figures {
    mails: usize,
    lost: usize,
    copies: usize,
    unknown: usize,
    beyond: Vec<String>,
}

impl Figures {
    fn count(&mut self, tenant: &Tenant, on_unknown: &str, email: &Value) {
        let copies = tenant.copies(email);
        let most = if on_unknown == "hold" { 1 } else { 2 };
        self.mails += 1;
        self.copies += copies.saturating_sub(1);
        match status(email) {
            "accepted" => self.lost += usize::from(copies == 0),
            "unknown" => self.unknown += 1,
            _ => self.lost += 1,
        }
        if copies > most {
            self.beyond.push(format!("{on_unknown}: {copies} copies of {email}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_lose_no_mail_and_copy_none_beyond_its_bound() {
    let kills = rounds("TEST_DELIVERY_KILLS", 3);
    let mut random = Random::announced();
    let site = Site::new().await;
    let mut process = site.start().await;
    let mut tenants = Vec::new();
    for on_unknown in POLICIES {
        tenants.push((Tenant::create(&process, on_unknown).await, on_unknown, BTreeMap::new()));
    }
    for kill in 0..kills {
        progress("kills", kill, kills);
        for (tenant, _, taken) in &mut tenants {
            tenant.server.play(slow(&mut random));
            taken.extend((0..MAILS_OF_A_ROUND).map(|number| (kill * MAILS_OF_A_ROUND + number, None)));
        }
        let life = Duration::from_millis(random.below(1_500) as u64);
        let all = tenants
            .iter_mut()
            .map(|(tenant, on_unknown, taken)| enqueue(tenant, &process, on_unknown, taken));
        // The kill may come in the middle of a request.
        let _ = tokio::time::timeout(life / 4, join_all(all)).await;
        tokio::time::sleep(life).await;
        process.kill();
        process = site.start().await;
    }
    let mut figures = Figures::default();
    for (tenant, on_unknown, taken) in &mut tenants {
        tenant.server.play(script());
        enqueue(tenant, &process, on_unknown, taken).await;
        for id in taken.values().flatten() {
            let email = settled(&tenant.admin(&process), id).await;
            figures.count(tenant, on_unknown, &email);
        }
    }
    tell(&format!(
        "{kills} kills, {} mails: {} lost, {} copies after the dot, {} unknown",
        figures.mails, figures.lost, figures.copies, figures.unknown
    ));
    assert_eq!(figures.mails, 2 * kills * MAILS_OF_A_ROUND);
    assert_eq!((figures.lost, figures.beyond), (0, Vec::new()));
    assert_eq!(site.database.count("emails").await, figures.mails, "one mail for each key");
}
