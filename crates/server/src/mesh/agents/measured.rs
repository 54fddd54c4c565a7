use std::time::{Duration, Instant};

/// How much the newest measurement counts.
const WEIGHT: f64 = 0.3;
/// After a first failure others are asked for so long; twice as long after each further one.
const EJECTION: Duration = Duration::from_secs(2);
const EJECTION_MAX: Duration = Duration::from_secs(60);

/// How fast one model is on one machine, and whether it works.
#[derive(Debug, Default)]
pub(super) struct Measured {
    read_speed: Option<f64>,
    write_speed: Option<f64>,
    /// Of what it was expected to remember of a prompt, the part that it did.
    recall: Option<f64>,
    failures: u32,
    ejected_until: Option<Instant>,
}

/// How a completion went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) prompt_tokens: u64,
    /// The same, where it was measured how long reading them took; 0 otherwise.
    pub(crate) input_tokens: u64,
    /// Of these, those that the engine remembered; absent where it does not say.
    pub(crate) cached_tokens: Option<u64>,
    pub(crate) output_tokens: u64,
    pub(crate) until_first: Duration,
    /// From the first byte to the last.
    pub(crate) writing: Duration,
}

// === impl Measured ===

impl Measured {
    /// Tokens of a prompt a second.
    pub(super) fn read_speed(&self) -> Option<f64> {
        self.read_speed
    }

    /// Tokens of an answer a second.
    pub(super) fn write_speed(&self) -> Option<f64> {
        self.write_speed
    }

    /// Of what it is expected to remember, the part that it does, from 0 to 1. Who has not been heard of is believed.
    pub(super) fn recall(&self) -> f64 {
        self.recall.unwrap_or(1.0)
    }

    pub(super) fn is_ejected(&self, now: Instant) -> bool {
        self.ejected_until.is_some_and(|until| until > now)
    }

    pub(super) fn failed(&mut self, now: Instant) {
        let longer = EJECTION.saturating_mul(1 << self.failures.min(10));
        self.failures += 1;
        self.ejected_until = Some(now + longer.min(EJECTION_MAX));
    }

    /// `expected` is the share of the prompt that it should have remembered.
    pub(super) fn succeeded(&mut self, timing: Timing, expected: f64) {
        (self.failures, self.ejected_until) = (0, None);
        let read = timing.input_tokens.saturating_sub(timing.cached_tokens.unwrap_or_default());
        // Few tokens measure the way there and back rather than the engine.
        if read >= 16 {
            blend(&mut self.read_speed, speed(read, timing.until_first));
        }
        if timing.output_tokens >= 4 {
            blend(&mut self.write_speed, speed(timing.output_tokens - 1, timing.writing));
        }
        // What an engine says nothing of, it may have remembered.
        if let Some(cached) = timing.cached_tokens.filter(|_| expected > 0.5) {
            blend(&mut self.recall, (share(cached, timing.prompt_tokens) / expected).clamp(0.0, 1.0));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a speed")]
fn speed(tokens: u64, took: Duration) -> f64 {
    tokens as f64 / took.as_secs_f64().max(0.000_1)
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn blend(average: &mut Option<f64>, newest: f64) {
    *average = Some(average.map_or(newest, |average| average + WEIGHT * (newest - average)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_is_left_alone_for_longer_each_time_and_comes_back() {
        let (mut measured, now) = (Measured::default(), Instant::now());
        measured.failed(now);
        assert!(measured.is_ejected(now) && !measured.is_ejected(now + EJECTION));
        measured.failed(now);
        assert!(measured.is_ejected(now + EJECTION));
        for _ in 0..100 {
            measured.failed(now);
        }
        assert!(!measured.is_ejected(now + EJECTION_MAX));
        let second = Duration::from_secs(1);
        let timing = Timing {
            prompt_tokens: 116,
            input_tokens: 116,
            cached_tokens: Some(16),
            output_tokens: 51,
            until_first: second,
            writing: second,
        };
        measured.succeeded(timing, 0.0);
        assert!(!measured.is_ejected(now));
        assert_eq!((measured.read_speed(), measured.write_speed()), (Some(100.0), Some(50.0)));
        measured.succeeded(Timing { output_tokens: 1, input_tokens: 1, ..timing }, 0.0);
        assert_eq!(measured.write_speed(), Some(50.0));
    }

    #[test]
    fn who_forgets_is_believed_less() {
        let second = Duration::from_secs(1);
        let (mut measured, mut timing) = (
            Measured::default(),
            Timing {
                prompt_tokens: 1000,
                input_tokens: 0,
                cached_tokens: Some(900),
                output_tokens: 0,
                until_first: second,
                writing: second,
            },
        );
        measured.succeeded(timing, 0.9);
        assert!((measured.recall() - 1.0).abs() < 0.001);
        timing.cached_tokens = Some(0);
        for _ in 0..10 {
            measured.succeeded(timing, 0.9);
        }
        assert!(measured.recall() < 0.05);
        // Nothing was expected, or the engine says nothing: nothing is learned.
        measured.succeeded(Timing { cached_tokens: Some(1000), ..timing }, 0.1);
        measured.succeeded(Timing { cached_tokens: None, ..timing }, 1.0);
        assert!(measured.recall() < 0.05);
    }
}
