use std::time::{Duration, Instant};

use ids::{DeploymentState, ProjectStatus, Trigger};
use reqwest::Method;
use testkit::{Client, wait_until};

use crate::apps::{archive, deploy, deploy_failing, node_app, project, project_with};
use crate::{BUILD, server};

async fn serves(server: &testkit::TestServer, host: &str, version: &str) {
    let app = server.app(host);
    let expected = format!("version={version}");
    let reply = app.get("/").await.unwrap();
    assert!(reply.text().contains(&expected), "{}", reply.text());
}

#[tokio::test]
async fn an_upload_goes_live_with_history_and_log() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    assert_eq!(client.project_get(&id).await.unwrap().status, ProjectStatus::Empty);
    let deployment = deploy(&client, &id, node_app("1")).await;
    serves(&server, "hello.localhost", "1").await;

    assert_eq!((deployment.number, deployment.trigger), (1, Trigger::Upload));
    assert_eq!(deployment.created_by.as_deref(), Some("admin"));
    assert!(deployment.duration_ms.unwrap() > 0 && deployment.release_kept);
    assert_eq!(deployment.plan.unwrap().kind, "node");
    let project = client.project_get("hello").await.unwrap();
    assert_eq!((project.id, project.status), (id.clone(), ProjectStatus::Live));
    assert_eq!(project.live_deployment.unwrap().id, deployment.id);

    let log = client.log(&deployment.id).await.unwrap();
    let place =
        |text: &str| log.iter().position(|line| line.text.contains(text)).unwrap_or_else(|| panic!("{text}: {log:#?}"));
    let order =
        ["fetch:", "plan: node", "run: $ node server.js", "probe: GET /", "version 1 listens", "ready"].map(place);
    assert!(order.is_sorted(), "{order:?}");

    // The stable port answers for the project too, whatever the host header says.
    let by_port = reqwest::get(format!("http://127.0.0.1:{}/", project.port)).await.unwrap();
    assert_eq!(by_port.headers()["x-version"], "1");
}

#[tokio::test]
async fn a_log_can_be_followed_and_resumed() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    let deployment = client.upload(&id, node_app("1")).await.unwrap();
    let mut stream = client.follow_log(&deployment.id, None).await.unwrap();
    let first = stream.next().await.unwrap();
    drop(stream);
    let mut rest = client.follow_log(&deployment.id, Some(&first.id)).await.unwrap();
    let mut lines = vec![first];
    lines.extend(rest.collect().await);
    assert!(rest.said_end());
    assert_eq!(lines, client.log(&deployment.id).await.unwrap());
    client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
}

#[tokio::test]
async fn one_runs_the_newest_follows_and_the_middle_is_superseded() {
    let server = server().start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate {
        name: "slow".into(),
        // Held by the test, not by the clock.
        build_command: Some("until [ -e /cache/go ]; do sleep 0.05; done".into()),
        ..api::ProjectCreate::default()
    };
    let id = project_with(&client, create).await;
    let (first, second) = tokio::join!(client.upload(&id, node_app("1")), client.upload(&id, node_app("2")));
    let (first, second) = (first.unwrap(), second.unwrap());
    let third = client.upload(&id, node_app("3")).await.unwrap();
    let (running, middle) = if first.number < second.number { (first, second) } else { (second, first) };
    let superseded = client.wait_for(&middle.id, DeploymentState::Superseded, BUILD).await;
    assert!(superseded.reason.unwrap().contains("number 3"));
    assert_eq!(client.deployment_get(&running.id).await.unwrap().state, DeploymentState::Building);
    assert_eq!(client.deployment_get(&third.id).await.unwrap().state, DeploymentState::Queued);
    let cache = server.data_dir().join("node/groups").join(id.as_str()).join("cache");
    wait_until("the build has its cache", BUILD, async || cache.is_dir()).await;
    std::fs::write(cache.join("go"), "").unwrap();
    client.wait_for(&third.id, DeploymentState::Live, BUILD).await;
    assert_eq!(client.deployment_get(&running.id).await.unwrap().state, DeploymentState::Retired);
    serves(&server, "slow.localhost", "3").await;
}

