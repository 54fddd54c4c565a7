//! `kill -9` of the server at bad moments: afterwards there is exactly one live release.

use ids::{DeploymentState, ProjectId};
use testkit::{Client, GitServer, Repo, TestServer, wait_until};

use crate::{BUILD, server};

struct Fixture {
    _git: GitServer,
    repo: Repo,
    server: TestServer,
    client: Client,
    project: ProjectId,
}

/// Version 1 of hello-node, live.
async fn fixture(build_command: Option<&str>) -> Fixture {
    let git = GitServer::start().await;
    let repo = git.repo_from_example("hello", "hello-node");
    repo.commit_version("1");
    let server = server().git_allow(git.host()).start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate {
        name: "hello".into(),
        repo_url: Some(repo.url().into()),
        build_command: build_command.map(str::to_owned),
        ..api::ProjectCreate::default()
    };
    let made = client.project_create(&create).await.unwrap();
    let project = made.project.id;
    client.wait_for(&made.deployment.unwrap().id, DeploymentState::Live, BUILD).await;
    Fixture { _git: git, repo, server, client, project }
}

impl Fixture {
    /// Process ids of what runs in the cgroups of this server.
    fn app_pids(&self) -> Vec<i32> {
        let text = std::fs::read_to_string(self.server.data_dir().join("node/identities.json")).unwrap();
        let instance = text.split('"').nth(3).unwrap().to_owned();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let ours = processes.filter(|entry| {
            std::fs::read_to_string(entry.path().join("cgroup")).is_ok_and(|text| text.contains(&instance))
        });
        let mut pids = ours.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect::<Vec<i32>>();
        pids.sort_unstable();
        pids
    }

    /// After a restart the deployment goes live, and nothing else is left running.
    async fn converges(&mut self, deployment: &api::Deployment, version: &str) {
        self.server.restart().await;
        assert!(
            self.server.app("hello.localhost").get("/").await.unwrap().status == 200,
            "what was live serves at once"
        );
        self.client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
        assert_eq!(self.server.app("hello.localhost").get("/").await.unwrap().version(), Some(version));
        let listed = self.client.deployment_list(&self.project).await.unwrap();
        let live = listed.iter().filter(|it| it.state == DeploymentState::Live).count();
        assert_eq!(live, 1, "{listed:#?}");
        assert!(listed.iter().all(|it| it.state.is_settled()), "{listed:#?}");
        wait_until("one process is left", BUILD, async || self.app_pids().len() == 1).await;
    }
}

#[tokio::test]
async fn while_live_the_apps_own_process_runs_on() {
    let mut fixture = fixture(None).await;
    let before = fixture.app_pids();
    assert_eq!(before.len(), 1);
    for _ in 0..3 {
        fixture.server.kill();
        assert_eq!(fixture.app_pids(), before);
        fixture.server.restart().await;
        assert_eq!(fixture.server.app("hello.localhost").get("/").await.unwrap().version(), Some("1"));
    }
    assert_eq!(fixture.app_pids(), before);
    let project = fixture.client.project_get(&fixture.project).await.unwrap();
    assert_eq!(project.live_deployment.unwrap().number, 1);
    // It can still be replaced and stopped.
    fixture.repo.commit_version("2");
    let next = fixture.client.redeploy(&fixture.project).await.unwrap();
    fixture.client.wait_for(&next.id, DeploymentState::Live, BUILD).await;
    wait_until("the old process is gone", BUILD, async || {
        let now = fixture.app_pids();
        now.len() == 1 && now != before
    })
    .await;
}

#[tokio::test]
async fn during_the_clone() {
    let mut fixture = fixture(None).await;
    fixture.repo.commit_version("2");
    let hold = fixture.repo.hold();
    let deployment = fixture.client.redeploy(&fixture.project).await.unwrap();
    hold.reached().await;
    fixture.server.kill();
    hold.release();
    fixture.converges(&deployment, "2").await;
}

#[tokio::test]
async fn during_the_build() {
    // Waits for the test, except in the first deployment and after the kill.
    let mut fixture =
        fixture(Some("until [ -e /cache/go ] || [ $(cat version.txt) = 1 ]; do touch /cache/here; sleep 0.05; done"))
            .await;
    fixture.repo.commit_version("2");
    let deployment = fixture.client.redeploy(&fixture.project).await.unwrap();
    let cache = fixture.server.data_dir().join("node/groups").join(fixture.project.as_str()).join("cache");
    wait_until("the build is under way", BUILD, async || cache.join("here").exists()).await;
    fixture.server.kill();
    std::fs::write(cache.join("go"), "").unwrap();
    fixture.converges(&deployment, "2").await;
}

#[tokio::test]
async fn again_and_again_during_a_deployment() {
    let mut fixture = fixture(None).await;
    fixture.repo.commit_version("2");
    let deployment = fixture.client.redeploy(&fixture.project).await.unwrap();
    // Wherever the deployment has got to by the time the server is up again.
    for _ in 0..4 {
        fixture.server.restart().await;
        assert_eq!(fixture.server.app("hello.localhost").get("/").await.unwrap().status, 200);
    }
    fixture.converges(&deployment, "2").await;
}
