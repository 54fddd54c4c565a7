//! Fetches that wait, so that a test can act while a clone is under way.

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use tokio::sync::watch;

use crate::wait::PATIENCE;

/// Before a repository's fetches.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    closed: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

/// Holds all fetches of a repository until it is released or dropped.
#[derive(Debug)]
pub struct Hold {
    gate: Gate,
}

/// One fetch that waits; it may also be given up.
struct Waiting(watch::Sender<usize>);

// === impl Gate ===

impl Default for Gate {
    fn default() -> Self {
        Self { closed: watch::Sender::new(false), waiting: watch::Sender::new(0) }
    }
}

impl Gate {
    pub(super) fn close(&self) -> Hold {
        self.closed.send_replace(true);
        Hold { gate: self.clone() }
    }

    /// Lets a request through once it may, with its body untouched.
    pub(super) async fn pass(&self, path: &str, body: Body) -> Result<Body, axum::Error> {
        if !path.ends_with("/git-upload-pack") {
            return Ok(body);
        }
        let mut chunks = body.into_data_stream();
        let first = chunks.next().await.transpose()?.unwrap_or_default();
        // Protocol v2 lists the references by a request of its own; it is short and so never compressed.
        if !contains(&first, b"command=ls-refs") {
            let _waiting = Waiting::new(&self.waiting);
            let mut closed = self.closed.subscribe();
            // Fails only without a sender, and we are one.
            let _ = closed.wait_for(|closed| !closed).await;
        }
        Ok(Body::from_stream(stream::once(async { Ok(first) }).chain(chunks)))
    }
}

fn contains(bytes: &Bytes, part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

// === impl Hold ===

impl Hold {
    /// Waits until a fetch is being held.
    pub async fn reached(&self) {
        self.wait(|waiting| waiting > 0, "no fetch came to be held").await;
    }

    /// Waits until whoever fetched has given up.
    pub async fn abandoned(&self) {
        self.wait(|waiting| waiting == 0, "the held fetch is not given up").await;
    }

    /// Lets all fetches go on.
    pub fn release(self) {}

    async fn wait(&self, condition: fn(usize) -> bool, otherwise: &str) {
        let mut waiting = self.gate.waiting.subscribe();
        let found = tokio::time::timeout(PATIENCE, waiting.wait_for(|&waiting| condition(waiting))).await;
        assert!(found.is_ok(), "{otherwise} within {PATIENCE:?}");
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.gate.closed.send_replace(false);
    }
}

// === impl Waiting ===

impl Waiting {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
