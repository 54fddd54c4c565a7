//! Which of several upstreams a request goes to.
//!
//! Of two that are picked by chance, the less loaded one (Mitzenmacher, *The Power of Two Choices in Randomized Load
//! Balancing*, 2001). The load is the time to the beginning of an answer, times what is in flight and the request
//! itself, as in Finagle, Linkerd and tower (`tower::load::PeakEwma`): a member on another machine, or on a slow one,
//! gets what it is good for. Where one of the two was not measured lately, only what is in flight counts.

use std::sync::Arc;
use std::time::Instant;

use crate::upstream::{Claim, Upstream};

/// Upstreams that one request is sent to at most.
const TRIES: usize = 3;

/// What a request has been through.
pub(crate) struct Attempt {
    /// Whether it may arrive twice (RFC 9110 section 9.2.2) and can be sent twice.
    pub(crate) repeatable: bool,
    /// Where it got no answer.
    pub(crate) tried: Vec<Arc<Upstream>>,
}

impl Attempt {
    pub(crate) fn has_tried(&self, upstream: &Arc<Upstream>) -> bool {
        self.tried.iter().any(|tried| Arc::ptr_eq(tried, upstream))
    }
}

/// Claims one of `members`; `None` when all of them leave or were tried.
pub(crate) fn claim(members: &[Arc<Upstream>], attempt: &Attempt) -> Option<Claim> {
    let open = |member: &Arc<Upstream>| !member.is_draining() && !attempt.has_tried(member);
    let healthy = |member: &Arc<Upstream>| member.health().is_healthy() && open(member);
    let trial = |member: &&Arc<Upstream>| {
        !member.health().is_healthy() && open(member) && member.health().begin_trial(attempt.repeatable)
    };
    let now = Instant::now();
    let chosen = members
        .iter()
        .find(trial)
        .or_else(|| less_loaded(members, healthy, now))
        // When nobody is healthy, whoever is there may still be better than nobody.
        .or_else(|| less_loaded(members, open, now))?;
    let others = attempt.tried.len() + 1 < TRIES && members.iter().filter(|member| open(member)).count() > 1;
    Upstream::claim(chosen).map(|claim| claim.of_several(others))
}

fn less_loaded(
    members: &[Arc<Upstream>],
    eligible: impl Fn(&Arc<Upstream>) -> bool,
    now: Instant,
) -> Option<&Arc<Upstream>> {
    let candidates = || members.iter().filter(|member| eligible(member));
    let count = candidates().count();
    if count < 2 {
        return candidates().next();
    }
    let first = fastrand::usize(..count);
    let second = (first + fastrand::usize(1..count)) % count;
    let (first, second) = (candidates().nth(first)?, candidates().nth(second)?);
    let (a, b) = first.latency().estimate(now).zip(second.latency().estimate(now)).unwrap_or((1.0, 1.0));
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 requests in flight")]
    let load = |latency: f64, member: &Upstream| latency * (member.in_flight() + 1) as f64;
    Some(if load(b, second) < load(a, first) { second } else { first })
}
