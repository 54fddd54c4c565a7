//! The way between a node and its control plane.
//!
//! Both have one Ed25519 key for life, and know each other by nothing else: no certificate, no authority, no shared
//! secret. A [`JoinToken`] carries the cluster's key to a new machine and proves, without being sent anywhere, that
//! the machine was invited ([`proof`]). From then on a connection is TLS 1.3 between the two keys ([`tls`]; raw public
//! keys, RFC 7250), carried by a WebSocket ([`websocket`], RFC 6455): it passes every proxy, and none of them
//! can read or change it, whosever certificate is outside.

mod dial;
mod key;
pub mod proof;
pub mod tls;
mod token;
pub mod websocket;

pub use dial::{Io, Purpose, dial};
pub use key::{KeyError, KeyPair, PublicKey};
pub use token::{JoinToken, TokenError};
