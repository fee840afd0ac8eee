//! Fuzz target: what an administrator of Microsoft 365 pastes into a shell and a browser.

use std::sync::OnceLock;

use serde_json::Value;

use super::Endpoints;
use super::setup::{Values, admin_consent_link, options};
use crate::config::Config;
use crate::email_config::fields;
use crate::email_config::settings::microsoft365;
use crate::fuzz_targets::Input;

/// Values that the API takes (a line each: client, directory, mailbox) stay inside the quotes of a command and the part
/// of a link that they are put into.
pub fn setup(data: &[u8]) {
    static ENDPOINTS: OnceLock<Endpoints> = OnceLock::new();
    let endpoints =
        ENDPOINTS.get_or_init(|| Endpoints::new(&Config::default().microsoft365).expect("a cloud"));
    let mut input = Input::new(data);
    let mut next = || Value::String(String::from_utf8_lossy(input.line()).into_owned());
    let client_id = microsoft365::client_id(&next()).ok();
    let provider_tenant = microsoft365::provider_tenant(&next()).ok();
    let mailbox = fields::email_address(&next()).ok();
    let values = Values {
        client_id: client_id.as_deref(),
        provider_tenant: provider_tenant.as_deref(),
        mailbox: mailbox.as_ref().map(crate::mail::address::EmailAddress::as_str),
    };

    let link = admin_consent_link(endpoints, &values);
    let rest = link.strip_prefix(&format!("{}/", endpoints.login)).expect("the operator's sign-in service");
    let (directory, query) = rest.split_once("/adminconsent?client_id=").expect("one path and one parameter");
    for part in [directory, query] {
        assert!(part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)), "{link}");
    }

    for option in options(endpoints, &values) {
        for command in option.steps.iter().flat_map(|step| &step.commands) {
            let bare = outside_quotes(command);
            assert!(bare.bytes().all(|b| b.is_ascii_alphanumeric() || b"- $".contains(&b)), "{command}");
            assert_eq!(bare.replace("$false", "").find('$'), None, "{command}");
            assert!(!command.chars().any(char::is_control), "{command}");
        }
    }
}

/// What PowerShell reads as code: it opens and closes a literal by any of the signs that it takes for a single quote,
/// and two of them inside stand for one.
fn outside_quotes(command: &str) -> String {
    let is_quote = |c: &char| matches!(c, '\'' | '\u{2018}'..='\u{201b}');
    let (mut bare, mut inside) = (String::new(), false);
    let mut rest = command.chars().peekable();
    while let Some(c) = rest.next() {
        match (is_quote(&c), inside) {
            (true, true) if rest.next_if(is_quote).is_some() => {}
            (true, _) => inside = !inside,
            (false, true) => {}
            (false, false) => bare.push(c),
        }
    }
    assert!(!inside, "a quote stays open: {command}");
    bare
}
