use std::net::SocketAddr;
use std::path::PathBuf;

use ids::MeshNodeId;
use link::PublicKey;
use url::Url;

use crate::own_engine::OwnEngine;
use crate::terms::Terms;

/// What a mesh agent is told by its owner. It has secrets, and no `Debug` therefore.
#[derive(Clone)]
pub struct Config {
    /// Where it keeps its key, and the coordinator's. Made when it is not there.
    pub directory: PathBuf,
    /// As it was enrolled.
    pub node_id: MeshNodeId,
    /// The coordinator's; `http` or `https`, without a path. Asked where the registry knows none, or none of those answers.
    pub coordinator: Option<Url>,
    /// The control plane's, which knows where coordinators are.
    pub registry: Option<Url>,
    /// By which to know the coordinator. When absent, whoever answers at the first contact is it.
    pub coordinator_key: Option<PublicKey>,
    /// With which it registers the first time. From then on its key is what it is known by.
    pub registration_token: Option<String>,
    /// The engines whose models it offers. Where several have one of the same name, the one with less to do is asked.
    pub upstreams: Vec<Upstream>,
    /// Those that it runs itself.
    pub own_engines: Vec<OwnEngine>,
    /// Where programs of this machine find its models, if they shall: an address of loopback.
    pub local: Option<SocketAddr>,
    pub terms: Terms,
}

/// An engine that serves models to this machine.
#[derive(Clone)]
pub struct Upstream {
    pub kind: UpstreamKind,
    /// `http` or `https`. Paths as `/v1/models` are looked for below it.
    pub url: Url,
    /// Sent as bearer token.
    pub api_key: Option<String>,
}

/// What an engine is asked in, to know its models. Completions are the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamKind {
    LlamaCpp,
    Ollama,
}

// === impl UpstreamKind ===

impl UpstreamKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LlamaCpp => "llama.cpp",
            Self::Ollama => "ollama",
        }
    }
}
