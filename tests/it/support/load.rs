//! Clients that write without a pause, each for tenants of its own, and what they must find afterwards.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::client::{CONFIG, Client};
use super::database::Database;
use super::ledger::{Ledger, Op, Told};
use super::process::{Process, admin_token};
use super::random::Random;
use super::smtp_server::{At, Script, SmtpServer};

/// Hears of each operation of a writer, by its place in the writer's history: before it is sent, and with
/// `Some` once it is answered.
pub trait Listener: Sync {
    fn hears(&self, operation: usize, told: Option<Told>);
}

impl Listener for () {
    fn hears(&self, _: usize, _: Option<Told>) {}
}

/// A client that writes one operation after the other.
pub struct Writer {
    pub ledgers: Vec<Ledger>,
    /// Each operation with the index of its tenant.
    pub history: Vec<(usize, Op)>,
    /// How many of them were acknowledged.
    pub acknowledged: usize,
    tokens: Vec<String>,
    random: Random,
    number: usize,
}

impl Writer {
    /// For so many tenants that have no configuration yet. The values that it writes are counted from `number`.
    pub fn new(name: usize, tenants: usize, number: usize, random: Random) -> Self {
        let ledgers: Vec<_> = (0..tenants).map(|n| Ledger::new(&format!("t{name}-{n}"))).collect();
        let tokens = ledgers.iter().map(|ledger| admin_token(&ledger.tenant)).collect();
        Self { ledgers, history: Vec::new(), acknowledged: 0, tokens, random, number }
    }

    /// Writes until so many operations are done, or the service answers no more.
    pub async fn write(
        &mut self,
        address: SocketAddr,
        smtp_port: u16,
        operations: usize,
        listener: &impl Listener,
    ) {
        for _ in 0..operations {
            let tenant = self.random.below(self.ledgers.len());
            let client = Client { address, token: Some(self.tokens[tenant].clone()) };
            self.number += 1;
            let op = Op::random(&mut self.random, &self.ledgers[tenant].tenant, self.number, smtp_port);
            let place = self.history.len();
            self.history.push((tenant, op.clone()));
            listener.hears(place, None);
            let told = op.send(&client).await;
            self.ledgers[tenant].answered(&op, told);
            listener.hears(place, Some(told));
            self.acknowledged += usize::from(told == Told::Done);
            if told == Told::Nothing {
                return;
            }
        }
    }
}

/// A mail server that lets everybody in and writes down with what.
pub async fn trusting_server() -> SmtpServer {
    SmtpServer::start(Script::plain().on(At::Auth, "235 2.7.0 welcome")).await
}

/// Holds what is stored against what the tenants were told: the configuration, the rows of the audit, and that
/// the secret opens. The ledgers go on from what was found.
pub async fn check(
    process: &Process,
    database: &Database,
    server: &SmtpServer,
    ledgers: impl IntoIterator<Item = &mut Ledger>,
) -> Result<(), String> {
    // The address is told before the database is open.
    process.anybody().get("/health/ready").await.expect(200);
    let changes = changes(database).await;
    for ledger in ledgers {
        let client = process.known_admin(&ledger.tenant);
        let answer = client.get(CONFIG).await;
        if answer.status != 200 {
            return Err(format!("{}: GET is answered {answer:?}", ledger.tenant));
        }
        let changes = changes.get(&ledger.tenant).copied().unwrap_or_default();
        ledger.found(&answer, changes)?;
        let accounts = ledger.accounts();
        if accounts.is_empty() {
            continue;
        }
        let verified = client.verify().await;
        let sign_in = server.last().sign_ins.pop();
        let used = sign_in.as_ref().map(|sign_in| (sign_in.username.clone(), sign_in.secret.clone()));
        match used.filter(|used| verified["success"] == true && accounts.contains(used)) {
            Some(used) => ledger.signed_in_with(&used),
            None => return Err(format!("{}: {accounts:?}: {verified} {sign_in:?}", ledger.tenant)),
        }
    }
    Ok(())
}

/// How many changes the audit holds, by tenant.
async fn changes(database: &Database) -> BTreeMap<String, usize> {
    let counted = "select tenant_id, count(*) from audit
        where outcome = 'OK' and action in ('put', 'patch', 'delete') group by tenant_id";
    let rows = database.query(counted).await.into_iter();
    let text = |text: &Option<String>| text.clone().expect("no null");
    rows.map(|row| (text(&row[0]), text(&row[1]).parse().expect("a number"))).collect()
}
