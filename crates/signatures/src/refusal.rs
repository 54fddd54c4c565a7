use crate::time::{LIFETIME, SKEW};

/// Why a request is not taken. Each reason says what its sender can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the request is not signed: send Signature-Input, Signature and Content-Digest")]
    Missing,
    /// With what to do instead.
    #[error("the signature cannot be read: {0}")]
    Malformed(&'static str),
    #[error(
        "the signature covers something else: let it cover \"@method\" \"@authority\" \"@path\" \"@query\" \
         \"content-digest\", in this order and without parameters"
    )]
    Components,
    #[error("the signature names another algorithm: sign with ed25519")]
    Algorithm,
    #[error("the signature is for another purpose: sign with the tag of this interface")]
    Tag,
    #[error("the signature's life is wrong: let it expire after its creation, and at most {LIFETIME} seconds later")]
    Lifetime,
    #[error("the signature was created more than {SKEW} seconds from now: set the clocks of both machines")]
    NotYetValid,
    #[error("the signature has expired: sign again, and if that does not help, set the clocks of both machines")]
    Expired,
    #[error("the body is not the one that was signed: send it unchanged, or sign again")]
    Digest,
    #[error("the signature does not fit the request: sign what is sent, with the key that keyid names")]
    Invalid,
    #[error("the signature was used before: sign every request anew")]
    Replayed,
    #[error("there are too many signatures to remember: wait a few minutes, then sign again")]
    MemoryFull,
    #[error("the signature is older than the process that reads it: wait a second, then sign again")]
    BeforeStart,
    /// For callers: [`crate::Signed::keyid`] names none of their keys.
    #[error("nobody is known by this keyid: have the key registered, or sign with one that is")]
    UnknownKey,
}

// === impl Refusal ===

impl Refusal {
    /// A name for programs, which never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "signature_missing",
            Self::Malformed(_) => "signature_malformed",
            Self::Components => "signature_components",
            Self::Algorithm => "signature_algorithm",
            Self::Tag => "signature_tag",
            Self::Lifetime => "signature_lifetime",
            Self::NotYetValid => "signature_not_yet_valid",
            Self::Expired => "signature_expired",
            Self::Digest => "signature_digest",
            Self::Invalid => "signature_invalid",
            Self::Replayed => "signature_replayed",
            Self::MemoryFull => "signature_memory_full",
            Self::BeforeStart => "signature_before_start",
            Self::UnknownKey => "signature_unknown_key",
        }
    }
}
