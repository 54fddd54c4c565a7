//! A reverse proxy from host names to upstreams whose routes are swapped without failing a request.
//!
//! [`Edge`] holds the route table and serves listeners. A route points to an [`Upstream`]: one origin with its own
//! connections and a count of what is in flight there. To replace a running process: start the new one, point the
//! route to it with [`Edge::set_route`], wait for [`Upstream::drain`] of the old, stop the old.
//!
//! [`control`] drives one from another process.
//!
//! The crate knows nothing of what runs behind an address or of why routes change. A host may lead to several upstreams:
//! each request goes to the less loaded of two, what does not answer is left out until it does, and what got no answer
//! is sent to another one where that cannot do harm.
//!
//! HTTP/1.1 on both sides; what serves a connection is generic over its bytes, so that TLS can stand before it.

mod config;
pub mod control;
mod serve;

mod forward;
mod headers;
mod host;
mod pages;
mod table;

mod balance;
mod body;
mod health;
mod latency;
mod origin;
mod pool;
mod upstream;

mod frames;
mod framing;
mod tunnel;
mod watched;

pub use config::Config;
pub use origin::{Origin, Stream, take_sockets};
pub use serve::Edge;
pub use table::Target;
pub use upstream::{Drained, Upstream};
