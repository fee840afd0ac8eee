//! What a PATCH or a PUT makes of a stored configuration, before it is sealed and written.

use std::sync::Arc;

use super::{Health, Settings};
use crate::secret::Secret;

/// What happens to the stored secret.
#[derive(Debug)]
pub enum SecretChange {
    /// Stays, sealed again where the destination's form has changed. Also where there is none.
    Keep,
    /// Is erased, since it was entered for another destination, or because it was asked for.
    Drop,
    Set(Arc<Secret>),
}

/// A configuration as it is to become.
#[derive(Debug)]
pub struct Change {
    pub settings: Settings,
    pub secret: SecretChange,
    pub health: Health,
    /// The names of the fields that differ, for the audit; a secret only by its name.
    pub fields: Vec<&'static str>,
}
