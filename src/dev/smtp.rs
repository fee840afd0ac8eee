//! The front door of the inbox's SMTP server: accepts any mail on loopback.
//!
//! Without TLS no sign-in is needed, as with a relay in a private network; over TLS, MAIL needs one, as with a mail
//! host. Wrong passwords are refused, and an [`Outcome`] is played for recipients that ask for it, so that users can try
//! failures.

mod outcomes;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use rustls::ServerConfig;

use super::inbox::Inbox;
use super::mail::Envelope;
use crate::clock::Clock;
use crate::secret::Secret;
use crate::smtp::server::{
    self, Client, FrontDoor, Limits, MessageOctets, Server, SignIn, SignInRule, Transaction,
};
use crate::smtp::{EnhancedCode, Reply};
use outcomes::{LaterAttempts, is_asked_for};

pub use outcomes::Outcome;

/// The only user that can sign in.
pub const USER: &str = "dev";

/// The largest accepted mail, in bytes.
pub const MAX_MESSAGE: usize = 25 * 1024 * 1024;

/// How long the reply takes where a recipient asks for a slow one.
const SLOW_REPLY: Duration = Duration::from_secs(5);

pub struct InboxDoor {
    inbox: Inbox,
    tls: Arc<ServerConfig>,
    password: Secret,
    clock: Clock,
    later: LaterAttempts,
}

/// A server for the inbox. `password` is that of [`USER`].
pub fn server(
    inbox: Inbox,
    tls: Arc<ServerConfig>,
    password: Secret,
    clock: Clock,
) -> Arc<Server<InboxDoor>> {
    let limits =
        Limits { max_connections: 32, max_message: MAX_MESSAGE, max_recipients: 1_000, ..Limits::default() };
    Server::new(InboxDoor { inbox, tls, password, clock, later: LaterAttempts::default() }, limits)
}

impl FrontDoor for InboxDoor {
    type Caller = ();

    fn hostname(&self) -> &'static str {
        "localhost"
    }

    fn banner(&self) -> &'static str {
        "ESMTP inbox of transports dev"
    }

    fn help(&self) -> &'static str {
        "See /dev/inbox beside the API"
    }

    fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }

    fn sign_in_rule(&self, is_encrypted: bool) -> SignInRule {
        if is_encrypted { SignInRule::Required } else { SignInRule::Optional }
    }

    /// All clients are on loopback.
    fn peer_group(&self, _: IpAddr) -> Option<u128> {
        None
    }

    async fn admit(&self, _: SocketAddr) -> Result<(), Reply> {
        Ok(())
    }

    async fn sign_in(&self, _: &Client<()>, sign_in: SignIn) -> Result<(), Reply> {
        let (given, password) = (sign_in.password.expose(), self.password.expose());
        let is_right = verify_slices_are_equal(given.as_bytes(), password.as_bytes()).is_ok();
        if sign_in.username == USER && is_right {
            Ok(())
        } else {
            Err(Reply::new(535, EnhancedCode(5, 7, 8), "User name or password is wrong"))
        }
    }

    async fn begin(&self, _: &Client<()>, _: &Transaction) -> Result<(), Reply> {
        Ok(())
    }

    async fn add_recipient(&self, _: &Client<()>, _: &Transaction, recipient: &str) -> Result<(), Reply> {
        match Outcome::find(recipient) {
            Some(Outcome::Unknown) => Err(Reply::new(550, EnhancedCode(5, 1, 1), "No such user here")),
            Some(Outcome::Later) if self.later.refuses(recipient) => {
                let text = "The mailbox is busy, try again later";
                Err(Reply::new(450, EnhancedCode(4, 2, 1), text))
            }
            _ => Ok(()),
        }
    }

    async fn accept(
        &self,
        client: &Client<()>,
        transaction: Transaction,
        message: MessageOctets,
    ) -> server::Outcome {
        let envelope = Envelope {
            sender: transaction.sender,
            recipients: transaction.recipients,
            encrypted: client.is_encrypted,
            signed_in: client.caller.is_some(),
        };
        let played =
            [Outcome::Lost, Outcome::Slow].into_iter().find(|outcome| is_asked_for(*outcome, &envelope));
        let id = self.inbox.add(self.clock.now(), envelope, message.into_vec());
        tracing::info!("a mail was caught: /dev/inbox/{id}");
        match played {
            Some(Outcome::Lost) => return server::Outcome::Disconnect,
            Some(Outcome::Slow) => tokio::time::sleep(SLOW_REPLY).await,
            _ => {}
        }
        server::Outcome::Reply(Reply::new(250, EnhancedCode(2, 0, 0), format!("Caught as {id}")))
    }
}
