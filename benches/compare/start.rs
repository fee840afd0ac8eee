//! How long each side takes from the start of its process to its first authenticated answer.

use std::time::{Duration, Instant};

use super::Extents;
use super::client::{Client, get};
use super::figures::Spread;
use super::sides::{self, Place, Side};

/// Milliseconds to the first answer.
pub struct Measured {
    pub side: Side,
    pub millis: Spread,
}

/// Starts and ends all sides in turns; nothing else runs meanwhile.
pub async fn measure(place: &Place, extents: &Extents) -> Vec<Measured> {
    let request = get(&place.signer.tokens(1, extents.tenants, 0)[0]);
    let sides = sides::ALL.into_iter().filter(|side| !side.new_tokens);
    let mut millis: Vec<(Side, Vec<f64>)> = sides.map(|side| (side, Vec::new())).collect();
    for round in 0..=extents.starts {
        super::progress(format_args!("start: round {round} of {}", extents.starts));
        for (side, millis) in &mut millis {
            let took = first_answer(*side, place, &request).await;
            // The first round brings the programs into memory.
            if round > 0 {
                millis.push(took.as_secs_f64() * 1e3);
            }
        }
    }
    millis.into_iter().map(|(side, millis)| Measured { side, millis: Spread::of(millis) }).collect()
}

async fn first_answer(side: Side, place: &Place, request: &[u8]) -> Duration {
    let started = Instant::now();
    let mut process = side.start(place);
    process.wait_until_it_listens();
    let mut client = Client::connect(process.address).await.expect("it listens");
    let answer = client.ask(request).await;
    let took = started.elapsed();
    assert_eq!(answer.status, 200, "{}: {}", side.name, String::from_utf8_lossy(&answer.body));
    took
}
