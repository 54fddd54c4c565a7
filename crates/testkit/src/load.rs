//! Visitors that never stop, and what they saw.

mod visit;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::background::{self, Task};
use crate::visitor::App;
use crate::wait::{PATIENCE, came_true};

/// A constant mix of visits to an app until it is stopped.
#[derive(Debug)]
pub struct Load {
    seen: Arc<Seen>,
    stop: tokio::sync::watch::Sender<bool>,
    visitors: Vec<Task>,
}

#[derive(Debug, Default)]
struct Seen(Mutex<Report>);

/// What the visitors saw.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub requests: u64,
    pub failures: Vec<Failure>,
    /// The versions that answered each visitor, in order, without repetition in a row.
    pub versions: BTreeMap<String, Vec<String>>,
    /// Whether a visitor got a version again after another one had taken its place.
    pub went_back: bool,
    /// The slowest answer but for the deliberately slow upload.
    pub slowest: Duration,
}

#[derive(Debug, Clone)]
pub struct Failure {
    pub visitor: String,
    pub reason: String,
    /// Since the load began.
    pub at: Duration,
}

// === impl Load ===

impl Load {
    /// Keep-alive GETs, GETs on new connections, POSTs, a slow streaming upload and a
    /// WebSocket: everything that the example `hello-node` answers.
    pub fn start(app: &App) -> Self {
        Self::with(app, &visit::Kind::ALL)
    }

    /// Only GETs, for apps that answer nothing else.
    pub fn gets(app: &App) -> Self {
        Self::with(app, &[visit::Kind::KeepAlive, visit::Kind::NewConnection])
    }

    fn with(app: &App, kinds: &[visit::Kind]) -> Self {
        let seen = Arc::<Seen>::default();
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let start = |&kind| background::spawn(visit::forever(kind, app.clone(), seen.clone(), stopped.clone()));
        let visitors = kinds.iter().map(start).collect();
        Self { seen, stop, visitors }
    }

    /// What was seen so far.
    pub fn so_far(&self) -> Report {
        self.seen.lock().clone()
    }

    /// Waits until every visitor was answered by this version last. A WebSocket stays with the
    /// version it was opened to until that one is stopped.
    pub async fn wait_for_version(&self, version: &str) {
        let all = async || {
            let seen = self.seen.lock();
            let last = |versions: &Vec<String>| versions.last().is_some_and(|last| last == version);
            seen.versions.len() == self.visitors.len() && seen.versions.values().all(last)
        };
        if !came_true(PATIENCE, all).await {
            panic!("not all visitors see version {version} after {PATIENCE:?}: {}", self.so_far());
        }
    }

    /// Lets every visitor finish what it does.
    pub async fn stop(mut self) -> Report {
        self.stop.send_replace(true);
        for visitor in self.visitors.drain(..) {
            visitor.join().await;
        }
        self.so_far()
    }
}

// === impl Seen ===

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, visitor: &str, outcome: visit::Outcome, took: Duration, at: Duration) {
        let mut report = self.lock();
        report.requests += 1;
        report.slowest = report.slowest.max(took);
        match outcome {
            Ok(Some(version)) => report.answered(visitor, version),
            Ok(None) => {}
            Err(reason) => report.failures.push(Failure { visitor: visitor.to_owned(), reason, at }),
        }
    }
}

// === impl Report ===

impl Report {
    fn answered(&mut self, visitor: &str, version: String) {
        let versions = self.versions.entry(visitor.to_owned()).or_default();
        if versions.last() != Some(&version) {
            self.went_back |= versions.contains(&version);
            versions.push(version);
        }
    }

    /// Panics when a request failed or a visitor was sent back to an older version.
    pub fn assert_clean(&self) {
        assert!(self.requests > 0, "the load made no request");
        assert!(self.failures.is_empty() && !self.went_back, "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let back = if self.went_back { ", and versions went back" } else { "" };
        write!(f, "{} requests, {} failures{back}, slowest {:?}", self.requests, self.failures.len(), self.slowest)?;
        for (visitor, versions) in &self.versions {
            write!(f, "\n  {visitor}: {}", versions.join(" → "))?;
        }
        for failure in self.failures.iter().take(20) {
            write!(f, "\n  {:?} {}: {}", failure.at, failure.visitor, failure.reason)?;
        }
        Ok(())
    }
}
