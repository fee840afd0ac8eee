//! The options of `ls` and `summary` that select tenants.

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::diagnosis;
use crate::email_config::{ErrorCode, ProviderKind};
use crate::store::tenant_list::Filter;

/// Selects tenants. Values of one option, repeated or separated by commas, are alternatives; different options must all
/// match.
#[derive(Debug, Args)]
pub(super) struct FilterOptions {
    /// State: the `errorCode` of the API.
    #[arg(long, value_name = "STATE", value_enum, value_delimiter = ',')]
    state: Vec<ErrorCode>,

    /// Provider: the `serviceProvider` of the API.
    #[arg(long, value_name = "PROVIDER", value_enum, value_delimiter = ',')]
    provider: Vec<ProviderKind>,

    /// Diagnosis code of the last failed check; docs/diagnosis.md lists the codes.
    #[arg(long, value_name = "CODE", value_parser = parse_code, value_delimiter = ',')]
    code: Vec<String>,

    /// Only tenants that sign in with a password at a Microsoft server, which Microsoft is ending.
    #[arg(long)]
    password_at_microsoft365: bool,
}

impl ValueEnum for ErrorCode {
    /// Those of a stored configuration.
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Ok, Self::IncompleteConfig, Self::InvalidCredentials, Self::ProviderError]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

impl ValueEnum for ProviderKind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

impl FilterOptions {
    /// Whether every tenant is selected.
    pub fn is_empty(&self) -> bool {
        let Self { state, provider, code, password_at_microsoft365 } = self;
        state.is_empty() && provider.is_empty() && code.is_empty() && !password_at_microsoft365
    }

    pub fn to_filter(&self) -> Filter {
        Filter {
            states: names(&self.state),
            providers: names(&self.provider),
            codes: self.code.clone(),
            password_at_microsoft365: self.password_at_microsoft365,
        }
    }
}

/// The names of the values in the API.
fn names<T: ValueEnum>(values: &[T]) -> Vec<String> {
    let named = values.iter().filter_map(ValueEnum::to_possible_value);
    named.map(|value| value.get_name().to_owned()).collect()
}

/// Parses a diagnosis code, in any case.
pub(in crate::cli) fn parse_code(text: &str) -> Result<String, String> {
    let wanted = text.trim().to_ascii_uppercase();
    if let Some(rule) = diagnosis::rule_for(&wanted) {
        return Ok(rule.code.to_owned());
    }
    let nearest =
        diagnosis::codes().min_by_key(|code| strsim::levenshtein(&wanted, code)).unwrap_or_default();
    Err(format!("no diagnosis has this code; the nearest is {nearest}, and docs/diagnosis.md lists all"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_one_of_a_diagnosis() {
        assert_eq!(parse_code("dns_not_found"), Ok("DNS_NOT_FOUND".to_owned()));
        assert_eq!(parse_code(" DNS_NOT_FOUND "), Ok("DNS_NOT_FOUND".to_owned()));
        for text in ["DNS_NOT_FUOND", "dns-not-found"] {
            let told = parse_code(text).unwrap_err();
            assert!(told.contains("the nearest is DNS_NOT_FOUND,"), "{told}");
        }
        assert!(parse_code("").is_err());
    }

    #[test]
    fn the_values_are_those_of_the_api() {
        assert_eq!(
            names(ErrorCode::value_variants()),
            ["OK", "INCOMPLETE_CONFIG", "INVALID_CREDENTIALS", "PROVIDER_ERROR"]
        );
        assert_eq!(names(ProviderKind::value_variants()), ["BasicAuth", "Microsoft365"]);
    }
}
