use std::time::{Duration, Instant};

use testkit::{Builder, Checkpoints, Client, Database, Part, Postgres, TestServer};

use crate::program;
use crate::victim::{ONE, THREE, Victim};

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
    /// As an installation: server, edge and node are a process each.
    pub(crate) async fn new() -> Self {
        Self::with(None, Builder::separate).await
    }

    pub(crate) async fn in_one_process() -> Self {
        Self::with(None, |builder| builder).await
    }

    /// On a database of its own, which can be killed.
    pub(crate) async fn on_postgres() -> Self {
        Self::with(Some(Postgres::killable()), Builder::separate).await
    }

    pub(crate) async fn with(postgres: Option<Postgres>, form: impl FnOnce(Builder) -> Builder) -> Self {
        let checkpoints = Checkpoints::new();
        let database = postgres.as_ref().map_or(Database::Sqlite, |it| Database::Postgres(it.database()));
        let builder = form(TestServer::builder(program())).database(database).checkpoints(&checkpoints);
        // Each deployment has an old release pruned.
        let server = builder.config(serde_json::json!({ "limits": { "releases_kept": 2 } })).start().await;
        let client = server.setup().await;
        Self { server, client, checkpoints, postgres }
    }

    pub(crate) fn is_separate(&self) -> bool {
        self.server.pid_of(Part::All).is_none()
    }

    /// Everybody here who may be killed at any step.
    pub(crate) fn victims(&self) -> Vec<Victim> {
        let always: &[Victim] = if self.is_separate() { &THREE } else { &ONE };
        let postgres = self.postgres.as_ref().map(|_| Victim::Postgres);
        always.iter().copied().chain(postgres).collect()
    }

    /// Waits until `faults` finds none; those it found last.
    pub(crate) async fn converge(&self, faults: impl AsyncFnMut() -> Vec<String>) -> Result<(), String> {
        self.converge_within(CONVERGE, faults).await
    }

    /// The same where more than this machine has to find together.
    pub(crate) async fn converge_within(
        &self,
        within: Duration,
        mut faults: impl AsyncFnMut() -> Vec<String>,
    ) -> Result<(), String> {
        let start = Instant::now();
        loop {
            let found = tokio::time::timeout(within, faults()).await.unwrap_or_else(|_| vec!["no answer".into()]);
            if found.is_empty() {
                return Ok(());
            }
            if start.elapsed() > within {
                let output = self.server.output();
                let lines = output.lines().collect::<Vec<_>>();
                let said = lines[lines.len().saturating_sub(12)..].join("\n      ");
                return Err(format!("{}\n    the server said:\n      {said}", found.join("\n    ")));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
