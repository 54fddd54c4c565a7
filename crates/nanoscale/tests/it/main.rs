//! The product as its users meet it: the real binary, over HTTP, through the edge, on the
//! command line and in a browser. Modules below `both` run on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admission;
mod apps;
mod both;
mod browser;
mod caches;
mod cancel;
mod command_line;
mod confinement;
mod crash;
mod crash_jobs;
mod environment;
mod failures;
mod health;
mod isolation;
mod logs;
mod machine_logs;
mod metrics_page;
mod notifications;
mod notifications_page;
mod ports;
mod processes;
mod removal;
mod runs_page;
mod runtime_files;
mod separate;
mod sessions;
mod sources;
mod systemd;
mod terminals;
mod volumes;
mod without_root;
mod zero_downtime;

use std::time::Duration;

use testkit::{Builder, TestServer};

/// Long enough for any build in here on a busy machine.
const BUILD: Duration = Duration::from_secs(60);

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_nanoscale")
}

fn server() -> Builder {
    TestServer::builder(program())
}
