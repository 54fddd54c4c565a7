use std::time::{Duration, Instant};

use testkit::{Checkpoints, Client, Database, Postgres, TestServer};

use crate::program;

/// After this long it has converged, or never will.
const CONVERGE: Duration = Duration::from_secs(25);
const POLL: Duration = Duration::from_millis(25);

/// A server that can be held at its steps. Fields are dropped in this order.
pub(crate) struct Stand {
    pub(crate) server: TestServer,
    pub(crate) client: Client,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) postgres: Option<Postgres>,
}

impl Stand {
    pub(crate) async fn new() -> Self {
        Self::with(None).await
    }

    /// On a database of its own, which can be killed.
    pub(crate) async fn on_postgres() -> Self {
        Self::with(Some(Postgres::killable())).await
    }

    async fn with(postgres: Option<Postgres>) -> Self {
        let checkpoints = Checkpoints::new();
        let database = postgres.as_ref().map_or(Database::Sqlite, |it| Database::Postgres(it.database()));
        let builder = TestServer::builder(program()).database(database).checkpoints(&checkpoints);
        // Each deployment has an old release pruned.
        let server = builder.config(serde_json::json!({ "limits": { "releases_kept": 2 } })).start().await;
        let client = server.setup().await;
        Self { server, client, checkpoints, postgres }
    }

    /// Waits until `faults` finds none; those it found last.
    pub(crate) async fn converge(&self, mut faults: impl AsyncFnMut() -> Vec<String>) -> Result<(), String> {
        let start = Instant::now();
        loop {
            let found = tokio::time::timeout(CONVERGE, faults()).await.unwrap_or_else(|_| vec!["no answer".into()]);
            if found.is_empty() {
                return Ok(());
            }
            if start.elapsed() > CONVERGE {
                let output = self.server.output();
                let lines = output.lines().collect::<Vec<_>>();
                let said = lines[lines.len().saturating_sub(12)..].join("\n      ");
                return Err(format!("{}\n    the server said:\n      {said}", found.join("\n    ")));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
