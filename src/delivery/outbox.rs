//! Takes mail: everything that can be refused is refused here, and what is taken is on disk before the caller hears of it.

use serde_json::Value;
use uuid::Uuid;

use super::handover::{KeyVerdict, judge_key};
use super::queue_limits::Waiting;
use super::request::{EmailRequest, Envelope, ErrorName, RequestBody, RequestFault, RequestFaults};
use super::submission::Submission;
use super::{Delivery, Error};
use crate::clock::Timestamp;
use crate::config::MicrosoftTransport;
use crate::email_config::{EmailConfig, Settings};
use crate::error::{InputFault, Reason};
use crate::id::TenantId;
use crate::mail::address::EmailAddress;
use crate::outgoing::account_settings::AccountSettings;
use crate::outgoing::{Email, OnUnknown, Recipient, RecipientKind, RecipientState};
use crate::store::api_keys::ApiKey;
use crate::store::emails::{IdempotencyKey, NewEmail, StoredEmail};
use crate::store::{Write, WriteOutcome, delivery_accounts, email_configs, emails};
use crate::telemetry::spans;

/// The largest message that Graph takes in one call, in octets: base64 makes a third more of it.
const MAX_GRAPH_MESSAGE: usize = 3 * 1024 * 1024;

/// What was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enqueued {
    /// In the order of the request.
    pub ids: Vec<Uuid>,
    /// The same request had come before: these are the emails of that time.
    pub is_replay: bool,
}

/// By what a request is recognised that comes again.
pub(super) enum Mark<'a> {
    None,
    /// The idempotency key.
    Key(&'a str),
    /// A hash of the sender's key and of all that came, for mail that was taken after `since`.
    Octets {
        hash: [u8; 32],
        since: Timestamp,
    },
}

impl<'a> Mark<'a> {
    fn key(&self) -> Option<&'a str> {
        if let Self::Key(key) = self { Some(key) } else { None }
    }

    fn hash(&self) -> Option<&[u8]> {
        if let Self::Octets { hash, .. } = self { Some(hash) } else { None }
    }
}

impl Delivery {
    /// Reads one request to send.
    ///
    /// # Errors
    /// All of its faults.
    pub fn parse(&self, document: Value) -> Result<EmailRequest, RequestFaults> {
        let parsed = EmailRequest::parse(document, self.clock.now());
        if let Err(faults) = &parsed {
            self.metrics().record_submitted(faults.name().as_str(), 1);
        }
        parsed
    }

    /// Stores all mails in one transaction, or none of them. `api_key` is the key that they came with; it has to be usable
    /// still when they are handed over.
    ///
    /// # Errors
    /// What keeps the first of them from being taken; nothing is stored then.
    pub async fn enqueue(
        &self,
        tenant: &TenantId,
        api_key: Option<&ApiKey>,
        requests: &[EmailRequest],
        idempotency_key: Option<&str>,
    ) -> Result<Enqueued, Error> {
        let mark = idempotency_key.map_or(Mark::None, Mark::Key);
        let taken = self.store_all(tenant, api_key, requests, &mark).await;
        self.count_submitted(&taken, requests.len());
        taken
    }

    pub(super) fn count_submitted(&self, taken: &Result<Enqueued, Error>, count: usize) {
        let outcome = match taken {
            Ok(Enqueued { is_replay: true, .. }) => "replayed",
            Ok(_) => "taken",
            Err(error) => error.name(),
        };
        self.metrics().record_submitted(outcome, count);
    }

