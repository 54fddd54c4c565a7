use std::path::Path;

use mesh_agent::{Config, MeshAgent, Status, Terms};
use testkit::PATIENCE;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use wire::MeshPrice;

use crate::coordinator::Coordinator;
use crate::engine::Engine;

/// A mesh agent with what is on both sides of it.
pub(crate) struct Stand {
    pub(crate) agent: Running,
    pub(crate) coordinator: Coordinator,
    pub(crate) engine: Engine,
    pub(crate) directory: tempfile::TempDir,
}

// === impl Stand ===

impl Stand {
    /// Linked, with a model called `m`.
    pub(crate) async fn start() -> Self {
        let (coordinator, engine) = (Coordinator::start().await, Engine::start(&["m"]).await);
        let directory = tempfile::tempdir().unwrap();
        let agent = Running::start(config(directory.path(), &coordinator, &[&engine]));
        coordinator.linked().await;
        coordinator.offered(&["m"]).await;
        Self { agent, coordinator, engine, directory }
    }
}

pub(crate) fn config(directory: &Path, coordinator: &Coordinator, engines: &[&Engine]) -> Config {
    Config {
        directory: directory.to_owned(),
        node_id: "ada-workstation".parse().unwrap(),
        coordinator: Some(coordinator.url.clone()),
        registry: None,
        coordinator_key: None,
        registration_token: Some("the-token".into()),
        own_engines: Vec::new(),
        local: None,
        upstreams: engines.iter().map(|engine| engine.upstream()).collect(),
        terms: Terms { price: MeshPrice { input: 1, output: 2 }, ..Terms::default() },
    }
}

/// A mesh agent that runs until this is dropped.
pub(crate) struct Running {
    pub(crate) agent: MeshAgent,
    task: tokio::task::JoinHandle<()>,
    stop: DropGuard,
}

// === impl Running ===

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        let agent = MeshAgent::new(config).unwrap();
        let stop = CancellationToken::new();
        let (running, stopped) = (agent.clone(), stop.clone());
        let task = tokio::spawn(async move { running.run(stopped).await });
        Self { agent, task, stop: stop.drop_guard() }
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        timeout(PATIENCE, self.task).await.expect("it ends").unwrap();
    }

    /// Why it is dormant, as soon as it is.
    pub(crate) async fn dormant(&self) -> String {
        let mut status = self.agent.status();
        let dormant = status.wait_for(|status| matches!(status, Status::Dormant { .. }));
        let dormant = timeout(PATIENCE, dormant).await.expect("it is dormant").unwrap().clone();
        let Status::Dormant { reason } = dormant else { unreachable!() };
        reason
    }

    pub(crate) async fn linked(&self) {
        let mut status = self.agent.status();
        let linked = status.wait_for(|status| matches!(status, Status::Linked { .. }));
        timeout(PATIENCE, linked).await.expect("it is linked").unwrap();
    }
}
