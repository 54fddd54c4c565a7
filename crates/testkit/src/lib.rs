//! Real parts for tests: the real binary, a real git host, a real database, a real browser.
//!
//! Everything here waits with a deadline and cleans up when it is dropped, also after a
//! failed test; then the directories stay, and standard error says where.

mod background;
mod browser;
mod certificates;
mod checkpoints;
mod child;
mod client;
mod clock;
mod docker;
mod elsewhere;
mod git;
mod llama;
mod load;
mod machine;
mod mail;
mod meddler;
mod mesh_agent;
mod mesh_service;
mod nginx;
mod ollama;
mod postgres;
mod receiver;
mod scratch;
mod secrets;
mod server;
mod sessions;
mod simulated_node;
mod small_disk;
mod sockets;
mod terminal;
mod visitor;
mod wait;
mod wire;

use std::path::{Path, PathBuf};

pub use browser::{Browser, ColorScheme, Page};
pub use checkpoints::{Checkpoints, Held, Passed, Trap};
pub use client::{ApiFailure, Client, LogsQuery, MachineLogEvent, Sse};
pub use clock::Clock;
pub use docker::{AppImage, Docker, Registry};
pub use elsewhere::Elsewhere;
pub use git::{GitServer, Hold, Repo};
pub use llama::{LlamaOptions, LlamaServer, sdk_python};
pub use load::{Failure, Load, Report};
pub use machine::TestNode;
pub use mail::{Mail, MailServer};
pub use meddler::{Doing, Meddler};
pub use mesh_agent::MeshAgent;
pub use mesh_service::MeshService;
pub use nginx::Nginx;
pub use ollama::{FetchingOllama, UNHEARD_OF};
pub use postgres::Postgres;
pub use receiver::{Received, Receiver, Stall};
pub use secrets::{Secrets, random_secret};
pub use server::{Builder, Database, Part, TestServer};
pub use sessions::Sessions;
pub use simulated_node::{Answers, SimulatedNode};
pub use small_disk::SmallDisk;
pub use sockets::{tcp_connections, tcp_listeners};
pub use terminal::Viewer;
pub use tokio_tungstenite::tungstenite::Error as WebSocketError;
pub use visitor::{App, Reply, Socket, WebSocket};
pub use wait::{PATIENCE, wait_some, wait_some_every, wait_until};
pub use wire::Wire;

/// The top of the workspace.
pub fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).expect("crates/testkit lies two levels deep").to_owned()
}

/// The directory of an app in `examples/`.
pub fn example(name: &str) -> PathBuf {
    let path = workspace().join("examples").join(name);
    assert!(path.is_dir(), "there is no example {name}");
    path
}

/// Where screenshots and other things to look at go.
pub fn artifacts() -> PathBuf {
    let path = std::env::var_os("NANOSCALE_TEST_ARTIFACTS")
        .map_or_else(|| workspace().join("target/artifacts"), PathBuf::from);
    std::fs::create_dir_all(&path).expect("make the directory of artifacts");
    path
}
