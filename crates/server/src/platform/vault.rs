//! Secrets at rest: AES-256-GCM under a key ring, bound to the place they belong to.

use std::io;
use std::path::Path;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use serde::{Deserialize, Serialize};

const NONCE: usize = 12;
/// Bytes that sealing adds to a text.
const TAG: usize = 16;

/// The keys, in a file of their own that only the server's user reads.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeyRing {
    /// Seals; every one opens.
    active: String,
    keys: Vec<Key>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Key {
    id: String,
    /// 32 bytes, base64.
    key: String,
}

/// Seals and opens values. `place` names table, row and column: a sealed value moved elsewhere does not open.
pub struct Vault {
    active: String,
    ciphers: Vec<(String, Aes256Gcm)>,
}

/// A sealed value that cannot be opened here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("the key ring has no usable key")]
    NoKey,
    #[error("sealed by key {0}, which is not in the key ring")]
    UnknownKey(String),
    #[error("not a sealed value of this place")]
    Refused,
}

// === impl KeyRing ===

impl KeyRing {
    /// A ring with one new key.
    pub fn generate() -> Self {
        let mut bytes = [0_u8; 32];
        rand::rng().fill_bytes(&mut bytes);
        let mut id = [0_u8; 4];
        rand::rng().fill_bytes(&mut id);
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Self { active: id.clone(), keys: vec![Key { id, key: STANDARD.encode(bytes) }] }
    }

    /// The ring in `path`, if there is such a file.
    pub fn load(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the key that sealed this is in the ring.
    pub fn fits(&self, sealed: &str) -> bool {
        let id = sealed.split(':').nth(1);
        self.keys.iter().any(|key| Some(key.id.as_str()) == id)
    }

    /// Writes a new file, readable by its owner only; one that is there is an error.
    pub fn create(&self, path: &Path) -> io::Result<()> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()
    }
}

// === impl Vault ===

impl Vault {
    pub fn new(ring: &KeyRing) -> Result<Self, VaultError> {
        let ciphers = ring
            .keys
            .iter()
            .map(|key| {
                let bytes = STANDARD.decode(&key.key).map_err(|_| VaultError::NoKey)?;
                let cipher = Aes256Gcm::new_from_slice(&bytes).map_err(|_| VaultError::NoKey)?;
                Ok((key.id.clone(), cipher))
            })
            .collect::<Result<Vec<_>, VaultError>>()?;
        if !ciphers.iter().any(|(id, _)| *id == ring.active) {
            return Err(VaultError::NoKey);
        }
        Ok(Self { active: ring.active.clone(), ciphers })
    }

    /// `v1:<key id>:<base64 of nonce and ciphertext>`.
    pub(crate) fn seal(&self, place: &str, secret: &str) -> Result<String, VaultError> {
        let mut nonce = [0_u8; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload { msg: secret.as_bytes(), aad: place.as_bytes() };
        let sealed =
            self.cipher(&self.active)?.encrypt(Nonce::from_slice(&nonce), payload).map_err(|_| VaultError::Refused)?;
        let bytes = [&nonce[..], &sealed[..]].concat();
        Ok(format!("v1:{}:{}", self.active, STANDARD.encode(bytes)))
    }

    pub(crate) fn open(&self, place: &str, sealed: &str) -> Result<String, VaultError> {
        let mut parts = sealed.splitn(3, ':');
        let (Some("v1"), Some(id), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VaultError::Refused);
        };
        let bytes = STANDARD.decode(text).map_err(|_| VaultError::Refused)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE).ok_or(VaultError::Refused)?;
        let payload = Payload { msg: sealed, aad: place.as_bytes() };
        let opened = self.cipher(id)?.decrypt(Nonce::from_slice(nonce), payload).map_err(|_| VaultError::Refused)?;
        String::from_utf8(opened).map_err(|_| VaultError::Refused)
    }

    /// Bytes of what was sealed, without opening it.
    pub(crate) fn opened_len(sealed: &str) -> usize {
        let bytes = sealed.rsplit(':').next().and_then(|text| STANDARD.decode(text).ok());
        bytes.map_or(0, |bytes| bytes.len().saturating_sub(NONCE + TAG))
    }

    fn cipher(&self, id: &str) -> Result<&Aes256Gcm, VaultError> {
        let found = self.ciphers.iter().find(|(known, _)| known == id).map(|(_, cipher)| cipher);
        found.ok_or_else(|| VaultError::UnknownKey(id.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_in_its_place_and_untouched() {
        let ring = KeyRing::generate();
        let vault = Vault::new(&ring).unwrap();
        let sealed = vault.seal("env_vars/a/KEY", "s3cret\n").unwrap();
        assert!(ring.fits(&sealed));
        assert_eq!(Vault::opened_len(&sealed), "s3cret\n".len());
        assert!(!sealed.contains("s3cret"));
        assert_eq!(vault.open("env_vars/a/KEY", &sealed).unwrap(), "s3cret\n");
        assert_eq!(vault.open("env_vars/b/KEY", &sealed), Err(VaultError::Refused));
        let mut bent = sealed.clone().into_bytes();
        let last = bent.len() - 6;
        bent[last] = if bent[last] == b'A' { b'B' } else { b'A' };
        assert_eq!(vault.open("env_vars/a/KEY", &String::from_utf8(bent).unwrap()), Err(VaultError::Refused));
        let other = KeyRing::generate();
        assert!(!other.fits(&sealed));
        let other = Vault::new(&other).unwrap();
        assert!(matches!(other.open("env_vars/a/KEY", &sealed), Err(VaultError::UnknownKey(_))));
    }
}
