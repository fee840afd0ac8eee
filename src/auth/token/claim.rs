//! Finds a claim by the name that a setting gives it: its own name, or a path to it.

use std::fmt;

use serde_json::{Map, Value};

use crate::json::is_deceptive;

/// More names than these are not listed in a log line.
const MAX_LISTED: usize = 40;
/// A longer name is cut in a log line.
const MAX_NAME_CHARACTERS: usize = 80;
/// Longer than any name of a person or an organisation that fits a page's header.
const MAX_DISPLAY_CHARACTERS: usize = 120;

/// Finds a claim by its own name, which may hold points and slashes (`https://example.com/roles`), or else by a path: with
/// points (`realm_access.roles`), or as a JSON Pointer (`/realm_access/roles`, RFC 6901).
pub(super) fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| match name.strip_prefix('/') {
        Some(path) => find_by_pointer(claims, path),
        None => find_by_path(claims, name),
    })
}

fn find_by_pointer<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let claim = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
    rest.map_or(Some(claim), |rest| claim.pointer(&format!("/{rest}")))
}

/// The longest name comes first, since a name may hold points itself.
fn find_by_path<'a>(members: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let points: Vec<usize> = path.match_indices('.').map(|(index, _)| index).collect();
    points.into_iter().rev().find_map(|point| {
        let inner = members.get(&path[..point])?.as_object()?;
        let rest = &path[point + 1..];
        inner.get(rest).or_else(|| find_by_path(inner, rest))
    })
}

/// The roles in a claim: an array, a text with one role, or an object whose members are the roles, each with the
/// organisations that it is held in (Zitadel). `None` for anything else.
pub(super) fn roles(claim: &Value) -> Option<Vec<&str>> {
    match claim {
        // Not split at blanks: a role named `No TenantAdmin` must not make an administrator.
        Value::String(role) => Some(vec![role]),
        Value::Object(roles) if roles.values().all(Value::is_object) => {
            Some(roles.keys().map(String::as_str).collect())
        }
        other => string_array(other),
    }
}

/// The members of an array of strings; `None` for anything else.
pub(super) fn string_array(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

/// The first of these claims that holds a name to be shown.
pub(super) fn display_name(claims: &Map<String, Value>, names: &[String]) -> Option<String> {
    names.iter().find_map(|name| find(claims, name).and_then(displayed))
}

/// A text, or the only entry of a list, or the only member of an object (Keycloak's `organization`).
fn displayed(claim: &Value) -> Option<String> {
    let text = match claim {
        Value::String(text) => text.as_str(),
        Value::Array(entries) if entries.len() == 1 => entries.first()?.as_str()?,
        Value::Object(members) if members.len() == 1 => members.keys().next()?,
        _ => return None,
    };
    let text = text.trim();
    let is_shown =
        (1..=MAX_DISPLAY_CHARACTERS).contains(&text.chars().count()) && !text.chars().any(is_deceptive);
    is_shown.then(|| text.to_owned())
}

/// A claim that the settings name, and that an authentic token does not have in a form that can be used. It holds names of
/// claims and never a value, so that it may be logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnusableClaim {
    setting: &'static str,
    name: String,
    is_there: bool,
    present: Vec<String>,
}

impl UnusableClaim {
    pub(super) fn new(setting: &'static str, name: &str, claims: &Map<String, Value>) -> Self {
        Self {
            setting,
            name: name.to_owned(),
            is_there: find(claims, name).is_some(),
            present: claims.keys().take(MAX_LISTED + 1).map(|name| shortened(name)).collect(),
        }
    }
}

fn shortened(name: &str) -> String {
    let readable = name.chars().filter(|character| !is_deceptive(*character));
    readable.take(MAX_NAME_CHARACTERS).collect()
}

