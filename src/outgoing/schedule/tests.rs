use super::*;

const START: Duration = Duration::ZERO;

/// An account that always has so many requests open, until its mail is gone.
struct Tenant {
    name: &'static str,
    mails: usize,
    cost: u64,
}

/// Serves mail after mail in `slots` until `until` have been served or nothing is left; how many each tenant got.
fn serve(slots: usize, tenants: &[Tenant], until: usize) -> HashMap<&'static str, usize> {
    let mut schedule = Schedule::new(slots);
    let mut left: HashMap<_, _> = tenants.iter().map(|tenant| (tenant.name, tenant.mails)).collect();
    let mut owners = HashMap::new();
    let mut served: HashMap<&'static str, usize> = HashMap::new();
    let ask = |schedule: &mut Schedule<&'static str>,
               left: &mut HashMap<_, usize>,
               owners: &mut HashMap<_, _>,
               name| {
        let rest = left.get_mut(name).expect("a tenant");
        if *rest > 0 {
            *rest -= 1;
            owners.insert(schedule.request(&name), name);
        }
    };
    for tenant in tenants {
        for _ in 0..3 {
            ask(&mut schedule, &mut left, &mut owners, tenant.name);
        }
    }
    let mut in_hand = std::collections::VecDeque::new();
    while served.values().sum::<usize>() < until {
        while let Some(ticket) = schedule.grant(START) {
            in_hand.push_back(ticket);
        }
        let Some(ticket) = in_hand.pop_front() else { break };
        let name = owners[&ticket];
        *served.entry(name).or_default() += 1;
        let tenant = tenants.iter().find(|tenant| tenant.name == name).expect("a tenant");
        schedule.charge(&name, tenant.cost - MAIL_COST);
        schedule.release(ticket, START);
        ask(&mut schedule, &mut left, &mut owners, name);
    }
    served
}

const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

#[test]
fn the_cost_of_a_mail_is_as_the_design_says() {
    for (recipients, octets, cost) in
        [(0, 0, 0), (1, 0, 100), (50, 0, 5_000), (1, 100_000, 1_100), (10, 1_000_000, 11_000)]
    {
        assert_eq!(content_cost(recipients, octets), cost, "{recipients} {octets}");
    }
}

/// Ten tenants, one with twenty times the mail of the others.
#[test]
fn each_tenant_gets_its_share_while_it_has_mail() {
    for slots in [1, 2, 4, 16] {
        let tenants =
            NAMES.map(|name| Tenant { name, mails: if name == "a" { 2_000 } else { 100 }, cost: 1_100 });
        // All have mail until here.
        let served = serve(slots, &tenants, 900);
        for name in NAMES {
            assert!(served[name] >= 72, "{slots} slots: {name} got {} of an equal share of 90", served[name]);
        }
        let all = serve(slots, &tenants, usize::MAX);
        assert_eq!(all["a"], 2_000, "and nothing is lost");
    }
}

/// One sends to fifty recipients, 1 MB each time: what it costs counts, not how many mails they are.
#[test]
fn a_share_is_one_of_cost() {
    let tenants =
        NAMES.map(|name| Tenant { name, mails: 10_000, cost: if name == "a" { 16_000 } else { 1_000 } });
    let served = serve(4, &tenants, 1_000);
    assert!((5..=10).contains(&served["a"]), "{served:?}");
    for name in &NAMES[1..] {
        assert!(served[name] >= 98, "{served:?}");
    }
}

#[test]
fn who_did_nothing_has_earned_nothing_and_waits_no_longer_for_that() {
    let mut schedule = Schedule::new(1);
    for _ in 0..100 {
        let ticket = schedule.request(&"busy");
        assert_eq!(schedule.grant(START), Some(ticket));
        schedule.release(ticket, START);
    }
    let tickets = [
        schedule.request(&"busy"),
        schedule.request(&"quiet"),
        schedule.request(&"quiet"),
        schedule.request(&"busy"),
    ];
    let mut order = Vec::new();
    while let Some(ticket) = schedule.grant(START) {
        order.push(tickets.iter().position(|asked| *asked == ticket).expect("one of them"));
        schedule.release(ticket, START);
    }
    assert_eq!(order, [1, 0, 2, 3]);
}

/// Five hundred tarpits, each known as slow: they have a quarter of the slots, and a quiet tenant has one at once.
#[test]
fn slow_accounts_share_a_quarter_of_the_slots() {
    let mut schedule = Schedule::new(8);
    let late = Duration::from_secs(11);
    for tarpit in 0..500 {
        let ticket = schedule.request(&tarpit);
        assert_eq!(schedule.grant(START), Some(ticket));
        schedule.release(ticket, late);
        assert!(schedule.is_slow(&tarpit));
    }
    let slow: Vec<_> = (0..500).map(|tarpit| schedule.request(&tarpit)).collect();
    let granted: Vec<_> = std::iter::from_fn(|| schedule.grant(late)).collect();
    assert_eq!(granted, slow[..2]);
    for quiet in 1_000..1_006 {
        let ticket = schedule.request(&quiet);
        assert_eq!(schedule.grant(late), Some(ticket), "{quiet}");
    }
    schedule.request(&2_000);
    assert_eq!(schedule.grant(late), None, "all slots are taken");
    // An attempt that is over in time makes the account a fast one again.
    schedule.release(granted[0], late);
    assert!(!schedule.is_slow(&0));
    assert_eq!(schedule.grant(late), Some(slow[2]), "the slow lane has room for one, and it came first");
}

/// Tarpits that nobody knew hold all slots only until they have shown themselves, and together at most as many again.
#[test]
fn an_attempt_that_lasts_makes_room_for_others() {
    let mut schedule = Schedule::new(8);
    for tarpit in 0..30 {
        schedule.request(&tarpit);
    }
    let grant_all =
        |schedule: &mut Schedule<i32>, clock| std::iter::from_fn(|| schedule.grant(clock)).count();
    assert_eq!(grant_all(&mut schedule, START), 8);
    let soon = Duration::from_secs(10);
    schedule.mark_slow(soon);
    assert_eq!(grant_all(&mut schedule, soon), 0, "ten seconds are not slow yet");
    let later = Duration::from_secs(11);
    schedule.mark_slow(later);
    assert_eq!(grant_all(&mut schedule, later), 6, "three quarters are free again");
    let latest = Duration::from_secs(22);
    schedule.mark_slow(latest);
    assert_eq!(grant_all(&mut schedule, latest), 2, "twice the slots are the bound");
    for ticket in 0..8 {
        schedule.release(ticket, latest);
    }
    assert!((0..8).all(|tarpit| schedule.is_slow(&tarpit)));
}

#[test]
fn a_request_that_is_withdrawn_is_not_served() {
    let mut schedule = Schedule::new(1);
    let [first, second] = [schedule.request(&"a"), schedule.request(&"b")];
    schedule.release(first, START);
    assert_eq!(schedule.grant(START), Some(second));
    assert_eq!(schedule.grant(START), None);
}

#[test]
fn accounts_that_have_had_their_share_are_forgotten() {
    let mut schedule = Schedule::new(1);
    for account in 0..10_000 {
        let ticket = schedule.request(&account);
        assert_eq!(schedule.grant(START), Some(ticket));
        schedule.charge(&account, 100_000);
        schedule.release(ticket, START);
        let busy = schedule.request(&-1);
        schedule.grant(START);
        schedule.release(busy, START);
    }
    assert!(schedule.paid_until.len() <= 2 * MIN_REMEMBERED, "{}", schedule.paid_until.len());
}
