//! Ends one task's work where it panics, and nothing else.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// The future's output; none where it panicked. The panic hook has logged it. What the future had borrowed may be left
/// half changed: the caller does not use it again.
pub async fn catch_panic<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_none_and_an_output_is_itself() {
        let late = async |panics: bool| {
            tokio::task::yield_now().await;
            assert!(!panics, "a fault");
            7
        };
        assert_eq!(catch_panic(late(false)).await, Some(7));
        assert_eq!(catch_panic(late(true)).await, None);
    }
}
