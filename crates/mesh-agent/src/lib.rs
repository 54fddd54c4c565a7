//! A mesh agent: a machine of another owner, that lets a coordinator use the models it serves, and nothing else.
//!
//! It registers with the coordinator, dials it, and answers HTTP/2 requests on that connection ([`MeshAgent`]): it needs no
//! address that others can reach. What it answers is a report of its models and completions, which it passes on to the
//! engines that its owner runs ([`Upstream`]) and whose use it counts. Each request is signed by the coordinator's key, which
//! is remembered from the first contact.
//!
//! An [`InferenceService`] is the same at an address that a coordinator knows, for engines of its own.
//!
//! They know nothing of who asks, of credits, or of other machines, and keep nothing of what is asked and answered.

mod completions;
mod config;
mod coordinator;
mod discovery;
mod http;
mod inference;
mod kept;
mod local;
mod mesh_agent;
mod offer;
mod own_engine;
mod pulls;
mod status;
mod terms;
mod uplink;
mod upstream;

pub use config::{Config, Upstream, UpstreamKind};
pub use discovery::Source;
pub use inference::{InferenceConfig, InferenceService, TrustedCoordinator};
pub use kept::pause;
pub use local::LocalEndpoint;
pub use mesh_agent::{Error, MeshAgent};
pub use own_engine::OwnEngine;
pub use status::Status;
pub use terms::{Hours, InvalidHours, Terms};
pub use upstream::InvalidUpstream;
pub use wire::MeshPrice;
