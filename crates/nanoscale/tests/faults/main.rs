//! What a machine does to its programs: a disk that is full or broken, a clock that jumps, more to do at once than
//! it can. Apart from the other black-box tests, and one after the other: each wants the machine for itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../it/apps.rs"]
#[allow(dead_code, reason = "the other black-box tests have use for all of it")]
mod apps;
mod clock;
mod crowd;
mod disk;
mod process;

use std::time::Duration;

use testkit::{Builder, TestServer};
use tokio::sync::Mutex;

/// Long enough for any build in here on a busy machine.
const BUILD: Duration = Duration::from_secs(60);
/// Held by the test that has the machine.
static ALONE: Mutex<()> = Mutex::const_new(());

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_nanoscale")
}

fn server() -> Builder {
    TestServer::builder(program())
}
