use std::time::SystemTime;

use http::{HeaderMap, HeaderValue};
use link::KeyPair;
use sfv::{Integer, RefBareItem, StringRef, key_ref, string_ref};

use crate::Message;
use crate::fields::{
    CONTENT_DIGEST, LABEL, SHA_256, SIGNATURE, SIGNATURE_INPUT, bytes_text, digest, is_keyid, list_text,
};
use crate::message::COMPONENTS;
use crate::time::{LIFETIME, second};

/// Why a request cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("the request's authority, path or query is not what can be sent")]
    Message,
    #[error("not a keyid of 1 to 128 characters of ASCII")]
    KeyId,
    #[error("not a tag of visible ASCII")]
    Tag,
    #[error("the clock is not in this age")]
    Clock,
    #[error("no randomness for a nonce")]
    NoRandomness,
}

/// The headers that make `message` one of the owner of `key`, for a minute from `now` and for one use: Content-Digest,
/// Signature-Input and Signature. `keyid` tells the receiver whose key it is, and `tag` what the request is for.
pub fn sign(
    message: &Message<'_>,
    keyid: &str,
    key: &KeyPair,
    tag: &str,
    now: SystemTime,
) -> Result<HeaderMap, SignError> {
    let created = second(now);
    let nonce = link::proof::nonce().map_err(|_| SignError::NoRandomness)?;
    let keyid = StringRef::from_str(keyid).ok().filter(|text| is_keyid(text.as_str())).ok_or(SignError::KeyId)?;
    let parameters = [
        (key_ref("created"), integer(created)?),
        (key_ref("expires"), integer(created.saturating_add(LIFETIME))?),
        (key_ref("nonce"), StringRef::from_str(&nonce).map_err(|_| SignError::NoRandomness)?.into()),
        (key_ref("keyid"), keyid.into()),
        (key_ref("alg"), string_ref("ed25519").into()),
        (key_ref("tag"), StringRef::from_str(tag).map_err(|_| SignError::Tag)?.into()),
    ];
    let params = list_text(COMPONENTS, parameters);
    let digest = bytes_text(SHA_256, &digest(message.body));
    let base = message.base(&digest, &params).ok_or(SignError::Message)?;
    let signature = bytes_text(LABEL, &key.sign(base.as_bytes()));

    let mut headers = HeaderMap::with_capacity(3);
    for (name, text) in
        [(CONTENT_DIGEST, digest), (SIGNATURE_INPUT, format!("{LABEL}={params}")), (SIGNATURE, signature)]
    {
        headers.insert(name, HeaderValue::try_from(text).map_err(|_| SignError::Message)?);
    }
    Ok(headers)
}

fn integer(second: i64) -> Result<RefBareItem<'static>, SignError> {
    Integer::try_from(second).map(RefBareItem::Integer).map_err(|_| SignError::Clock)
}
