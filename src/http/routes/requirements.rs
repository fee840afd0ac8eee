//! What an operation requires of its caller, and the refusals that follow from it.

use std::sync::Arc;

use axum::handler::Handler;
use utoipa::openapi::path::Operation;
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::Access;
use crate::app::App;
use crate::http::extract::MAX_BODY;
use crate::limits::rate::Limit;

/// What the guard of an operation enforces.
#[derive(Clone, Copy, Debug)]
pub struct Requirements {
    pub access: Access,
    pub limit: Limit,
    pub needs_database: bool,
}

/// An extractor that lets only some callers pass, and counts them.
pub trait Guard {
    const REQUIREMENTS: Requirements;
}

/// The arguments of a handler of which the first is a [`Guard`].
pub trait GuardedArguments {
    type Guard: Guard;
}

macro_rules! guarded_arguments {
    ($(($($argument:ident),*))*) => {
        // The first member says how the last argument is extracted; the framework infers it.
        $(impl<Via, G: Guard, $($argument),*> GuardedArguments for (Via, G, $($argument,)*) {
            type Guard = G;
        })*
    };
}

guarded_arguments! {
    ()
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
    (A, B, C, D, E, F, H)
}

impl Requirements {
    /// Those of the guard that the handler's signature begins with.
    pub fn of_handler<H, Arguments>(_handler: &H) -> Self
    where
        H: Handler<Arguments, Arc<App>>,
        Arguments: GuardedArguments,
    {
        Arguments::Guard::REQUIREMENTS
    }

    /// Declares every refusal that follows from the right, the rate limit, the body and the preconditions. What the
    /// handler declares itself stays: it says more. `access` is that of the path.
    pub fn declare_refusals(self, operation: &mut Operation, access: Access) {
        let mut declare = |status: &str, description: String| {
            let declared = operation.responses.responses.entry(status.to_owned());
            declared.or_insert_with(|| RefOr::T(refusal(description)));
        };
        declare("401", "No valid token or API key.".to_owned());
        match (access, self.access) {
            (Access::Platform, Access::SendAdmin | Access::TenantAdmin) => {
                declare(
                    "403",
                    "Only the tenant's own administrators may do this, without `/tenants`.".to_owned(),
                );
            }
            (Access::Platform, _) => declare("403", "Not the platform's credential.".to_owned()),
            (Access::TenantAdmin, _) => declare("403", "Must be a tenant admin.".to_owned()),
            (Access::SendAdmin, _) => {
                declare("403", "Must be a tenant admin, or an API key with full access.".to_owned());
            }
            (Access::Sender, _) => {
                declare(
                    "403",
                    "Must be a tenant admin, have a role that may send, or be an API key.".to_owned(),
                );
            }
            (Access::FullSender, _) => {
                let description =
                    "Must be a tenant admin, have a role that may send, or be an API key with full access.";
                declare("403", description.to_owned());
            }
            (Access::Anybody | Access::AnyUser, _) => {}
        }
        let limit = match self.limit {
            Limit::Tier1 => "of tier 1",
            Limit::Send => "of the send API",
            _ => "of tier 2",
        };
        declare("429", format!("Rate limit {limit} reached."));
        declare("500", "Internal error.".to_owned());
        let source = if self.needs_database { "database is" } else { "keys that check tokens are" };
        declare("503", format!("The {source} not available."));
        if let Some(RefOr::T(body)) = &operation.request_body {
            declare("413", format!("The body is larger than {} KiB.", MAX_BODY / 1024));
            declare("415", unsupported_media_type(body));
        }
        let is_conditional = operation
            .parameters
            .iter()
            .flatten()
            .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "If-Match"));
        if is_conditional {
            declare("412", "The configuration changed meanwhile.".to_owned());
        }
    }
}

fn unsupported_media_type(body: &RequestBody) -> String {
    let media_type = body.content.keys().next().map_or("", String::as_str);
    format!("The body is not `{media_type}`.")
}

fn refusal(description: String) -> Response {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
    ResponseBuilder::new().description(description).content("application/json", body).build()
}
