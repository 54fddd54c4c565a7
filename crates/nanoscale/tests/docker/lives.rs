//! What becomes of containers: replaced, rolled back, killed, restarted.

use ids::{DeploymentState, ProjectId};
use serde_json::json;
use testkit::{AppImage, Client, Docker, Load, Registry, TestServer, wait_some, wait_until};

use crate::images::{create, create_with, publish};
use crate::{BUILD, server};

async fn redeploy(client: &Client, id: &ProjectId) -> api::Deployment {
    let deployment = client.redeploy(id).await.unwrap();
    client.wait_settled(&deployment.id, BUILD).await
}

/// The container that runs an image, and not the one that holds its network.
fn app_container(docker: &Docker, deployment: &api::Deployment) -> Option<String> {
    let workload = format!("label=nanoscale.workload={}", deployment.id);
    let held = "nanoscale-net-";
    let names = docker.run(&["ps", "--no-trunc", "--filter", &workload, "--format", "{{.ID}} {{.Names}}"]);
    names.lines().find(|line| !line.contains(held)).and_then(|line| Some(line.split_once(' ')?.0.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn redeploys_fail_no_request_and_a_rollback_runs_what_was_there() {
    let (docker, registry) = (Docker::shared(), Registry::open());
    let image = publish(docker, &registry, "hello", AppImage::default());
    let server = server(docker, &registry).start().await;
    let client = server.setup().await;
    let (id, first) = create(&client, "hello", &image).await;
    assert_eq!(first.state, DeploymentState::Live, "{first:?}");
    let load = Load::gets(&server.app("hello.localhost"));
    for version in ["2", "3"] {
        publish(docker, &registry, "hello", AppImage { version, ..AppImage::default() });
        assert_eq!(redeploy(&client, &id).await.state, DeploymentState::Live);
        load.wait_for_version(version).await;
    }
    let report = load.stop().await;
    report.assert_clean();
    assert!(report.requests >= 20, "{report}");
    // The name means version 3 by now; the release does not.
    let back = client.rollback(&id, Some(&first.id)).await.unwrap();
    let back = client.wait_settled(&back.id, BUILD).await;
    assert_eq!(back.state, DeploymentState::Live, "{back:?}");
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().version(), Some("1"));
    wait_until("only its containers are left", BUILD, async || {
        docker.containers(&[&format!("label=nanoscale.group={id}")]).len() == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_work_does_not_replace_what_does() {
    let (docker, registry) = (Docker::shared(), Registry::open());
    let server = server(docker, &registry).config(json!({"limits": {"start_timeout_seconds": 4}})).start().await;
    let client = server.setup().await;
    let image = publish(docker, &registry, "hello", AppImage::default());
    let limits = api::LimitSettings { memory_mb: Some(32), ..api::LimitSettings::default() };
    let create = api::ProjectCreate {
        name: "hello".into(),
        image: Some(image),
        limits: Some(limits),
        ..api::ProjectCreate::default()
    };
    let (id, first) = create_with(&client, create).await;
    assert_eq!(first.state, DeploymentState::Live, "{first:?}");
    for (command, code, words) in [
        ("echo no database >&2; exit 3", "APP_EXITED", "exit code 3"),
        ("exec sleep 86400", "NEVER_LISTENED", "port 8080"),
        ("exec tail /dev/zero", "OUT_OF_MEMORY", "32 MB"),
    ] {
        publish(docker, &registry, "hello", AppImage { command: Some(command), ..AppImage::default() });
        let failed = redeploy(&client, &id).await;
        assert_eq!(failed.failure_code.as_deref(), Some(code), "{failed:?}");
        assert!(failed.reason.as_ref().unwrap().contains(words), "{failed:?}");
        if code == "APP_EXITED" {
            assert_eq!(failed.last_lines, ["no database"]);
        }
        assert_eq!(server.app("hello.localhost").get("/").await.unwrap().version(), Some("1"));
    }
    wait_until("nothing of them is left", BUILD, async || {
        docker.containers(&[&format!("label=nanoscale.group={id}")]).len() == 2
    })
    .await;
}

/// Of our program, which looks after the container of this deployment.
fn runner(deployment: &api::Deployment) -> Option<i32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.find(|pid| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.contains("internal\0container\0") && line.contains(deployment.id.as_str())
    })
}

fn kill(pid: i32) {
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

async fn answers(server: &TestServer) {
    wait_until("it answers", BUILD, async || {
        server.app("hello.localhost").get("/").await.is_ok_and(|reply| reply.status == 200)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_the_node_and_not_twice_the_runner() {
    let (docker, registry) = (Docker::shared(), Registry::open());
    let image = publish(docker, &registry, "hello", AppImage::default());
    let mut server = server(docker, &registry).start().await;
    let client = server.setup().await;
    let (id, live) = create(&client, "hello", &image).await;
    assert_eq!(live.state, DeploymentState::Live, "{live:?}");
    let before = app_container(docker, &live).unwrap();
    server.kill();
    assert_eq!(app_container(docker, &live), Some(before.clone()), "it runs on without the node");
    server.restart().await;
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().status, 200, "it serves at once");
    assert_eq!(app_container(docker, &live), Some(before.clone()));

    // Whoever looked after it is gone: it is started again, once.
    kill(runner(&live).unwrap());
    wait_some("another container", BUILD, async || app_container(docker, &live).filter(|now| *now != before)).await;
    answers(&server).await;
    let workload = format!("label=nanoscale.workload={}", live.id);
    assert_eq!(docker.containers(&[&workload]).len(), 2);
    let project = client.project_get(&id).await.unwrap();
    assert_eq!(project.live_deployment.unwrap().id, live.id);

    // The app itself dies: the same.
    let before = app_container(docker, &live).unwrap();
    docker.run(&["kill", &before]);
    wait_some("another container", BUILD, async || app_container(docker, &live).filter(|now| *now != before)).await;
    answers(&server).await;

    // A node that is away while nobody wants it any more finds what is left.
    server.kill();
    kill(runner(&live).unwrap());
    server.restart().await;
    answers(&server).await;
    assert_eq!(docker.containers(&[&workload]).len(), 2);
    assert_eq!(client.project_delete(&id).await.unwrap(), 204);
    wait_until("nothing is left", BUILD, async || docker.containers(&[&workload]).is_empty()).await;
}
