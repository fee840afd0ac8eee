//! The floor: a static answer from the same HTTP stack, with the accept loop of the service and its settings.
//!
//! To a POST it comes when the body is on disk.

use std::path::Path;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use transports::config::Config;
use transports::http::server;

use super::client::{EMAILS, EVENTS, PATH};
use super::disk::Disk;

/// Answers every request with the content of a file until the process is stopped. It stores the body of each POST in the file `disk`.
pub fn serve(port: u16, body: &Path, disk: Option<&Path>) {
    let body = Bytes::from(std::fs::read(body).expect("the answer is there"));
    // As the service: as many threads as the process has cores.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let answer = move || std::future::ready(([(CONTENT_TYPE, "application/json")], body.clone()));
        let mut service = Router::new().route(PATH, get(answer.clone())).route(EVENTS, get(answer.clone()));
        if let Some(disk) = disk.map(Disk::create) {
            let store = move |mail: Bytes| async move {
                disk.store(mail.into()).await;
                answer().await
            };
            service = service.route(EMAILS, post(store));
        }
        let listener = server::bind(([127, 0, 0, 1], port).into()).expect("the port is free");
        let mut told =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("Unix");
        let stop = async move {
            told.recv().await;
        };
        server::serve(listener, service, &Config::default().server, stop).await.expect("serves");
    });
}
