//! One operation: its handler, and what the router and the OpenAPI document say about it.

use std::sync::Arc;

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::MethodRouter;
use utoipa::openapi::path::{
    Operation as DocumentedOperation, ParameterBuilder, ParameterIn, PathItem, Paths,
};
use utoipa::openapi::schema::{Schema, Type};
use utoipa::openapi::{Object, OpenApi, RefOr, Required};
use utoipa_axum::router::UtoipaMethodRouter;

use super::{Access, Requirements, Route, TENANT_PARAMETER, TENANT_PREFIX};
use crate::app::App;
use crate::http::error::Error;
use crate::http::openapi::operations;

/// A handler at a method and a path.
pub struct Operation {
    method: &'static str,
    path: String,
    handler: MethodRouter<Arc<App>>,
    requirements: Option<Requirements>,
    is_in_send_api: bool,
    description: Option<Description>,
}

/// What `utoipa::path` says about a handler.
struct Description {
    item: PathItem,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl Operation {
    /// An operation for anybody, which is not part of the documented API.
    pub fn new(method: &'static str, path: &str, handler: MethodRouter<Arc<App>>) -> Self {
        let path = path.to_owned();
        Self { method, path, handler, requirements: None, is_in_send_api: false, description: None }
    }

    /// From a handler with `utoipa::path`, which names one method and one path.
    pub fn documented((schemas, paths, handler): UtoipaMethodRouter<Arc<App>>) -> Self {
        let Paths { paths, .. } = paths;
        let (path, mut item) = paths.into_iter().next().expect("a documented handler has a path");
        let (method, _) = operations(&mut item).next().expect("a documented handler has a method");
        let description = Some(Description { item, schemas });
        Self { method, path, handler, requirements: None, is_in_send_api: false, description }
    }

    pub fn requires(self, requirements: Requirements) -> Self {
        Self { requirements: Some(requirements), ..self }
    }

    pub fn map_handler(self, map: impl FnOnce(MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>>) -> Self {
        Self { handler: map(self.handler), ..self }
    }

    /// An operation of the send API: its refusals have the members that clients of Resend's API read, and it is served
    /// once more for the platform, below a path that names the tenant.
    pub fn in_send_api(self) -> Self {
        let operation = self.map_handler(|handler| handler.layer(map_response(add_members_of_send_api)));
        Self { is_in_send_api: true, ..operation }
    }

    /// The first word of its path, in the send API.
    pub fn send_resource(&self) -> Option<&str> {
        self.path.split('/').nth(1).filter(|_| self.is_in_send_api)
    }

    /// The paths that it is served at, each with who may call it there.
    fn paths(&self) -> impl Iterator<Item = (String, Access)> {
        let access = self.requirements.map_or(Access::Anybody, |requirements| requirements.access);
        let of_tenant =
            self.is_in_send_api.then(|| (format!("{TENANT_PREFIX}{}", self.path), Access::Platform));
        [(self.path.clone(), access)].into_iter().chain(of_tenant)
    }

    pub fn routes(&self, prefix: &str) -> impl Iterator<Item = Route> {
        let method = self.method;
        self.paths().map(move |(path, access)| Route { method, path: format!("{prefix}{path}"), access })
    }

    /// Adds the handler to the router, below `prefix`.
    pub fn serve(&self, router: Router<Arc<App>>, prefix: &str) -> Router<Arc<App>> {
        self.paths()
            .fold(router, |router, (path, _)| router.route(&format!("{prefix}{path}"), self.handler.clone()))
    }

    /// Adds the operation to the document, below `prefix`, with the refusals that it shares with others.
    pub fn describe(self, document: &mut OpenApi, prefix: &str) {
        let paths: Vec<_> = self.paths().collect();
        let Some(Description { item, schemas }) = self.description else { return };
        document.components.get_or_insert_default().schemas.extend(schemas);
        for (path, access) in paths {
            let mut item = item.clone();
            for (_, operation) in operations(&mut item) {
                if access == Access::Platform {
                    describe_for_platform(operation);
                }
                if let Some(requirements) = self.requirements {
                    requirements.declare_refusals(operation, access);
                }
            }
            let mut described = Paths::new();
            described.paths.insert(format!("{prefix}{path}"), item);
            document.paths.merge(described);
        }
    }
}

/// The members that clients of Resend's API read in a refusal.
async fn add_members_of_send_api(mut response: Response) -> Response {
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        response.extensions_mut().insert(error.in_send_api());
    }
    response
}

/// Names the tenant in the path, and tells the operation apart from that of the tenant's own credentials.
fn describe_for_platform(operation: &mut DocumentedOperation) {
    let name = |id: &str| format!("{id}OfTenant");
    operation.operation_id = operation.operation_id.as_deref().map(name);
    operation.description =
        Some("For the platform: see the operation without `/tenants/{tenantId}`.".to_owned());
    let parameter = ParameterBuilder::new()
        .name(TENANT_PARAMETER)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The tenant's id, percent-encoded."))
        .schema(Some(Object::with_type(Type::String)))
        .build();
    operation.parameters.get_or_insert_default().insert(0, parameter.into());
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        for link in response.links.values_mut() {
            let RefOr::T(link) = link else { continue };
            link.operation_id = name(&link.operation_id);
            let tenant = format!("path.{TENANT_PARAMETER}");
            link.parameters.insert(tenant, "$request.path.tenantId".into());
        }
    }
}
