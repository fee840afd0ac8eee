//! Reloads the key file of a running service when it changes.
//!
//! `encryption.keys_file` is checked every few seconds, before each sealing, and when a row names an unknown key. It is
//! read only if its stamp has changed since the last read, however many rows name an unknown key.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::Vault;
use super::check::{self, CanaryCheckError};
use super::keys::Keys;
use crate::config::Problem;
use crate::file_stamp::FileStamp;

/// The state of the key file at the last read.
pub(super) struct ReloadState {
    /// One at a time.
    turn: tokio::sync::Mutex<()>,
    last: Mutex<LastRead>,
}

#[derive(Clone, Copy)]
struct LastRead {
    /// Also of a file that could not be used.
    stamp: Option<FileStamp>,
    failed: bool,
}

impl ReloadState {
    pub fn new(keys: &Keys) -> Self {
        let last = LastRead { stamp: keys.ring.stamp, failed: false };
        Self { turn: tokio::sync::Mutex::default(), last: Mutex::new(last) }
    }

    fn last(&self) -> LastRead {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, last: LastRead) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }
}

impl Vault {
    /// Periodic maintenance: reloads a key file that has changed or was not usable, forgets keys whose grace time has
    /// ended, and checks a key service that did not answer.
    pub async fn maintain(&self) {
        let again = self.reload_state.last().failed;
        self.reload(again).await;
        if let Some(keys) = self.keys().without_expired(Instant::now()) {
            self.use_keys(keys);
        }
        let Some(remote) = self.keys().remote.clone() else { return };
        remote.forget_old().await;
        if !remote.is_checked() {
            match check::try_service(&remote, &self.db, &self.clock).await {
                Ok(()) => tracing::info!(key = remote.name(), "the key service answers, and its key fits"),
                Err(wrong @ CanaryCheckError::Wrong(_)) => {
                    tracing::error!(error = %wrong, "the key service is not used");
                }
                // Told when it began.
                Err(CanaryCheckError::Unavailable(_)) => {}
            }
        } else if !remote.answers()
            && let Err(error) = check::add_service_canary(&remote, &self.db, &self.clock).await
        {
            tracing::debug!(%error, "the key service still does not answer");
        }
    }

    /// Reads the file of keys, whether it has changed or not: what SIGHUP asks for.
    pub async fn reload_now(&self) {
        if self.file.is_none() {
            tracing::warn!("nothing to reload: the keys do not come from encryption.keys_file");
        }
        self.reload(true).await;
    }

    /// Reads the file of keys where it has changed since it was last read.
    pub(super) async fn reload_if_changed(&self) {
        self.reload(false).await;
    }

    async fn reload(&self, again: bool) {
        let Some(path) = &self.file else { return };
        let is_new = |stamp| again || stamp != self.reload_state.last().stamp;
        if !is_new(FileStamp::of(path).await) {
            return;
        }
        let _turn = self.reload_state.turn.lock().await;
        let stamp = FileStamp::of(path).await;
        if !is_new(stamp) {
            return;
        }
        match self.reload_ring(path).await {
            Ok(keys) => {
                let (first, count) = (keys.ids().first().map(ToString::to_string), keys.ids().len());
                self.reload_state.note(LastRead { stamp: keys.ring.stamp, failed: false });
                self.use_keys(keys);
                self.metrics.record_key_reload("ok");
                tracing::info!(first, count, "keys reloaded");
            }
            Err(error) => {
                self.reload_state.note(LastRead { stamp, failed: true });
                self.metrics.record_key_reload("failed");
                let Problem { text: error, hint } = error.into();
                tracing::error!(error, hint, "the new keys cannot be used; the previous keys stay in use");
            }
        }
    }

    /// The same look as at the start: no row may need a key that is not there, and each opens its canary.
    async fn reload_ring(&self, path: &std::path::Path) -> anyhow::Result<Keys> {
        let keys = self.keys().reload_ring(path)?;
        check::check_ring(&keys, &self.db, &self.clock).await?;
        Ok(keys)
    }
}
