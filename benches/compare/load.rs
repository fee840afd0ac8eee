//! The load: many connections that each ask, wait for the answer and ask again.
//!
//! It never sleeps while it waits. Else each answer of a slower server would wake it up, which costs the sender several
//! microseconds on a virtual machine, while a faster server always finds it awake: the slower one would pay for the load.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::Client;
use super::figures::Latencies;

/// The requests of each connection.
pub type Plan = Arc<Vec<Vec<Vec<u8>>>>;

/// Shares requests out to connections.
pub fn plan(requests: &[Vec<u8>], connections: usize) -> Plan {
    let mut shares = vec![Vec::new(); connections];
    for (index, request) in requests.iter().enumerate() {
        shares[index % connections].push(request.clone());
    }
    Arc::new(shares)
}

/// How long the load goes on.
#[derive(Clone, Copy)]
pub enum Extent {
    /// Over and over, as fast as the answers come.
    For(Duration),
    /// So long, with so many requests a second over all connections.
    Paced(Duration, f64),
    /// Each request once.
    Once,
}

/// What came of it. Every request was answered with success, or the run has ended with an error.
pub struct Load {
    pub latencies: Latencies,
    pub elapsed: Duration,
}

/// Puts the load on a server. The connections are there before the time begins. `length` is that of each answer with its
/// head, where all have the same.
pub async fn put_on(address: SocketAddr, plan: &Plan, length: Option<usize>, extent: Extent) -> Load {
    let mut clients = Vec::new();
    for _ in plan.iter() {
        clients.push(Client::connect(address).await.expect("the server takes connections"));
    }
    let started = Instant::now();
    let end = match extent {
        Extent::For(time) | Extent::Paced(time, _) => Some(started + time),
        Extent::Once => None,
    };
    let connections = f64::from(u32::try_from(plan.len()).expect("a small number"));
    let asking: Vec<_> = clients
        .into_iter()
        .zip(0_u32..)
        .map(|(client, number)| {
            let pace = match extent {
                Extent::Paced(_, rate) => Some(Pace {
                    // One after the other, not all at the same time.
                    first: started + Duration::from_secs_f64(f64::from(number) / rate),
                    period: Duration::from_secs_f64(connections / rate),
                }),
                Extent::For(_) | Extent::Once => None,
            };
            tokio::spawn(ask_all(client, Arc::clone(plan), number as usize, length, end, pace))
        })
        .collect();
    let awake = tokio::spawn(stay_awake());
    let mut micros = Vec::new();
    for one in asking {
        micros.append(&mut one.await.expect("every request is answered"));
    }
    let elapsed = started.elapsed();
    awake.abort();
    Load { elapsed, latencies: Latencies::of(micros) }
}

/// Leaves the core to PostgreSQL and the mail servers where they have work.
async fn stay_awake() {
    loop {
        std::thread::yield_now();
        tokio::task::yield_now().await;
    }
}

/// When a connection asks.
struct Pace {
    first: Instant,
    period: Duration,
}

async fn ask_all(
    mut client: Client,
    plan: Plan,
    number: usize,
    length: Option<usize>,
    end: Option<Instant>,
    pace: Option<Pace>,
) -> Vec<u32> {
    let mut micros = Vec::with_capacity(16 * 1024);
    let mut ticks = pace.map(|pace| tokio::time::interval_at(pace.first.into(), pace.period));
    let mut asked = Instant::now();
    loop {
        for request in &plan[number] {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
                asked = Instant::now();
            }
            match length {
                Some(length) => client.ask_again(request, length).await,
                None => client.ask_for_success(request).await,
            }
            let answered = Instant::now();
            micros.push(u32::try_from((answered - asked).as_micros()).unwrap_or(u32::MAX));
            asked = answered;
            if end.is_some_and(|end| answered >= end) {
                return micros;
            }
        }
        if end.is_none() {
            return micros;
        }
    }
}
