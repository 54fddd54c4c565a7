//! Which of several upstreams a request goes to: of two picked by chance, the one with less in flight.

use std::sync::Arc;

use crate::upstream::{Claim, Upstream};

/// Claims one of them; `None` when all are leaving.
pub(crate) fn claim(members: &[Arc<Upstream>]) -> Option<Claim> {
    let candidates = || members.iter().filter(|member| !member.is_draining());
    let count = candidates().count();
    let chosen = match count {
        0 => return None,
        1 => candidates().next()?,
        _ => {
            let first = fastrand::usize(..count);
            let second = (first + fastrand::usize(1..count)) % count;
            let (first, second) = (candidates().nth(first)?, candidates().nth(second)?);
            if second.in_flight() < first.in_flight() { second } else { first }
        }
    };
    Upstream::claim(chosen)
}
