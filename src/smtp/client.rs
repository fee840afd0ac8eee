//! The client session: greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA or BDAT, QUIT.

mod chunks;
mod exchange;
mod open;
mod send;
mod sign_in;

use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::stream::Stream;
use super::{Capabilities, Error, ErrorKind, Reply, timeouts};
use crate::egress::Host;
use crate::mail::address::EmailAddress;
use crate::mail::transcript::Stage;
use crate::secret::Redactor;

/// What is the same for every session of this process.
#[derive(Clone)]
pub struct Settings {
    /// The name in EHLO; `None` gives the address literal of the socket's own address.
    pub ehlo_name: Option<Host>,
    /// Shared: building it costs more than a handshake.
    pub tls: Arc<rustls::ClientConfig>,
    /// Whether messages go by BDAT where the server offers it.
    pub chunking: bool,
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

impl RecipientReply {
    /// The refusal as an error of the session.
    pub fn error(&self) -> Error {
        Error {
            stage: Stage::RcptTo,
            kind: ErrorKind::Refused,
            command: Some("RCPT"),
            reply: Some(Box::new(self.reply.clone())),
            capabilities: None,
        }
    }
}

/// The server took the message for `accepted`.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub reply: Reply,
    pub accepted: Vec<EmailAddress>,
    pub rejected: Vec<RecipientReply>,
}

/// What a server said about one message, for each recipient.
#[derive(Debug)]
pub struct Delivery {
    pub accepted: Vec<EmailAddress>,
    pub rejected: Vec<RecipientReply>,
    /// How the message itself ended for those that were accepted; none where no recipient was.
    pub result: Option<Result<Reply, Error>>,
}

/// An open session after EHLO (and after STARTTLS or TLS where chosen).
///
/// After an error other than a refusal it is out of step and sends nothing more.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Session {
    stream: Stream,
    /// The end of the whole session, whatever a single step may take.
    deadline: Instant,
    opened_by_operator: bool,
    /// From the last EHLO; those from before TLS are dropped.
    capabilities: Capabilities,
    /// Finds the account's secret in what the server says.
    redactor: Redactor,
    /// The name in the server's greeting; `None` where it is no host name.
    greeted_as: Option<String>,
    /// Every command has its reply, except the RSET of `reset_pending`. False during a command, so that a session whose
    /// future was dropped in the middle is never used again.
    in_step: bool,
    /// The reply to a RSET has not been read.
    reset_pending: bool,
    /// Whether messages go by BDAT where the server offers it.
    uses_chunking: bool,
    last_reply_at: Instant,
}

impl Session {
    /// Says QUIT where the session is in step, without waiting for the answer, and closes.
    pub async fn quit(mut self) {
        let goodbye = async {
            if self.in_step {
                let _ = self.stream.write(b"QUIT\r\n", Instant::now() + timeouts::QUIT).await;
            }
            // The server may have closed first.
            let _ = self.stream.finish().await;
        };
        let _ = timeout(timeouts::QUIT, goodbye).await;
    }

    /// Sets when the next steps have to be over.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Whether another message may follow.
    pub fn is_in_step(&self) -> bool {
        self.in_step
    }

    /// What the server offers now (after TLS where it is up).
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
}
