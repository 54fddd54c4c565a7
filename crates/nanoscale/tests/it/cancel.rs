use std::time::{Duration, Instant};

use ids::DeploymentState;
use testkit::wait_until;

use crate::apps::{deploy, node_app, project_with};
use crate::{BUILD, server};

fn running(marker: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .any(|cmdline| String::from_utf8_lossy(&cmdline).split('\0').any(|argument| argument == marker))
}

#[tokio::test]
async fn cancelling_a_build_ends_its_whole_process_group() {
    ends_its_whole_process_group(server(), "1").await;
}

/// There are no cgroups then: the shim and its process see to it.
#[tokio::test]
async fn cancelling_a_build_ends_its_whole_process_group_without_root_as_well() {
    ends_its_whole_process_group(server().unprivileged(), "2").await;
}

async fn ends_its_whole_process_group(builder: testkit::Builder, mark: &str) {
    let server = builder.start().await;
    let client = server.setup().await;
    // Told apart from everything else on this machine by their argument.
    let (direct, detached) =
        (format!("86400.{mark}{}", std::process::id()), format!("86401.{mark}{}", std::process::id()));
    let create = api::ProjectCreate {
        name: "slow".into(),
        build_command: Some(format!("setsid sleep {detached} & sleep {direct}")),
        ..api::ProjectCreate::default()
    };
    let id = project_with(&client, create).await;
    let deployment = client.upload(&id, node_app("1")).await.unwrap();
    wait_until("both processes run", BUILD, async || running(&direct) && running(&detached)).await;
    let start = Instant::now();
    let cancelled = client.deployment_cancel(&deployment.id).await.unwrap();
    assert_eq!(cancelled.state, DeploymentState::Cancelled);
    assert_eq!(cancelled.reason.as_deref(), Some("cancelled by admin"));
    wait_until("both are gone", Duration::from_secs(2), async || !running(&direct) && !running(&detached)).await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(client.deployment_cancel(&deployment.id).await.unwrap_err().code(), "ALREADY_SETTLED");
    // The project is as usable as before.
    let update = api::ProjectUpdate { build_command: Some(String::new()), ..api::ProjectUpdate::default() };
    client.project_update(&id, &update).await.unwrap();
    deploy(&client, &id, node_app("2")).await;
}
