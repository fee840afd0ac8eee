//! Random sequences of changes against a small model: which state may follow which, and how often a message may have left.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Begin {
        max: usize,
    },
    /// How the hand-over ended for each recipient, by the present owner or one that was taken over.
    Finish {
        results: Vec<AttemptResult>,
        is_late: bool,
    },
    Recover,
    ApplyPolicy,
    Expire,
    Hold,
    Release,
    Cancel,
    Retry {
        positions: Option<Vec<i64>>,
    },
    Settle {
        positions: Option<Vec<i64>>,
    },
    Abandon,
    Reschedule {
        minutes: u64,
    },
    /// Another process takes the account over.
    TakeOver,
    Pass {
        minutes: u64,
    },
}

fn result() -> impl Strategy<Value = AttemptResult> {
    prop_oneof![
        Just(AttemptResult::Accepted),
        Just(AttemptResult::Refused),
        Just(AttemptResult::Deferred { retry_after: None }),
        Just(AttemptResult::Deferred { retry_after: Some(Duration::from_mins(90)) }),
        Just(AttemptResult::Held),
        Just(AttemptResult::Unknown),
        Just(AttemptResult::Failed),
    ]
}

fn positions() -> impl Strategy<Value = Option<Vec<i64>>> {
    proptest::option::of(vec(0..3_i64, 0..3))
}

fn step() -> impl Strategy<Value = Step> {
    let finish = (vec(result(), 3), proptest::bool::weighted(0.2));
    prop_oneof![
        5 => (1..4_usize).prop_map(|max| Step::Begin { max }),
        5 => finish.prop_map(|(results, is_late)| Step::Finish { results, is_late }),
        2 => Just(Step::Recover),
        2 => Just(Step::ApplyPolicy),
        1 => Just(Step::Expire),
        1 => Just(Step::Hold),
        2 => Just(Step::Release),
        1 => Just(Step::Cancel),
        2 => positions().prop_map(|positions| Step::Retry { positions }),
        1 => positions().prop_map(|positions| Step::Settle { positions }),
        1 => Just(Step::Abandon),
        1 => (0..300_u64).prop_map(|minutes| Step::Reschedule { minutes }),
        2 => Just(Step::TakeOver),
        4 => (0..2_000_u64).prop_map(|minutes| Step::Pass { minutes }),
    ]
}

/// The states that may follow: everything else stays as it is.
fn may_follow(step: &Step, from: RecipientState, to: RecipientState) -> bool {
    use RecipientState as State;
    match step {
        Step::Begin { .. } => matches!(from, State::Queued | State::Deferred) && to == State::Sending,
        Step::Finish { is_late, .. } => {
            !is_late && from == State::Sending && !matches!(to, State::Queued | State::Sending)
        }
        // The policy acts at once where its wait is over, too.
        Step::Recover => {
            (from == State::Sending && matches!(to, State::Unknown | State::Queued))
                || (from == State::Unknown && to == State::Queued)
        }
        Step::ApplyPolicy => from == State::Unknown && to == State::Queued,
        Step::Expire => from.is_waiting() && to == State::Expired,
        Step::Hold => matches!(from, State::Queued | State::Deferred) && to == State::Held,
        Step::Release => from == State::Held && to == State::Queued,
        Step::Cancel => from.is_waiting() && to == State::Canceled,
        Step::Retry { .. } => {
            matches!(from, State::Refused | State::Expired | State::Failed | State::Held | State::Unknown)
                && to == State::Queued
        }
        Step::Settle { .. } => from == State::Unknown && to == State::Accepted,
        Step::Abandon => {
            (from == State::Sending && to == State::Unknown)
                || (matches!(from, State::Queued | State::Deferred) && to == State::Failed)
        }
        Step::Reschedule { .. } | Step::TakeOver | Step::Pass { .. } => false,
    }
}

/// What the model knows of one recipient.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Hand-overs whose message may have left.
    left: i64,
    /// How often a person has asked for another attempt after an unknown outcome.
    asked: i64,
}

struct World {
    email: Email,
    known: Vec<Known>,
    fence: i64,
    now: Timestamp,
}

impl World {
    fn new(on_unknown: OnUnknown) -> Self {
        let email = Email { on_unknown, ..email(3) };
        Self { email, known: vec![Known::default(); 3], fence: 1, now: NOW }
    }

