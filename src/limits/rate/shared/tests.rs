use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::clock::Timestamp;

/// Counts as the statement does, by a clock of its own; can be held up and away.
#[derive(Clone, Default)]
struct Fake(Arc<Inside>);

struct Inside {
    clock: Clock,
    windows: Mutex<HashMap<Key, (i64, u64)>>,
    asked: AtomicUsize,
    most_at_once: AtomicUsize,
    at_once: AtomicUsize,
    is_away: AtomicBool,
    /// A query takes a permit to be answered.
    open: Semaphore,
}

impl Default for Inside {
    fn default() -> Self {
        Self {
            // Years away from the clocks of the replicas.
            clock: Clock::manual(Timestamp(1_000_000_000_000)),
            windows: Mutex::default(),
            asked: AtomicUsize::default(),
            most_at_once: AtomicUsize::default(),
            at_once: AtomicUsize::default(),
            is_away: AtomicBool::default(),
            open: Semaphore::new(Semaphore::MAX_PERMITS),
        }
    }
}

impl Fake {
    fn held_up() -> Self {
        Self(Arc::new(Inside { open: Semaphore::new(0), ..Inside::default() }))
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn goes_away(&self, away: bool) {
        self.0.is_away.store(away, Ordering::SeqCst);
    }

    fn replica(&self) -> (Arc<Shared<Self>>, Clock) {
        let clock = Clock::manual(Timestamp(0));
        (Arc::new(Shared::new(clock.clone(), self.clone())), clock)
    }
}

impl Counter for Fake {
    async fn count(&self, key: &Key, length: i64, requests: u32) -> Result<Counted, DbError> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let at_once = self.0.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        drop(self.0.open.acquire().await.expect("is open"));
        self.0.at_once.fetch_sub(1, Ordering::SeqCst);
        if self.0.is_away.load(Ordering::SeqCst) {
            return Err(DbError::Unavailable("away".to_owned()));
        }
        let now = self.0.clock.now().0;
        let mut windows = self.0.windows.lock().expect("not poisoned");
        let window = windows.entry(*key).or_default();
        if window.0 <= now {
            *window = (now + length, 0);
        }
        let before = window.1;
        window.1 += u64::from(requests);
        Ok(Counted { before, left: (window.0 - now).unsigned_abs() })
    }
}

fn tenant() -> TenantId {
    TenantId::from_operator("acme")
}

fn user(name: &str) -> UserId {
    UserId(name.into())
}

async fn read(replica: &Shared<Fake>, max: u32, name: &str) -> Result<(), Refused> {
    replica
        .count_leased(&LimitedUser { limit: Limit::Tier1, tenant: &tenant(), user: &user(name) }, max)
        .await
}

async fn write(replica: &Shared<Fake>, max: u32, name: &str) -> Result<(), Refused> {
    replica.count_one(&LimitedUser { limit: Limit::Tier2, tenant: &tenant(), user: &user(name) }, max).await
}

fn is_exceeded(outcome: &Result<(), Refused>) -> bool {
    matches!(outcome, Err(Refused::Exceeded(_)))
}

/// How many of so many requests pass, by turns at all replicas.
async fn passing<F: Future<Output = bool>>(requests: usize, one: impl Fn(usize) -> F) -> usize {
    let mut passed = 0;
    for number in 0..requests {
        passed += usize::from(one(number).await);
    }
    passed
}

/// Security case H1.
#[tokio::test]
async fn three_replicas_let_exactly_one_limit_through() {
    let database = Fake::default();
    let replicas = [0; 3].map(|_| database.replica().0);
    let writes = passing(400, async |n| write(&replicas[n % 3], 100, "ann").await.is_ok());
    assert_eq!(writes.await, 100);
    assert!(database.asked() <= 103, "whoever is over the limit costs nothing: {}", database.asked());
    let before = database.asked();
    let reads = passing(4_000, async |n| read(&replicas[n % 3], 1000, "ann").await.is_ok());
    assert_eq!(reads.await, 1000, "the other limit, and every block is used up");
    assert!(database.asked() - before <= 23, "a question for each block: {}", database.asked() - before);
    let others = passing(4, async |n| write(&replicas[n % 3], 100, "bob").await.is_ok());
    assert_eq!(others.await, 4, "another user");
}

/// Security case H1.
#[tokio::test]
async fn a_replica_that_goes_away_takes_no_more_than_its_block_with_it() {
    let database = Fake::default();
    let (gone, _) = database.replica();
    read(&gone, 1000, "ann").await.expect("the first of a block");
    let (left, _) = database.replica();
    assert_eq!(passing(4_000, async |_| read(&left, 1000, "ann").await.is_ok()).await, 950);
}

