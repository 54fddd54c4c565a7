//! One runtime for everything that must go on while a test's own thread blocks.

use std::future::Future;
use std::sync::LazyLock;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("testkit")
        .enable_all()
        .build()
        .expect("start a runtime")
});

/// A task that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Task<T = ()>(JoinHandle<T>);

pub(crate) fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    Task(RUNTIME.spawn(future))
}

// === impl Task ===

impl<T> Task<T> {
    /// What it returned. Panics if it did.
    pub(crate) async fn join(mut self) -> T {
        (&mut self.0).await.expect("a background task panicked")
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
