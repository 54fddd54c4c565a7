//! Runs what a control plane desires on this machine, and reports what it sees.
//!
//! A node knows workloads, builds, groups and routes, never projects or users. Every
//! process runs confined under a shim that outlives this one. The desired state is the
//! only input that changes anything; all else is derived from it and from the disk, so
//! a node that was killed at any point converges when it is started again.

mod agent;
mod confine;
pub mod confined;
mod container;
mod edge_link;
mod engine;
mod groups;
mod identity;
mod layout;
mod link;
mod log;
mod machine_logs;
mod metrics;
mod network;
mod peers;
mod saved;
mod shim;
mod system_info;
mod terminal;
pub mod uplink;

pub use agent::{Agent, Config, Gates, MachineConfig, Separation};
pub use edge_link::{Dial, DialPeer, Doors, EdgeIo};
pub use groups::{Driver, Systemd, Unusable};
pub use link::serve_link;
pub use machine_logs::OwnLog;
pub use peers::{Announced, Direct};
pub use shim::main as shim_main;

/// Milliseconds since 1970 of the system's clock.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
