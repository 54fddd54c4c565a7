use std::time::SystemTime;

use http::HeaderMap;
use link::PublicKey;
use sfv::{BareItem, InnerList};
use subtle::ConstantTimeEq;

use crate::fields::{self, CONTENT_DIGEST, LABEL, SHA_256, SIGNATURE, SIGNATURE_INPUT};
use crate::message::COMPONENTS;
use crate::time::{LIFETIME, SKEW, second};
use crate::{Message, Refusal};

const PARAMETERS: [&str; 6] = ["created", "expires", "nonce", "keyid", "alg", "tag"];

/// What the headers of a request claim. Nothing of it is true before [`Signed::verify`].
#[derive(Debug, Clone)]
pub struct Signed {
    keyid: String,
    tag: String,
    nonce: String,
    created: i64,
    expires: i64,
    /// The list of components and parameters as it was sent, which is as it was signed.
    params: String,
    digest: [u8; 32],
    /// As it was sent and signed.
    digest_text: String,
    signature: [u8; 64],
}

/// A message that is genuine, but perhaps not for the first time: [`crate::Nonces::admit`] tells.
#[derive(Debug)]
#[must_use = "a message may be repeated: give it to Nonces::admit"]
pub struct Fresh {
    pub(crate) keyid: String,
    pub(crate) nonce: String,
    pub(crate) created: i64,
    pub(crate) expires: i64,
    /// When it was verified.
    pub(crate) now: SystemTime,
}

/// Reads the signature of a request, so that its key can be looked up.
pub fn parse(headers: &HeaderMap) -> Result<Signed, Refusal> {
    let input = fields::line(headers, &SIGNATURE_INPUT)?;
    let signature = fields::line(headers, &SIGNATURE)?;
    let digest_text = fields::line(headers, &CONTENT_DIGEST)?;

    let (list, params) = fields::inner_list(input, LABEL)
        .ok_or(Refusal::Malformed("send one Signature-Input called sig1, serialised as RFC 9651 has it"))?;
    check_components(&list)?;
    check_parameters(&list)?;
    Ok(Signed {
        keyid: fields::string(&list, "keyid")
            .filter(|text| fields::is_keyid(text))
            .ok_or(Refusal::Malformed("send a keyid of 1 to 128 characters"))?,
        tag: fields::string(&list, "tag").ok_or(Refusal::Malformed("send a tag"))?,
        nonce: fields::string(&list, "nonce")
            .filter(|text| fields::is_nonce(text))
            .ok_or(Refusal::Malformed("send a nonce of 22 to 86 characters"))?,
        created: fields::integer(&list, "created").ok_or(Refusal::Malformed("send when the signature was created"))?,
        expires: fields::integer(&list, "expires").ok_or(Refusal::Malformed("send when the signature expires"))?,
        params: params.to_owned(),
        digest: fields::bytes(digest_text, SHA_256)
            .ok_or(Refusal::Malformed("send one Content-Digest by sha-256, serialised as RFC 9651 has it"))?,
        digest_text: digest_text.to_owned(),
        signature: fields::bytes(signature, LABEL)
            .ok_or(Refusal::Malformed("send one Signature called sig1 of 64 bytes, serialised as RFC 9651 has it"))?,
    })
}

fn check_components(list: &InnerList) -> Result<(), Refusal> {
    let plain = list.items.iter().all(|item| item.params.is_empty());
    let names = list.items.iter().map(|item| item.bare_item.as_string());
    if plain && names.eq(COMPONENTS.into_iter().map(Some)) { Ok(()) } else { Err(Refusal::Components) }
}

/// The algorithm is the key's whatever the signature says, so that it may say nothing.
fn check_parameters(list: &InnerList) -> Result<(), Refusal> {
    if list.params.keys().any(|name| !PARAMETERS.contains(&name.as_str())) {
        return Err(Refusal::Malformed("send created, expires, nonce, keyid, alg and tag, and no other parameter"));
    }
    let algorithm = list.params.get("alg").map(BareItem::as_string);
    if algorithm.is_none_or(|text| text.is_some_and(|text| text.as_str() == "ed25519")) {
        Ok(())
    } else {
        Err(Refusal::Algorithm)
    }
}

// === impl Signed ===

impl Signed {
    /// Whose key the request claims to be signed with.
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// Whether `message`, as it arrived, was signed with `key`, for the purpose `tag` and for a time that `now` is in.
    pub fn verify(&self, message: &Message<'_>, key: &PublicKey, tag: &str, now: SystemTime) -> Result<Fresh, Refusal> {
        if self.tag != tag {
            return Err(Refusal::Tag);
        }
        self.check_time(second(now))?;
        let base = message
            .base(&self.digest_text, &self.params)
            .ok_or(Refusal::Malformed("send an authority, and path and query percent-encoded"))?;
        // Before the digest: nobody without the key makes us hash a large body.
        if !key.has_signed(base.as_bytes(), &self.signature) {
            return Err(Refusal::Invalid);
        }
        if !bool::from(fields::digest(message.body).ct_eq(&self.digest)) {
            return Err(Refusal::Digest);
        }
        let (keyid, nonce) = (self.keyid.clone(), self.nonce.clone());
        Ok(Fresh { keyid, nonce, created: self.created, expires: self.expires, now })
    }

    /// What was created too long ago has expired, as no life is longer than the clocks may differ.
    fn check_time(&self, now: i64) -> Result<(), Refusal> {
        const { assert!(LIFETIME <= SKEW) };
        if !(1..=LIFETIME).contains(&self.expires.saturating_sub(self.created)) {
            return Err(Refusal::Lifetime);
        }
        if self.created.saturating_sub(now) > SKEW {
            return Err(Refusal::NotYetValid);
        }
        if now > self.expires { Err(Refusal::Expired) } else { Ok(()) }
    }
}
