//! What a hostile project tries. Apart from the other black-box tests, since some of what it tries leaves
//! nothing of the machine to others while it lasts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../it/apps.rs"]
#[allow(dead_code, reason = "the other black-box tests have use for all of it")]
mod apps;
mod hostile;
mod pressure;
mod prey;
mod workspaces;

use std::time::Duration;

use testkit::{Builder, TestServer};

/// Long enough for any build in here on a busy machine.
const BUILD: Duration = Duration::from_secs(120);

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_nanoscale")
}

fn server() -> Builder {
    TestServer::builder(program())
}
