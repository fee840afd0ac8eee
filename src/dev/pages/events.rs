//! `/dev/inbox/events`: notifies pages of changes by server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use http_body_util::Channel;
use tokio::time::timeout;

use crate::dev::inbox::Inbox;

/// After so long without an event a comment is sent, which shows whether the page is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Sends one event at once, so that a page that reconnects refreshes, and one for each change.
pub(super) async fn events(State(inbox): State<Inbox>) -> impl IntoResponse {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let mut changes = inbox.subscribe();
    tokio::spawn(async move {
        loop {
            let now = *changes.borrow_and_update();
            let event = format!("event: change\ndata: {}\n\n", now.count);
            // Sending fails when the page has gone.
            if now.closed || sender.send_data(Bytes::from(event)).await.is_err() {
                return;
            }
            loop {
                match timeout(KEEP_ALIVE, changes.changed()).await {
                    Ok(Ok(())) => break,
                    Ok(Err(_)) => return,
                    Err(_) => {
                        if sender.send_data(Bytes::from_static(b": alive\n\n")).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::new(body))
}
