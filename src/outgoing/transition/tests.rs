mod model;

use super::*;
use crate::mail::address::EmailAddress;
use crate::outgoing::{EmailStatus, Lane, RecipientKind};

const WAITS: Waits = Waits { unknown: Duration::from_mins(10), lease: Duration::from_secs(15) };
const NOW: Timestamp = Timestamp(1_000_000_000);

fn email(recipients: i64) -> Email {
    let recipient = |position| Recipient {
        position,
        address: Some(EmailAddress::parse(&format!("r{position}@example.com")).expect("an address")),
        kind: RecipientKind::To,
        state: RecipientState::Queued,
        attempts: 0,
        copies: 0,
        started: None,
        next_attempt_at: Some(NOW),
        last: None,
    };
    Email {
        id: Uuid::nil(),
        lane: Lane::Transactional,
        created_at: NOW,
        scheduled_at: None,
        expires_at: NOW.after(Duration::from_hours(72)),
        on_unknown: OnUnknown::RetryOnce,
        message_id: "<a@example.com>".to_owned(),
        size: 1,
        has_content: true,
        version: 0,
        api_key_id: None,
        required_key_id: None,
        is_test: false,
        recipients: (0..recipients).map(recipient).collect(),
    }
}

fn attempt(result: AttemptResult) -> Attempt {
    let last = LastAttempt {
        at: NOW,
        stage: "data".to_owned(),
        smtp_code: None,
        enhanced_code: None,
        reply: None,
        is_recipients_fault: false,
        diagnosis: serde_json::Map::new(),
    };
    Attempt { result, last }
}

fn states(email: &Email) -> Vec<RecipientState> {
    email.recipients.iter().map(|recipient| recipient.state).collect()
}

#[test]
fn each_result_leads_to_its_state_and_event() {
    let deferred = AttemptResult::Deferred { retry_after: None };
    let rows = [
        (AttemptResult::Accepted, RecipientState::Accepted, EventKind::Sent, 1),
        (AttemptResult::Refused, RecipientState::Refused, EventKind::Failed, 1),
        (deferred, RecipientState::Deferred, EventKind::DeliveryDelayed, 1),
        (AttemptResult::Held, RecipientState::Held, EventKind::Held, 0),
        (AttemptResult::NotSent, RecipientState::Queued, EventKind::Queued, 0),
        (AttemptResult::Unknown, RecipientState::Unknown, EventKind::Unknown, 1),
        (AttemptResult::Failed, RecipientState::Failed, EventKind::Failed, 1),
    ];
    for (result, state, kind, attempts) in rows {
        let mut email = email(1);
        assert_eq!(email.begin(50, 7, WAITS, NOW), [0]);
        assert_eq!(email.status(NOW), EmailStatus::Sending);
        let events = email.finish(&[(0, attempt(result))], 7, WAITS, NOW);
        assert_eq!(states(&email), [state], "{result:?}");
        assert_eq!(email.recipients[0].attempts, attempts, "{result:?}");
        assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), [kind], "{result:?}");
        assert_eq!(events[0].details.version, 1);
    }
}

#[test]
fn recipients_that_change_together_share_an_event() {
    let mut email = email(3);
    assert_eq!(email.begin(50, 1, WAITS, NOW), [0, 1, 2]);
    let results = [
        (0, attempt(AttemptResult::Accepted)),
        (1, attempt(AttemptResult::Refused)),
        (2, attempt(AttemptResult::Accepted)),
    ];
    let events = email.finish(&results, 1, WAITS, NOW);
    let about: Vec<_> = events.iter().map(|event| (event.kind, event.details.positions.clone())).collect();
    assert_eq!(about, [(EventKind::Sent, vec![0, 2]), (EventKind::Failed, vec![1])]);
    assert_eq!(email.status(NOW), EmailStatus::PartiallyAccepted);
    assert_eq!(email.due_at(), None);
}

#[test]
fn a_result_of_another_owner_is_dropped() {
    let mut email = email(1);
    email.begin(50, 2, WAITS, NOW);
    assert_eq!(email.finish(&[(0, attempt(AttemptResult::Accepted))], 1, WAITS, NOW), []);
    assert_eq!(states(&email), [RecipientState::Sending]);
}

#[test]
fn a_hand_over_without_a_result_becomes_unknown_after_lease_and_wait_and_is_tried_once_more() {
    let mut email = email(1);
    email.begin(50, 1, WAITS, NOW);
    let due = email.due_at().expect("it is looked at again");
    assert_eq!(due, NOW.after(WAITS.lease + WAITS.unknown));
    assert_eq!(email.recover(2, Timestamp(due.0 - 1)), [], "its owner may still be at it");
    assert_eq!(email.recover(1, due), [], "this is its owner");
    let events = email.recover(2, due);
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Unknown, EventKind::Queued]);
    assert_eq!((states(&email), email.recipients[0].copies), (vec![RecipientState::Queued], 1));

    email.begin(50, 2, WAITS, due);
    let later = due.after(Duration::from_hours(1));
    let kinds: Vec<_> = email.recover(3, later).iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Unknown], "no third copy");
    assert_eq!((email.due_at(), email.status(later)), (None, EmailStatus::Unknown));
}

