//! The group of a tenant: the values that an operator filters tenants by.

use crate::email_config::{EmailConfig, has_password_at_microsoft365};

/// Tenants with the same values in everything that a [`Filter`] can ask for. Stored with each configuration as
/// `STATE,PROVIDER,password-at-microsoft365 or nothing,CODE or nothing`.
///
/// A version that decides one of the parts by another rule has to rewrite the rows that were stored before.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Group {
    stored: String,
    /// Where state and provider end, and where the code begins.
    ends: [usize; 3],
}

/// The third part of a group.
const PASSWORD: &str = "password-at-microsoft365";

impl From<&EmailConfig> for Group {
    fn from(config: &EmailConfig) -> Self {
        let password = if has_password_at_microsoft365(&config.settings) { PASSWORD } else { "" };
        Self::parse(&format!(
            "{},{},{password},{}",
            config.error_code().as_str(),
            config.settings.kind().as_str(),
            config.health.diagnosis_code.as_deref().unwrap_or_default()
        ))
    }
}

impl Group {
    /// Any text gives a group: a row that was edited by hand is listed as what it says.
    pub(super) fn parse(stored: &str) -> Self {
        let mut commas = stored.match_indices(',').map(|(place, _)| place);
        let ends = [(); 3].map(|()| commas.next().unwrap_or(stored.len()));
        Self { stored: stored.to_owned(), ends }
    }

    pub(in crate::store) fn as_str(&self) -> &str {
        &self.stored
    }

    /// The contract's `errorCode`.
    pub fn state(&self) -> &str {
        self.part(0, self.ends[0])
    }

    /// The contract's `serviceProvider`.
    pub fn provider(&self) -> &str {
        self.part(self.ends[0] + 1, self.ends[1])
    }

    /// Whether a user name and a password are used at a server of Microsoft's: those whom the API gives the advice
    /// `M365_PASSWORD_SIGN_IN`.
    pub fn has_password_at_microsoft365(&self) -> bool {
        self.part(self.ends[1] + 1, self.ends[2]) == PASSWORD
    }

    /// The diagnosis of the last check, where that failed.
    pub fn code(&self) -> Option<&str> {
        Some(self.part(self.ends[2] + 1, self.stored.len())).filter(|code| !code.is_empty())
    }

    fn part(&self, from: usize, to: usize) -> &str {
        self.stored.get(from..to).unwrap_or_default()
    }
}

/// Selects tenants. An empty list selects all.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Filter {
    pub states: Vec<String>,
    pub providers: Vec<String>,
    pub codes: Vec<String>,
    pub password_at_microsoft365: bool,
}

impl Filter {
    /// Whether every tenant matches.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub fn matches(&self, group: &Group) -> bool {
        let one_of = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|one| one == is);
        one_of(&self.states, group.state())
            && one_of(&self.providers, group.provider())
            && one_of(&self.codes, group.code().unwrap_or_default())
            && (!self.password_at_microsoft365 || group.has_password_at_microsoft365())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_read_in_its_parts_and_any_text_is_one() {
        let parts = |stored| {
            let group = Group::parse(stored);
            assert_eq!(group.as_str(), stored);
            (
                group.state().to_owned(),
                group.provider().to_owned(),
                group.has_password_at_microsoft365(),
                group.code().map(str::to_owned),
            )
        };
        let expect = |state: &str, provider: &str, password, code: Option<&str>| {
            (state.to_owned(), provider.to_owned(), password, code.map(str::to_owned))
        };
        assert_eq!(parts("OK,BasicAuth,,"), expect("OK", "BasicAuth", false, None));
        assert_eq!(
            parts("INVALID_CREDENTIALS,BasicAuth,password-at-microsoft365,AUTH_REJECTED"),
            expect("INVALID_CREDENTIALS", "BasicAuth", true, Some("AUTH_REJECTED"))
        );
        assert_eq!(parts("OK,Microsoft365,other,A,B"), expect("OK", "Microsoft365", false, Some("A,B")));
        for (stored, state, provider) in [("", "", ""), ("é", "é", ""), (",", "", ""), ("a,é", "a", "é")]
        {
            assert_eq!(parts(stored), expect(state, provider, false, None), "{stored:?}");
        }
    }

    #[test]
    fn a_filter_lets_pass_what_fits_in_all_that_it_names() {
        let groups = [
            "OK,BasicAuth,,",
            "OK,BasicAuth,password-at-microsoft365,",
            "OK,Microsoft365,,",
            "INVALID_CREDENTIALS,BasicAuth,password-at-microsoft365,AUTH_REJECTED",
            "PROVIDER_ERROR,Microsoft365,,GRAPH_THROTTLED",
        ];
        let passing = |filter: &Filter| -> Vec<usize> {
            (0..groups.len()).filter(|index| filter.matches(&Group::parse(groups[*index]))).collect()
        };
        let list = |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        let all = Filter::default();
        assert!(all.is_none());
        assert_eq!(passing(&all), [0, 1, 2, 3, 4]);
        for (filter, expected) in [
            (Filter { states: list(&["OK"]), ..Filter::default() }, vec![0, 1, 2]),
            (Filter { states: list(&["OK", "PROVIDER_ERROR"]), ..Filter::default() }, vec![0, 1, 2, 4]),
            (Filter { providers: list(&["Microsoft365"]), ..Filter::default() }, vec![2, 4]),
            (Filter { codes: list(&["AUTH_REJECTED"]), ..Filter::default() }, vec![3]),
            (Filter { password_at_microsoft365: true, ..Filter::default() }, vec![1, 3]),
            (Filter { states: list(&["OK"]), password_at_microsoft365: true, ..Filter::default() }, vec![1]),
            (Filter { states: list(&["OK"]), codes: list(&["AUTH_REJECTED"]), ..Filter::default() }, vec![]),
        ] {
            assert!(!filter.is_none());
            assert_eq!(passing(&filter), expected, "{filter:?}");
        }
    }
}