/// Security case H1.
#[tokio::test]
async fn a_lease_ends_with_the_window_of_the_database() {
    let database = Fake::default();
    let (early, of_early) = database.replica();
    let (late, of_late) = database.replica();
    let pass = |milliseconds| {
        for clock in [&of_early, &of_late, &database.0.clock] {
            clock.advance(milliseconds);
        }
    };
    read(&early, 1000, "ann").await.expect("begins the window");
    pass(59_000);
    assert_eq!(passing(10, async |_| read(&late, 1000, "ann").await.is_ok()).await, 10);
    assert_eq!(database.asked(), 2);
    pass(1_000);
    // Both have something left of blocks that count for nothing in the new window.
    assert_eq!(passing(4_000, async |n| read([&early, &late][n % 2], 1000, "ann").await.is_ok()).await, 1000);
    pass(59_999);
    assert!(is_exceeded(&read(&late, 1000, "ann").await));
    pass(1);
    assert!(read(&late, 1000, "ann").await.is_ok());
}

/// Security case H1.
#[tokio::test]
async fn a_wall_clock_that_is_set_changes_nothing() {
    let database = Fake::default();
    let (replica, clock) = database.replica();
    for jump in [86_400_000, -200_000_000] {
        clock.set_by(jump);
        assert_eq!(passing(30, async |_| read(&replica, 100, "ann").await.is_ok()).await, 30);
    }
    assert_eq!(passing(100, async |_| read(&replica, 100, "ann").await.is_ok()).await, 40);
}

#[tokio::test]
async fn many_requests_of_one_user_share_a_question() {
    let database = Fake::held_up();
    let (replica, _) = database.replica();
    let requests: Vec<_> = (0..50)
        .map(|_| {
            let replica = Arc::clone(&replica);
            tokio::spawn(async move { read(&replica, 1000, "ann").await.is_ok() })
        })
        .collect();
    // All of them have come as far as they can.
    while database.asked() == 0 || replica.users.lock().pending_query(user_of(&replica, "ann")).is_none() {
        tokio::task::yield_now().await;
    }
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(database.asked(), 1);
    database.0.open.add_permits(Semaphore::MAX_PERMITS);
    for request in requests {
        assert!(request.await.expect("ends"));
    }
    assert_eq!(database.asked(), 1, "one block was enough for all");
}

fn user_of(replica: &Shared<Fake>, name: &str) -> u64 {
    replica.users.key(&(Limit::Tier1, &tenant(), &user(name)))
}

#[tokio::test]
async fn a_request_that_is_given_up_neither_loses_the_block_nor_doubles_it() {
    let database = Fake::held_up();
    let (replica, _) = database.replica();
    for _ in 0..5 {
        let mut request = Box::pin(read(&replica, 1000, "ann"));
        assert!(until_it_waits(&mut request).await.is_none(), "it waits");
        drop(request);
    }
    database.0.open.add_permits(Semaphore::MAX_PERMITS);
    assert_eq!(passing(50, async |_| read(&replica, 1000, "ann").await.is_ok()).await, 50);
    assert_eq!(database.asked(), 1, "the block of the first one, whole");
    assert_eq!(passing(4_000, async |_| read(&replica, 1000, "ann").await.is_ok()).await, 950);
}

/// Lets a future run until it waits.
async fn until_it_waits<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        use std::task::Poll;
        match std::pin::Pin::new(&mut *future).poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        }
    })
    .await
}

#[tokio::test]
async fn without_the_database_nobody_passes_and_afterwards_all_is_as_before() {
    let database = Fake::default();
    let (replica, _) = database.replica();
    assert_eq!(passing(10, async |_| read(&replica, 1000, "ann").await.is_ok()).await, 10);
    database.goes_away(true);
    assert_eq!(passing(500, async |_| read(&replica, 1000, "ann").await.is_ok()).await, 40, "what is leased");
    assert!(matches!(read(&replica, 1000, "ann").await, Err(Refused::Database(_))));
    assert!(matches!(write(&replica, 100, "ann").await, Err(Refused::Database(_))));
    database.goes_away(false);
    assert_eq!(passing(4_000, async |_| read(&replica, 1000, "ann").await.is_ok()).await, 950);
}

#[tokio::test]
async fn users_for_whom_there_is_no_room_are_counted_one_by_one() {
    let database = Fake::default();
    let (replica, _) = database.replica();
    fill(&replica.users);
    assert_eq!(passing(200, async |_| read(&replica, 100, "ann").await.is_ok()).await, 100);
    assert_eq!(passing(200, async |_| write(&replica, 100, "ann").await.is_ok()).await, 100);
}