    pub(super) async fn store_all(
        &self,
        tenant: &TenantId,
        api_key: Option<&ApiKey>,
        requests: &[EmailRequest],
        mark: &Mark<'_>,
    ) -> Result<Enqueued, Error> {
        let is_test = api_key.is_some_and(|key| key.is_test);
        if let Some(replay) = self.find_replay(tenant, is_test, requests, mark).await? {
            for id in &replay.ids {
                self.answer_for(tenant, *id, api_key).await?;
            }
            return Ok(replay);
        }
        let config = email_configs::find(&self.db, tenant).await?.ok_or(Error::NotConfigured)?;
        let now = self.clock.now();
        let mut submissions = Vec::with_capacity(requests.len());
        for (index, request) in requests.iter().enumerate() {
            let submission = self.submission(tenant, api_key, &config, request, now).await;
            let of_batch = |error| Error::OfBatch { index, error: Box::new(error) };
            submissions.push(submission.map_err(of_batch)?);
        }
        self.check_queue(tenant, &submissions).await?;
        self.check_capacity(&submissions).await?;
        let mails: Vec<_> = submissions
            .iter()
            .map(|submission| (self.email(&config, submission, api_key, now), submission))
            .collect();
        let (write, ids) = self.prepare(tenant, &mails, mark, now).await?;
        if self.db.write(write).await? == WriteOutcome::NoRowsAffected {
            // The key was taken by a request of the same moment, whose commit has been waited for.
            let replay = self.find_replay(tenant, is_test, requests, mark).await?;
            return replay.ok_or(Error::Contended);
        }
        self.announce();
        self.wake(tenant);
        Ok(Enqueued { ids, is_replay: false })
    }

    /// What is stored of a request that the account and the key allow.
    async fn submission(
        &self,
        tenant: &TenantId,
        api_key: Option<&ApiKey>,
        config: &EmailConfig,
        request: &EmailRequest,
        now: Timestamp,
    ) -> Result<Submission, Error> {
        request.check_lifetime(now).map_err(|fault| Error::Refused(fault.into()))?;
        let submission = Submission::new(request, config, self.lifetime(), now)?;
        self.check(config, request, &submission)?;
        self.check_senders(tenant, config, request, &submission).await?;
        check_senders_of_key(api_key, config, request, &submission)?;
        Ok(submission)
    }

    /// The statements that store the mails, and their ids.
    async fn prepare(
        &self,
        tenant: &TenantId,
        mails: &[(Email, &Submission)],
        mark: &Mark<'_>,
        now: Timestamp,
    ) -> Result<(Write, Vec<Uuid>), Error> {
        let key = self.key_of_today(tenant, now).await?;
        let traceparent = spans::current_traceparent();
        let (mut write, mut ids, mut due) = (Write::default(), Vec::new(), Vec::new());
        if let Mark::Octets { hash, since } = mark {
            write = write.then(emails::forget_door(tenant, hash, *since));
        }
        for (position, (email, submission)) in (0..).zip(mails) {
            // A structure of texts can always be written as JSON.
            let details = serde_json::to_vec(&submission.details).unwrap_or_default();
            let sealed = key.seal(tenant, email.id, &details, &submission.message)?;
            let events = email.created(now);
            let tags = key.hash_tags(&submission.details.tags);
            let new = NewEmail {
                email,
                idempotency: mark.key().map(|key| IdempotencyKey { key, position }),
                fingerprint: &submission.fingerprint,
                door_hash: mark.hash(),
                sealed_details: &sealed.details,
                key_day: key.day,
                parts: &sealed.parts,
                tags: &tags,
                events: &events,
                traceparent: traceparent.as_deref(),
            };
            write = write.then_all(emails::insert(tenant, &new, now));
            due.extend(email.due_at());
            ids.push(email.id);
        }
        let wake = due.into_iter().min().map(|at| delivery_accounts::wake(tenant, at));
        Ok((write.then_all(wake), ids))
    }

