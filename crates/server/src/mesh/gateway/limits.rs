//! What an API token may ask: which models, how often, and for how many credits.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ids::TokenId;

use super::dialect::Told;

/// Tokens that are remembered. Those that have asked for nothing in a minute are forgotten.
const REMEMBERED: usize = 4096;
const MINUTE: Duration = Duration::from_secs(60);

/// How often tokens have asked lately.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    buckets: Mutex<HashMap<TokenId, Bucket>>,
}

/// Holds as many requests as a token has in a minute, and fills up within one.
#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

// === impl Rates ===

impl Rates {
    /// Counts a request, or tells how long there is no room for one.
    fn admit(&self, token: &TokenId, per_minute: u32, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED {
            buckets.retain(|_, bucket| now.duration_since(bucket.at) < MINUTE);
        }
        let most = f64::from(per_minute.max(1));
        let bucket = buckets.entry(token.clone()).or_insert(Bucket { left: most, at: now });
        let filled = now.duration_since(bucket.at).as_secs_f64() / MINUTE.as_secs_f64() * most;
        (bucket.left, bucket.at) = ((bucket.left + filled).min(most), now);
        if bucket.left < 1.0 {
            return Err(MINUTE.mul_f64((1.0 - bucket.left) / most));
        }
        bucket.left -= 1.0;
        Ok(())
    }

    /// Whether a token of these limits may ask this model now.
    pub(super) fn check(&self, token: &TokenId, limits: &api::ModelLimits, model: &str) -> Result<(), Told> {
        if !allows(limits, model) {
            let message = format!("this API token may not ask `{model}`; /v1/models lists those that it may");
            return Err(Told::new(403, "model_not_allowed", message));
        }
        let Some(per_minute) = limits.requests_per_minute else { return Ok(()) };
        self.admit(token, per_minute, Instant::now()).map_err(|wait| {
            let message = format!("this API token may ask {per_minute} times in a minute; ask again in a moment");
            Told::new(429, "rate_limit_exceeded", message).after(wait)
        })
    }
}

/// Whether it may ask this model at all.
pub(super) fn allows(limits: &api::ModelLimits, model: &str) -> bool {
    limits.models.as_ref().is_none_or(|models| models.iter().any(|allowed| allowed == model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_asks_so_often_in_a_minute() {
        let (rates, token, now) = (Rates::default(), TokenId::new(), Instant::now());
        for _ in 0..3 {
            rates.admit(&token, 3, now).unwrap();
        }
        let wait = rates.admit(&token, 3, now).unwrap_err();
        assert!((19.0..=20.0).contains(&wait.as_secs_f64()), "{wait:?}");
        rates.admit(&TokenId::new(), 3, now).unwrap();
        rates.admit(&token, 3, now + Duration::from_secs(21)).unwrap();
        assert!(rates.admit(&token, 3, now + Duration::from_secs(21)).is_err());
        for _ in 0..3 {
            rates.admit(&token, 3, now + Duration::from_secs(300)).unwrap();
        }
    }
}
