use std::time::Duration;

use ids::DeploymentState;
use testkit::{GitServer, Load, wait_until};

use crate::apps::{deploy, node_app};
use crate::{BUILD, SHOWN, join, machine, open_server, project_on, server};

/// The server's edge and another machine's send visitors to the machine that has the app, and none is lost while it is
/// deployed anew.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_on_another_machine_is_reached_through_every_edge_and_redeployed_without_a_failure() {
    let git = GitServer::start().await;
    let repo = git.repo_from_example("hello", "hello-node");
    repo.commit_version("1");
    let server = server().git_allow(git.host()).start().await;
    let client = server.setup().await;
    let one = join(&server, &client, machine(), "one").await;
    let two = join(&server, &client, machine(), "two").await;
    let create = api::ProjectCreate {
        name: "hello".into(),
        repo_url: Some(repo.url().into()),
        node_id: Some(one.id().to_string()),
        ..api::ProjectCreate::default()
    };
    let first = client.project_create(&create).await.unwrap().deployment.unwrap();
    client.wait_for(&first.id, DeploymentState::Live, BUILD).await;
    for app in [server.app("hello.localhost"), one.app("hello.localhost"), two.app("hello.localhost")] {
        wait_until("the app is reached", SHOWN, async || {
            app.get("/").await.is_ok_and(|reply| reply.version() == Some("1"))
        })
        .await;
    }
    let loads = [Load::start(&server.app("hello.localhost")), Load::start(&two.app("hello.localhost"))];
    for version in 2..=6 {
        repo.commit_version(&version.to_string());
        let deployment = client.redeploy("hello").await.unwrap();
        client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
    }
    for load in loads {
        load.wait_for_version("6").await;
        let report = load.stop().await;
        println!("{report}");
        report.assert_clean();
    }
    let log = client.log(&first.id).await.unwrap();
    assert!(!log.is_empty());
}

/// Each machine hears of what is placed on it, and of nobody else's secrets.
#[tokio::test]
async fn a_machine_is_told_what_is_placed_on_it_and_nothing_else() {
    let server = server().start().await;
    let client = server.setup().await;
    let one = join(&server, &client, machine(), "one").await;
    let two = join(&server, &client, machine(), "two").await;
    let project = project_on(&client, "secret", &one).await;
    client.env_put(&project, &[("KEY", Some("hush-hush-hush"))]).await.unwrap();
    deploy(&client, &project, node_app("1")).await;
    wait_until("the other one knows the way", SHOWN, async || {
        two.app("secret.localhost").get("/").await.is_ok_and(|reply| reply.version() == Some("1"))
    })
    .await;
    for place in ["groups", "releases", "logs", "runs"] {
        let path = two.data_dir().join("node").join(place).join(project.as_str());
        assert!(!path.exists(), "{}", path.display());
    }
}

/// From a network that cannot be reached from outside, and with the server gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_behind_a_wire_serves_through_the_server_and_alone() {
    let mut server = open_server().start().await;
    let client = server.setup().await;
    let node = join(&server, &client, machine().on_wire(), "far").await;
    let project = project_on(&client, "hello", &node).await;
    deploy(&client, &project, node_app("1")).await;
    let (through, direct) = (server.app("hello.localhost"), node.app("hello.localhost"));
    assert_eq!(direct.get("/").await.unwrap().version(), Some("1"));
    wait_until("the app is reached", SHOWN, async || {
        through.get("/").await.is_ok_and(|reply| reply.version() == Some("1"))
    })
    .await;
    server.kill();
    let load = Load::gets(&direct);
    wait_until("it is visited", Duration::from_secs(10), async || load.so_far().requests > 50).await;
    server.restart().await;
    wait_until("the app is reached again", SHOWN, async || {
        through.get("/").await.is_ok_and(|reply| reply.version() == Some("1"))
    })
    .await;
    load.stop().await.assert_clean();
}
