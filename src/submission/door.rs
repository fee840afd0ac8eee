//! What becomes of a sign-in, an envelope and a message.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{Gateway, refusal};
use crate::delivery::Enqueued;
use crate::delivery::request::Envelope;
use crate::id::{TenantId, TraceId, UserId};
use crate::limits::rate::{Limit, Refused};
use crate::mail::address::EmailAddress;
use crate::mail::message::received::Received;
use crate::smtp::server::{Client, FrontDoor, MessageOctets, Outcome, SignIn, SignInRule, Transaction};
use crate::smtp::{EnhancedCode, Reply};
use crate::store::api_keys::ApiKey;
use crate::telemetry::spans;

/// How long the answer to a message may take: a client waits ten minutes for it (RFC 5321 section 4.5.3.2.6), and many are less
/// patient.
const MAX_STORE_TIME: Duration = Duration::from_secs(5);

/// Who has signed in.
#[derive(Debug)]
pub struct Caller {
    pub tenant: TenantId,
    pub key: ApiKey,
}

impl FrontDoor for Gateway {
    type Caller = Caller;

    fn hostname(&self) -> &str {
        &self.hostname
    }

    fn banner(&self) -> &'static str {
        "ESMTP transports"
    }

    fn help(&self) -> &'static str {
        "Sign in with an API key as the password"
    }

    fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }

    fn sign_in_rule(&self, is_encrypted: bool) -> SignInRule {
        if is_encrypted { SignInRule::Required } else { SignInRule::AfterTls }
    }

    fn peer_group(&self, peer: IpAddr) -> Option<u128> {
        Self::group_of(peer)
    }

    async fn admit(&self, _peer: SocketAddr) -> Result<(), Reply> {
        self.app.metrics.record_submission_connection();
        Ok(())
    }

    async fn sign_in(&self, client: &Client<Caller>, credentials: SignIn) -> Result<Caller, Reply> {
        let signed_in = self.identify(client.peer.ip(), &credentials).await;
        signed_in.map_err(|refusal| {
            self.app.metrics.record_refused_submission_sign_in(refusal.as_str());
            refusal.into()
        })
    }

    /// The key is looked up again: it may have been revoked since the sign-in. A mail counts here, before it is sent.
    async fn begin(&self, client: &Client<Caller>, transaction: &Transaction) -> Result<(), Reply> {
        let caller = caller(client)?;
        sender(&transaction.sender)?;
        self.current(caller).await?;
        let user = UserId::of_api_key(caller.key.id);
        match self.app.rate_limiter.count_user(Limit::Send, &caller.tenant, &user).await {
            Ok(()) => Ok(()),
            Err(Refused::Exceeded(exceeded)) => {
                self.app.metrics.record_rate_limit_refusal(Limit::Send.as_str());
                Err(refusal::rate_limit(exceeded.retry_after_seconds))
            }
            Err(Refused::Database(_)) => Err(refusal::later()),
        }
    }

    async fn add_recipient(
        &self,
        _client: &Client<Caller>,
        _transaction: &Transaction,
        recipient: &str,
    ) -> Result<(), Reply> {
        EmailAddress::parse(recipient).map(drop).map_err(|error| refusal::bad_recipient(&error))
    }

    async fn accept(
        &self,
        client: &Client<Caller>,
        transaction: Transaction,
        message: MessageOctets,
    ) -> Outcome {
        let Ok(caller) = caller(client) else { return Outcome::Reply(refusal::sign_in_first()) };
        let started = Instant::now();
        let (trace, trace_id) = spans::submission();
        let trace_id = trace_id.unwrap_or_else(TraceId::random);
        let line = trace.in_scope(|| tracing::info_span!("submission", %trace_id));
        let (recipients, size) = (transaction.recipients.len(), message.len());
        let work = self.take(caller, transaction, message).instrument(line.clone());
        let (reply, outcome) = spans::in_trace(trace.clone(), work).await;
        spans::end_submission(&trace, reply.code, outcome);
        line.in_scope(|| {
            tracing::info!(
                tenant = caller.tenant.as_str(),
                api_key = %caller.key.id,
                outcome,
                status = reply.code,
                size,
                recipients,
                duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                "message"
            );
        });
        self.app.metrics.record_submission(outcome);
        Outcome::Reply(reply)
    }
}

impl Gateway {
    /// The reply to a message, and its name in the log and the metrics.
    async fn take(
        &self,
        caller: &Caller,
        transaction: Transaction,
        message: MessageOctets,
    ) -> (Reply, &'static str) {
        let envelope = match envelope(&transaction) {
            Ok(envelope) => envelope,
            Err(reply) => return (reply, "refused"),
        };
        let key = match self.current(caller).await {
            Ok(key) => key,
            Err(reply) => return (reply, "refused"),
        };
        let received = Received { by: self.hostname.clone(), smtputf8: transaction.smtputf8 };
        let delivery = &self.app.delivery;
        let (request, idempotency_key) = match delivery.parse_message(message.into_vec(), envelope, received)
        {
            Ok(parsed) => parsed,
            Err(error) => return (refusal::message(&error), "refused"),
        };
        match delivery.submit(&caller.tenant, key, request, idempotency_key, MAX_STORE_TIME).await {
            Ok(Enqueued { ids, is_replay }) => {
                let id = ids.first().map(ToString::to_string).unwrap_or_default();
                let reply = Reply::new(250, EnhancedCode(2, 0, 0), format!("queued as {id}"));
                (reply, if is_replay { "repeated" } else { "taken" })
            }
            Err(error) => {
                let reply = refusal::delivery(error);
                let outcome = if reply.is_transient() { "deferred" } else { "refused" };
                (reply, outcome)
            }
        }
    }

    async fn current(&self, caller: &Caller) -> Result<ApiKey, Reply> {
        self.app.delivery.api_keys.look_again(&caller.key).await.map_err(|error| refusal::key(&error))
    }
}

fn caller(client: &Client<Caller>) -> Result<&Caller, Reply> {
    client.caller.as_ref().ok_or_else(refusal::sign_in_first)
}

/// The null sender is that of notifications, which no account sends.
fn sender(text: &str) -> Result<EmailAddress, Reply> {
    if text.is_empty() {
        return Err(refusal::null_sender());
    }
    EmailAddress::parse(text).map_err(|error| refusal::bad_sender(&error))
}

fn envelope(transaction: &Transaction) -> Result<Envelope, Reply> {
    let to = transaction.recipients.iter().map(|text| EmailAddress::parse(text));
    let to = to.collect::<Result<_, _>>().map_err(|error| refusal::bad_recipient(&error))?;
    Ok(Envelope { from: Some(sender(&transaction.sender)?), to })
}
