use std::time::{Duration, Instant};

/// Long enough for anything on a busy machine; no wait in a test should need more.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until `condition` holds, and panics with `what` when it does not in time.
pub async fn wait_until(what: &str, within: Duration, mut condition: impl AsyncFnMut() -> bool) {
    wait_some(what, within, async || condition().await.then_some(())).await;
}

/// Waits until `find` has found something.
pub async fn wait_some<T>(what: &str, within: Duration, mut find: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + within;
    loop {
        // Bounded as a whole: the condition itself may hang.
        match tokio::time::timeout_at(deadline, find()).await {
            Ok(Some(found)) => return found,
            Ok(None) if tokio::time::Instant::now() < deadline => tokio::time::sleep(POLL_INTERVAL).await,
            Ok(None) | Err(_) => panic!("waited {within:?} in vain: {what}"),
        }
    }
}

/// The same where nothing is async, as in `Drop`: whether it came true in time.
pub(crate) fn wait_blocking(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    true
}
