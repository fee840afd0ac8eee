//! A diagnosis without a language, as it is stored: its templates and their values, rendered for each reader.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fill::{self, Value, Words};
use super::observation::Observation;
use super::{Confidence, Diagnosis, Finding, Owner, rule_for, rules};
use crate::language::{self, Language, StoredText};
use crate::mail::transcript::{Entry, Stage};

/// In place of the recipient's address, which is not kept beyond its mail.
const REDACTED: &str = "<recipient>";

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredDiagnosis {
    code: String,
    stage: Stage,
    owner: Owner,
    confidence: Confidence,
    retryable: bool,
    title: String,
    meaning: Vec<String>,
    steps: Vec<String>,
    links: Vec<String>,
    values: BTreeMap<String, StoredValue>,
    transcript: Vec<Entry>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum StoredValue {
    Plain(String),
    Text(StoredText),
}

impl Finding {
    /// The diagnosis as it is stored with the account. It does not name the recipient.
    pub fn to_stored(&self) -> StoredDiagnosis {
        let observation = Observation::new(&self.failure, &self.facts);
        let rule = rules::rule_for(&observation);
        let words = Words { language: Language::English, observation: &observation };
        let meaning: Vec<&str> = words.meaning_templates(rule).collect();
        let steps: Vec<&str> = words.step_templates(rule).collect();
        let recipient = self.facts.recipient.as_deref();
        let redact = |text: String| recipient.map_or_else(|| text.clone(), |address| redact(&text, address));
        let mut values = BTreeMap::new();
        for template in [rule.title].iter().chain(&meaning).chain(&steps) {
            for name in placeholders(template).into_iter().filter(|name| name != "recipient") {
                if let Some(value) = words.value(&name) {
                    values.insert(
                        name,
                        match value {
                            Value::Plain(text) => StoredValue::Plain(redact(text)),
                            Value::Text(text) => StoredValue::Text(text.into()),
                        },
                    );
                }
            }
        }
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let transcript = self.diagnosis.transcript.iter().cloned();
        StoredDiagnosis {
            code: rule.code.to_owned(),
            stage: self.diagnosis.stage,
            owner: self.diagnosis.owner,
            confidence: self.diagnosis.confidence,
            retryable: self.diagnosis.retryable,
            title: rule.title.to_owned(),
            meaning: owned(meaning),
            steps: owned(steps),
            links: self.diagnosis.links.clone(),
            values,
            transcript: transcript.map(|entry| Entry { detail: redact(entry.detail), ..entry }).collect(),
        }
    }
}

impl StoredDiagnosis {
    /// What an administrator reads; none where only a newer version knows the code.
    pub fn in_language(&self, language: Language) -> Option<Diagnosis> {
        let fill = |template: &String| {
            fill::fill(language, template, |name| match self.values.get(name)? {
                StoredValue::Plain(text) => Some(text.clone()),
                StoredValue::Text(text) => Some(text.render(language)),
            })
        };
        let sentences: Vec<String> = self.meaning.iter().map(fill).collect();
        Some(Diagnosis {
            code: rule_for(&self.code)?.code,
            stage: self.stage,
            title: fill(&self.title),
            meaning: sentences.join(" "),
            owner: self.owner,
            steps: self.steps.iter().map(fill).collect(),
            links: self.links.clone(),
            confidence: self.confidence,
            retryable: self.retryable,
            transcript: self.transcript.clone(),
        })
    }

    /// With the address to which the mail went, which is kept apart from the diagnosis.
    #[must_use]
    pub fn with_recipient(mut self, address: &str) -> Self {
        self.values.insert("recipient".to_owned(), StoredValue::Plain(address.to_owned()));
        self
    }

    /// Without the steps of the session.
    #[must_use]
    pub fn without_transcript(self) -> Self {
        Self { transcript: Vec::new(), ..self }
    }

    pub fn code(&self) -> &str {
        &self.code
    }
}

fn placeholders(template: &str) -> Vec<String> {
    let mut names = Vec::new();
    language::fill(template, |name| {
        names.push(name.to_owned());
        String::new()
    });
    names
}

/// The text without the address, in whatever case it stands there.
fn redact(text: &str, address: &str) -> String {
    let (lower, address) = (text.to_ascii_lowercase(), address.to_ascii_lowercase());
    let mut redacted = String::with_capacity(text.len());
    let mut from = 0;
    for (start, found) in lower.match_indices(&address) {
        redacted.push_str(&text[from..start]);
        redacted.push_str(REDACTED);
        from = start + found.len();
    }
    redacted.push_str(&text[from..]);
    redacted
}
