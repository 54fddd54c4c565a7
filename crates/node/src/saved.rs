//! What the node was told last, on disk: after a reboot its apps come back without the server.
//!
//! The file holds the owners' variables, so it is sealed under a key of the node, AES-256-GCM.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use wire::{Desired, Fence};

use crate::layout::{Layout, remove_file, write_atomic};

const NONCE: usize = 12;

pub(crate) struct Saved {
    path: PathBuf,
    cipher: Aes256Gcm,
    turn: Mutex<()>,
}

// === impl Saved ===

impl Saved {
    /// With the node's key, which is made now if there is none.
    pub(crate) fn load(layout: &Layout) -> io::Result<Self> {
        let key = match std::fs::read(layout.key()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(&layout.key())?,
            key => key?,
        };
        let cipher = Aes256Gcm::new_from_slice(&key)
            .map_err(|_| io::Error::other(format!("{} is not a key; remove it", layout.key().display())))?;
        Ok(Self { path: layout.saved(), cipher, turn: Mutex::default() })
    }

    /// What was kept, if it can be read. Without its fence, which orders what is said to one process: a server whose
    /// database was restored begins anew with a lower one.
    pub(crate) fn read(&self) -> Option<Desired> {
        let sealed = match std::fs::read(&self.path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%error, "what the node was told last cannot be read; waiting for the server");
                return None;
            }
        };
        let desired = self.open(&sealed);
        if desired.is_none() {
            tracing::warn!("what the node was told last is damaged; waiting for the server");
        }
        desired.map(|desired| Desired { fence: Fence::default(), ..desired })
    }

    /// One at a time changes what is desired.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps `desired`. What cannot be kept is not replaced by something older: the next start waits for the server.
    pub(crate) fn write(&self, desired: &Desired) {
        let written = self.seal(desired).and_then(|sealed| write_atomic(&self.path, &sealed));
        if let Err(error) = written {
            tracing::warn!(%error, "what the node is told cannot be kept for its next start");
            if let Err(error) = remove_file(&self.path) {
                tracing::warn!(%error, "what the node was told before cannot be removed");
            }
        }
    }

    fn seal(&self, desired: &Desired) -> io::Result<Vec<u8>> {
        let nonce: [u8; NONCE] = rand::random();
        let sealed = self
            .cipher
            .encrypt(Nonce::from_slice(&nonce), serde_json::to_vec(desired)?.as_slice())
            .map_err(|_| io::Error::other("it cannot be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    fn open(&self, sealed: &[u8]) -> Option<Desired> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        let bytes = self.cipher.decrypt(Nonce::from_slice(nonce), sealed).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

fn make_key(path: &Path) -> io::Result<Vec<u8>> {
    let key: [u8; 32] = rand::random();
    // As a whole or not at all: half of one would be refused by every later start.
    write_atomic(path, &key)?;
    Ok(key.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_by_the_next_start_and_by_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().to_owned()).unwrap();
        let removed = ids::ProjectId::new();
        let desired = Desired { removed_groups: vec![removed.clone()], ..Desired::default() };
        Saved::load(&layout).unwrap().write(&desired);
        assert!(Saved::load(&layout).unwrap().read() == Some(desired));
        let bytes = std::fs::read(layout.saved()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(removed.as_str()), "in the clear");
    }

    #[test]
    fn damage_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().to_owned()).unwrap();
        let saved = Saved::load(&layout).unwrap();
        assert!(saved.read().is_none());
        saved.write(&Desired::default());
        let mut bytes = std::fs::read(layout.saved()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(layout.saved(), &bytes).unwrap();
        assert!(saved.read().is_none());
        std::fs::write(layout.saved(), b"short").unwrap();
        assert!(saved.read().is_none());
    }
}
