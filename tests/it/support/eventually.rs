//! Waits for what has to happen at some time.

use std::time::Duration;

/// Beyond any slowness of a machine: a test that gets here has failed.
const HOPELESS: Duration = Duration::from_mins(1);

/// Asks again and again until the answer is yes.
pub async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !ask().await {
            // Busy waiting would take the processor from what is waited for.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(tokio::time::timeout(HOPELESS, asking).await.is_ok(), "it never came to pass: {what}");
}
