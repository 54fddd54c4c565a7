//! How much of an app's output is taken in. What a shim does for it is work outside of the
//! app's limits, so an app that writes without end waits for its log, not the machine.

use std::time::{Duration, Instant};

/// Bytes of log that may come at once.
const BURST: f64 = 8.0 * 1024.0 * 1024.0;
/// Bytes of log a second after that.
const RATE: f64 = 4.0 * 1024.0 * 1024.0;
/// What is worth waking up for.
const WORTH: f64 = 64.0 * 1024.0;
/// The log says no more often that output is held back.
const SAID: Duration = Duration::from_secs(60);

/// A token bucket of bytes.
pub(super) struct Pace {
    tokens: f64,
    filled: Instant,
    said: Option<Instant>,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { tokens: BURST, filled: now, said: None }
    }

    /// Whether more may be taken.
    pub(super) fn is_open(&self) -> bool {
        self.tokens > 0.0
    }

    /// Counts what was taken; the last bit may be more than there was.
    pub(super) fn take(&mut self, bytes: usize) {
        self.tokens -= bytes as f64;
    }

    /// Counts the time up to `now`.
    pub(super) fn fill(&mut self, now: Instant) {
        let grown = now.saturating_duration_since(self.filled).as_secs_f64() * RATE;
        self.filled = now;
        self.tokens = (self.tokens + grown).min(BURST);
    }

    /// How long nothing can be taken.
    pub(super) fn wait(&self) -> Option<Duration> {
        (!self.is_open()).then(|| Duration::from_secs_f64((WORTH - self.tokens) / RATE))
    }

    /// What to tell the app's owner, once in a while.
    pub(super) fn notice(&mut self, now: Instant) -> Option<String> {
        let due = self.said.is_none_or(|said| now.saturating_duration_since(said) >= SAID);
        if self.is_open() || !due {
            return None;
        }
        self.said = Some(now);
        let rate = RATE / (1024.0 * 1024.0);
        Some(format!(
            "the app writes more than {rate} MB of log a second: nothing is lost, but it waits until its output is taken"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_a_rate() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.take(8 << 20);
        assert!(!pace.is_open());
        // A second's worth, and not more than a burst however long nothing came.
        pace.fill(start + Duration::from_secs(1));
        pace.take((4 << 20) - 1);
        assert!(pace.is_open());
        pace.take(1);
        assert!(!pace.is_open());
        pace.fill(start + Duration::from_secs(3600));
        pace.take((8 << 20) - 1);
        assert!(pace.is_open());
    }

    #[test]
    fn what_was_taken_too_much_is_waited_for() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.wait(), None);
        pace.take(12 << 20);
        let wait = pace.wait().unwrap();
        assert!(wait > Duration::from_secs(1) && wait < Duration::from_millis(1100), "{wait:?}");
        pace.fill(start + wait);
        assert!(pace.is_open());
    }

    #[test]
    fn who_asks_first_is_behind_by_one_read_at_most() {
        let mut pace = Pace::new(Instant::now());
        let read = 10_007_u32;
        while pace.is_open() {
            pace.take(read as usize);
        }
        let wait = pace.wait().unwrap();
        assert!(wait <= Duration::from_secs_f64((WORTH + f64::from(read)) / RATE), "{wait:?}");
    }

    #[test]
    fn the_owner_is_told_once_a_minute() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.notice(start), None);
        pace.take(1 << 30);
        assert!(pace.notice(start).is_some());
        assert_eq!(pace.notice(start + Duration::from_secs(59)), None);
        assert!(pace.notice(start + Duration::from_secs(60)).is_some());
    }
}
