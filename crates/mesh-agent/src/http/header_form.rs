//! The form of signatures that coordinators of an earlier system have: `x-inference-*` headers, over a line of JSON.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use crate::inference::TrustedCoordinator;

const PEER: &str = "x-coordinator-peer-id";
const TIMESTAMP: &str = "x-inference-timestamp-ms";
const NONCE: &str = "x-inference-nonce";
const BODY: &str = "x-inference-body-sha256";
const SIGNATURE: &str = "x-inference-signature";

/// Milliseconds that clocks may differ.
const SKEW_MS: i64 = 120_000;
const NONCE_MAX: usize = 128;
/// Signatures that are remembered: those of four minutes, 400 a second.
const USED_MAX: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("a request is signed: {PEER}, {TIMESTAMP}, {NONCE}, {BODY} and {SIGNATURE}, or as RFC 9421 has it")]
    Missing,
    #[error("no coordinator of this name is trusted here")]
    UntrustedPeer,
    #[error("{TIMESTAMP} is the time in milliseconds since 1970")]
    InvalidTimestamp,
    #[error("it was signed more than two minutes ago or ahead, or before this service began")]
    Expired,
    #[error("it was asked before")]
    Replay,
    #[error("{BODY} is not the SHA-256 of the body, in hexadecimal digits")]
    BodyMismatch,
    #[error("the signature is not the coordinator's over this request")]
    Invalid,
}

impl Refusal {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Missing => "inference_signature_missing",
            Self::UntrustedPeer => "inference_signature_untrusted_peer",
            Self::InvalidTimestamp => "inference_signature_invalid_timestamp",
            Self::Expired => "inference_signature_expired",
            Self::Replay => "inference_signature_replay",
            Self::BodyMismatch => "inference_signature_body_mismatch",
            Self::Invalid => "inference_signature_invalid",
        }
    }
}

/// The signatures that were used, each of them once. Only genuine ones get here.
pub(super) struct Used {
    /// What was signed by then is not taken: an earlier process may have.
    began_ms: i64,
    /// By peer and nonce, with the millisecond after which it is too old anyway.
    nonces: Mutex<HashMap<(String, String), i64>>,
}

// === impl Used ===

impl Used {
    pub(super) fn new(began: SystemTime) -> Self {
        Self { began_ms: milliseconds(began), nonces: Mutex::default() }
    }

    fn take(&self, peer: &str, nonce: &str, signed_ms: i64, now_ms: i64) -> Result<(), Refusal> {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if nonces.len() >= USED_MAX {
            nonces.retain(|_, until| *until >= now_ms);
        }
        // Never by forgetting another one early.
        let is_full = nonces.len() >= USED_MAX;
        let key = (peer.to_owned(), nonce.to_owned());
        if is_full || nonces.contains_key(&key) {
            return Err(Refusal::Replay);
        }
        nonces.insert(key, signed_ms.saturating_add(SKEW_MS));
        Ok(())
    }
}

/// After what time it may be acted on: one from the future could be brought again after a restart.
pub(super) fn verify(
    parts: &Parts,
    body: &Bytes,
    coordinators: &[TrustedCoordinator],
    used: &Used,
    now: SystemTime,
) -> Result<Duration, Refusal> {
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        value.filter(|value| !value.is_empty()).ok_or(Refusal::Missing)
    };
    let (peer, timestamp, nonce, body_hash, signature) =
        (header(PEER)?, header(TIMESTAMP)?, header(NONCE)?, header(BODY)?, header(SIGNATURE)?);
    let trusted = coordinators.iter().find(|trusted| trusted.peer_id == peer).ok_or(Refusal::UntrustedPeer)?;
    let signed_ms = timestamp.parse::<i64>().map_err(|_| Refusal::InvalidTimestamp)?;
    let now_ms = milliseconds(now);
    let ahead_ms = signed_ms.saturating_sub(now_ms);
    if ahead_ms.saturating_abs() > SKEW_MS || signed_ms <= used.began_ms {
        return Err(Refusal::Expired);
    }
    if !body_hash.eq_ignore_ascii_case(&hex(digest(&SHA256, body).as_ref())) {
        return Err(Refusal::BodyMismatch);
    }
    let signature = STANDARD.decode(signature).map_err(|_| Refusal::Invalid)?;
    let line = line(peer, parts, signed_ms, nonce, body_hash);
    if nonce.len() > NONCE_MAX || !trusted.key.has_signed(line.as_bytes(), &signature) {
        return Err(Refusal::Invalid);
    }
    used.take(peer, nonce, signed_ms, now_ms)?;
    Ok(Duration::from_millis(u64::try_from(ahead_ms).unwrap_or_default()))
}

