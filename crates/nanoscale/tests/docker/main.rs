//! Projects that run in containers, with a real engine and a real registry. Apart from the other black-box tests, as the engine
//! takes a second or two to start.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../it/apps.rs"]
#[allow(dead_code, reason = "the other black-box tests have use for all of it")]
mod apps;
mod confinement;
mod dockerfiles;
mod hostile;
mod images;
mod lives;
#[path = "../attacks/prey.rs"]
mod prey;

use std::time::Duration;

use testkit::{Builder, Docker, Registry, TestServer};

/// Long enough for any build in here on a busy machine.
const BUILD: Duration = Duration::from_secs(60);

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_nanoscale")
}

/// A server whose node has the engine, and may pull from `registry`.
fn server(docker: &Docker, registry: &Registry) -> Builder {
    TestServer::builder(program()).docker(docker, &[registry.host()])
}
