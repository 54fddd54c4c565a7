use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde::{Deserialize, Serialize};

/// DER of a SubjectPublicKeyInfo with an Ed25519 key, up to the key itself (RFC 8410 section 4).
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const LENGTH: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("not an Ed25519 key")]
    NotAKey,
    #[error("no randomness to make a key of")]
    NoRandomness,
}

/// Who somebody is: an Ed25519 public key (RFC 8032). As text, 43 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; LENGTH]);

// === impl PublicKey ===

impl PublicKey {
    pub fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// From 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        bytes.try_into().map(Self).map_err(|_| KeyError::NotAKey)
    }

    /// From what TLS exchanges (RFC 7250).
    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_bytes(der.strip_prefix(&SPKI_HEAD).ok_or(KeyError::NotAKey)?)
    }

    /// From PEM, as `openssl pkey -pubout` writes it (RFC 7468, `PUBLIC KEY`).
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::NotAKey)?;
        Self::from_spki(&der)
    }

    pub(crate) fn to_spki(self) -> Vec<u8> {
        [&SPKI_HEAD[..], &self.0].concat()
    }

    /// The key in short, for people to compare: 64 bits of its SHA-256, as `1a2b 3c4d 5e6f 7081`.
    pub fn fingerprint(&self) -> String {
        let hash = digest(&SHA256, &self.0);
        let groups = hash.as_ref()[..8].chunks(2).map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect());
        groups.collect::<Vec<String>>().join(" ")
    }

    /// Whether this key's owner has signed `message`.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::NotAKey)?)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

/// The key that somebody keeps to be known by.
pub struct KeyPair {
    pkcs8: Vec<u8>,
    pair: Ed25519KeyPair,
}

// === impl KeyPair ===

impl KeyPair {
    pub fn generate() -> Result<Self, KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::NoRandomness)?;
        Self::from_pkcs8(document.as_ref())
    }

    /// From PKCS #8 version 2 (RFC 5958).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(der).map_err(|_| KeyError::NotAKey)?;
        Ok(Self { pkcs8: der.to_vec(), pair })
    }

    /// From PEM, as `openssl genpkey -algorithm ed25519` writes it (RFC 7468, `PRIVATE KEY`).
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::NotAKey)?;
        // OpenSSL leaves the public half out.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).map_err(|_| KeyError::NotAKey)?;
        Ok(Self { pkcs8: der.secret_pkcs8_der().to_vec(), pair })
    }

    /// As [`KeyPair::from_pkcs8`] takes it. A secret.
    pub fn to_pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; LENGTH];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(bytes)
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_texts() {
        let pair = KeyPair::generate().unwrap();
        let public = pair.public();
        assert_eq!(public.to_string().parse::<PublicKey>().unwrap(), public);
        assert_eq!(PublicKey::from_spki(&public.to_spki()).unwrap(), public);
        assert_eq!(KeyPair::from_pkcs8(pair.to_pkcs8()).unwrap().public(), public);
        for bad in ["", "x", "AAAA", &"A".repeat(44)] {
            assert!(bad.parse::<PublicKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_of_openssl_are_read() {
        // openssl genpkey -algorithm ed25519 | tee /dev/stderr | openssl pkey -pubout
        let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIDI2Qve1M7Zw1jo9e4ig1QIJfesd7+3CBH447kXoIj3P\n-----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGaWx0zrHQ+9i3zlQd3DqbOEuqkgHmAoEzfRNWvGs7Jc=\n-----END PUBLIC KEY-----\n";
        assert_eq!(KeyPair::from_pem(private).unwrap().public(), PublicKey::from_pem(public).unwrap());
        assert!(KeyPair::from_pem(public).is_err() && PublicKey::from_pem(private).is_err());
        assert!(PublicKey::from_pem("").is_err());
    }

    #[test]
    fn a_key_in_short_can_be_worked_out_with_other_tools() {
        // printf 'A%.0s' $(seq 32) | sha256sum
        let key = PublicKey::from_bytes(&[b'A'; LENGTH]).unwrap();
        assert_eq!(key.fingerprint(), "22a4 8051 594c 1949");
    }
}
