//! Pages of `GET /events` with a hundred events of the tenant that asks, beside a static answer of the same octets.

use std::time::{Duration, Instant};

use super::super::Extents;
use super::super::client::{Client, EVENTS, get_from};
use super::super::load::{self, Extent};
use super::super::sides::Place;
use super::taking::Services;
use super::{CALLERS, Running, Side, post_email, start_floor, take_turns};

/// Events of a page: the service's default.
const PAGE: usize = 100;

/// No database is as slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// The rounds of each side.
pub struct Events {
    pub floor: Side,
    pub sqlite: Side,
    pub postgres: Side,
}

/// Reads the first events of the mail that these have taken.
pub(super) async fn measure(
    place: &Place,
    extents: &Extents,
    tokens: &[String],
    services: Services,
    postgres_pid: u32,
) -> Events {
    let posts: Vec<_> = std::iter::repeat_n(tokens, PAGE).flatten().map(|token| post_email(token)).collect();
    let posts = load::plan(&posts, CALLERS);
    let requests: Vec<_> = tokens.iter().map(|token| get_from(EVENTS, token)).collect();
    let mut page = Vec::new();
    for service in [&services.sqlite, &services.postgres] {
        load::put_on(service.process.address, &posts, service.length, Extent::Once).await;
        page = full_page(service, &requests[0]).await;
    }
    let floor = Running::new("static answer", start_floor(place, "events", &page));
    let length = None;
    let mut running = [floor, Running { length, ..services.sqlite }, Running { length, ..services.postgres }];
    let plan = load::plan(&requests, CALLERS);
    take_turns("GET /events", &mut running, &plan, extents, postgres_pid).await;
    let [floor, sqlite, postgres] = running.map(|one| one.side);
    Events { floor, sqlite, postgres }
}

/// Waits until there are events enough: the last ones can be held back for a while.
async fn full_page(service: &Running, request: &[u8]) -> Vec<u8> {
    let mut client = Client::connect(service.process.address).await.expect("it listens");
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = client.ask(request).await;
        if answer.json()["data"].as_array().is_some_and(|events| events.len() == PAGE) {
            return answer.body;
        }
        assert!(Instant::now() < end, "a page is full");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
