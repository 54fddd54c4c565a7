use std::time::{Duration, Instant};

use ids::{DeploymentState, NodeStatus};
use testkit::{Load, wait_until};

use crate::apps::{deploy, node_app};
use crate::{BUILD, SHOWN, join, machine, open_server, project_on, wait_for_status};

/// Cut for a moment, and for a minute: its apps serve, its state is shown right, and nothing is done twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_cut_off_serves_on_and_comes_back() {
    let server = open_server().start().await;
    let client = server.setup().await;
    let node = join(&server, &client, machine().on_wire(), "far").await;
    let project = project_on(&client, "hello", &node).await;
    deploy(&client, &project, node_app("1")).await;
    // Somebody in its own network.
    let [enter, arguments @ ..] = node.wire().enter();
    let url = format!("http://{}/", node.edge_addr());
    let visit = || {
        let visited = std::process::Command::new(&enter)
            .args(&arguments)
            .args(["curl", "-s", "-m", "5", "-H", "host: hello.localhost", &url])
            .output();
        String::from_utf8(visited.unwrap().stdout).unwrap()
    };
    assert_eq!(visit(), "version=1");

    for (long, expected) in [(5, &[NodeStatus::Online, NodeStatus::Unreachable][..]), (62, &[NodeStatus::Offline])] {
        let cut = Instant::now();
        node.wire().cut();
        if long > 30 {
            wait_for_status(&client, &node, NodeStatus::Unreachable).await;
        }
        // Asked for while it is away; it is built when it is back, and once.
        let deployment = client.upload(&project, node_app(&format!("after-{long}"))).await.unwrap();
        wait_until("the time is over", Duration::from_secs(100), async || {
            assert!(visit().starts_with("version="), "it does not serve");
            cut.elapsed() >= Duration::from_secs(long)
        })
        .await;
        let status = client.node_get(node.id()).await.unwrap().status;
        assert!(expected.contains(&status) || long > 30, "after {long} s: {status}");
        if long > 30 {
            wait_for_status(&client, &node, NodeStatus::Offline).await;
        }
        node.wire().mend();
        wait_for_status(&client, &node, NodeStatus::Online).await;
        client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
        wait_until("the new version serves", SHOWN, async || visit() == format!("version=after-{long}")).await;
        let log = client.log(&deployment.id).await.unwrap();
        let starts = log.iter().filter(|line| line.text.contains("unpack") || line.text.contains("archive")).count();
        assert!(starts <= 2, "{log:?}");
    }
    let load = Load::gets(&server.app("hello.localhost"));
    wait_until("it is visited", Duration::from_secs(10), async || load.so_far().requests > 20).await;
    load.stop().await.assert_clean();
}
