//! How long an upstream takes to begin an answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The peak-EWMA estimate of Finagle and Linkerd, see `com.twitter.finagle.loadbalancer.PeakEwma` and
/// <https://linkerd.io/2016/03/16/beyond-round-robin-load-balancing-for-latency/>: what is slower than the estimate
/// replaces it at once, what is faster brings it down slowly, and it fades while nothing is observed.
///
/// Two observations at the same moment may overwrite each other, which an estimate can bear.
pub(crate) struct Latency {
    born: Instant,
    /// Seconds, as the bits of an `f64`.
    estimate: AtomicU64,
    /// When that was observed: seconds since `born`, as the bits of an `f64`.
    observed: AtomicU64,
}

/// After this time, in seconds, an estimate has faded to 1/e.
const FADE: f64 = 10.0;
/// After this time, in seconds, it says nothing any more: whoever was slow gets a chance to show that it is not.
const FORGET: f64 = 30.0;

impl Latency {
    pub(crate) fn new() -> Self {
        let never = f64::NEG_INFINITY.to_bits();
        Self { born: Instant::now(), estimate: AtomicU64::new(0), observed: AtomicU64::new(never) }
    }

    /// The estimate in seconds; `None` when nothing was observed lately.
    pub(crate) fn estimate(&self, now: Instant) -> Option<f64> {
        let age = self.age(now);
        (age < FORGET).then(|| f64::from_bits(self.estimate.load(Ordering::Relaxed)) * (-age / FADE).exp())
    }

    pub(crate) fn observe(&self, took: Duration, now: Instant) {
        // Nothing takes no time: of what multiplies by this, the other factor must count.
        let took = took.as_secs_f64().max(1e-6);
        let kept = (-self.age(now) / FADE).exp();
        let estimate = match self.estimate(now) {
            Some(faded) if took < faded => faded + took * (1.0 - kept),
            _ => took,
        };
        self.estimate.store(estimate.to_bits(), Ordering::Relaxed);
        self.observed.store(now.duration_since(self.born).as_secs_f64().to_bits(), Ordering::Relaxed);
    }

    /// Seconds since the last observation.
    fn age(&self, now: Instant) -> f64 {
        let observed = f64::from_bits(self.observed.load(Ordering::Relaxed));
        (now.duration_since(self.born).as_secs_f64() - observed).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_millis(1);
    const SLOW: Duration = Duration::from_millis(100);

    #[test]
    fn up_at_once_down_slowly_and_forgotten() {
        let latency = Latency::new();
        let at = |seconds: f64| latency.born + Duration::from_secs_f64(seconds);
        assert_eq!(latency.estimate(at(0.0)), None);
        latency.observe(FAST, at(1.0));
        latency.observe(SLOW, at(1.1));
        assert_eq!(latency.estimate(at(1.1)), Some(0.1));
        latency.observe(FAST, at(1.2));
        assert!(latency.estimate(at(1.2)).unwrap() > 0.09, "one good answer makes up for nothing");
        for tenth in 12..=512 {
            latency.observe(FAST, at(f64::from(tenth) / 10.0));
        }
        let settled = latency.estimate(at(51.2)).unwrap();
        assert!((0.001..0.003).contains(&settled), "{settled}");
        let faded = latency.estimate(at(61.2)).unwrap();
        assert!((settled / faded - std::f64::consts::E).abs() < 0.01, "{faded}");
        assert_eq!(latency.estimate(at(51.2 + FORGET + 1.0)), None);
    }
}
