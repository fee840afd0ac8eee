//! An SMTP server (RFC 5321): reads commands and messages, and asks a [`FrontDoor`] what becomes of them.
//!
//! It knows the protocol and its limits, and nothing else: who may sign in, who may send and what happens to a message
//! is decided by the front door. Only CR LF ends a line. A message with another line end, with NUL or with a line that is
//! too long is refused and never repaired, because servers read such octets differently: that is how one message is
//! smuggled inside another.

mod command;
mod connection;
mod connections;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod limits;
mod listener;
mod message;
mod reply;
mod session;
mod sign_in;
mod socket;
mod wire;

pub use limits::Limits;
pub use listener::Server;
pub use message::MessageOctets;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::ServerConfig;

use super::Reply;
use crate::secret::Secret;

/// Decides what the protocol leaves open. One value serves all connections.
///
/// A reply with the code 421 ends the connection, whatever it answers.
pub trait FrontDoor: Send + Sync + 'static {
    /// Who has signed in.
    type Caller: Send + Sync;

    /// The name of this server, in the greeting and in the reply to EHLO.
    fn hostname(&self) -> &str;

    /// The text of the greeting behind the name: `ESMTP` and more.
    fn banner(&self) -> &str;

    /// The text of the reply to HELP.
    fn help(&self) -> &str;

    /// The certificate for the next handshake; read each time, so that it can change while the server runs.
    fn tls(&self) -> Arc<ServerConfig>;

    fn sign_in_rule(&self, is_encrypted: bool) -> SignInRule;

    /// What the connections of this peer are counted by; none where their number has no bound of its own.
    fn peer_group(&self, peer: IpAddr) -> Option<u128>;

    /// Called before the greeting. A refusal takes its place, and ends the connection.
    fn admit(&self, peer: SocketAddr) -> impl Future<Output = Result<(), Reply>> + Send;

    fn sign_in(
        &self,
        client: &Client<Self::Caller>,
        credentials: SignIn,
    ) -> impl Future<Output = Result<Self::Caller, Reply>> + Send;

    /// MAIL: a transaction, which has no recipients yet.
    fn begin(
        &self,
        client: &Client<Self::Caller>,
        transaction: &Transaction,
    ) -> impl Future<Output = Result<(), Reply>> + Send;

    /// RCPT: one more recipient, as the client wrote it.
    fn add_recipient(
        &self,
        client: &Client<Self::Caller>,
        transaction: &Transaction,
        recipient: &str,
    ) -> impl Future<Output = Result<(), Reply>> + Send;

    /// A whole message. A reply with the code 250 takes the responsibility for it (RFC 5321 section 4.2.5).
    fn accept(
        &self,
        client: &Client<Self::Caller>,
        transaction: Transaction,
        message: MessageOctets,
    ) -> impl Future<Output = Outcome> + Send;
}

/// Whether a client has to sign in before MAIL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignInRule {
    /// Nothing but STARTTLS is possible: AUTH is neither offered nor taken (RFC 3207 section 4, RFC 4954 section 4).
    AfterTls,
    Optional,
    Required,
}

/// What is known of a client. After STARTTLS all but the address is learned anew.
#[derive(Debug)]
pub struct Client<C> {
    pub peer: SocketAddr,
    /// The name that it gave itself, of at most 255 octets: letters, digits and `-._:[]` of ASCII, and `?` in the place of
    /// any other character. Empty before EHLO or HELO.
    pub hello: String,
    /// It has said EHLO, and not HELO.
    pub is_extended: bool,
    pub is_encrypted: bool,
    pub caller: Option<C>,
}

impl<C> Client<C> {
    fn new(peer: SocketAddr, is_encrypted: bool) -> Self {
        Self { peer, hello: String::new(), is_extended: false, is_encrypted, caller: None }
    }
}

/// User name and password of AUTH PLAIN or LOGIN.
#[derive(Debug)]
pub struct SignIn {
    pub username: String,
    pub password: Secret,
}

/// What MAIL and RCPT have said. The addresses stand as the client wrote them, without brackets and without a route; they
/// may be malformed, but hold no control characters, and no characters beyond ASCII unless `smtputf8` is set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// Empty for the null reverse-path of a notification.
    pub sender: String,
    pub recipients: Vec<String>,
    /// The size that the client has announced (RFC 1870).
    pub size: Option<usize>,
    /// BODY=8BITMIME (RFC 6152).
    pub is_eight_bit: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
}

/// What becomes of a message.
#[derive(PartialEq, Eq, Debug)]
pub enum Outcome {
    Reply(Reply),
    /// The connection ends without a reply.
    Disconnect,
}

#[cfg(test)]
mod tests;
