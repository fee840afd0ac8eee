//! Which tenants: the options that `ls` and `summary` share.

use clap::{Args, ValueEnum};

use crate::diagnosis;
use crate::store::tenant_list::Filter;

/// Which tenants. An option that stands several times, or holds several values with commas, admits any of them;
/// different options have to fit all.
#[derive(Debug, Args)]
pub(super) struct Choice {
    /// State, as the API's `errorCode` tells it.
    #[arg(long, value_name = "STATE", value_enum, ignore_case = true, value_delimiter = ',')]
    state: Vec<State>,

    /// Provider, as the API's `serviceProvider` tells it.
    #[arg(long, value_name = "PROVIDER", value_enum, ignore_case = true, value_delimiter = ',')]
    provider: Vec<Provider>,

    /// Code of the diagnosis with which the last check failed; docs/diagnosis.md lists them.
    #[arg(long, value_name = "CODE", value_parser = code, value_delimiter = ',')]
    code: Vec<String>,

    /// Only those that sign in with a password at a server of Microsoft's, which is coming to an end.
    #[arg(long)]
    password_at_microsoft365: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum State {
    #[value(name = "OK")]
    Ok,
    #[value(name = "INCOMPLETE_CONFIG")]
    IncompleteConfig,
    #[value(name = "INVALID_CREDENTIALS")]
    InvalidCredentials,
    #[value(name = "PROVIDER_ERROR")]
    ProviderError,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Provider {
    #[value(name = "BasicAuth")]
    BasicAuth,
    #[value(name = "Microsoft365")]
    Microsoft365,
}

impl Choice {
    pub fn filter(&self) -> Filter {
        Filter {
            states: names(&self.state),
            providers: names(&self.provider),
            codes: self.code.clone(),
            password_at_microsoft365: self.password_at_microsoft365,
        }
    }
}

/// The values as they are named in the API.
fn names<T: ValueEnum>(values: &[T]) -> Vec<String> {
    let named = values.iter().filter_map(ValueEnum::to_possible_value);
    named.map(|value| value.get_name().to_owned()).collect()
}

/// A code of a diagnosis, in any case.
fn code(text: &str) -> Result<String, String> {
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
        assert_eq!(code("dns_not_found"), Ok("DNS_NOT_FOUND".to_owned()));
        assert_eq!(code(" DNS_NOT_FOUND "), Ok("DNS_NOT_FOUND".to_owned()));
        for text in ["DNS_NOT_FUOND", "dns-not-found"] {
            let told = code(text).unwrap_err();
            assert!(told.contains("the nearest is DNS_NOT_FOUND,"), "{told}");
        }
        assert!(code("").is_err());
    }

    #[test]
    fn the_values_are_those_of_the_api() {
        use crate::email_config::ErrorCode;
        let states = names(State::value_variants());
        let known = [
            ErrorCode::Ok,
            ErrorCode::IncompleteConfig,
            ErrorCode::InvalidCredentials,
            ErrorCode::ProviderError,
        ];
        assert_eq!(states, known.map(ErrorCode::as_str));
        assert_eq!(names(Provider::value_variants()), ["BasicAuth", "Microsoft365"]);
    }
}
