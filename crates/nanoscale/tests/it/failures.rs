//! Releases that do not come up: the old one keeps serving, and the reason is told.

use ids::DeploymentState;
use serde_json::json;

use crate::apps::{archive, deploy, deploy_failing, node_app, node_app_with, project, project_with};
use crate::{BUILD, server};

fn quick() -> testkit::Builder {
    server().config(json!({"limits": {"start_timeout_seconds": 4}}))
}

fn app(script: &str) -> Vec<u8> {
    archive(&[("package.json", r#"{"scripts":{"start":"node server.js"}}"#), ("server.js", script)])
}

#[tokio::test]
async fn the_old_version_serves_through_every_failure() {
    let server = quick().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    let live = deploy(&client, &id, node_app("1")).await;
    let broken_build = archive(&[
        (
            "package.json",
            r#"{"scripts":{"start":"node server.js","build":"echo compiling && echo broken >&2 && exit 7"}}"#,
        ),
        ("server.js", ""),
    ]);
    let silent = "require('node:net').createServer(() => {}).listen(process.env.PORT)";
    let ill = "require('node:http').createServer((q, r) => { r.statusCode = 500; r.end(); }).listen(process.env.PORT)";
    for (archive, code, said) in [
        (broken_build, "BUILD_FAILED", "broken"),
        (app("console.log('about to exit'); process.exit(3)"), "APP_EXITED", "about to exit"),
        (app("throw new Error('dying words')"), "APP_EXITED", "dying words"),
        (app("console.log('deaf'); setInterval(() => {}, 1000)"), "NEVER_LISTENED", "deaf"),
        (app(silent), "NEVER_ANSWERED", ""),
        (app(ill), "UNHEALTHY", ""),
        (archive(&[("package.json", "{")]), "NO_PLAN", ""),
        (archive(&[("README.md", "x")]), "NO_PLAN", ""),
    ] {
        let failed = deploy_failing(&client, &id, archive).await;
        assert_eq!(failed.failure_code.as_deref(), Some(code));
        assert!(!failed.reason.unwrap().is_empty());
        assert!(failed.last_lines.iter().any(|line| line.contains(said)) || said.is_empty(), "{:?}", failed.last_lines);
        assert!(!failed.release_kept, "{code}: what never ran is nothing to roll back to");
        let log = client.log(&failed.id).await.unwrap();
        assert!(log.iter().any(|line| line.text.starts_with("failed: ")), "{code}: {log:#?}");
        assert_eq!(server.app("hello.localhost").get("/").await.unwrap().header("x-version"), Some("1"));
    }
    let project = client.project_get(&id).await.unwrap();
    assert_eq!(project.live_deployment.unwrap().id, live.id);
}

/// It answers, and dies a moment later: it must not have replaced anything.
#[tokio::test]
async fn a_release_that_dies_in_its_first_moments_never_takes_over() {
    let server = server().config(json!({"limits": {"settle_ms": 3000}})).start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    deploy(&client, &id, node_app("1")).await;
    let dying = node_app_with("2", "setTimeout(() => process.exit(1), 1000);");
    let deployment = client.upload(&id, dying).await.unwrap();
    let app = server.app("hello.localhost");
    loop {
        assert_eq!(app.get("/").await.unwrap().header("x-version"), Some("1"));
        let now = client.deployment_get(&deployment.id).await.unwrap();
        if now.state.is_settled() {
            assert_eq!(now.state, DeploymentState::Failed);
            assert_eq!(now.failure_code.as_deref(), Some("APP_EXITED"));
            break;
        }
    }
}

#[tokio::test]
async fn a_live_app_that_crashes_is_started_again() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    let crash = "process.on('uncaughtException', (e) => { console.error('last words: ' + e.message); process.exit(9); });\
        require('node:http').createServer((q, r) => { if (q.url === '/crash') throw new Error('boom'); r.end('up'); }).listen(process.env.PORT);";
    deploy(&client, &id, app(crash)).await;
    let visitor = server.app("hello.localhost");
    assert_eq!(visitor.get("/crash").await.unwrap().status, 502);
    testkit::wait_until("it serves again", BUILD, async || {
        visitor.get("/").await.is_ok_and(|reply| reply.text() == "up")
    })
    .await;
    let lines = client.project_logs(&id, &testkit::LogsQuery::default()).await.unwrap();
    let texts = lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>();
    assert!(texts.contains(&"last words: boom"), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("exit code 9")), "{texts:?}");
}

#[tokio::test]
async fn a_build_that_wants_too_much_memory_fails_and_says_so() {
    let server = server().config(json!({"limits": {"build_memory_mb": 128}})).start().await;
    let client = server.setup().await;
    let neighbour = project(&client, "neighbour").await;
    deploy(&client, &neighbour, node_app("1")).await;
    let create = api::ProjectCreate {
        name: "greedy".into(),
        build_command: Some("node -e 'const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1))'".into()),
        ..api::ProjectCreate::default()
    };
    let id = project_with(&client, create).await;
    let failed = deploy_failing(&client, &id, node_app("1")).await;
    assert_eq!(failed.failure_code.as_deref(), Some("OUT_OF_MEMORY"), "{:?}", failed.reason);
    assert!(failed.reason.unwrap().contains("128 MB"));
    assert_eq!(server.app("neighbour.localhost").get("/").await.unwrap().header("x-version"), Some("1"));
    assert!(client.status().await.unwrap().authenticated);
}

#[tokio::test]
async fn a_build_that_takes_too_long_is_stopped() {
    let server = server().config(json!({"limits": {"build_timeout_seconds": 1}})).start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate {
        name: "slow".into(),
        build_command: Some("sleep 600".into()),
        ..api::ProjectCreate::default()
    };
    let id = project_with(&client, create).await;
    let failed = deploy_failing(&client, &id, node_app("1")).await;
    assert_eq!(failed.failure_code.as_deref(), Some("TIMEOUT"));
}

#[tokio::test]
async fn uploads_that_are_no_archives_are_refused() {
    let server = server().config(json!({"limits": {"upload_mb": 1}})).start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    assert_eq!(client.upload(&id, Vec::new()).await.unwrap_err().status, 400);
    assert_eq!(client.upload(&id, vec![0; 2 << 20]).await.unwrap_err().code(), "TOO_LARGE");
    let failed = deploy_failing(&client, &id, b"this is no archive".to_vec()).await;
    assert_eq!(failed.failure_code.as_deref(), Some("BAD_ARCHIVE"));
    assert_eq!(client.redeploy(&project(&client, "other").await).await.unwrap_err().code(), "NO_SOURCE");
}