#[test]
fn an_unknown_outcome_is_tried_once_more_or_not_at_all() {
    for (policy, copies, expected) in [
        (OnUnknown::RetryOnce, 0, RecipientState::Queued),
        (OnUnknown::RetryOnce, 1, RecipientState::Unknown),
        (OnUnknown::Hold, 0, RecipientState::Unknown),
    ] {
        let mut email = Email { on_unknown: policy, ..email(1) };
        email.recipients[0].copies = copies;
        email.begin(50, 1, WAITS, NOW);
        email.finish(&[(0, attempt(AttemptResult::Unknown))], 1, WAITS, NOW);
        assert_eq!(email.apply_unknown_policy(NOW), [], "the wait is not over");
        assert_eq!(states(&email), [RecipientState::Unknown]);
        let later = NOW.after(WAITS.unknown);
        email.apply_unknown_policy(later);
        assert_eq!(states(&email), [expected], "{policy:?} {copies}");
        assert_eq!(email.due_at(), (expected == RecipientState::Queued).then_some(later));
    }
}

#[test]
fn what_waits_expires_and_what_is_decided_does_not() {
    let mut email = email(4);
    email.recipients[1].state = RecipientState::Held;
    email.recipients[2].state = RecipientState::Accepted;
    email.recipients[3].state = RecipientState::Unknown;
    assert_eq!(email.expire(Timestamp(email.expires_at.0 - 1)), []);
    let events = email.expire(email.expires_at);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].details.positions, [0, 1]);
    let expired = RecipientState::Expired;
    assert_eq!(states(&email), [expired, expired, RecipientState::Accepted, RecipientState::Unknown]);
}

#[test]
fn held_mail_goes_on_when_the_account_opens() {
    let mut email = email(2);
    email.recipients[1].state = RecipientState::Accepted;
    email.hold(None, NOW);
    assert!(email.is_held());
    assert_eq!(email.status(NOW), EmailStatus::Held);
    assert_eq!(email.due_at(), Some(email.expires_at));
    let events = email.release(NOW);
    assert_eq!(events[0].kind, EventKind::Queued);
    assert_eq!(email.begin(50, 1, WAITS, NOW), [0]);
}

#[test]
fn a_person_withdraws_retries_and_settles() {
    let mut waiting = email(2);
    waiting.recipients[1].state = RecipientState::Sending;
    assert_eq!(waiting.cancel(NOW)[0].details.positions, [0]);
    assert_eq!(waiting.cancel(NOW), [], "nothing is left");

    let mut ended = email(3);
    ended.recipients[0].state = RecipientState::Refused;
    ended.recipients[1].state = RecipientState::Unknown;
    ended.recipients[2].state = RecipientState::Accepted;
    let late = ended.expires_at;
    let lifetime = Duration::from_hours(1);
    assert_eq!(ended.retry(Some(&[2]), lifetime, late), [], "it was accepted");
    assert_eq!(ended.clone().settle(None, late)[0].details.positions, [1]);
    ended.retry(None, lifetime, late);
    assert_eq!(states(&ended), [RecipientState::Queued, RecipientState::Queued, RecipientState::Accepted]);
    assert_eq!(ended.recipients[1].copies, 1);
    assert_eq!(ended.expires_at, late.after(lifetime));
}

#[test]
fn an_erased_email_names_nobody_and_waits_for_nothing() {
    let mut email = email(2);
    email.recipients[1].state = RecipientState::Accepted;
    let events = email.erase(NOW);
    assert_eq!(events[0].kind, EventKind::Canceled);
    assert!(email.recipients.iter().all(|recipient| recipient.address.is_none()));
    assert_eq!((email.due_at(), email.has_content), (None, false));
    assert_eq!(email.status(NOW), EmailStatus::PartiallyAccepted);
}

#[test]
fn a_hand_over_that_broke_off_is_unknown_where_it_had_begun_and_failed_where_not() {
    let last = attempt(AttemptResult::Failed).last;
    let mut begun = email(2);
    begun.begin(1, 1, WAITS, NOW);
    let kinds = |events: Vec<Event>| events.iter().map(|event| event.kind).collect::<Vec<_>>();
    assert_eq!(kinds(begun.abandon(1, &last, WAITS, NOW)), [EventKind::Unknown]);
    assert_eq!(states(&begun), [RecipientState::Unknown, RecipientState::Queued]);
    assert_eq!(begun.recipients[0].next_attempt_at, Some(NOW.after(WAITS.unknown)), "its policy acts");

    let mut of_another_owner = email(1);
    of_another_owner.begin(1, 2, WAITS, NOW);
    assert_eq!(of_another_owner.abandon(1, &last, WAITS, NOW), []);

    let mut not_begun = email(2);
    not_begun.recipients[1].next_attempt_at = Some(NOW.after(WAITS.lease));
    assert_eq!(kinds(not_begun.abandon(1, &last, WAITS, NOW)), [EventKind::Failed]);
    assert_eq!(states(&not_begun), [RecipientState::Failed, RecipientState::Queued]);
}

#[test]
fn what_is_held_until_a_time_goes_on_by_itself_and_not_with_its_account() {
    let (mut email, until) = (email(2), Timestamp(NOW.0 + 1_000));
    let last = attempt(AttemptResult::Held).last;
    let events = email.hold_until(&[1], until, &last, NOW);
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].kind, events[0].details.next_attempt_at), (EventKind::Held, Some(until)));
    assert_eq!(email.begin(50, 7, WAITS, NOW), [0], "the other one goes");
    email.finish(&[(0, attempt(AttemptResult::Accepted))], 7, WAITS, NOW);
    assert_eq!((email.status(NOW), email.due_at(), email.is_held()), (EmailStatus::Held, Some(until), false));
    assert_eq!(email.release(NOW), [], "its account has not held it");
    assert!(email.begin(50, 7, WAITS, NOW).is_empty());
    let mut stopped = email.clone();
    assert_eq!(stopped.hold(None, until).len(), 1, "then its account holds it");
    assert!(stopped.is_held() && stopped.due_at() == Some(stopped.expires_at));
    assert_eq!(email.begin(50, 7, WAITS, until), [1]);
}
