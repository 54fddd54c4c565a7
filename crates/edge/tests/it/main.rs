//! The proxy over real sockets: real listeners on port 0, upstreams and clients that speak bytes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod driver;
mod load;
mod support;

mod balance;
mod control;
mod drain;
mod errors;
mod failover;
mod hygiene;
mod routing;
mod smuggling;
mod streaming;
mod swap;
mod upstreams;
mod websocket;
