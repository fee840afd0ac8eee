//! The health of a configuration: the result of the last check, and its transitions.

use crate::diagnosis;
use crate::language::Language;
use crate::mail::transcript::Stage;

/// What the last check or sending said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    pub state: HealthState,
    /// Credential refusals since the last success or the last change of credentials.
    pub auth_failures: i64,
    /// The code of the diagnosis, where `state` is not `Ok`.
    pub diagnosis_code: Option<String>,
    /// One sentence for the administrator in English, where `state` is not `Ok`. It is shown by
    /// [`Health::reason_in`].
    pub reason: Option<String>,
    /// How far the session had come, where `state` is `ProviderError`.
    pub failed_stage: Option<Stage>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HealthState {
    Ok,
    InvalidCredentials,
    ProviderError,
}

/// What a check or a sending says about the configuration that it used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CheckOutcome {
    Success,
    CredentialsRefused {
        diagnosis_code: String,
        reason: String,
    },
    ProviderError {
        diagnosis_code: String,
        reason: String,
        stage: Stage,
    },
    /// A refused recipient, or a fault of ours: nothing is learnt about the configuration.
    Nothing,
}

impl Health {
    /// Of a configuration that nothing is known against.
    pub fn unknown() -> Self {
        Self {
            state: HealthState::Ok,
            auth_failures: 0,
            diagnosis_code: None,
            reason: None,
            failed_stage: None,
        }
    }

    /// The reason in a language. It is made anew from the diagnosis's title; where that is not known any more, it
    /// stays in English.
    pub fn reason_in(&self, language: Language) -> Option<String> {
        let stored = self.reason.as_deref()?;
        let rule = self.diagnosis_code.as_deref().and_then(diagnosis::rule_for);
        let told = rule.and_then(|rule| rule.status_reason_in(language, stored));
        Some(told.unwrap_or_else(|| stored.to_owned()))
    }

    /// After a change by an administrator.
    ///
    /// New credentials or a new destination are judged afresh. A new sender address may fix what a provider
    /// refused, but not a refused password.
    pub fn after_change(&self, destination_or_credentials_changed: bool) -> Self {
        if destination_or_credentials_changed {
            return Self::unknown();
        }
        match self.state {
            HealthState::Ok | HealthState::InvalidCredentials => self.clone(),
            HealthState::ProviderError => Self {
                state: HealthState::Ok,
                auth_failures: self.auth_failures,
                diagnosis_code: None,
                reason: None,
                failed_stage: None,
            },
        }
    }

    /// Whether a success that proves a session up to `proven` leaves this untouched: a sending had failed further on.
    pub fn outlasts(&self, proven: Stage) -> bool {
        self.state == HealthState::ProviderError && self.failed_stage.is_some_and(|failed| failed > proven)
    }

    /// After a check of the configuration that this health belongs to; `None` where nothing changes.
    pub fn after_check(&self, outcome: &CheckOutcome) -> Option<Self> {
        let next = match outcome {
            CheckOutcome::Nothing => return None,
            CheckOutcome::Success => Self::unknown(),
            CheckOutcome::CredentialsRefused { diagnosis_code, reason } => Self {
                state: HealthState::InvalidCredentials,
                auth_failures: self.auth_failures.saturating_add(1),
                diagnosis_code: Some(diagnosis_code.clone()),
                reason: Some(reason.clone()),
                failed_stage: None,
            },
            CheckOutcome::ProviderError { diagnosis_code, reason, stage } => Self {
                state: HealthState::ProviderError,
                auth_failures: self.auth_failures,
                diagnosis_code: Some(diagnosis_code.clone()),
                reason: Some(reason.clone()),
                failed_stage: Some(*stage),
            },
        };
        (next != *self).then_some(next)
    }
}