/// As many keys as may be remembered.
fn fill(leases: &Leases) {
    let mut table = leases.lock();
    for key in 1..=500_000 {
        table.insert(key, Lease { end: 60_000, left: 1, on_exhausted: OnExhausted::Refuse });
    }
}

fn address(number: u32) -> IpAddr {
    IpAddr::from(number.to_be_bytes())
}

async fn stranger(replica: &Shared<Fake>, max: u32, number: u32) -> bool {
    replica.count_unauthenticated(max, address(number)).await.is_ok()
}

#[tokio::test]
async fn a_flood_of_bad_tokens_is_no_flood_of_writes() {
    let database = Fake::default();
    let (replica, _) = database.replica();
    for number in 0..1_000 {
        assert_eq!(passing(30, async |_| stranger(&replica, 600, number).await).await, 30);
    }
    assert_eq!(database.asked(), 0, "a first block of each address is nobody's business");
    assert_eq!(passing(5_000, async |_| stranger(&replica, 600, 5).await).await, 570);
    assert_eq!(database.asked(), 19, "a question for each further block, and none over the limit");
}

#[tokio::test]
async fn an_address_has_one_limit_over_all_replicas_but_for_a_block_at_each() {
    let database = Fake::default();
    let replicas = [0; 3].map(|_| database.replica().0);
    let passed = passing(6_000, async |n| stranger(&replicas[n % 3], 600, 7).await).await;
    assert!((600..=600 + 2 * 30).contains(&passed), "{passed}");
    let (other, _) = database.replica();
    assert_eq!(passing(600, async |_| stranger(&other, 600, 7).await).await, 30, "it is told of the others");
}

#[tokio::test]
async fn without_the_database_an_address_is_counted_by_its_replica() {
    let database = Fake::default();
    database.goes_away(true);
    let (replica, clock) = database.replica();
    assert_eq!(passing(5_000, async |_| stranger(&replica, 600, 7).await).await, 600);
    assert_eq!(database.asked(), 1, "it is asked once in a window");
    clock.advance(60_000);
    assert_eq!(passing(5_000, async |_| stranger(&replica, 600, 7).await).await, 600);
}

#[tokio::test]
async fn few_questions_about_addresses_are_under_way_at_once() {
    let database = Fake::held_up();
    let (replica, _) = database.replica();
    let waiting: Vec<_> = (0..2)
        .map(|number| {
            let replica = Arc::clone(&replica);
            tokio::spawn(async move { passing(2, async |_| stranger(&replica, 20, number).await).await })
        })
        .collect();
    while database.asked() < 2 {
        tokio::task::yield_now().await;
    }
    for number in 2..200 {
        let passed = passing(100, async |_| {
            let mut request = Box::pin(stranger(&replica, 20, number));
            until_it_waits(&mut request).await.expect("it waits for nobody")
        });
        assert_eq!(passed.await, 21, "it is counted here");
    }
    assert_eq!((database.asked(), database.0.most_at_once.load(Ordering::SeqCst)), (2, 2));
    database.0.open.add_permits(Semaphore::MAX_PERMITS);
    for waiting in waiting {
        assert_eq!(waiting.await.expect("ends"), 2);
    }
}

#[tokio::test]
async fn addresses_for_which_there_is_no_room_share_one_count() {
    let database = Fake::default();
    let (replica, _) = database.replica();
    fill(&replica.addresses);
    let mut passed = 0;
    for number in 0..100 {
        passed += passing(20, async |_| stranger(&replica, 600, number).await).await;
    }
    assert_eq!((passed, database.asked()), (600, 0));
}

#[test]
fn what_the_database_keeps_names_nobody_and_tells_all_apart() {
    let keys = [
        LimitedUser { limit: Limit::Tier1, tenant: &tenant(), user: &user("ann") }.hashed(),
        LimitedUser { limit: Limit::Tier2, tenant: &tenant(), user: &user("ann") }.hashed(),
        LimitedUser { limit: Limit::Tier1, tenant: &TenantId::from_operator("acmea"), user: &user("nn") }
            .hashed(),
        LimitedUser { limit: Limit::Tier1, tenant: &TenantId::from_operator("acm"), user: &user("eann") }
            .hashed(),
        LimitedUser { limit: Limit::Tier1, tenant: &tenant(), user: &user(&"a".repeat(255)) }.hashed(),
        address_key(network_of(address(1))),
        address_key(network_of(address(2))),
    ];
    let different: std::collections::HashSet<Key> = keys.into_iter().collect();
    assert_eq!(different.len(), keys.len());
}
