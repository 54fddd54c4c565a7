use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::time::{SKEW, second, until};
use crate::{Fresh, Refusal};

/// How many keys are remembered at once.
const KEYS_MAX: usize = 1_000;
/// How many signatures of one key are remembered at once: some 1.5 MB. Each is for two minutes, or up to three if the
/// sender's clock is ahead, so that this is 80 requests a second, or 55.
const NONCES_MAX: usize = 10_000;

/// The signatures that were used, so that each is used once. Only genuine ones get here: who has no key cannot fill it.
///
/// It is one process's. Processes that take the same requests need a tag or an authority each.
#[derive(Debug)]
pub struct Nonces {
    /// The second in which the process started.
    started: i64,
    memory: Mutex<Memory>,
}

/// That a message may be acted on, once, after a wait.
#[derive(Debug)]
#[must_use = "a message that is acted on before its time can be repeated after a restart: wait"]
pub struct Admitted {
    wait: Duration,
}

#[derive(Debug, Default)]
struct Memory {
    keys: HashMap<String, Used>,
    /// The latest second until which something was kept that is no longer. A clock that is set back could make
    /// signatures valid again that are forgotten; they are the ones that would be kept until this second or an earlier.
    forgotten: i64,
    /// When all keys were last swept.
    swept: i64,
}

/// The nonces of a key, and the last second in which each must be known.
#[derive(Debug, Default)]
struct Used {
    nonces: HashMap<String, i64>,
    swept: i64,
}

// === impl Nonces ===

impl Nonces {
    /// An empty memory. What was used before is not in it, so that whatever can have been is refused: signatures
    /// created up to `started_at`, which is a moment after the process before took its last message.
    ///
    /// That second as a whole is part of it, as a signature has no time but whole seconds. And a sender whose clock is
    /// slow is refused for as long as it is slow.
    pub fn new(started_at: SystemTime) -> Self {
        Self { started: second(started_at), memory: Mutex::default() }
    }

    /// Takes a message if it was not taken before. It is to be acted on after [`Admitted::wait`], not earlier.
    pub fn admit(&self, fresh: Fresh) -> Result<Admitted, Refusal> {
        if fresh.created <= self.started {
            return Err(Refusal::BeforeStart);
        }
        let wait = until(fresh.created, fresh.now);
        self.memory().remember(fresh)?;
        Ok(Admitted { wait })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Admitted ===

impl Admitted {
    /// How long it is, by the receiver's clock, until the second in which the message was created: nothing, unless the
    /// sender's clock is ahead.
    ///
    /// Without that wait, a message of the next minute could be acted on now and, after a restart, again: the new
    /// process would find it younger than itself.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.wait
    }
}

// === impl Memory ===

impl Memory {
    fn remember(&mut self, fresh: Fresh) -> Result<(), Refusal> {
        let now = second(fresh.now);
        // Later than needed, for a clock that is set back.
        let keep_until = fresh.expires.saturating_add(SKEW);
        if keep_until <= self.forgotten {
            return Err(Refusal::Expired);
        }
        if self.keys.len() >= KEYS_MAX && !self.keys.contains_key(&fresh.keyid) {
            self.sweep(now);
            if self.keys.len() >= KEYS_MAX {
                return Err(Refusal::MemoryFull);
            }
        }
        let used = self.keys.entry(fresh.keyid).or_default();
        self.forgotten = self.forgotten.max(used.sweep(now));
        used.remember(fresh.nonce, keep_until)
    }

    /// Forgets what has expired, and keys with nothing left. At most once a second, as nothing changes between.
    fn sweep(&mut self, now: i64) {
        if self.swept == now {
            return;
        }
        self.swept = now;
        let forgotten = &mut self.forgotten;
        self.keys.retain(|_, used| {
            *forgotten = (*forgotten).max(used.sweep(now));
            !used.nonces.is_empty()
        });
    }
}

// === impl Used ===

impl Used {
    /// As [`Memory::sweep`], of one key. Tells the latest second until which something was kept; 0 if nothing was.
    fn sweep(&mut self, now: i64) -> i64 {
        if self.swept == now {
            return 0;
        }
        self.swept = now;
        let mut forgotten = 0;
        self.nonces.retain(|_, keep_until| {
            let keep = *keep_until >= now;
            if !keep {
                forgotten = forgotten.max(*keep_until);
            }
            keep
        });
        forgotten
    }