    fn email(
        &self,
        config: &EmailConfig,
        submission: &Submission,
        api_key: Option<&ApiKey>,
        now: Timestamp,
    ) -> Email {
        let first_attempt = submission.scheduled_at.unwrap_or(now).max(now);
        let recipient = |(position, (kind, address)): (i64, &(RecipientKind, EmailAddress))| Recipient {
            position,
            address: Some(address.clone()),
            kind: *kind,
            state: RecipientState::Queued,
            attempts: 0,
            copies: 0,
            started: None,
            next_attempt_at: Some(first_attempt),
            last: None,
        };
        let on_unknown = if self.sends_by_graph(config) { OnUnknown::Hold } else { OnUnknown::RetryOnce };
        Email {
            id: submission.id,
            lane: submission.lane,
            created_at: now,
            scheduled_at: submission.scheduled_at,
            expires_at: submission.expires_at,
            on_unknown: submission.on_unknown.unwrap_or(on_unknown),
            message_id: submission.message_id.clone(),
            size: i64::try_from(submission.message.len()).unwrap_or(i64::MAX),
            has_content: true,
            version: 0,
            api_key_id: api_key.map(|key| key.id),
            required_key_id: api_key.map(|key| key.id),
            is_test: api_key.is_some_and(|key| key.is_test),
            recipients: (0..).zip(&submission.recipients).map(recipient).collect(),
        }
    }

    /// The emails of an earlier request with this key; an error where that request was another one: what a test key took was
    /// never sent.
    async fn find_replay(
        &self,
        tenant: &TenantId,
        is_test: bool,
        requests: &[EmailRequest],
        mark: &Mark<'_>,
    ) -> Result<Option<Enqueued>, Error> {
        let key = match mark {
            Mark::None => return Ok(None),
            Mark::Octets { hash, since } => {
                let found = emails::find_by_door(&self.db, tenant, hash, *since).await?;
                return Ok(found.map(|id| Enqueued { ids: vec![id], is_replay: true }));
            }
            Mark::Key(key) => key,
        };
        let found = emails::find_by_key(&self.db, tenant, key).await?;
        if found.is_empty() {
            return Ok(None);
        }
        let is_same = found.len() == requests.len()
            && found
                .iter()
                .zip(requests)
                .all(|(kept, new)| kept.is_test == is_test && kept.fingerprint[..] == new.fingerprint().0);
        if !is_same {
            return Err(Error::KeyReused);
        }
        let ids = found.into_iter().map(|kept| kept.id).collect();
        Ok(Some(Enqueued { ids, is_replay: true }))
    }

    /// Lets what waits of an email go with the credential that repeats its request, where the key that it came with may no
    /// longer be used: after a key was replaced, programs repeat with the new one what had no answer.
    async fn answer_for(&self, tenant: &TenantId, id: Uuid, api_key: Option<&ApiKey>) -> Result<(), Error> {
        let Some(StoredEmail { email, .. }) = emails::find(&self.db, tenant, id).await? else {
            return Ok(());
        };
        let waits = email.recipients.iter().any(|recipient| recipient.state.is_waiting());
        let is_refused = async || {
            let verdict = judge_key(self, email.required_key_id, self.clock.now()).await;
            verdict.map(|verdict| matches!(verdict, KeyVerdict::Refused))
        };
        if !waits || !is_refused().await? {
            return Ok(());
        }
        self.save_change(tenant, id, |email, now| {
            email.required_key_id = api_key.map(|key| key.id);
            Ok(email.release(now))
        })
        .await
    }

    /// Refuses what the account could never send.
    fn check(
        &self,
        config: &EmailConfig,
        request: &EmailRequest,
        submission: &Submission,
    ) -> Result<(), Error> {
        let by_graph = self.sends_by_graph(config);
        let sent = submission.message.len();
        // A message that came whole may be as large as was announced; the lines on top of it do not count.
        let given =
            if let RequestBody::Raw(message) = &request.body { message.as_bytes().len() } else { sent };
        let limits = [(self.settings.max_message_bytes, given, false), (MAX_GRAPH_MESSAGE, sent, true)];
        let limits = if by_graph { &limits[..] } else { &limits[..1] };
        if let Some((limit, size, is_of_provider)) =
            limits.iter().find(|(limit, size, _)| size > limit).copied()
        {
            return Err(Error::TooLarge { limit, size, is_of_provider });
        }
        if by_graph && request.received.is_none() && request.envelope != Envelope::default() {
            let statement = "cannot be used with an account of Microsoft 365, where the message's header says who \
                             sends and who receives";
            let input = InputFault::new("envelope", Reason::NotSupported, statement);
            return Err(Error::Refused(RequestFault { name: ErrorName::ValidationError, input }.into()));
        }
        Ok(())
    }

