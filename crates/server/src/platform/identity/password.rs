//! Argon2id (RFC 9106) with the crate's recommended parameters.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Error, Result};

/// One hash takes 19 MiB and a core: this many at a time.
static TURNS: Semaphore = Semaphore::const_new(2);
/// So many may wait for one, a second or two; more would only wait to be too late.
static QUEUE: Semaphore = Semaphore::const_new(32);
/// What the password of an unknown user is compared with, so that it takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody").unwrap_or_default());

/// The right to hash or compare one password now. Whatever decides whether it may be compared is read under it.
pub(super) struct Turn(SemaphorePermit<'static>);

impl Turn {
    /// Waits for one, unless too many wait already.
    pub(super) async fn take() -> Result<Self> {
        let _place = QUEUE.try_acquire().map_err(|_| Error::sign_in_busy())?;
        TURNS.acquire().await.map(Self).map_err(Error::internal)
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
