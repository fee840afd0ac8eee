//! `/dev/inbox/events`: tells a page that the inbox has changed, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use http_body_util::Channel;
use tokio::time::timeout;

use crate::dev::inbox::Inbox;

/// A comment goes out where nothing else does, so that a page that is gone is noticed.
const SILENCE: Duration = Duration::from_secs(20);

/// One event at once, so that a page that was away asks anew, and one for each change.
pub(super) async fn events(State(inbox): State<Inbox>) -> impl IntoResponse {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let mut changes = inbox.watch();
    tokio::spawn(async move {
        loop {
            let now = *changes.borrow_and_update();
            let event = format!("event: change\ndata: {}\n\n", now.count);
            // A failure means that nobody reads any more.
            if now.ended || sender.send_data(Bytes::from(event)).await.is_err() {
                return;
            }
            loop {
                match timeout(SILENCE, changes.changed()).await {
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
