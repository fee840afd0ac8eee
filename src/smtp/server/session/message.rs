//! DATA and BDAT: the message of a transaction.

use tokio::time::Instant;

use super::{Chunk, Handled, Next, Receiving, Session, refused};
use crate::smtp::server::message::{Incoming, Memory};
use crate::smtp::server::reply;
use crate::smtp::server::{FrontDoor, Outcome, command};
use crate::smtp::{EnhancedCode, Reply};

impl<D: FrontDoor> Session<'_, D> {
    pub(super) fn data(&mut self, arguments: &str) -> Handled {
        let refusal = if !arguments.is_empty() {
            reply::SYNTAX
        } else if self.receiving.is_some() {
            reply::CHUNKS_BEGUN
        } else {
            match &self.transaction {
                None => reply::OUT_OF_ORDER,
                Some(transaction) if transaction.recipients.is_empty() => reply::NO_RECIPIENT,
                Some(_) => {
                    self.begin_message(Incoming::data);
                    return (Some(reply::SEND_MESSAGE.into()), Next::Data);
                }
            }
        };
        (Some(refusal.into()), Next::CommandIfDrained)
    }

    fn begin_message(&mut self, begin: fn(usize, Memory) -> Incoming) {
        let message = begin(self.server.limits.max_message, self.memory.clone());
        self.receiving = Some(Receiving { message, begun: Instant::now() });
    }

    /// A refused chunk is read all the same (RFC 3030 section 2). An unreadable or excessive length closes the connection.
    pub(super) fn bdat(&mut self, arguments: &str, needs_tls: bool) -> Handled {
        let Some((octets, is_last)) = command::parse_chunk(arguments) else {
            return (Some(reply::SYNTAX.into()), Next::Close(None));
        };
        let Some(octets) = usize::try_from(octets).ok().filter(|octets| *octets <= self.max_chunk()) else {
            return (Some(reply::TOO_LARGE.into()), Next::Close(None));
        };
        let refusal = match &self.transaction {
            _ if needs_tls => Some(reply::TLS_FIRST),
            None => Some(reply::OUT_OF_ORDER),
            Some(transaction) if transaction.recipients.is_empty() => Some(reply::NO_RECIPIENT),
            Some(_) => None,
        };
        if refusal.is_some() {
            // Else a later chunk would be taken for a whole message.
            self.reset();
        } else if self.receiving.is_none() {
            self.begin_message(Incoming::chunks);
        }
        (None, Next::Chunk(Chunk { octets, is_last, refusal }))
    }

    /// What is read for a chunk that is refused.
    fn max_chunk(&self) -> usize {
        self.server.limits.max_message.saturating_mul(2)
    }

    /// Takes octets of the message; returns how many belong to it, and whether DATA has ended.
    pub(in crate::smtp::server) fn receive(&mut self, octets: &[u8]) -> (usize, bool) {
        self.receiving.as_mut().map_or((0, true), |receiving| receiving.message.push(octets))
    }

    /// Far beyond the limit: the rest is not worth reading.
    pub(in crate::smtp::server) fn is_message_excessive(&self) -> bool {
        self.receiving.as_ref().is_some_and(|receiving| receiving.message.len() > self.max_chunk())
    }

    /// The octets of a BDAT have come.
    pub(in crate::smtp::server) async fn end_chunk(&mut self, chunk: Chunk) -> Handled {
        let fault = self.receiving.as_ref().and_then(|receiving| receiving.message.fault());
        if let Some(refusal) = chunk.refusal.or(fault) {
            self.reset();
            // The chunks that were sent before the client saw the first refusal are no faults of their own.
            self.bad_commands += usize::from(self.refused_chunks == 0);
            self.refused_chunks += 1;
            return self.within_limits(Some(refusal.into()), Next::Command);
        }
        if chunk.is_last {
            return self.end_message().await;
        }
        // Others are bounded by the size of the message.
        self.idle_commands += usize::from(chunk.octets == 0);
        let text = format!("{} octets", chunk.octets);
        self.within_limits(Some(Reply::new(250, EnhancedCode(2, 0, 0), text)), Next::Command)
    }

    /// The message has come. The transaction is over.
    pub(in crate::smtp::server) async fn end_message(&mut self) -> Handled {
        let (Some(transaction), Some(receiving)) = (self.transaction.take(), self.receiving.take()) else {
            return refused(reply::OUT_OF_ORDER);
        };
        self.reset();
        let outcome = match receiving.message.finish() {
            Ok(message) => self.server.door.accept(&self.client, transaction, message).await,
            Err(refusal) => Outcome::Reply(refusal.into()),
        };
        let Outcome::Reply(reply) = outcome else { return (None, Next::Disconnect) };
        if reply.code == 250 {
            self.messages += 1;
            self.idle_commands = 0;
        }
        self.within_limits(Some(reply), Next::Command)
    }
}
