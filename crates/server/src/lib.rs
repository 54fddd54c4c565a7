//! The control plane: it keeps what people want, tells nodes, and shows what is.
//!
//! A feature flows one way: handler (extract, call, map), service (authorize, decide,
//! persist, wake), store. Work that outlives a request is the reconciler's. This crate
//! does not know the node's, only the link to one.

mod apps;
mod caller;
mod error;
mod http;
mod listen;
mod platform;
mod state;
mod ui;

pub use listen::{Certificate, Listener};
pub use platform::nodes::{Accept, LinkIo, LocalNode, Patience};
pub use platform::vault::{KeyRing, Vault};
pub use state::{BuildError, Config, Limits, MachineLogConfig, MetricsConfig, NotificationConfig, Server};

/// The API as an OpenAPI document, with every route the server answers.
pub fn openapi() -> utoipa::openapi::OpenApi {
    http::routes().into_openapi()
}

/// Milliseconds since 1970 of the system's clock.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// RFC 3339 in UTC with milliseconds.
fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|time| format!("{time:.3}")).unwrap_or_default()
}
