//! The steps of a diagnosis for an email that the service itself tries again.

use serde_json::Value;

use crate::language::{Language, texts};

texts! {
    TRIES_AGAIN = "This service tries the email again automatically. Do not send another copy.";
}

/// How a step begins that asks for no more than another attempt.
const ANOTHER_ATTEMPT: [&str; 3] = ["Try again", "Send the test email again", "If it has not, send it again"];

/// Says that the service tries again, in place of the steps that ask for another attempt. `diagnosis` is one in JSON, in this
/// language; `english` is the same one in English, by which these steps are known.
pub fn while_it_is_retried(diagnosis: &mut Value, english: &Value, language: Language) {
    let asks = |step: &Value| {
        let step = step.as_str().unwrap_or_default();
        ANOTHER_ATTEMPT.iter().any(|beginning| step.starts_with(beginning))
    };
    let english = english["steps"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(steps) = diagnosis["steps"].as_array_mut() else { return };
    let kept = steps.iter().enumerate().filter(|(at, _)| !english.get(*at).is_some_and(asks));
    let kept = kept.map(|(_, step)| step.clone());
    *steps = std::iter::once(Value::from(language.text(TRIES_AGAIN))).chain(kept).collect();
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnosis::rule::Rule;
    use crate::diagnosis::rules;

    fn steps(english: &[&str], steps: &[&str], language: Language) -> Value {
        let mut diagnosis = json!({"steps": steps});
        while_it_is_retried(&mut diagnosis, &json!({"steps": english}), language);
        diagnosis["steps"].clone()
    }

    #[test]
    fn steps_that_ask_for_another_attempt_make_room_for_the_services_own() {
        let english = ["Try again in a few minutes.", "If it lasts for hours, ask its support."];
        assert_eq!(steps(&english, &english, Language::English), json!([TRIES_AGAIN, english[1]]));
        let german = ["Versuchen Sie es in einigen Minuten noch einmal.", "Fragen Sie seinen Support."];
        let shown = steps(&english, &german, Language::German);
        assert_eq!(shown, json!([Language::German.text(TRIES_AGAIN), german[1]]));
        assert_eq!(steps(&[], &[], Language::English), json!([TRIES_AGAIN]));
    }

    /// What stands behind "Try again" in the same step would be lost.
    #[test]
    fn a_step_that_asks_for_another_attempt_asks_for_nothing_else() {
        let texts = rules::all().flat_map(Rule::texts);
        let asking: Vec<_> =
            texts.filter(|text| ANOTHER_ATTEMPT.iter().any(|words| text.starts_with(words))).collect();
        assert!(asking.len() > 10, "{asking:?}");
        for text in asking {
            assert_eq!(text.matches(['.', '?']).count(), 1, "{text}");
        }
    }
}
