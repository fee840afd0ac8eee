use super::*;
use crate::mail_services::Service;

const START: Timestamp = Timestamp(1_767_225_600_000);

/// Sends as fast as it is let for so long; how many mails went in each minute.
fn minutes(pace: Pace, state: &mut PaceState, from: Timestamp, count: i64) -> Vec<usize> {
    let (mut now, mut sent) = (from, vec![0; usize::try_from(count).unwrap()]);
    while now.0 < from.0 + count * MINUTE {
        match pace.admit(state, now) {
            Ok(next) => {
                sent[usize::try_from((now.0 - from.0) / MINUTE).unwrap()] += 1;
                *state = next;
            }
            Err(wait) => now = now.after(wait),
        }
    }
    sent
}

fn fresh(pace: Pace, count: i64) -> Vec<usize> {
    minutes(pace, &mut PaceState::default(), START, count)
}

/// The table of the design.
#[test]
fn each_service_has_its_row() {
    let rows = [
        (Some(Service::Microsoft365), "example.com", (2, Some(28), 2, Some(9_500), 100, false)),
        (Some(Service::Google), "gmail.com", (2, Some(60), 1, Some(450), 100, false)),
        (Some(Service::Google), "example.com", (2, Some(60), 1, Some(1_900), 100, false)),
        (Some(Service::AmazonSes), "example.com", (10, Some(60), 1, None, 100, true)),
        (Some(Service::Postmark), "example.com", (5, Some(1_200), 20, None, 100, false)),
        (Some(Service::SendGrid), "example.com", (5, Some(1_200), 20, None, 100, false)),
        (Some(Service::Mailgun), "example.com", (5, Some(1_200), 20, None, 3, false)),
        (Some(Service::Zoho), "example.com", (2, Some(300), 50, None, 100, false)),
        (None, "gmail.com", (2, Some(300), 50, None, 100, false)),
    ];
    for (service, domain, row) in rows {
        let pace = Pace::of_service(service, domain);
        let found =
            (pace.connections, pace.per_minute, pace.burst, pace.per_day, pace.mails_per_session, pace.grows);
        assert_eq!(found, row, "{service:?} {domain}");
    }
}

#[test]
fn a_burst_comes_first_and_then_the_rate_holds() {
    assert_eq!(fresh(Pace::MICROSOFT365, 3), [30, 28, 28], "published are 30 in any minute");
    assert_eq!(fresh(Pace::GMAIL, 2), [60, 60]);
    assert_eq!(fresh(Pace::OTHER, 2), [349, 300]);
}

#[test]
fn a_pause_earns_no_more_than_the_burst() {
    let pace = Pace { per_minute: Some(60), burst: 3, ..Pace::OTHER };
    let mut state = PaceState::default();
    let mut at_once = 0;
    while let Ok(next) = pace.admit(&state, START) {
        state = next;
        at_once += 1;
    }
    assert_eq!(at_once, 3);
}

#[test]
fn no_bound_admits_always() {
    let mut state = PaceState::default();
    for _ in 0..10_000 {
        state = Pace::OWN_RELAY.admit(&state, START).unwrap();
    }
}

/// Half the rate without a burst, then a tenth more for each five quiet minutes, up to the preset.
#[test]
fn throttling_halves_the_rate_and_quiet_brings_it_back() {
    let pace = Pace { burst: 20, ..Pace::GMAIL };
    let state = pace.throttle(&PaceState::default(), None, START);
    let wait = pace.admit(&state, START).unwrap_err();
    assert_eq!(wait, Duration::from_secs(2), "one interval of the halved rate");
    let mut sending = state.clone();
    let sent = minutes(pace, &mut sending, START, 60);
    assert_eq!(sent[1..5], [30; 4]);
    assert!((32..=33).contains(&sent[6]) && (35..=37).contains(&sent[11]), "{sent:?}");
    assert_eq!(sent[41..], [60; 19], "{sent:?}");
    assert!(sent.iter().all(|minute| *minute <= 61), "never above the preset: {sent:?}");
    assert_eq!(sending.rate, None, "nothing of it is kept then");
    // Whoever sends nothing meanwhile has quiet minutes as well.
    let later = pace.admit(&state, Timestamp(START.0 + HOUR)).unwrap();
    assert_eq!(later.rate, None);
}

#[test]
fn mails_that_are_throttled_together_halve_once_and_again_later_they_halve_again() {
    let pace = Pace::GMAIL;
    let mut state = PaceState::default();
    for at in [0, 10, 9_000] {
        state = pace.throttle(&state, None, Timestamp(START.0 + at));
        assert_eq!(state.rate.unwrap().per_hour, 30 * 60, "{at}");
    }
    for (at, per_hour) in
        [(20_000, 15 * 60), (40_000, 450), (60_000, 225), (80_000, 112), (100_000, 60), (120_000, 60)]
    {
        state = pace.throttle(&state, None, Timestamp(START.0 + at));
        assert_eq!(state.rate.unwrap().per_hour, per_hour, "{at}");
    }
    assert_eq!(
        Pace::OWN_RELAY.throttle(&PaceState::default(), None, START).rate.unwrap().per_hour,
        UNBOUNDED
    );
}

