//! Signed HTTP requests from one machine to the next: HTTP Message Signatures (RFC 9421) with Ed25519.
//!
//! The sender adds three headers ([`sign`]). The receiver reads them ([`parse`]), looks up the key that
//! [`Signed::keyid`] names, checks the request as it arrived ([`Signed::verify`]) and takes each signature once
//! ([`Nonces::admit`]):
//!
//! ```
//! # use std::time::{Duration, SystemTime};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let key = link::KeyPair::generate()?;
//! # let nonces = signatures::Nonces::new(SystemTime::now() - Duration::from_secs(5));
//! # let message = signatures::Message {
//! #     method: &http::Method::POST, authority: "two.example", path: "/run", query: None, body: b"{}",
//! # };
//! let headers = signatures::sign(&message, "one", &key, "mesh", SystemTime::now())?;
//!
//! let signed = signatures::parse(&headers)?;
//! assert_eq!(signed.keyid(), "one");
//! let fresh = signed.verify(&message, &key.public(), "mesh", SystemTime::now())?;
//! let admitted = nonces.admit(fresh)?;
//! std::thread::sleep(admitted.wait());
//! # Ok(())
//! # }
//! ```
//!
//! There is one form and no choice: a single signature over the same five components in the same order, with a nonce
//! and a life of a minute, each header in the one serialisation that RFC 9651 gives it. What deviates is refused
//! ([`Refusal`]), whether or not RFC 9421 would have a meaning for it.
//!
//! The crate knows nothing of who asks for what, of where keys are kept, and does no IO.

mod refusal;
mod sign;
mod verify;

mod fields;
mod message;
mod nonces;
mod time;

pub use message::Message;
pub use nonces::{Admitted, Nonces};
pub use refusal::Refusal;
pub use sign::{SignError, sign};
pub use verify::{Fresh, Signed, parse};