/// What is signed: JSON without spaces, in this order.
fn line(peer: &str, parts: &Parts, signed_ms: i64, nonce: &str, body_hash: &str) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        r#"{{"peerId":{},"method":{},"path":{},"timestampMs":{signed_ms},"nonce":{},"bodySha256":{}}}"#,
        text(peer),
        text(parts.method.as_str()),
        text(parts.uri.path()),
        text(nonce),
        text(body_hash)
    )
}

fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use link::KeyPair;

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    struct Stand {
        key: KeyPair,
        coordinators: Vec<TrustedCoordinator>,
        used: Used,
    }

    fn at(ms: i64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap())
    }

    impl Stand {
        fn new() -> Self {
            let key = KeyPair::generate().unwrap();
            let coordinators = vec![TrustedCoordinator { peer_id: "coordinator-local".into(), key: key.public() }];
            Self { key, coordinators, used: Used::new(at(NOW_MS - 60_000)) }
        }

        fn signed(&self, body: &str, signed_ms: i64, nonce: &str) -> Request<()> {
            let hash = hex(digest(&SHA256, body.as_bytes()).as_ref());
            let line = format!(
                r#"{{"peerId":"coordinator-local","method":"POST","path":"/decompose","timestampMs":{signed_ms},"nonce":"{nonce}","bodySha256":"{hash}"}}"#
            );
            Request::builder()
                .method("POST")
                .uri("/decompose?not=signed")
                .header(PEER, "coordinator-local")
                .header(TIMESTAMP, signed_ms)
                .header(NONCE, nonce)
                .header(BODY, hash)
                .header(SIGNATURE, STANDARD.encode(self.key.sign(line.as_bytes())))
                .body(())
                .unwrap()
        }

        fn verify(&self, request: Request<()>, body: &'static str) -> Result<Duration, Refusal> {
            let (parts, ()) = request.into_parts();
            verify(&parts, &Bytes::from_static(body.as_bytes()), &self.coordinators, &self.used, at(NOW_MS))
        }
    }

    #[test]
    fn what_a_coordinator_has_signed_is_taken_once() {
        let stand = Stand::new();
        let request = || stand.signed("{}", NOW_MS - 5, "one");
        assert_eq!(stand.verify(request(), "{}"), Ok(Duration::ZERO));
        assert_eq!(stand.verify(request(), "{}"), Err(Refusal::Replay));
        let ahead = stand.signed("{}", NOW_MS + 1500, "two");
        assert_eq!(stand.verify(ahead, "{}"), Ok(Duration::from_millis(1500)));
    }

    #[test]
    fn each_way_to_be_wrong_has_its_own_word() {
        let stand = Stand::new();
        let with = |name: &'static str, value: Option<&str>| {
            let mut request = stand.signed("{}", NOW_MS, "nonce");
            match value {
                Some(value) => drop(request.headers_mut().insert(name, value.parse().unwrap())),
                None => drop(request.headers_mut().remove(name)),
            }
            stand.verify(request, "{}").unwrap_err()
        };
        for name in [PEER, TIMESTAMP, NONCE, BODY, SIGNATURE] {
            assert_eq!(with(name, None), Refusal::Missing, "{name}");
        }
        assert_eq!(with(PEER, Some("somebody")), Refusal::UntrustedPeer);
        assert_eq!(with(TIMESTAMP, Some("now")), Refusal::InvalidTimestamp);
        assert_eq!(with(TIMESTAMP, Some(&(NOW_MS + 1).to_string())), Refusal::Invalid);
        assert_eq!(with(NONCE, Some("other")), Refusal::Invalid);
        assert_eq!(with(SIGNATURE, Some("AAAA")), Refusal::Invalid);
        assert_eq!(with(SIGNATURE, Some("?")), Refusal::Invalid);
        assert_eq!(with(BODY, Some("00")), Refusal::BodyMismatch);
        assert_eq!(stand.verify(stand.signed("{}", NOW_MS, "n"), "{ }"), Err(Refusal::BodyMismatch));
        for apart in [-121_000, 121_000] {
            assert_eq!(stand.verify(stand.signed("{}", NOW_MS + apart, "n"), "{}"), Err(Refusal::Expired));
        }
        // Before the service began.
        assert_eq!(stand.verify(stand.signed("{}", NOW_MS - 60_000, "n"), "{}"), Err(Refusal::Expired));
        assert_eq!(stand.verify(stand.signed("{}", NOW_MS, "n"), "{}"), Ok(Duration::ZERO));
    }
}
