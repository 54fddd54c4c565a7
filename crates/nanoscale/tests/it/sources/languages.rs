//! A small app in every language: it is recognized, its packages are installed, it is built, and it answers.

mod compiled;
mod javascript;
mod python;
mod scripted;

use std::time::Duration;

use ids::DeploymentState;
use testkit::{Client, TestServer};

use crate::apps::{archive, project};
use crate::server;

/// Compilers and package registries take their time on a busy machine.
const BUILD: Duration = Duration::from_secs(240);

struct Fixture {
    server: TestServer,
    client: Client,
}

async fn fixture() -> Fixture {
    let server = server().start().await;
    let client = server.setup().await;
    Fixture { server, client }
}

impl Fixture {
    /// Deploys these files as a project of this name, and asks the app for `/`.
    async fn answer(&self, name: &str, files: &[(&str, &str)]) -> (api::Plan, String) {
        let id = project(&self.client, name).await;
        let deployment = self.client.upload(&id, archive(files)).await.unwrap();
        let live = self.client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
        (live.plan.unwrap(), self.get(name, "/").await)
    }

    async fn get(&self, name: &str, path: &str) -> String {
        self.server.app(format!("{name}.localhost")).get(path).await.unwrap().text()
    }
}

fn has_reason(plan: &api::Plan, part: &str) -> bool {
    plan.reasons.iter().any(|reason| reason.contains(part))
}
