//! The control plane: it keeps what people want, tells nodes, and shows what is.
//!
//! A feature flows one way: handler (extract, call, map), service (authorize, decide,
//! persist, wake), store. Work that outlives a request is the reconciler's. This crate
//! does not know the node's, only the link to one.

mod apps;
mod caller;
mod config;
mod error;
mod http;
mod listen;
mod mesh;
mod platform;
mod state;
mod ui;
mod workspaces;

pub use config::{
    Config, Limits, MachineLogConfig, MetricsConfig, NotificationConfig, RateLimits, RuntimeLimits, TokenConfig,
};
pub use listen::{Certificate, Listener};
pub use mesh::surfaces::MeshSurface;
pub use mesh::{InferenceConfig, MeshConfig, MeshRole};
pub use platform::nodes::{Accept, LinkIo, LocalNode, Patience};
pub use platform::signing::SigningKey;
pub use platform::vault::{KeyRing, Vault};
pub use state::{BuildError, FurtherPort, Server};
pub use workspaces::ports::own::OwnPorts;

/// The API as an OpenAPI document, with every route the server answers.
pub fn openapi() -> utoipa::openapi::OpenApi {
    http::routes().into_openapi()
}

/// The control plane of a mesh, in a process of its own: it asks coordinator and portal, and keeps nothing.
///
/// # Errors
/// When there are no clients to ask them with.
pub fn mesh_control_plane(config: MeshConfig) -> Result<axum::Router, BuildError> {
    Ok(mesh::surfaces::control::router_alone(config)?)
}

/// The time from now to then, as long as there can be one when there is no then.
fn until(then: Option<i64>) -> std::time::Duration {
    let wait = then.map_or(i64::MAX, |then| (then - now_ms()).max(10));
    std::time::Duration::from_millis(u64::try_from(wait).unwrap_or_default())
}

/// Milliseconds since 1970 of the system's clock.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// RFC 3339 in UTC with milliseconds.
fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|time| format!("{time:.3}")).unwrap_or_default()
}
