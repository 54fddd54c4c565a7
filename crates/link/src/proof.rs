//! Proofs that two machines show each other before they have a link. Nothing secret is ever sent: what is shown holds
//! for one exchange, and whoever overhears it can do nothing with it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::{JoinToken, KeyError, KeyPair, PublicKey};

/// A fresh value that one side chooses, so that an older answer does not fit: 32 bytes as base64url.
pub fn nonce() -> Result<String, KeyError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether a text is one of [`nonce`].
pub fn is_nonce(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// That a server is the cluster it says it is.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The asker's.
    pub nonce: &'a str,
    pub cluster: PublicKey,
}

impl Identity<'_> {
    pub fn sign(&self, cluster: &KeyPair) -> String {
        encode(&cluster.sign(&self.transcript()))
    }

    pub fn is_signed(&self, signature: &str) -> bool {
        decode(signature).is_some_and(|bytes| self.cluster.has_signed(&self.transcript(), &bytes))
    }

    fn transcript(&self) -> Vec<u8> {
        transcript(&[b"nanoscale cluster identity v1", self.nonce.as_bytes(), self.cluster.as_bytes()])
    }
}

/// That a machine owns a key and was invited: both are bound to the cluster, to everything that is asked for, and to
/// a value that holds once.
#[derive(Debug, Clone, Copy)]
pub struct Join<'a> {
    pub cluster: PublicKey,
    /// The node's own, answered by the cluster.
    pub nonce: &'a str,
    pub node: PublicKey,
    /// The token's public part.
    pub token_id: &'a str,
    pub name: &'a str,
    /// The link's version that the node speaks.
    pub protocol: u32,
}

impl Join<'_> {
    /// What only who has the token can make.
    pub fn prove(&self, secret: &[u8]) -> String {
        encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &self.transcript()).as_ref())
    }

    /// In constant time.
    pub fn is_proven(&self, secret: &[u8], proof: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        decode(proof).is_some_and(|tag| hmac::verify(&key, &self.transcript(), &tag).is_ok())
    }

    /// What only who has the node's key can make.
    pub fn sign(&self, node: &KeyPair) -> String {
        encode(&node.sign(&self.transcript()))
    }

    pub fn is_signed(&self, signature: &str) -> bool {
        decode(signature).is_some_and(|bytes| self.node.has_signed(&self.transcript(), &bytes))
    }

    fn transcript(&self) -> Vec<u8> {
        transcript(&[
            b"nanoscale cluster join v1",
            self.cluster.as_bytes(),
            self.nonce.as_bytes(),
            self.node.as_bytes(),
            self.token_id.as_bytes(),
            self.name.as_bytes(),
            &self.protocol.to_be_bytes(),
        ])
    }
}

/// That the cluster has taken a node in.
#[derive(Debug, Clone, Copy)]
pub struct Joined<'a> {
    pub cluster: PublicKey,
    pub nonce: &'a str,
    pub node_id: &'a str,
}

impl Joined<'_> {
    pub fn sign(&self, cluster: &KeyPair) -> String {
        encode(&cluster.sign(&self.transcript()))
    }

    pub fn is_signed(&self, signature: &str) -> bool {
        decode(signature).is_some_and(|bytes| self.cluster.has_signed(&self.transcript(), &bytes))
    }

    fn transcript(&self) -> Vec<u8> {
        transcript(&[
            b"nanoscale cluster joined v1",
            self.cluster.as_bytes(),
            self.nonce.as_bytes(),
            self.node_id.as_bytes(),
        ])
    }
}

impl<'a> Join<'a> {
    /// What a machine with this token says.
    pub fn of(token: &'a JoinToken, nonce: &'a str, node: PublicKey, name: &'a str, protocol: u32) -> Self {
        Self { cluster: token.cluster, nonce, node, token_id: &token.id, name, protocol }
    }
}

/// Each field with its length before it, so that none can be moved into another.
fn transcript(fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_what_was_said_and_for_nothing_else() {
        let (cluster, node, other) =
            (KeyPair::generate().unwrap(), KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let nonce = nonce().unwrap();
        let join = Join {
            cluster: cluster.public(),
            nonce: &nonce,
            node: node.public(),
            token_id: "t",
            name: "worker",
            protocol: 3,
        };
        let (proof, signature) = (join.prove(b"secret"), join.sign(&node));
        assert!(join.is_proven(b"secret", &proof) && join.is_signed(&signature));
        assert!(!join.is_proven(b"Secret", &proof) && !join.is_proven(b"secret", &signature));
        for changed in [
            Join { cluster: other.public(), ..join },
            Join { nonce: "", ..join },
            Join { node: other.public(), ..join },
            Join { token_id: "tw", name: "orker", ..join },
            Join { name: "worker2", ..join },
            Join { protocol: 4, ..join },
        ] {
            assert!(!changed.is_proven(b"secret", &proof) && !changed.is_signed(&signature), "{changed:?}");
        }
        let identity = Identity { nonce: &nonce, cluster: cluster.public() };
        assert!(identity.is_signed(&identity.sign(&cluster)));
        assert!(!identity.is_signed(&identity.sign(&other)));
    }
}