#[test]
fn a_pause_that_the_server_asks_for_is_kept_and_changes_no_rate() {
    for pace in [Pace::MICROSOFT365, Pace::GMAIL, Pace::OWN_RELAY] {
        let state = pace.throttle(&PaceState::default(), Some(Duration::from_secs(90)), START);
        assert_eq!(pace.admit(&state, START).unwrap_err(), Duration::from_secs(90), "{pace:?}");
        let after = pace.admit(&state, START.after(Duration::from_secs(90))).unwrap();
        assert_eq!(after.rate, None);
    }
}

#[test]
fn amazon_grows_by_a_tenth_in_each_minute_in_which_it_sends() {
    let mut state = PaceState::default();
    let sent = minutes(Pace::AMAZON_SES, &mut state, START, 60);
    assert!((60..=61).contains(&sent[0]) && (65..=67).contains(&sent[1]), "{sent:?}");
    assert!(sent.windows(2).all(|two| two[1] >= two[0]), "{sent:?}");
    assert!((5_900..=6_000).contains(&sent[59]), "it grows up to a bound: {sent:?}");
    let throttled = Pace::AMAZON_SES.throttle(&state, None, Timestamp(START.0 + HOUR));
    assert_eq!(throttled.rate.unwrap().per_hour, MAX_GROWN / 2);
    // A pause shows nothing: it is one step, however long.
    let mut state = PaceState::default();
    state = Pace::AMAZON_SES.admit(&state, START).unwrap();
    state = Pace::AMAZON_SES.admit(&state, Timestamp(START.0 + DAY)).unwrap();
    assert_eq!(state.rate.unwrap().per_hour, 66 * 60);
}

/// However the hours of sending lie, no 24 hours have more than the day's recipients.
#[test]
fn the_recipients_of_a_day_are_counted_over_any_24_hours() {
    let pace = Pace { per_day: Some(100), ..Pace::OWN_RELAY };
    let mut state = PaceState::default();
    let mut sent = Vec::new();
    for quarter in 0..400 {
        let now = Timestamp(START.0 + quarter * HOUR / 4);
        for _ in 0..7 {
            if pace.day_is_over_at(&state, now).is_none() {
                state.count(3, now);
                sent.push(now.0);
            }
        }
    }
    for from in &sent {
        let within = sent.iter().filter(|at| (*from..from + DAY).contains(at)).count() * 3;
        // The mail that reaches the bound may pass it.
        assert!(within <= 102, "{within}");
    }
    assert!(sent.len() * 3 >= 400, "and it goes on each day");
    assert!(state.hours.len() <= 26);
}

#[test]
fn a_full_day_ends_when_its_first_hour_is_a_day_ago() {
    let pace = Pace { per_day: Some(5), ..Pace::OTHER };
    let mut state = PaceState::default();
    let at = |minutes: i64| Timestamp(START.0 + minutes * MINUTE);
    state.count(2, at(10));
    state.count(2, at(70));
    assert_eq!(pace.day_is_over_at(&state, at(80)), None);
    state.count(1, at(80));
    assert_eq!(pace.day_is_over_at(&state, at(80)), Some(at(25 * 60)));
    assert_eq!(pace.day_is_over_at(&state, at(25 * 60)), None);
    assert_eq!(Pace::OTHER.day_is_over_at(&state, at(80)), None);
}

#[test]
fn what_an_operator_names_stands_in_the_place_of_the_preset() {
    let pace = Pace::AMAZON_SES.with(Some(3), Some(600), None, Some(1_000));
    let found = (pace.connections, pace.per_minute, pace.burst, pace.per_day, pace.grows);
    assert_eq!(found, (3, Some(600), 1, Some(1_000), false));
    let pace = Pace::MICROSOFT365.with(None, Some(0), Some(9), Some(0));
    assert_eq!((pace.connections, pace.per_minute, pace.burst, pace.per_day), (2, None, 9, None));
}

#[test]
fn the_state_reads_as_it_was_written_and_what_is_missing_is_nothing() {
    let mut state = Pace::GMAIL.throttle(&PaceState::default(), None, START);
    state.count(7, START);
    let text = serde_json::to_string(&state).unwrap();
    let read: PaceState = serde_json::from_str(&text).unwrap();
    assert_eq!(PaceState { due: state.due, ..read }, state);
    assert_eq!(serde_json::from_str::<PaceState>("{}").unwrap(), PaceState::default());
}

#[test]
fn the_recipients_of_the_last_hour_are_never_counted_too_low() {
    let mut state = PaceState::default();
    for minute in 0..180 {
        state.count(1, START.after(Duration::from_mins(minute)));
        let counted = state.recipients_of_last_hour(START.after(Duration::from_mins(minute)));
        let exact = u32::try_from((minute + 1).min(60)).unwrap();
        assert!((exact..=exact + 60).contains(&counted), "{counted} in minute {minute}");
    }
    assert_eq!(state.recipients_of_last_hour(START.after(Duration::from_hours(5))), 0);
}
