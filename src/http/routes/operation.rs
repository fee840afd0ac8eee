//! One operation: its handler, and what the router and the OpenAPI document say about it.

use std::sync::Arc;

use axum::Router;
use axum::routing::MethodRouter;
use utoipa::openapi::path::{PathItem, Paths};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{OpenApi, RefOr};
use utoipa_axum::router::UtoipaMethodRouter;

use super::{Access, Requirements, Route};
use crate::app::App;
use crate::http::openapi::operations;

/// A handler at a method and a path.
pub struct Operation {
    method: &'static str,
    path: String,
    handler: MethodRouter<Arc<App>>,
    requirements: Option<Requirements>,
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
        Self { method, path: path.to_owned(), handler, requirements: None, description: None }
    }

    /// From a handler with `utoipa::path`, which names one method and one path.
    pub fn documented((schemas, paths, handler): UtoipaMethodRouter<Arc<App>>) -> Self {
        let Paths { paths, .. } = paths;
        let (path, mut item) = paths.into_iter().next().expect("a documented handler has a path");
        let (method, _) = operations(&mut item).next().expect("a documented handler has a method");
        let description = Some(Description { item, schemas });
        Self { method, path, handler, requirements: None, description }
    }

    pub fn requires(self, requirements: Requirements) -> Self {
        Self { requirements: Some(requirements), ..self }
    }

    pub fn map_handler(self, map: impl FnOnce(MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>>) -> Self {
        Self { handler: map(self.handler), ..self }
    }

    pub fn route(&self, prefix: &str) -> Route {
        let access = self.requirements.map_or(Access::Anybody, |requirements| requirements.access);
        Route { method: self.method, path: format!("{prefix}{}", self.path), access }
    }

    /// Adds the handler to the router, below `prefix`.
    pub fn serve(&self, router: Router<Arc<App>>, prefix: &str) -> Router<Arc<App>> {
        router.route(&format!("{prefix}{}", self.path), self.handler.clone())
    }

    /// Adds the operation to the document, below `prefix`, with the refusals that it shares with others.
    pub fn describe(self, document: &mut OpenApi, prefix: &str) {
        let Some(Description { mut item, schemas }) = self.description else { return };
        if let Some(requirements) = self.requirements {
            operations(&mut item).for_each(|(_, operation)| requirements.declare_refusals(operation));
        }
        document.components.get_or_insert_default().schemas.extend(schemas);
        let mut paths = Paths::new();
        paths.paths.insert(format!("{prefix}{}", self.path), item);
        document.paths.merge(paths);
    }
}
