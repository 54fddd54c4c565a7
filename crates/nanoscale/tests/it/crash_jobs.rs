//! `kill -9` around commands that run once: none is run twice, none is forgotten.

use std::path::Path;

use ids::{DeploymentState, ProjectId, RunState};
use testkit::{Client, TestServer, wait_some, wait_until};

use crate::apps::{archive, deploy, project_with};
use crate::{BUILD, server};

/// Notes its beginning, waits to be let go, notes its end.
const COMMAND: &str =
    "sh -c 'echo begun >> /data/log; until [ -e /data/go ]; do sleep 0.05; done; echo ended >> /data/log'";
const WEB: &str = "web: python3 -m http.server --bind 127.0.0.1 3000 --directory /data";

struct Fixture {
    server: TestServer,
    client: Client,
    project: ProjectId,
}

async fn fixture() -> Fixture {
    let server = server().start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate {
        name: "jobs".into(),
        volumes: Some(vec![api::Volume { name: "data".into(), path: "/data".into(), size_mb: None }]),
        ..api::ProjectCreate::default()
    };
    let project = project_with(&client, create).await;
    Fixture { server, client, project }
}

impl Fixture {
    /// The volume, as root sees it.
    fn file(&self, name: &str) -> std::path::PathBuf {
        self.server.data_dir().join(format!("node/groups/{}/volumes/data/{name}", self.project))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    async fn begun(&self) {
        wait_until("the command has begun", BUILD, async || self.log().contains("begun")).await;
    }

    async fn ended(&self, id: &ids::RunId) -> api::Run {
        wait_some("the run has ended", BUILD, async || {
            let run = self.client.run(id).await.ok()?;
            run.state.is_settled().then_some(run)
        })
        .await
    }
}

/// Ends every process that works in `directory`: what a power cut does to a run.
fn end_all_in(directory: &Path) {
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let works_there = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
        if let (true, Some(pid)) = (works_there, entry.file_name().to_str().and_then(|name| name.parse().ok())) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

#[tokio::test]
async fn a_release_command_outlives_its_server_and_is_run_once() {
    let mut it = fixture().await;
    let files = archive(&[("Procfile", &format!("{WEB}\nrelease: {COMMAND}\n"))]);
    let deployment = it.client.upload(&it.project, files).await.unwrap();
    it.begun().await;
    it.server.kill();
    it.server.restart().await;
    it.server.kill();
    // It ends while nobody looks.
    std::fs::write(it.file("go"), "").unwrap();
    wait_until("it has ended", BUILD, async || it.log().contains("ended")).await;
    it.server.restart().await;
    it.client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
    assert_eq!(it.log(), "begun\nended\n");
    let runs = it.client.run_list(&it.project).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.state).collect::<Vec<_>>(), [RunState::Succeeded]);
}

#[tokio::test]
async fn what_the_machine_took_down_is_lost_and_not_run_again() {
    let mut it = fixture().await;
    deploy(&it.client, &it.project, archive(&[("Procfile", &format!("{WEB}\n"))])).await;
    let run = it.client.run_create(&it.project, COMMAND, None).await.unwrap();
    it.begun().await;
    it.server.kill();
    end_all_in(&it.server.data_dir().join(format!("node/runs/{}", run.id)));
    it.server.restart().await;
    let lost = it.ended(&run.id).await;
    assert_eq!((lost.state, lost.failure_code.as_deref()), (RunState::Lost, Some("LOST")));
    assert_eq!(it.log(), "begun\n");

    // A migration of which nobody knows how far it came lets nothing go live.
    let files = archive(&[("Procfile", &format!("{WEB}\nrelease: {COMMAND}\n"))]);
    std::fs::remove_file(it.file("log")).unwrap();
    let deployment = it.client.upload(&it.project, files).await.unwrap();
    it.begun().await;
    let run = it.client.run_list(&it.project).await.unwrap().remove(0);
    it.server.kill();
    end_all_in(&it.server.data_dir().join(format!("node/runs/{}", run.id)));
    it.server.restart().await;
    let failed = it.client.wait_for(&deployment.id, DeploymentState::Failed, BUILD).await;
    assert_eq!(failed.failure_code.as_deref(), Some("RELEASE_COMMAND_FAILED"));
    assert_eq!(it.log(), "begun\n");
    assert_eq!(it.server.app("jobs.localhost").get("/").await.unwrap().status, 200, "what was live serves");
}

#[tokio::test]
async fn what_nobody_knows_of_is_ended_at_the_start() {
    let mut it = fixture().await;
    deploy(&it.client, &it.project, archive(&[("Procfile", &format!("{WEB}\n"))])).await;
    let run = it.client.run_create(&it.project, COMMAND, None).await.unwrap();
    it.begun().await;
    let directory = it.server.data_dir().join(format!("node/runs/{}", run.id));
    assert!(directory.exists());
    // Stopped at the very moment the server goes down: its row says so, its process does not know yet.
    let cancel = it.client.run_cancel(&run.id).await;
    it.server.kill();
    assert!(cancel.is_ok());
    it.server.restart().await;
    wait_until("its directory is gone", BUILD, async || !directory.exists()).await;
    std::fs::write(it.file("go"), "").unwrap();
    assert_eq!(it.ended(&run.id).await.state, RunState::Cancelled);
    assert_eq!(it.log(), "begun\n");
}
