//! Whole seconds since 1970, as signatures have them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a signature holds at most, in seconds.
pub(crate) const LIFETIME: i64 = 60;

/// How far the clocks of two machines may differ, in seconds.
pub(crate) const SKEW: i64 = 60;

/// The second that a moment is in. A clock from before 1970 counts as 1970.
pub(crate) fn second(moment: SystemTime) -> i64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// How long it is from a moment until a second begins; nothing if it has begun.
pub(crate) fn until(second: i64, moment: SystemTime) -> Duration {
    let begins = Duration::from_secs(u64::try_from(second).unwrap_or(0));
    begins.saturating_sub(moment.duration_since(UNIX_EPOCH).unwrap_or_default())
}
