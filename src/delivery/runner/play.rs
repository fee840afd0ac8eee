//! Plays the outcomes of mail that came with test keys: whether the account sends, waits or is closed.

use std::future::Future;
use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::sync::Notify;

use super::{POLL, Run, WINDOW};
use crate::delivery::handover;
use crate::store::{DbError, emails};

/// Between two looks at the queue: an account that sends much is woken by each mail.
const MIN_PAUSE: Duration = Duration::from_millis(250);

impl Run<'_> {
    /// Plays what is due until the sessions have ended, without keeping them waiting.
    pub(super) async fn play_beside<T>(&self, sessions: impl Future<Output = T>) {
        let ended = Notify::new();
        let sessions = async {
            sessions.await;
            ended.notify_one();
        };
        let play = async {
            loop {
                // Registered before the queue is read, so that no wake-up in between is lost.
                let woken = self.wake.notified();
                if let Err(error) = self.play_due().await {
                    tracing::warn!(%error, "test mail cannot be read or written");
                }
                let next_look = async {
                    tokio::time::sleep(MIN_PAUSE).await;
                    let _ = tokio::time::timeout(POLL, woken).await;
                };
                tokio::select! {
                    () = ended.notified() => break,
                    () = next_look => {}
                }
            }
        };
        join(sessions, play).await;
    }

    /// Plays all mail that is due and came with a test key. That of a key which is usable again comes first.
    pub(super) async fn play_due(&self) -> Result<(), DbError> {
        let delivery = self.delivery();
        while self.release(true, WINDOW).await? {}
        while self.may_begin() {
            let due = emails::due_to_play(&delivery.db, &self.tenant, delivery.clock.now(), WINDOW).await?;
            let played = join_all(due.iter().map(|(_, id)| handover::play(self, *id))).await;
            let mut changed = false;
            for outcome in played {
                match outcome {
                    Ok(has_changed) => changed |= has_changed,
                    Err(error) => {
                        tracing::warn!(?error, "the outcome of a test email could not be simulated");
                    }
                }
            }
            if !changed {
                break;
            }
        }
        Ok(())
    }
}