    fn apply(&mut self, step: &Step) -> Vec<Event> {
        let (email, now, fence) = (&mut self.email, self.now, self.fence);
        match step {
            Step::Begin { max } => {
                email.begin(*max, fence, WAITS, now);
                Vec::new()
            }
            Step::Finish { results, is_late } => {
                let attempts: Vec<_> = (0..).zip(results.iter().map(|result| attempt(*result))).collect();
                // Fences begin with 1: nothing was begun under this one.
                let fence = if *is_late { 0 } else { fence };
                email.finish(&attempts, fence, WAITS, now)
            }
            Step::Recover => email.recover(fence, now),
            Step::ApplyPolicy => email.apply_unknown_policy(now),
            Step::Expire => email.expire(now),
            Step::Hold => email.hold(None, now),
            Step::Release => email.release(now),
            Step::Cancel => email.cancel(now),
            Step::Retry { positions } => email.retry(positions.as_deref(), Duration::from_hours(72), now),
            Step::Settle { positions } => email.settle(positions.as_deref(), now),
            Step::Abandon => email.abandon(fence, &attempt(AttemptResult::Failed).last, WAITS, now),
            Step::Reschedule { minutes } => {
                // Without an end it lives on long enough, or its lifetime is over.
                let _ = email.reschedule(Some(now.after(Duration::from_mins(*minutes))), None, now);
                Vec::new()
            }
            Step::TakeOver => {
                self.fence += 1;
                Vec::new()
            }
            Step::Pass { minutes } => {
                self.now = now.after(Duration::from_mins(*minutes));
                Vec::new()
            }
        }
    }

    fn count(&mut self, step: &Step, index: usize, from: RecipientState) {
        let to = self.email.recipients[index].state;
        let may_have_left = match step {
            Step::Finish { .. } => matches!(to, RecipientState::Accepted | RecipientState::Unknown),
            Step::Recover | Step::Abandon => true,
            _ => false,
        };
        let known = &mut self.known[index];
        known.left += i64::from(from == RecipientState::Sending && from != to && may_have_left);
        let is_asked = matches!(step, Step::Retry { .. }) && from == RecipientState::Unknown && from != to;
        known.asked += i64::from(is_asked);
    }

    fn check(&mut self, step: &Step, before: &Email, events: &[Event]) {
        for index in 0..before.recipients.len() {
            let (was, is) = (&before.recipients[index], self.email.recipients[index].clone());
            let (from, to) = (was.state, is.state);
            assert!(from == to || may_follow(step, from, to), "{step:?}: {from:?} → {to:?}");
            self.count(step, index, from);
            let Known { left, asked } = self.known[index];
            assert!(
                left <= 1 + is.copies,
                "{step:?}: it may have left {left} times, copies are {}",
                is.copies
            );
            let by_policy = i64::from(before.on_unknown == OnUnknown::RetryOnce);
            assert!(is.copies <= by_policy + asked, "{step:?}: {} copies, {asked} asked", is.copies);
            let told: Vec<_> =
                events.iter().filter(|event| event.details.positions.contains(&is.position)).collect();
            if from == to || to == RecipientState::Sending {
                assert!(told.is_empty(), "{step:?}: nothing changed, and {told:?}");
            } else {
                let last = told.last().expect("a change has an event");
                assert_eq!(last.details.state, to.as_str(), "{step:?}");
                let steps =
                    if (from, to) == (RecipientState::Sending, RecipientState::Queued) { 2 } else { 1 };
                assert_eq!(told.len(), steps, "{step:?}: each change once");
            }
        }
        assert!(events.iter().all(|event| event.details.version == before.version + 1));
        let pending = |recipient: &Recipient| {
            recipient.state.is_waiting()
                || recipient.state == RecipientState::Sending
                || (recipient.state == RecipientState::Unknown && recipient.next_attempt_at.is_some())
        };
        assert_eq!(
            self.email.due_at().is_some(),
            self.email.recipients.iter().any(pending),
            "{step:?}: what waits is due at some time, and nothing else"
        );
        let accepted = self.email.recipients.iter().all(|recipient| recipient.state.was_accepted());
        assert_eq!(self.email.has_content, !accepted, "{step:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_sequence_of_changes_leaves_the_states_and_the_bound_of_copies(
        holds in any::<bool>(),
        steps in vec(step(), 1..60),
    ) {
        let mut world = World::new(if holds { OnUnknown::Hold } else { OnUnknown::RetryOnce });
        for step in &steps {
            let before = world.email.clone();
            let events = world.apply(step);
            world.check(step, &before, &events);
            world.email.version += i64::from(before != world.email);
        }
        // Whatever happened, it comes to an end: each hand-over has a result, and the lifetime ends the rest.
        world.fence += 1;
        for _ in 0..3 {
            world.now = world.now.after(Duration::from_hours(24 * 30));
            let now = world.now;
            world.email.recover(world.fence, now);
            world.email.apply_unknown_policy(now);
            world.email.expire(now);
        }
        prop_assert_eq!(world.email.due_at(), None, "nothing waits for good: {:?}", states(&world.email));
    }
}
