//! The kill matrix: every part killed at every named step of every flow. Afterwards all is as it was asked
//! for, nothing is left over, nothing was run twice and no log has a gap.
//!
//! A step is a [`checkpoint::Checkpoint`]. What a case comes to is said in `outcome.rs`, whose `match` a new step
//! does not get past.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../it/apps.rs"]
#[allow(dead_code, reason = "the other black-box tests have use for all of it")]
mod apps;
mod cases;
mod cluster;
mod due;
mod flows;
mod leftovers;
mod logs;
mod outcome;
mod processes;
mod seeded;
mod site;
mod stand;
mod victim;
mod workspaces;

use std::time::Duration;

/// Long enough for any build in here on a busy machine.
const BUILD: Duration = Duration::from_secs(60);

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_nanoscale")
}
