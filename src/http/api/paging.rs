//! Pages of a list, newest first: `limit`, and an opaque `cursor` that names where the previous page ended.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::error::{InputFault, Reason};
use crate::http::error::Error;
use crate::store::audit::Position;

/// Entries of a page where the client names no limit.
const DEFAULT_LIMIT: usize = 20;

/// The most entries of a page.
const MAX_LIMIT: usize = 100;

/// The requested page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The request's path, for the link to the next page.
    path: String,
    pub limit: usize,
    /// The last entry of the page before.
    pub after: Option<Position>,
}

impl<S: Sync> FromRequestParts<S> for Page {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let Ok(Query(parameters)) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) else {
            return Err(Error::input(InputFault::request(
                "The query",
                Reason::MalformedQuery,
                "is not of the form name=value&name=value",
            )));
        };
        Self::parse(parts.uri.path().to_owned(), parameters).map_err(Error::inputs)
    }
}

impl Page {
    /// All faults at once.
    fn parse(path: String, parameters: Vec<(String, String)>) -> Result<Self, Vec<InputFault>> {
        let (mut limit, mut after) = (None, None);
        let mut faults = Vec::new();
        for (name, value) in parameters {
            let repeated = match name.as_str() {
                "limit" => limit.replace(value).is_some(),
                "cursor" => after.replace(value).is_some(),
                _ => {
                    let statement = "is not a known parameter; limit and cursor are";
                    faults.push(InputFault::parameter(&name, Reason::UnknownParameter, statement));
                    false
                }
            };
            if repeated {
                faults.push(InputFault::parameter(&name, Reason::Duplicate, "stands twice"));
            }
        }
        let limit = limit.map_or(Some(DEFAULT_LIMIT), |text| {
            Some(text)
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|text| text.parse().ok())
                .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        });
        if limit.is_none() {
            let statement = format!("is not an integer from 1 to {MAX_LIMIT}");
            faults.push(InputFault::parameter("limit", Reason::OutOfRange, statement));
        }
        let position = after.as_deref().map(position);
        if position == Some(None) {
            let statement = "is not one of this service; take it from links.next.href";
            faults.push(InputFault::parameter("cursor", Reason::InvalidCursor, statement));
        }
        match limit {
            Some(limit) if faults.is_empty() => Ok(Self { path, limit, after: position.flatten() }),
            _ => Err(faults),
        }
    }

    /// The links of a page that ends with this entry, and is not the last one.
    pub fn links(&self, last: Option<&Position>) -> LinksBody {
        let next = last.map(|position| LinkBody {
            href: format!("{}?limit={}&cursor={}", self.path, self.limit, cursor(position)),
        });
        LinksBody { next }
    }
}

/// Links to other pages.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Links)]
pub struct LinksBody {
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<LinkBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Link)]
pub struct LinkBody {
    /// A path with its query, to be resolved against the address of this service.
    #[schema(example = "/api/v1/transports/email-config/audit?limit=20&cursor=MTc2NzIyNTYwMDAwMC4wMTliNzdk")]
    pub href: String,
}

fn cursor(position: &Position) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", position.at.0, position.id))
}

/// Accepts only what [`cursor`] makes: no other bytes reach the database.
fn position(cursor: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (at, id) = std::str::from_utf8(&bytes).ok()?.split_once('.')?;
    let position = Position { at: Timestamp(at.parse().ok()?), id: Uuid::parse_str(id).ok()?.to_string() };
    (self::cursor(&position) == cursor).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A refusal as its titles.
    fn parse(query: &str) -> Result<Page, Vec<String>> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let parameters = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Page::parse("/audit".to_owned(), parameters)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_limit_is_an_integer_from_1_to_100() {
        for (query, expected) in [("", 20), ("limit=1", 1), ("limit=100", 100), ("limit=007", 7)] {
            assert_eq!(parse(query).map(|page| page.limit), Ok(expected), "{query}");
        }
        for text in ["0", "101", "-1", "+5", "5.0", "", "ten", " 5", "18446744073709551616"] {
            let expected = vec!["limit is not an integer from 1 to 100".to_owned()];
            assert_eq!(parse(&format!("limit={text}")), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn unknown_and_duplicate_parameters_are_named() {
        for (query, expected) in [
            ("page=2", "page is not a known parameter; limit and cursor are"),
            ("Limit=2", "Limit is not a known parameter; limit and cursor are"),
            ("tenantId=acme", "tenantId is not a known parameter; limit and cursor are"),
            ("limit=5&limit=5", "limit stands twice"),
        ] {
            assert_eq!(parse(query), Err(vec![expected.to_owned()]), "{query}");
        }
        let all = parse("limit=0&cursor=x&page=2").map_err(|problems| problems.len());
        assert_eq!(all, Err(3), "all at once");
    }

    #[test]
    fn a_cursor_is_taken_back_and_nothing_else_is() {
        let position = Position {
            at: Timestamp(1_767_225_600_000),
            id: "019b77d2-0000-7000-8000-00000000002a".to_owned(),
        };
        let good = cursor(&position);
        assert_eq!(parse(&format!("cursor={good}")).map(|page| page.after), Ok(Some(position)));
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for garbage in [
            String::new(),
            "x".to_owned(),
            "%00".to_owned(),
            format!("{good}="),
            good.to_lowercase(),
            encode("1.'; drop table audit; --"),
            encode("1.\0"),
            encode("1"),
            encode("-.019b77d2-0000-7000-8000-00000000002a"),
            encode("99999999999999999999.019b77d2-0000-7000-8000-00000000002a"),
            encode("+1.019b77d2-0000-7000-8000-00000000002a"),
            encode("1.019B77D2-0000-7000-8000-00000000002A"),
            encode("1.019b77d200007000800000000000002a"),
        ] {
            let expected = vec!["cursor is not one of this service; take it from links.next.href".to_owned()];
            assert_eq!(parse(&format!("cursor={garbage}")), Err(expected), "{garbage}");
        }
    }
}
