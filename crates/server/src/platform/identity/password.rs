//! Argon2id (RFC 9106) with the crate's recommended parameters.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Error, Result};

/// One hash takes 19 MiB and a core: this many at a time.
static TURNS: Semaphore = Semaphore::const_new(2);
/// So many may wait for one, a few seconds; more would only wait to be too late.
const QUEUE: usize = 128;
/// So many of one source: nobody fills the queue for all.
const QUEUE_OF_SOURCE: usize = 8;
static WAITING: Queue = Queue::new();
/// What the password of an unknown user is compared with, so that it takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody").unwrap_or_default());

/// The right to hash or compare one password now. Whatever decides whether it may be compared is read under it.
pub(super) struct Turn(SemaphorePermit<'static>);

/// Those who wait for a turn, counted by where they come from.
struct Queue(Mutex<BTreeMap<String, usize>>);

/// A place in the queue; it is free again when this is dropped.
struct Place<'a> {
    queue: &'a Queue,
    source: String,
}

impl Queue {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// None when too many wait already, or too many of `source`.
    fn enter(&self, source: String) -> Option<Place<'_>> {
        let mut waiting = self.lock();
        let own = waiting.get(&source).copied().unwrap_or_default();
        if own >= QUEUE_OF_SOURCE || waiting.values().sum::<usize>() >= QUEUE {
            return None;
        }
        waiting.insert(source.clone(), own + 1);
        Some(Place { queue: self, source })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        if let Some(own) = waiting.get_mut(&self.source) {
            *own -= 1;
            if *own == 0 {
                waiting.remove(&self.source);
            }
        }
    }
}

/// Whoever has one IPv6 address has the 2^64 of its network.
fn source_of(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        Ok(address) => address.to_string(),
        Err(_) => String::new(),
    }
}

impl Turn {
    /// Waits for one. Only for those who have shown that they may.
    pub(super) async fn take() -> Result<Self> {
        TURNS.acquire().await.map(Self).map_err(Error::internal)
    }

    /// Waits for one, unless too many wait already, or too many from the caller's address.
    pub(super) async fn take_for(address: &str) -> Result<Self> {
        let _place = WAITING.enter(source_of(address)).ok_or_else(Error::sign_in_busy)?;
        Self::take().await
    }

    pub(super) async fn hash(self, password: String) -> Result<String> {
        self.work(move || hash_now(&password)).await
    }

    /// Whether `password` is the one that `hash` was made of. Without a hash it never is.
    pub(super) async fn verify(self, password: String, hash: Option<String>) -> Result<bool> {
        self.work(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.clone());
            let parsed = PasswordHash::new(&hash).map_err(|error| Error::internal(error.to_string()))?;
            let matches = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(matches && known)
        })
        .await
    }

    /// The turn goes with the work: a caller who hangs up does not make room for one more.
    async fn work<T: Send + 'static>(self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let turn = self.0;
        let work = move || {
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
    }
}

fn hash_now(password: &str) -> Result<String> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|error| Error::internal(error.to_string()))?.to_string())
}

#[cfg(test)]
mod tests {
    use super::{QUEUE, QUEUE_OF_SOURCE, Queue, source_of};

    #[test]
    fn one_source_does_not_fill_the_queue_for_another() {
        let queue = Queue::new();
        let mut places = Vec::new();
        places.extend((0..QUEUE).filter_map(|_| queue.enter("a".into())));
        assert_eq!(places.len(), QUEUE_OF_SOURCE);
        places.extend(queue.enter("b".into()));
        assert_eq!(places.len(), QUEUE_OF_SOURCE + 1);
        places.remove(0);
        assert!(queue.enter("a".into()).is_some());
        places.extend((0..QUEUE).filter_map(|n| queue.enter(n.to_string())));
        assert_eq!(places.len(), QUEUE);
        drop(places);
        assert!(queue.lock().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        assert_eq!(source_of("2001:db8::1"), source_of("2001:db8::ffff:2"));
        assert_ne!(source_of("2001:db8::1"), source_of("2001:db8:0:1::1"));
        assert_ne!(source_of("::ffff:192.0.2.1"), source_of("::ffff:192.0.2.2"));
        assert_eq!(source_of("::ffff:192.0.2.1"), source_of("192.0.2.1"));
    }
}
