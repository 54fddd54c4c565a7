use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Long enough for anything on a busy machine; no wait in a test should need more.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How many times as long everything may take, from `NANOSCALE_TEST_PATIENCE`: for machines that are emulated.
static FACTOR: LazyLock<u32> = LazyLock::new(|| match std::env::var("NANOSCALE_TEST_PATIENCE") {
    Ok(text) => text.parse().unwrap_or_else(|_| panic!("NANOSCALE_TEST_PATIENCE is `{text}`, and not a whole number")),
    Err(_) => 1,
});

/// What `within` is on this machine.
pub(crate) fn stretched(within: Duration) -> Duration {
    within * *FACTOR
}

/// Waits until `condition` holds, and panics with `what` when it does not in time.
pub async fn wait_until(what: &str, within: Duration, condition: impl AsyncFnMut() -> bool) {
    assert!(came_true(within, condition).await, "waited {within:?} in vain: {what}");
}

/// Waits until `find` has found something.
pub async fn wait_some<T>(what: &str, within: Duration, find: impl AsyncFnMut() -> Option<T>) -> T {
    wait_some_every(POLL_INTERVAL, what, within, find).await
}

/// The same, with a pause of `every` between two looks: for what is measured, and must not be held up by who looks.
pub async fn wait_some_every<T>(
    every: Duration,
    what: &str,
    within: Duration,
    find: impl AsyncFnMut() -> Option<T>,
) -> T {
    found(every, within, find).await.unwrap_or_else(|| panic!("waited {within:?} in vain: {what}"))
}

/// Whether `condition` came true in time, for callers with more to say when it did not.
pub(crate) async fn came_true(within: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    found(POLL_INTERVAL, within, async || condition().await.then_some(())).await.is_some()
}

async fn found<T>(every: Duration, within: Duration, mut find: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    // Bounded as a whole: the search itself may hang.
    let search = async {
        loop {
            if let Some(found) = find().await {
                return found;
            }
            tokio::time::sleep(every).await;
        }
    };
    tokio::time::timeout(stretched(within), search).await.ok()
}

/// The same where nothing is async, as in `Drop`: whether it came true in time.
pub(crate) fn wait_blocking(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + stretched(within);
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    true
}
