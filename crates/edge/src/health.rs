//! Whether an upstream answers.
//!
//! What gives no answer several times in a row is *ejected*: it gets no requests while another one is there. After a
//! pause, which doubles each time, it is probed by a connect. When that succeeds one request is sent there, a *trial*,
//! and the answer brings it back. Any answer counts, also a 5xx: whether the app is content is its own business.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::config::Config;
use crate::upstream::Upstream;

pub(crate) struct Health {
    eject_after: u32,
    pause: Duration,
    pause_max: Duration,
    born: Instant,
    /// In a row.
    failures: AtomicU32,
    /// [`HEALTHY`], [`EJECTED`], or from when on, in milliseconds since `born`, a trial may begin.
    gate: AtomicU64,
    past: Mutex<Past>,
    /// Told when [`Health::fault`] has changed.
    changed: Option<Arc<Notify>>,
}

const HEALTHY: u64 = 0;
const EJECTED: u64 = u64::MAX;

/// What the gate is guarded by when it is opened or closed; trials only put it off.
#[derive(Default)]
struct Past {
    /// Numbers the ejections, so that a probe knows its own.
    number: u64,
    /// How often the pause doubled.
    doubled: u32,
    fault: Option<String>,
    recovered: Option<Instant>,
}

/// Until when to leave an upstream alone.
pub(crate) struct Ejection {
    number: u64,
    pause: Duration,
}

/// A trial that takes longer does not keep another one from beginning, in milliseconds. Requests that must not be sent
/// twice leave the trial to others for as long.
const TRIAL: u64 = 1000;

impl Health {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            eject_after: config.eject_after,
            pause: config.ejection,
            pause_max: config.ejection_max,
            born: Instant::now(),
            failures: AtomicU32::new(0),
            gate: AtomicU64::new(HEALTHY),
            past: Mutex::default(),
            changed: None,
        }
    }

    pub(crate) fn tell(&mut self, changed: Arc<Notify>) {
        self.changed = Some(changed);
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.gate.load(Ordering::Relaxed) == HEALTHY
    }

    /// Why it is ejected; `None` from when on it waits for its trial.
    pub(crate) fn fault(&self) -> Option<String> {
        self.past().fault.clone()
    }

    /// Whether a request shall be the trial; it is then nobody else's.
    pub(crate) fn begin_trial(&self, repeatable: bool) -> bool {
        let opened = self.gate.load(Ordering::Relaxed);
        if opened == HEALTHY || opened == EJECTED {
            return false;
        }
        let now = self.now();
        let due = if repeatable { opened } else { opened + TRIAL };
        now >= due && self.gate.compare_exchange(opened, now + TRIAL, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// A response has begun.
    pub(crate) fn answered(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if !self.is_healthy() {
            self.recover();
        }
    }

    fn recover(&self) {
        let mut past = self.past();
        self.gate.store(HEALTHY, Ordering::SeqCst);
        past.recovered = Some(Instant::now());
        past.fault = None;
        self.notify();
    }

    /// There was no response. Says so when that was once too often, or a trial.
    pub(crate) fn failed(&self, fault: impl FnOnce() -> String) -> Option<Ejection> {
        if self.is_healthy() && self.failures.fetch_add(1, Ordering::SeqCst) + 1 < self.eject_after {
            return None;
        }
        let mut past = self.past();
        if self.gate.swap(EJECTED, Ordering::SeqCst) == EJECTED {
            return None;
        }
        self.failures.store(0, Ordering::SeqCst);
        past.number += 1;
        // Long ago says nothing; otherwise it comes and goes, and shall do so more and more seldom.
        if past.recovered.take().is_some_and(|since| since.elapsed() > self.pause_max) {
            past.doubled = 0;
        }
        Some(self.pause(&mut past, fault()))
    }

    /// What became of the probe that an ejection asked for. Says when the next one is due, if any.
    fn probed(&self, ejection: &Ejection, fault: Option<String>) -> Option<Ejection> {
        let mut past = self.past();
        if past.number != ejection.number || self.gate.load(Ordering::SeqCst) != EJECTED {
            return None;
        }
        if let Some(fault) = fault {
            return Some(self.pause(&mut past, fault));
        }
        self.gate.store(self.now(), Ordering::SeqCst);
        // As far as one can know without a request, and there may be none for long.
        past.fault = None;
        self.notify();
        None
    }

    fn pause(&self, past: &mut Past, fault: String) -> Ejection {
        let pause = self.pause.saturating_mul(1 << past.doubled).min(self.pause_max);
        // More would be cut off anyway.
        past.doubled = (past.doubled + 1).min(16);
        past.fault = Some(fault);
        self.notify();
        Ejection { number: past.number, pause }
    }

    fn notify(&self) {
        if let Some(changed) = &self.changed {
            changed.notify_one();
        }
    }

    /// Milliseconds since `born`, from 1.
    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).map_or(EJECTED - 1, |now| now.max(1))
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Probes an ejected upstream until it can be connected to, it is not ejected any more, or it leaves.
pub(crate) async fn probe(upstream: Weak<Upstream>, mut ejection: Ejection) {
    loop {
        sleep(ejection.pause).await;
        let Some(upstream) = upstream.upgrade() else { return };
        if upstream.is_draining() {
            return;
        }
        let fault = upstream.pool().probe().await.err().map(|failure| failure.reason());
        match upstream.health().probed(&ejection, fault) {
            Some(next) => ejection = next,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health::new(&Config { ejection_max: Duration::from_secs(4), ..Config::default() })
    }

    fn fails(health: &Health) -> Option<Ejection> {
        health.failed(|| "x".into())
    }

    #[test]
    fn ejected_after_failures_in_a_row_and_back_by_one_trial() {
        let health = health();
        for _ in 0..5 {
            assert!(fails(&health).is_none() && fails(&health).is_none());
            health.answered();
        }
        assert!(fails(&health).is_none() && fails(&health).is_none());
        let ejection = fails(&health).unwrap();
        assert_eq!((ejection.pause, health.fault().as_deref()), (Duration::from_secs(1), Some("x")));
        assert!(fails(&health).is_none() && !health.begin_trial(true), "nobody is let in before the probe");

        assert!(health.probed(&ejection, None).is_none() && !health.is_healthy());
        assert!(!health.begin_trial(false), "left to what can be repeated");
        assert!(health.begin_trial(true) && !health.begin_trial(true), "one at a time");
        let again = fails(&health).unwrap();
        assert_eq!(again.pause, Duration::from_secs(2));
        assert!(health.probed(&ejection, None).is_none() && !health.begin_trial(true), "an older probe opens nothing");
        let again = health.probed(&again, Some("y".into())).unwrap();
        assert_eq!((again.pause, health.fault().as_deref()), (Duration::from_secs(4), Some("y")));
        let again = health.probed(&again, Some("y".into())).unwrap();
        assert_eq!(again.pause, Duration::from_secs(4), "no longer than the longest");
        health.probed(&again, None);
        assert!(health.begin_trial(true));
        health.answered();
        assert!(health.is_healthy() && health.fault().is_none());
        for _ in 0..2 {
            assert!(fails(&health).is_none());
        }
        assert_eq!(fails(&health).unwrap().pause, Duration::from_secs(4), "it was back for a moment only");
    }
}
