//! Takes a message that came by SMTP: what is asked of every mail, and what that protocol needs besides.
//!
//! Its client knows no idempotency key and closes the connection where the answer does not come: it will send the message
//! again (RFC 1047). So a message that comes again is recognised by its octets, and one that was not stored in time is
//! withdrawn where its write succeeds later.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use tokio::task::JoinHandle;

use super::outbox::Mark;
use super::request::{EmailRequest, Envelope, ErrorName, IdempotencyKey, SubmittedError};
use super::{Delivery, Enqueued, Error};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::mail::message::received::Received;
use crate::store::api_keys::ApiKey;
use crate::store::erasure::{self, Erasure};
use crate::store::{Write, WriteOutcome, emails};
use crate::telemetry::spans;

impl Delivery {
    /// Reads a message with its envelope, and the idempotency key among its control lines.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse_message(
        &self,
        octets: Vec<u8>,
        envelope: Envelope,
        received: Received,
    ) -> Result<(EmailRequest, Option<IdempotencyKey>), SubmittedError> {
        let parsed = EmailRequest::from_message(octets, envelope, received, self.clock.now());
        if parsed.is_err() {
            self.metrics().record_submitted(ErrorName::ValidationError.as_str(), 1);
        }
        parsed
    }

    /// Stores a message with its envelope, or finds that it was stored before. Where that takes longer than `within`, it is
    /// undone.
    ///
    /// # Errors
    /// What keeps it from being taken. [`Error::Contended`] also where it could not be stored in time.
    pub async fn submit(
        self: &Arc<Self>,
        tenant: &TenantId,
        api_key: ApiKey,
        request: EmailRequest,
        idempotency_key: Option<IdempotencyKey>,
        within: Duration,
    ) -> Result<Enqueued, Error> {
        let (delivery, owner) = (Arc::clone(self), tenant.clone());
        let store = async move {
            let taken = delivery.store_once(&owner, &api_key, request, idempotency_key.as_ref()).await;
            delivery.count_submitted(&taken, 1);
            taken
        };
        let mut storing = tokio::spawn(spans::in_current_trace(store));
        if let Ok(stored) = tokio::time::timeout(within, &mut storing).await {
            return stored.unwrap_or_else(|error| Err(Error::Internal(error.into())));
        }
        tracing::warn!("a message could not be stored in time: its client sends it again");
        tokio::spawn(spans::in_current_trace(Arc::clone(self).withdraw(tenant.clone(), storing)));
        Err(Error::Contended)
    }

    async fn store_once(
        &self,
        tenant: &TenantId,
        api_key: &ApiKey,
        request: EmailRequest,
        idempotency_key: Option<&IdempotencyKey>,
    ) -> Result<Enqueued, Error> {
        let mark = match idempotency_key {
            Some(key) => Mark::Key(key.as_str()),
            None => self.octets_mark(api_key, &request),
        };
        let requests = [request];
        // A repetition may meet an email that is just being withdrawn: then it is a new one.
        for is_last in [false, false, true] {
            let taken = match self.store_all(tenant, Some(api_key), &requests, &mark).await {
                Err(Error::Contended) if !is_last => continue,
                taken => taken?,
            };
            let [id] = taken.ids[..] else { return Err(Error::Contended) };
            let confirmed = || Write::default().then(emails::confirm_repetition(tenant, id));
            if !taken.is_replay || self.db.write(confirmed()).await? == WriteOutcome::Committed {
                return Ok(taken);
            }
        }
        Err(Error::Contended)
    }

    /// Only a message with a Message-ID of its own: others may well be the same on purpose.
    fn octets_mark(&self, api_key: &ApiKey, request: &EmailRequest) -> Mark<'static> {
        if self.repetition_window.is_zero() || request.own_message_id().is_none() {
            return Mark::None;
        }
        let mut context = Context::new(&SHA256);
        context.update(api_key.id.as_bytes());
        context.update(&request.fingerprint().0);
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        let window = i64::try_from(self.repetition_window.as_millis()).unwrap_or(i64::MAX);
        Mark::Octets { hash, since: Timestamp(self.clock.now().0.saturating_sub(window)) }
    }

    /// Undoes a write whose client was told to come again, unless it came again already and has heard the email's id, or an
    /// attempt to send it has begun.
    async fn withdraw(self: Arc<Self>, tenant: TenantId, storing: JoinHandle<Result<Enqueued, Error>>) {
        let Ok(Ok(Enqueued { ids, is_replay: false })) = storing.await else { return };
        for id in ids {
            let unless_repeated = emails::withdraw_unless_repeated(&tenant, id);
            let erased =
                erasure::erase(&self.db, &tenant, id, Some(&unless_repeated), self.clock.now()).await;
            match erased {
                Ok(Erasure::Erased) => tracing::warn!(email = %id, "withdrawn: it was stored too late"),
                Ok(Erasure::NotFound) => {}
                Ok(Erasure::Contended) => {
                    tracing::warn!(email = %id, "stays although it was stored too late: its client knows it, or it was sent");
                }
                Err(error) => tracing::warn!(email = %id, %error, "an email that was stored too late stays"),
            }
        }
        self.announce();
    }
}
