use ids::DeploymentState;
use testkit::{GitServer, Load};

use crate::{BUILD, server};

/// Keep-alive GETs, fresh connections, POSTs, a slow upload and a WebSocket, all the time.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_redeploys_under_load_fail_no_request_and_never_go_back() {
    let git = GitServer::start().await;
    let repo = git.repo_from_example("hello", "hello-node");
    repo.commit_version("1");
    let server = server().git_allow(git.host()).start().await;
    let client = server.setup().await;
    let create =
        api::ProjectCreate { name: "hello".into(), repo_url: Some(repo.url().into()), ..api::ProjectCreate::default() };
    let first = client.project_create(&create).await.unwrap().deployment.unwrap();
    client.wait_for(&first.id, DeploymentState::Live, BUILD).await;
    let load = Load::start(&server.app("hello.localhost"));
    for version in 2..=21 {
        repo.commit_version(&version.to_string());
        let deployment = client.redeploy("hello").await.unwrap();
        client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
    }
    load.wait_for_version("21").await;
    let report = load.stop().await;
    println!("{report}");
    report.assert_clean();
}
