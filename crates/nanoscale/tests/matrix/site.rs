//! A project that answers with its version, and notes in its volume what was run.

use std::path::PathBuf;

use ids::{DeploymentState, ProjectId};
use testkit::wait_some;

use crate::BUILD;
use crate::apps::{archive, deploy, project_with};
use crate::stand::Stand;

pub(crate) struct Site {
    pub(crate) name: String,
    pub(crate) project: ProjectId,
    /// What its visitors shall see.
    pub(crate) version: u32,
    /// Counts the versions.
    pub(crate) newest: u32,
}

/// A release that says its version, notes that its release command was run, and waits in its build when it finds `slow`.
pub(crate) fn release(version: u32, slow: bool) -> Vec<u8> {
    let procfile = format!(
        "web: python3 -m http.server --bind 127.0.0.1 3000\n\
         release: sh -c 'echo release-{version} >> /data/log'\n"
    );
    let version = version.to_string();
    let files = [("Procfile", procfile.as_str()), ("version", &version), ("slow", "")];
    archive(if slow { &files } else { &files[..2] })
}

/// The same without a volume, so that it can be on any node.
fn movable(version: u32) -> Vec<u8> {
    let procfile = "web: python3 -m http.server --bind 127.0.0.1 3000\nrelease: true\n";
    archive(&[("Procfile", procfile), ("version", &version.to_string())])
}

impl Site {
    /// One that can be on any node, with version 1 live.
    pub(crate) async fn movable(stand: &Stand, create: api::ProjectCreate) -> Self {
        let name = create.name.clone();
        let project = project_with(&stand.client, create).await;
        deploy(&stand.client, &project, movable(1)).await;
        Self { name, project, version: 1, newest: 1 }
    }

    /// The next version of one that can be on any node.
    pub(crate) fn next_movable(&mut self) -> Vec<u8> {
        self.newest += 1;
        movable(self.newest)
    }

    pub(crate) fn host(&self) -> String {
        format!("{}.localhost", self.name)
    }

    pub(crate) async fn create(stand: &Stand, name: &str) -> Self {
        let create = api::ProjectCreate {
            name: name.into(),
            volumes: Some(vec![api::Volume { name: "data".into(), path: "/data".into(), size_mb: None }]),
            build_command: Some("sh -c 'if [ -e slow ]; then exec sleep 600; fi'".into()),
            ..api::ProjectCreate::default()
        };
        let project = project_with(&stand.client, create).await;
        Self { name: name.into(), project, version: 0, newest: 0 }
    }

    /// With version 1 live.
    pub(crate) async fn live(stand: &Stand, name: &str) -> Self {
        let mut site = Self::create(stand, name).await;
        site.newest = 1;
        deploy(&stand.client, &site.project, release(1, false)).await;
        site.version = 1;
        site
    }

    pub(crate) fn volume(&self, stand: &Stand) -> PathBuf {
        stand.server.data_dir().join(format!("node/groups/{}/volumes/data", self.project))
    }

    pub(crate) fn logs(&self, stand: &Stand) -> PathBuf {
        stand.server.data_dir().join(format!("node/logs/{}", self.project))
    }

    /// How often a line stands in the volume's log.
    pub(crate) fn noted(&self, stand: &Stand, line: &str) -> usize {
        let log = std::fs::read_to_string(self.volume(stand).join("log")).unwrap_or_default();
        log.lines().filter(|found| *found == line).count()
    }

    /// The newest deployment, once the server answers.
    pub(crate) async fn newest(&self, stand: &Stand) -> Option<api::Deployment> {
        let listed = wait_some("the deployments are listed", BUILD, async || {
            stand.client.deployment_list(&self.project).await.ok()
        });
        listed.await.into_iter().next()
    }

    /// What its owner and its visitors find wrong.
    pub(crate) async fn faults(&self, stand: &Stand) -> Vec<String> {
        let (deployments, runs) = match self.rows(stand).await {
            Ok(rows) => rows,
            Err(failure) => return vec![failure],
        };
        let mut faults = Vec::new();
        let moving = deployments.iter().filter(|it| !it.state.is_settled());
        faults.extend(moving.map(|it| format!("{}: deployment {} is {}", self.name, it.number, it.state)));
        let live = deployments.iter().filter(|it| it.state == DeploymentState::Live).count();
        if live != usize::from(self.version > 0) {
            faults.push(format!("{}: {live} deployments are live", self.name));
        }
        let running = runs.iter().filter(|run| !run.state.is_settled());
        faults.extend(running.map(|run| format!("{}: run {} is {}", self.name, run.id, run.state)));
        if faults.is_empty() && self.version > 0 {
            let shown = stand.server.app(format!("{}.localhost", self.name)).get("/version").await;
            let shown = shown.map_or_else(|error| error.to_string(), |reply| reply.text());
            if shown != self.version.to_string() {
                faults.push(format!("{}: visitors see `{shown}`, not version {}", self.name, self.version));
            }
        }
        faults
    }

    async fn rows(&self, stand: &Stand) -> Result<(Vec<api::Deployment>, Vec<api::Run>), String> {
        let deployments = stand.client.deployment_list(&self.project).await.map_err(|failure| failure.to_string())?;
        let runs = stand.client.run_list(&self.project).await.map_err(|failure| failure.to_string())?;
        Ok((deployments, runs))
    }

    /// Whether a deployment's log is whole, and whether its release command was run at most once.
    pub(crate) fn deployment_faults(&self, stand: &Stand, deployment: &api::Deployment, version: u32) -> Vec<String> {
        let directory = self.logs(stand).join(deployment.id.as_str()).join("build");
        let mut faults = match deployment.state {
            // One that died and was started again says so again.
            DeploymentState::Live | DeploymentState::Retired => {
                let (texts, mut faults) = crate::logs::read(&directory);
                if !texts.iter().any(|text| text.starts_with("ready: ")) {
                    faults.push(format!("{} has no end:\n      {}", directory.display(), texts.join("\n      ")));
                }
                faults
            }
            DeploymentState::Cancelled => {
                // What was killed may have ended by itself in the last moment.
                crate::logs::ends(&directory, |text| text.starts_with("stopped") || text.starts_with("failed: "))
            }
            // It may have been ready, and die before it was live.
            _ => crate::logs::ends(&directory, |text| {
                text.starts_with("failed: ") || text.contains("; starting it again")
            }),
        };
        let noted = self.noted(stand, &format!("release-{version}"));
        // A rollback does not run it again.
        let least = usize::from(deployment.state == DeploymentState::Live);
        if noted < least || noted > 1 {
            faults.push(format!("{}: the release command of version {version} was run {noted} times", self.name));
        }
        faults
    }
}
