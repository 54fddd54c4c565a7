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
                let write = sqlite_pool(1, DURABLE).connect(&url).await?;
                let read = sqlite_pool(4, DURABLE).connect(&url).await?;
                Ok((write, read))
            }
        }
    }

    /// Opens the pool of metrics: few connections of their own, so that nobody waits for them.
    pub(crate) async fn open_metrics(self, url: &str) -> StoreResult<sqlx::AnyPool> {
        match self {
            Self::Postgres => {
                // Its tables, and the list of their migrations, are in a schema of their own.
                let options = AnyPoolOptions::new().max_connections(1).after_connect(|connection, _| {
                    Box::pin(async move { connection.execute("set search_path to nanoscale_metrics").await.map(drop) })
                });
                let pool = options.connect(url).await?;
                let find = "select 1 from information_schema.schemata where schema_name = 'nanoscale_metrics'";
                if sqlx::query(find).fetch_optional(&pool).await?.is_none() {
                    sqlx::query("create schema nanoscale_metrics").execute(&pool).await?;
                }
                Ok(pool)
            }
            Self::Sqlite => {
                let url = format!("{url}?mode=rwc");
                // A pool would take what is wrong with the file for something that passes.
                let mut connection = sqlx::AnyConnection::connect(&url).await?;
                connection.execute("select count(*) from sqlite_master").await?;
                connection.close().await?;
                // A read need not wait for a write.
                Ok(sqlite_pool(2, LOSABLE).connect(&url).await?)
            }
        }
    }

    /// How a transaction that writes metrics begins. Only those of other servers are waited for.
    pub(crate) fn begin_metrics(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => {
                "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '10s'; \
                 SET LOCAL idle_in_transaction_session_timeout = '30s'; SELECT pg_advisory_xact_lock(7246914)"
            }
        }
    }

    /// Where metrics are kept: in a file beside, or in the same database.
    pub(crate) fn metrics_url(self, url: &str, directory: &Path) -> String {
        match self {
            Self::Postgres => url.to_owned(),
            Self::Sqlite => format!("sqlite:{}", directory.join("metrics.db").display()),
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

/// What was answered for is on disk: a run that the database forgot would be begun again.
const DURABLE: &str = "PRAGMA synchronous = FULL";
/// A loss of power may take what was written last.
const LOSABLE: &str = "PRAGMA synchronous = NORMAL";

pub(crate) fn sqlite_path(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?.split('?').next()?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (!path.contains(":memory:")).then_some(path)
}

fn sqlite_pool(connections: u32, synchronous: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                for pragma in [
                    "PRAGMA busy_timeout = 10000",
                    "PRAGMA journal_mode = WAL",
                    synchronous,
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