    /// Refuses a sender that the account may not use. The settings are read only where it is not the account's address.
    async fn check_senders(
        &self,
        tenant: &TenantId,
        config: &EmailConfig,
        request: &EmailRequest,
        submission: &Submission,
    ) -> Result<(), Error> {
        let own = config.settings.email_address().ok_or(Error::NotConfigured)?;
        let mut others =
            named_senders(request, submission).filter(|(_, sender)| !sender.is_same_mailbox(own));
        let Some(first) = others.next() else { return Ok(()) };
        let account = delivery_accounts::find(&self.db, tenant).await?;
        let settings = account.map(|account| account.settings).unwrap_or_default();
        match std::iter::once(first).chain(others).find(|(_, sender)| !settings.allow(sender)) {
            Some((pointer, _)) => Err(sender_not_allowed(pointer, own, &settings)),
            None => Ok(()),
        }
    }

    /// Whether the account's mail goes through Graph, all recipients in one call.
    pub(super) fn sends_by_graph(&self, config: &EmailConfig) -> bool {
        matches!(config.settings, Settings::Microsoft365(_))
            && self.accounts.outbound.microsoft365_transport == MicrosoftTransport::Graph
    }

    async fn check_queue(&self, tenant: &TenantId, submissions: &[Submission]) -> Result<(), Error> {
        let more = Waiting { emails: submissions.len() as u64, octets: octets_of(submissions) };
        let has_room = self.queue_limits.let_in(&self.db, tenant, more).await?;
        if has_room { Ok(()) } else { Err(Error::QueueFull) }
    }

    async fn check_capacity(&self, submissions: &[Submission]) -> Result<(), Error> {
        if self.capacity.has_room(&self.db, octets_of(submissions)).await? {
            return Ok(());
        }
        Err(Error::NoRoom)
    }
}

/// The senders that a request names, each with its place.
fn named_senders<'a>(
    request: &'a EmailRequest,
    submission: &'a Submission,
) -> impl Iterator<Item = (&'static str, &'a EmailAddress)> {
    let is_raw = matches!(request.body, RequestBody::Raw(_));
    let header = submission.sender.as_ref().map(|sender| (if is_raw { "/raw" } else { "/from" }, sender));
    let envelope = request.envelope.from.as_ref().map(|sender| ("/envelope/from", sender));
    header.into_iter().chain(envelope)
}

/// Refuses a sender that the key may not use. A request without a sender has the account's address.
fn check_senders_of_key(
    api_key: Option<&ApiKey>,
    config: &EmailConfig,
    request: &EmailRequest,
    submission: &Submission,
) -> Result<(), Error> {
    let Some(key) = api_key else { return Ok(()) };
    let own = config.settings.email_address().ok_or(Error::NotConfigured)?;
    let own = submission.sender.is_none().then_some(("/from", own));
    match own.into_iter().chain(named_senders(request, submission)).find(|(_, sender)| !key.allows(sender)) {
        Some((pointer, _)) => Err(sender_not_allowed_by_key(pointer, key)),
        None => Ok(()),
    }
}

/// The refusal, with the senders that the account has.
fn sender_not_allowed(pointer: &'static str, own: &EmailAddress, settings: &AccountSettings) -> Error {
    let others = settings.allowed_senders.iter().map(ToString::to_string);
    Error::SenderNotAllowed { pointer, allowed: std::iter::once(own.to_string()).chain(others).collect() }
}

/// The refusal, with the senders that the key has.
fn sender_not_allowed_by_key(pointer: &'static str, key: &ApiKey) -> Error {
    Error::SenderNotAllowedByKey { pointer, allowed: key.shown_senders() }
}

fn octets_of(submissions: &[Submission]) -> u64 {
    submissions.iter().map(|submission| submission.message.len() as u64).sum()
}