    fn remember(&mut self, nonce: String, keep_until: i64) -> Result<(), Refusal> {
        let full = self.nonces.len() >= NONCES_MAX;
        match self.nonces.entry(nonce) {
            Entry::Occupied(_) => Err(Refusal::Replayed),
            // Never by forgetting another one early.
            Entry::Vacant(_) if full => Err(Refusal::MemoryFull),
            Entry::Vacant(entry) => {
                entry.insert(keep_until);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const START: i64 = 1_700_000_000;

    fn at(second: i64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second.try_into().unwrap())
    }

    /// One that was created `created` seconds after the start, and arrived `now` seconds after it.
    fn fresh(keyid: impl ToString, nonce: impl ToString, created: i64, now: i64) -> Fresh {
        let created = START + created;
        Fresh {
            keyid: keyid.to_string(),
            nonce: nonce.to_string(),
            created,
            expires: created + 60,
            now: at(START + now),
        }
    }

    fn admit(nonces: &Nonces, fresh: Fresh) -> Result<Duration, Refusal> {
        nonces.admit(fresh).map(|admitted| admitted.wait())
    }

    #[test]
    fn a_signature_is_taken_once() {
        let nonces = Nonces::new(at(START));
        assert_eq!(admit(&nonces, fresh("a", 1, 5, 5)), Ok(Duration::ZERO));
        assert_eq!(admit(&nonces, fresh("a", 2, 5, 5)), Ok(Duration::ZERO));
        assert_eq!(admit(&nonces, fresh("b", 1, 5, 5)), Ok(Duration::ZERO));
        for now in [5, 6, 65] {
            assert_eq!(admit(&nonces, fresh("a", 1, 5, now)), Err(Refusal::Replayed), "{now}");
        }
        // A nonce is not for two messages either.
        assert_eq!(admit(&nonces, fresh("a", 1, 40, 65)), Err(Refusal::Replayed));
    }

    #[test]
    fn what_a_process_before_may_have_taken_is_refused() {
        let nonces = Nonces::new(at(START) + Duration::from_millis(700));
        for created in [-59, -1, 0] {
            assert_eq!(admit(&nonces, fresh("a", created, created, 0)), Err(Refusal::BeforeStart), "{created}");
        }
        assert_eq!(admit(&nonces, fresh("a", 2, 1, 1)), Ok(Duration::ZERO));
    }

    #[test]
    fn who_is_ahead_waits_until_a_restart_cannot_be_fooled() {
        let mut early = fresh("a", 1, 30, 10);
        early.now += Duration::from_millis(250);
        let acted_on = early.now + Duration::from_millis(19_750);
        assert_eq!(admit(&Nonces::new(at(START)), early), Ok(Duration::from_millis(19_750)));
        // However soon the next process starts.
        assert_eq!(admit(&Nonces::new(acted_on), fresh("a", 1, 30, 31)), Err(Refusal::BeforeStart));
    }

    #[test]
    fn a_full_memory_of_a_key_refuses_until_something_has_expired() {
        let nonces = Nonces::new(at(START));
        admit(&nonces, fresh("a", "first", 1, 1)).unwrap();
        for nonce in 1..NONCES_MAX {
            admit(&nonces, fresh("a", nonce, 2, 2)).unwrap();
        }
        assert_eq!(admit(&nonces, fresh("a", "more", 2, 2)), Err(Refusal::MemoryFull));
        assert_eq!(admit(&nonces, fresh("a", "first", 1, 2)), Err(Refusal::Replayed));
        admit(&nonces, fresh("b", "more", 2, 2)).unwrap();

        // The first is kept until 1 + 60 + 60.
        assert_eq!(admit(&nonces, fresh("a", "more", 121, 121)), Err(Refusal::MemoryFull));
        admit(&nonces, fresh("a", "more", 122, 122)).unwrap();
        assert_eq!(admit(&nonces, fresh("a", "yet more", 122, 122)), Err(Refusal::MemoryFull));
        admit(&nonces, fresh("a", "yet more", 123, 123)).unwrap();
    }

    #[test]
    fn a_memory_with_too_many_keys_refuses_until_one_is_idle() {
        let nonces = Nonces::new(at(START));
        for key in 0..KEYS_MAX {
            admit(&nonces, fresh(key, 1, 1, 1)).unwrap();
        }
        assert_eq!(admit(&nonces, fresh("more", 1, 1, 1)), Err(Refusal::MemoryFull));
        admit(&nonces, fresh(0, 2, 100, 100)).unwrap();
        assert_eq!(admit(&nonces, fresh("more", 1, 121, 121)), Err(Refusal::MemoryFull));
        admit(&nonces, fresh("more", 1, 122, 122)).unwrap();
        assert_eq!(nonces.memory().keys.len(), 2);
        assert_eq!(admit(&nonces, fresh(0, 2, 100, 122)), Err(Refusal::Replayed));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_valid_again() {
        let nonces = Nonces::new(at(START));
        admit(&nonces, fresh("a", 1, 10, 10)).unwrap();
        admit(&nonces, fresh("a", 2, 500, 500)).unwrap();
        assert_eq!(admit(&nonces, fresh("a", 1, 10, 10)), Err(Refusal::Expired));
        admit(&nonces, fresh("a", 3, 11, 11)).unwrap();
    }
}
