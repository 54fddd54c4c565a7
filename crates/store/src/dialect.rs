//! What SQLite and PostgreSQL do not share. The engine is chosen once, here.

use std::path::Path;

use sqlx::any::AnyPoolOptions;
use sqlx::{Connection, Executor};

use crate::StoreResult;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    pub(crate) fn of(url: &str) -> Self {
        if url.starts_with("postgres") { Self::Postgres } else { Self::Sqlite }
    }

    /// Opens the pools for writing and for reading. A pool of one queues this server's writers in the order they come.
    pub(crate) async fn open(self, url: &str) -> StoreResult<(sqlx::AnyPool, sqlx::AnyPool)> {
        match self {
            Self::Postgres => {
                let write = AnyPoolOptions::new().max_connections(1).connect(url).await?;
                let read = AnyPoolOptions::new().max_connections(15).connect(url).await?;
                Ok((write, read))
            }
            Self::Sqlite => {
                let url = if url.contains('?') { url.to_owned() } else { format!("{url}?mode=rwc") };
                let write = sqlite_pool(1).connect(&url).await?;
                let read = sqlite_pool(4).connect(&url).await?;
                Ok((write, read))
            }
        }
    }

    /// How a transaction that writes begins: as the only one, on either engine. What it reads is then still so when it
    /// writes, and no two writers wait for each other. Not for long, either: who hangs is cut off, who waits is told.
    ///
    /// A deferred one that reads first and writes then would fail in SQLite when another one wrote in between. In
    /// PostgreSQL, where several servers may write, two that take rows in different orders would be a deadlock.
    pub(crate) fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            // The number is any; it only has to be the same for every server. Sent as one message.
            Self::Postgres => {
                "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '10s'; \
                 SET LOCAL idle_in_transaction_session_timeout = '30s'; SELECT pg_advisory_xact_lock(7246913)"
            }
        }
    }

    /// Whether the database can be reached and still is the one that was opened.
    pub(crate) fn is_there(self, url: &str) -> bool {
        match self {
            Self::Postgres => true,
            // An unlinked SQLite file answers queries for ever.
            Self::Sqlite => sqlite_path(url).is_none_or(|path| Path::new(path).exists()),
        }
    }
}

fn sqlite_path(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?.split('?').next()?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (!path.contains(":memory:")).then_some(path)
}

fn sqlite_pool(connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| {
            Box::pin(async move {
                for pragma in [
                    "PRAGMA busy_timeout = 10000",
                    "PRAGMA journal_mode = WAL",
                    // What was answered for is on disk: a run that the database forgot would be begun again.
                    "PRAGMA synchronous = FULL",
                    "PRAGMA foreign_keys = ON",
                ] {
                    connection.execute(pragma).await?;
                }
                Ok(())
            })
        })
        // SQLite ends a transaction by itself when the disk is full; sqlx then takes its own rollback for failed and
        // the connection for one that is in a transaction for ever. Such a one is closed.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}