impl fmt::Display for UnusableClaim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, name, is_there, present } = self;
        let fault =
            if *is_there { "cannot be used as it stands in the token" } else { "is not in the token" };
        let listed = &present[..present.len().min(MAX_LISTED)];
        write!(formatter, "the claim {name:?} ({setting}) {fault}; the token has {}", listed.join(", "))?;
        if present.len() > MAX_LISTED { formatter.write_str(", …") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn a_claim_is_found_by_its_name_and_else_by_its_path() {
        let claims = object(&json!({
            "tenantId": "acme",
            "https://x.example/roles": ["literal"],
            "https://x.example/claims": {"roles": ["below"]},
            "realm_access": {"roles": ["realm"]},
            "resource_access": {"my.client": {"roles": ["client"]}, "my": {"client": {"roles": ["other"]}}},
            "a.b": "literal",
            "a": {"b": "below", "b.c": "name", "/": "slash"},
            "list": ["first"],
        }));
        for (name, expected) in [
            ("tenantId", Some(json!("acme"))),
            ("https://x.example/roles", Some(json!(["literal"]))),
            ("https://x.example/claims.roles", Some(json!(["below"]))),
            ("realm_access.roles", Some(json!(["realm"]))),
            ("/realm_access/roles", Some(json!(["realm"]))),
            ("resource_access.my.client.roles", Some(json!(["client"]))),
            ("a.b", Some(json!("literal"))),
            ("/a/b", Some(json!("below"))),
            ("a.b.c", Some(json!("name"))),
            ("/a/~1", Some(json!("slash"))),
            ("/list/0", Some(json!("first"))),
            ("/tenantId", Some(json!("acme"))),
            ("list.0", None),
            ("tenantId.x", None),
            ("realm_access", Some(json!({"roles": ["realm"]}))),
            ("realm_access.", None),
            (".roles", None),
            ("realm_access..roles", None),
            ("Realm_access.roles", None),
            ("/nothing/here", None),
            ("nothing.here", None),
            ("", None),
            ("/", None),
        ] {
            assert_eq!(find(&claims, name), expected.as_ref(), "{name}");
        }
    }

    #[test]
    fn roles_are_a_list_one_text_or_members_with_their_organisations() {
        for (claim, expected) in [
            (json!(["A", "B C"]), Some(vec!["A", "B C"])),
            (json!([]), Some(vec![])),
            (json!("A"), Some(vec!["A"])),
            (json!("A B"), Some(vec!["A B"])),
            (json!({"A": {"org": "acme.example"}, "B": {}}), Some(vec!["A", "B"])),
            (json!({"A": true}), None),
            (json!({"A": {}, "B": "x"}), None),
            (json!(["A", 1]), None),
            (json!(null), None),
            (json!(7), None),
        ] {
            assert_eq!(roles(&claim), expected, "{claim}");
        }
    }

    #[test]
    fn the_first_claim_with_a_name_that_can_be_shown_counts() {
        let names = ["name", "preferred_username", "organization"].map(str::to_owned);
        for (claims, expected) in [
            (json!({"name": " Anna Müller ", "preferred_username": "anna"}), Some("Anna Müller")),
            (json!({"name": "", "preferred_username": "anna"}), Some("anna")),
            (json!({"name": 7, "preferred_username": "anna"}), Some("anna")),
            (json!({"name": "a\u{202e}b", "preferred_username": "anna"}), Some("anna")),
            (json!({"name": "a\nb"}), None),
            (json!({"name": "x".repeat(120)}), Some(&*"x".repeat(120))),
            (json!({"name": "x".repeat(121)}), None),
            (json!({"organization": ["acme"]}), Some("acme")),
            (json!({"organization": {"acme": {"id": "7f3c"}}}), Some("acme")),
            (json!({"organization": ["acme", "other"]}), None),
            (json!({"organization": {}}), None),
            (json!({}), None),
        ] {
            let found = display_name(&object(&claims), &names);
            assert_eq!(found.as_deref(), expected, "{claims}");
        }
    }

    #[test]
    fn what_is_said_of_an_unusable_claim_holds_names_only_and_has_a_bound() {
        let claims = object(&json!({"sub": "secret-value", "a\nb": {"inner": "x"}, "tid": ["secret-value"]}));
        let said = |name| UnusableClaim::new("auth.tenant_claim", name, &claims).to_string();
        assert_eq!(
            said("tenantId"),
            "the claim \"tenantId\" (auth.tenant_claim) is not in the token; the token has ab, sub, tid"
        );
        assert!(said("tid").starts_with("the claim \"tid\" (auth.tenant_claim) cannot be used as it stands"));
        let many: Map<String, Value> =
            (0..1000).map(|number| (format!("{number}{}", "x".repeat(1000)), json!(1))).collect();
        let said = UnusableClaim::new("auth.tenant_claim", "tenantId", &many).to_string();
        assert!(said.len() < 4000 && said.ends_with(", …"), "{said}");
    }
}
