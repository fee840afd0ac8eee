//! The conversation: greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, QUIT.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Credentials, Error, Reply, Security};
use crate::address::EmailAddress;
use crate::egress::{Connection, Host};
use crate::message::Message;
use crate::transcript::Transcript;

/// What is the same for every session of this process.
#[derive(Clone)]
pub struct Settings {
    /// The name in EHLO; `None` gives the address literal of the socket's own address.
    pub ehlo_name: Option<Host>,
    /// Shared: building it anew for each connection costs more than a handshake.
    pub tls: Arc<rustls::ClientConfig>,
}

/// Who a message goes from and to, apart from what its headers say.
pub struct Envelope<'a> {
    pub from: &'a EmailAddress,
    pub to: &'a [EmailAddress],
}

/// What a server said about one recipient.
#[derive(Clone, Debug)]
pub struct RecipientReply {
    pub recipient: EmailAddress,
    pub reply: Reply,
}

/// The server took the message for `accepted`.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub reply: Reply,
    pub accepted: Vec<EmailAddress>,
    pub rejected: Vec<RecipientReply>,
}

/// An open session after EHLO (and after STARTTLS or TLS where chosen).
pub struct Session {}

impl Session {
    /// Greeting, EHLO and the protection that was chosen.
    ///
    /// # Errors
    /// See [`Error`]. Nothing but EHLO and STARTTLS has been said in the clear.
    pub async fn open(
        _connection: Connection,
        _host: &Host,
        _security: Security,
        _settings: &Settings,
        _deadline: Instant,
        _transcript: &mut Transcript,
    ) -> Result<Self, Error> {
        todo!()
    }

    /// Signs in with one mechanism; gives the reply that let us in.
    ///
    /// # Errors
    /// See [`Error`]; [`super::ErrorKind::ClearTextSignIn`] before anything is sent.
    pub async fn sign_in(
        &mut self,
        _credentials: &Credentials<'_>,
        _transcript: &mut Transcript,
    ) -> Result<Reply, Error> {
        todo!()
    }

    /// Asks whether the server takes `from` as a sender (`MAIL FROM`, then `RSET` without waiting for its answer).
    ///
    /// # Errors
    /// See [`Error`]; the stage is `mail_from`.
    pub async fn probe_sender(
        &mut self,
        _from: &EmailAddress,
        _transcript: &mut Transcript,
    ) -> Result<Reply, Error> {
        todo!()
    }

    /// Sends one message. Refused recipients do not abort it while one is accepted.
    ///
    /// # Errors
    /// See [`Error`]; where all recipients were refused, the stage is `rcpt_to` and the reply is the first one's.
    pub async fn send(
        &mut self,
        _envelope: &Envelope<'_>,
        _message: &Message,
        _transcript: &mut Transcript,
    ) -> Result<Receipt, Error> {
        todo!()
    }

    /// Says QUIT where the session is in step, without waiting for the answer, and closes.
    pub async fn quit(self) {
        todo!()
    }

    /// What the server offers now (after TLS where it is up).
    #[must_use]
    pub fn capabilities(&self) -> &super::Capabilities {
        todo!()
    }
}