async fn no_build_line(client: &Client, deployment: &api::Deployment) {
    let log = client.log(&deployment.id).await.unwrap();
    assert!(!log.iter().any(|line| line.text.starts_with("fetch") || line.text.starts_with("plan")), "{log:#?}");
}

#[tokio::test]
async fn rollback_serves_the_previous_release_within_a_second_and_without_a_build() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    assert_eq!(client.rollback(&id, None).await.unwrap_err().code(), "NOTHING_TO_ROLL_BACK_TO");
    let first = deploy(&client, &id, node_app("1")).await;
    deploy(&client, &id, node_app("2")).await;
    serves(&server, "hello.localhost", "2").await;

    let start = Instant::now();
    let back = client.rollback(&id, None).await.unwrap();
    let app = server.app("hello.localhost");
    wait_until("the first version serves", Duration::from_secs(10), async || {
        app.get("/").await.is_ok_and(|reply| reply.text().contains("version=1"))
    })
    .await;
    let took = start.elapsed();
    let back = client.wait_for(&back.id, DeploymentState::Live, BUILD).await;
    assert_eq!((back.trigger, &back.release_id), (Trigger::Rollback, &first.release_id));
    no_build_line(&client, &back).await;
    assert!(took < Duration::from_secs(5), "{took:?}");

    let third = deploy(&client, &id, node_app("3")).await;
    let named = client.rollback(&id, Some(&first.id)).await.unwrap();
    client.wait_for(&named.id, DeploymentState::Live, BUILD).await;
    serves(&server, "hello.localhost", "1").await;
    assert_eq!(client.deployment_get(&third.id).await.unwrap().state, DeploymentState::Retired);
}

#[tokio::test]
async fn old_releases_go_and_say_so() {
    let server = server().config(serde_json::json!({"limits": {"releases_kept": 2, "settle_ms": 0}})).start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    let first = deploy(&client, &id, node_app("1")).await;
    for version in ["2", "3"] {
        deploy(&client, &id, node_app(version)).await;
    }
    assert_eq!(client.release_list(&id).await.unwrap().len(), 2);
    assert_eq!(client.rollback(&id, Some(&first.id)).await.unwrap_err().code(), "RELEASE_NOT_KEPT");
    let releases = server.data_dir().join("node/groups").join(id.as_str()).join("releases");
    wait_until("its files are gone", BUILD, async || !releases.join(first.id.as_str()).exists()).await;
}

