//! Chooses the language of a response by `Accept-Language`.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, VARY};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use crate::http::error::Error;
use crate::language::Language;

/// The language that the request prefers; English where it names none of ours.
impl<S: Sync> FromRequestParts<S> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let values = parts.headers.get_all(ACCEPT_LANGUAGE).iter();
        Ok(Self::accepted(values.filter_map(|value| value.to_str().ok())))
    }
}

/// An answer whose texts are in this language, with the headers that say so to the client and to caches.
pub struct Localised<T>(pub Language, pub T);

impl<T: IntoResponse> IntoResponse for Localised<T> {
    fn into_response(self) -> Response {
        let Self(language, answer) = self;
        let mut response = answer.into_response();
        response.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        // Appended: an answer can vary by more than its language.
        response.headers_mut().append(VARY, VARIES);
        response
    }
}

const VARIES: HeaderValue = HeaderValue::from_static("Accept-Language");

impl Error {
    /// A refusal whose detail or meta is in this language. Its title is English, as that of every refusal.
    pub fn in_language(self, language: Language) -> Self {
        self.header(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag())).header(VARY, VARIES)
    }
}
