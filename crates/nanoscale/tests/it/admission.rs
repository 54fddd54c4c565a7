//! When builds may begin: in turn, and how waiting looks and ends.

use ids::{DeploymentId, DeploymentState, ProjectId};
use serde_json::json;
use testkit::{Browser, Client, PATIENCE, wait_until};

use crate::apps::{node_app, project_with};
use crate::{BUILD, server};

/// Its build lasts until the file `go` is in its cache, or for ever.
async fn slow(client: &Client, name: &str) -> ProjectId {
    let build = Some("sh -c 'until [ -e $XDG_CACHE_HOME/go ]; do sleep 0.1; done'".to_owned());
    let create = api::ProjectCreate { name: name.into(), build_command: build, ..api::ProjectCreate::default() };
    project_with(client, create).await
}

async fn step(client: &Client, id: &DeploymentId) -> Option<String> {
    client.deployment_get(id).await.unwrap().step
}

async fn step_is(client: &Client, id: &DeploymentId, wanted: &str) {
    wait_until(&format!("its step is {wanted}"), PATIENCE, async || step(client, id).await.as_deref() == Some(wanted))
        .await;
}

async fn says(client: &Client, id: &DeploymentId, text: &str) {
    wait_until(text, PATIENCE, async || client.log(id).await.unwrap().iter().any(|line| line.text.contains(text)))
        .await;
}

#[tokio::test]
async fn builds_take_turns_in_the_order_in_which_they_came() {
    let mut server = server().config(json!({"limits": {"builds_at_once": 1, "settle_ms": 0}})).start().await;
    let client = server.setup().await;
    let mut builds = Vec::new();
    // Not in the order of their names.
    for name in ["c", "a", "b"] {
        let project = slow(&client, name).await;
        let deployment = client.upload(&project, node_app("1")).await.unwrap();
        step_is(&client, &deployment.id, if builds.is_empty() { "build" } else { "wait" }).await;
        builds.push((project, deployment.id));
    }
    says(&client, &builds[1].1, "waiting for its turn: 1 at a time are built (limits.builds_at_once)").await;
    says(&client, &builds[2].1, "1 came before").await;
    assert_eq!(client.deployment_get(&builds[1].1).await.unwrap().state, DeploymentState::Building);

    // One that waits can be cancelled, and those behind it come sooner.
    client.deployment_cancel(&builds[1].1).await.unwrap();
    let go = |project: &ProjectId| {
        let cache = server.data_dir().join("node/groups").join(project.as_str()).join("cache");
        std::fs::write(cache.join("go"), "").unwrap();
    };
    // A kill changes nothing but that the first begins anew.
    let gone = builds.remove(1);
    let retried = client.upload(&gone.0, node_app("2")).await.unwrap();
    step_is(&client, &retried.id, "wait").await;
    go(&builds[0].0);
    client.wait_for(&builds[0].1, DeploymentState::Live, BUILD).await;
    step_is(&client, &builds[1].1, "build").await;
    assert_eq!(step(&client, &retried.id).await.as_deref(), Some("wait"));
    let data = server.data_dir();
    server.kill();
    server.restart().await;
    says(&client, &builds[1].1, "the node was restarted").await;
    step_is(&client, &builds[1].1, "build").await;
    step_is(&client, &retried.id, "wait").await;
    for (project, deployment) in [&builds[1], &(gone.0.clone(), retried.id.clone())] {
        step_is(&client, deployment, "build").await;
        std::fs::write(data.join("node/groups").join(project.as_str()).join("cache/go"), "").unwrap();
        client.wait_for(deployment, DeploymentState::Live, BUILD).await;
    }
    let waited = client.deployment_get(&retried.id).await.unwrap();
    let steps = waited.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>();
    assert_eq!(steps.first(), Some(&"wait"), "{steps:?}");
}

#[tokio::test]
async fn a_build_does_not_wait_for_ever() {
    let limits = json!({"limits": {"builds_at_once": 1, "build_timeout_seconds": 5, "settle_ms": 0}});
    let server = server().config(limits).start().await;
    let client = server.setup().await;
    let mut builds = Vec::new();
    for name in ["first", "second", "third"] {
        let project = slow(&client, name).await;
        builds.push(client.upload(&project, node_app("1")).await.unwrap().id);
    }
    step_is(&client, &builds[2], "wait").await;
    let first = client.wait_settled(&builds[0], BUILD).await;
    assert_eq!(first.failure_code.as_deref(), Some("TIMEOUT"));
    // The second one takes its place for as long again, and the third one came before that began.
    let third = client.wait_settled(&builds[2], BUILD).await;
    assert_eq!(third.failure_code.as_deref(), Some("NODE_BUSY"));
    let reason = third.reason.unwrap();
    assert!(reason.contains("waiting for its turn") && reason.contains("deploy again later"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_build_in_a_browser() {
    let server = server().config(json!({"limits": {"builds_at_once": 1, "settle_ms": 0}})).start().await;
    let client = server.client();
    client.setup("ada", "correct horse battery", server.setup_code()).await.unwrap();
    let (busy, waits) = (slow(&client, "busy").await, slow(&client, "waits").await);
    let first = client.upload(&busy, node_app("1")).await.unwrap();
    step_is(&client, &first.id, "build").await;
    let second = client.upload(&waits, node_app("1")).await.unwrap();
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.sign_in(&server.api_url(), "ada", "correct horse battery").await;
    page.goto(&format!("{}/projects/{waits}/deployments/{}", server.api_url(), second.id)).await;
    page.wait_for("document.querySelector('[data-step=wait][data-status=running]')", PATIENCE).await;
    page.wait_for_text("1 at a time are built", PATIENCE).await;
    page.screenshot("admission-1-waiting").await;
    assert_eq!(page.errors(), Vec::<String>::new());
}