#[tokio::test]
async fn history_is_paged_newest_first() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    for _ in 0..3 {
        deploy_failing(&client, &id, archive(&[("README.md", "nothing to run")])).await;
    }
    let page = |query: &str| client.raw(Method::GET, &format!("/api/projects/{id}/deployments?{query}"));
    let first: api::DeploymentList = page("limit=2").send().await.unwrap().json().await.unwrap();
    assert_eq!(first.deployments.iter().map(|it| it.number).collect::<Vec<_>>(), [3, 2]);
    let cursor = first.next_cursor.unwrap();
    let rest: api::DeploymentList =
        page(&format!("limit=2&cursor={cursor}")).send().await.unwrap().json().await.unwrap();
    assert_eq!(rest.deployments.iter().map(|it| it.number).collect::<Vec<_>>(), [1]);
    assert_eq!(page("cursor=x").send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn changes_reach_a_listening_browser() {
    let server = server().start().await;
    let client = server.setup().await;
    let mut events = client.events(None).await.unwrap();
    let id = project(&client, "hello").await;
    let created = events.next().await.unwrap();
    assert_eq!((created.kind.as_str(), created.project_id), ("project.created", Some(id.clone())));
    client.upload(&id, node_app("1")).await.unwrap();
    let next = events.next().await.unwrap();
    assert_eq!((next.kind.as_str(), next.position), ("deployment.created", created.position + 1));
    let resumed = client.events(Some(created.position)).await.unwrap().next().await.unwrap();
    assert_eq!(resumed.position, next.position);
}

#[tokio::test]
async fn runtime_logs_go_over_all_releases_and_can_be_searched() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    for version in ["1", "2"] {
        deploy(&client, &id, node_app(version)).await;
    }
    let texts = |lines: Vec<api::LogLine>| lines.into_iter().map(|line| line.text).collect::<Vec<_>>();
    let all = texts(client.project_logs(&id, &testkit::LogsQuery::default()).await.unwrap());
    let starts = "web starts: $ node server.js";
    assert_eq!(all, [starts, "version 1 listens", starts, "version 2 listens"]);
    let search = testkit::LogsQuery { search: Some("VERSION 2".into()), ..testkit::LogsQuery::default() };
    assert_eq!(texts(client.project_logs(&id, &search).await.unwrap()), ["version 2 listens"]);
    let last = testkit::LogsQuery { limit: Some(1), ..testkit::LogsQuery::default() };
    assert_eq!(texts(client.project_logs(&id, &last).await.unwrap()), ["version 2 listens"]);
    let mut follow = client.follow_project_logs(&id, &last).await.unwrap();
    assert_eq!(follow.next().await.unwrap().text, "version 2 listens");
    deploy(&client, &id, node_app("3")).await;
    assert_eq!(follow.next().await.unwrap().text, starts);
    assert_eq!(follow.next().await.unwrap().text, "version 3 listens");
}

#[tokio::test]
async fn a_deployment_tells_how_long_each_step_took() {
    let server = server().start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate {
        name: "held".into(),
        build_command: Some("until [ -e /cache/go ]; do sleep 0.05; done".into()),
        ..api::ProjectCreate::default()
    };
    let id = project_with(&client, create).await;
    let deployment = client.upload(&id, node_app("1")).await.unwrap();
    let cache = server.data_dir().join("node/groups").join(id.as_str()).join("cache");
    let building = testkit::wait_some("it builds", BUILD, async || {
        let now = client.deployment_get(&deployment.id).await.ok()?;
        (now.step.as_deref() == Some("build") && cache.is_dir()).then_some(now)
    })
    .await;
    // A step that is over in a moment may be over before anybody looks.
    let last = building.steps.last().unwrap();
    assert_eq!((last.name.as_str(), &last.finished_at), ("build", &None));
    std::fs::write(cache.join("go"), "").unwrap();

    let live = client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
    let names = live.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>();
    assert!(names.ends_with(&["build", "start"]), "{names:?}");
    for pair in live.steps.windows(2) {
        assert_eq!(pair[0].finished_at.as_ref(), Some(&pair[1].started_at));
    }
    assert_eq!(live.steps.last().unwrap().finished_at, live.finished_at);
    assert!(live.started_at.unwrap() <= live.steps[0].started_at);

    deploy(&client, &id, node_app("2")).await;
    let back = client.rollback(&id, None).await.unwrap();
    let back = client.wait_for(&back.id, DeploymentState::Live, BUILD).await;
    assert_eq!(back.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["start"]);
}

/// PostgreSQL's text has no NUL: what a build says must not stop it from being told.
#[tokio::test]
async fn a_failure_with_odd_bytes_in_it_is_told() {
    let server = server().start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate {
        name: "odd".into(),
        build_command: Some(r"printf 'odd\000bytes\n'; exit 1".into()),
        ..api::ProjectCreate::default()
    };
    let id = project_with(&client, create).await;
    let failed = deploy_failing(&client, &id, node_app("1")).await;
    assert_eq!(failed.failure_code.as_deref(), Some("BUILD_FAILED"));
    assert!(failed.last_lines.iter().any(|line| line.starts_with("odd")), "{:?}", failed.last_lines);
}
