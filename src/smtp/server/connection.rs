//! Serves one connection: greeting, TLS, commands and messages, each within its time.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::FrontDoor;
use super::connections::Place;
use super::listener::Server;
use super::reply::{self, FixedReply};
use super::session::{Chunk, Next, Session};
use super::wire::{Line, Wire};
use crate::smtp::{Reply, Security};

/// Time for the client to read the last replies and close. Its place may be wanted by others.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("closed in order")]
    Closed,
    #[error("closed by the client in a message or handshake")]
    Lost,
    #[error("closed without a reply")]
    Disconnected,
    #[error("the client does not take its replies")]
    Unread,
    #[error(transparent)]
    Failed(#[from] io::Error),
}

pub(super) struct Connection<'a, D> {
    pub server: &'a Server<D>,
    pub peer: SocketAddr,
    pub place: Place,
    /// No new transaction begins.
    pub stop: CancellationToken,
    /// The time for transactions is over.
    pub end: CancellationToken,
}

impl<'a, D: FrontDoor> Connection<'a, D> {
    /// Serves to the end; returns how many messages were accepted, and why it ended.
    pub(super) async fn serve<S>(mut self, stream: S, security: Security) -> (usize, End)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut session = Session::new(
            self.server,
            self.server.memory.for_peer(self.place.memory()),
            self.peer,
            security == Security::StartTls,
        );
        let end = match self.run(stream, &mut session, security).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        (session.messages(), end)
    }

    async fn run<S>(
        &mut self,
        stream: S,
        session: &mut Session<'a, D>,
        security: Security,
    ) -> Result<std::convert::Infallible, End>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        if security == Security::Tls {
            let mut wire = Wire::new(self.handshake(stream).await?);
            session.begin_encrypted();
            self.greet(&mut wire).await?;
            self.converse(wire, session).await?;
            return Err(End::Closed);
        }
        let mut wire = Wire::new(stream);
        self.greet(&mut wire).await?;
        let stream = self.converse(wire, session).await?;
        let wire = Wire::new(self.handshake(stream).await?);
        session.begin_encrypted();
        self.converse(wire, session).await?;
        Err(End::Closed)
    }

    async fn handshake<S>(&mut self, stream: S) -> Result<TlsStream<S>, End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.place.set_idle(false);
        let accepting = TlsAcceptor::from(self.server.door.tls()).accept(stream);
        let accepted = tokio::select! {
            accepted = timeout(self.server.limits.handshake, accepting) => accepted,
            () = self.place.evicted() => return Err(End::Lost),
            () = self.stop.cancelled() => return Err(End::Lost),
        };
        self.place.set_busy();
        Ok(accepted.map_err(io::Error::from)??)
    }

    async fn greet<S>(&mut self, wire: &mut Wire<S>) -> Result<(), End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let door = &self.server.door;
        match door.admit(self.peer).await {
            Ok(()) => {
                let text = format!("{} {}", door.hostname(), door.banner());
                wire.push(&Reply { code: 220, enhanced: None, lines: vec![text] });
                Ok(())
            }
            Err(refusal) => {
                wire.push(&refusal);
                Err(close(wire, None).await)
            }
        }
    }

    /// Runs a session to its end, or to STARTTLS, which leaves the connection.
    async fn converse<S>(&mut self, mut wire: Wire<S>, session: &mut Session<'a, D>) -> Result<S, End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            let line = self.next_line(&mut wire, session).await?;
            let mut handled = session.handle(&line).await;
            let next = loop {
                match handled {
                    (reply, Next::Data) => {
                        wire.push_all(reply.as_ref());
                        self.read_data(&mut wire, session).await?;
                        handled = session.end_message().await;
                    }
                    (_, Next::Chunk(chunk)) => {
                        self.read_chunk(&mut wire, session, chunk).await?;
                        handled = session.end_chunk(chunk).await;
                    }
                    (_, Next::StartTls) if !wire.buffered().is_empty() => {
                        return Err(close(&mut wire, Some(reply::INJECTION)).await);
                    }
                    (reply, next) => {
                        wire.push_all(reply.as_ref());
                        break next;
                    }
                }
            };
            match next {
                Next::CommandIfDrained if !wire.buffered().is_empty() => {
                    return Err(close(&mut wire, Some(reply::READ_AHEAD)).await);
                }
                Next::StartTls => {
                    self.flush(&mut wire).await?;
                    return wire.into_drained().ok_or(End::Lost);
                }
                Next::Close(farewell) => return Err(close(&mut wire, farewell).await),
                Next::Disconnect => return Err(End::Disconnected),
                Next::Command | Next::CommandIfDrained | Next::Data | Next::Chunk(_) => {}
            }
        }
    }

    /// The next line. Replies are written when all commands that have come are answered, so that those of one flight are
    /// sent together (RFC 2920 section 3.2).
    async fn next_line<S>(&mut self, wire: &mut Wire<S>, session: &Session<'a, D>) -> Result<Vec<u8>, End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let idle = Instant::now() + self.server.limits.idle;
        let deadline = session.message_deadline().map_or(idle, |deadline| deadline.min(idle));
        let may_stop = !session.has_transaction();
        let mut line = wire.take_line();
        if line == Line::Partial {
            self.flush(wire).await?;
            if may_stop {
                self.place.set_idle(session.has_signed_in());
            }
        } else if wire.is_output_full() {
            self.flush(wire).await?;
        }
        while line == Line::Partial {
            let filled = tokio::select! {
                filled = timeout_at(deadline, wire.fill()) => filled,
                () = self.place.evicted() => return Err(close(wire, Some(reply::EVICTED)).await),
                () = self.stop.cancelled(), if may_stop => {
                    return Err(close(wire, Some(reply::STOPPING)).await);
                }
                () = self.end.cancelled() => return Err(close(wire, Some(reply::STOPPING)).await),
            };
            match filled {
                Ok(Ok(0)) => return Err(close(wire, None).await),
                Ok(read) => read?,
                Err(_) => return Err(close(wire, Some(reply::TIMED_OUT)).await),
            };
            line = wire.take_line();
        }
        self.place.set_busy();
        match line {
            _ if may_stop && self.stop.is_cancelled() => Err(close(wire, Some(reply::STOPPING)).await),
            Line::Whole(line) => Ok(line),
            Line::TooLong | Line::Partial => Err(close(wire, Some(reply::LINE_TOO_LONG)).await),
        }
    }

    /// Reads a message up to its dot.
    async fn read_data<S>(&mut self, wire: &mut Wire<S>, session: &mut Session<'a, D>) -> Result<(), End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.flush(wire).await?;
        let begun = Instant::now();
        let mut octets = 0;
        loop {
            let (taken, has_ended) = session.receive(wire.buffered());
            wire.consume(taken);
            octets += taken;
            if has_ended {
                return Ok(());
            }
            if session.is_message_excessive() {
                return Err(close(wire, Some(reply::TOO_LARGE)).await);
            }
            self.fill(wire, session, begun, octets).await?;
        }
    }

    /// Reads the octets of a chunk; drops them where it is refused.
    async fn read_chunk<S>(
        &mut self,
        wire: &mut Wire<S>,
        session: &mut Session<'a, D>,
        chunk: Chunk,
    ) -> Result<(), End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let begun = Instant::now();
        let mut octets = 0;
        loop {
            let came = wire.buffered();
            let came = &came[..came.len().min(chunk.octets - octets)];
            if chunk.refusal.is_none() {
                session.receive(came);
            }
            let taken = came.len();
            wire.consume(taken);
            octets += taken;
            if octets == chunk.octets {
                return Ok(());
            }
            // The reply to what came before must not wait for a client that waits for it.
            self.flush(wire).await?;
            self.fill(wire, session, begun, octets).await?;
        }
    }

    /// Reads more of a message, by the time that so many octets may take.
    async fn fill<S>(
        &self,
        wire: &mut Wire<S>,
        session: &Session<'a, D>,
        begun: Instant,
        octets: usize,
    ) -> Result<(), End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let limits = &self.server.limits;
        let by_rate = begun + limits.transfer_time(octets);
        // What was sent fast buys no silence.
        let by_silence = Instant::now() + limits.transfer_grace;
        let by_message = session.message_deadline().unwrap_or(begun + limits.message);
        let deadline = by_message.min(by_rate).min(by_silence);
        let filled = tokio::select! {
            filled = timeout_at(deadline, wire.fill()) => filled,
            () = self.end.cancelled() => return Err(close(wire, Some(reply::STOPPING)).await),
        };
        match filled {
            Ok(Ok(0)) => Err(End::Lost),
            Ok(read) => Ok(read.map(|_| ())?),
            Err(_) => Err(close(wire, Some(reply::TOO_SLOW)).await),
        }
    }

    async fn flush<S>(&self, wire: &mut Wire<S>) -> Result<(), End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        tokio::select! {
            flushed = timeout(self.server.limits.write, wire.flush()) => Ok(flushed.map_err(|_| End::Unread)??),
            () = self.end.cancelled() => Err(End::Unread),
        }
    }
}

/// Ends the connection in order, with one more reply where there is one.
async fn close<S>(wire: &mut Wire<S>, farewell: Option<FixedReply>) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(farewell) = farewell {
        wire.push(&farewell.into());
    }
    let closed = async {
        wire.flush().await?;
        wire.close().await
    };
    match timeout(CLOSE_TIMEOUT, closed).await {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) | Err(_) => End::Closed,
    }
}
