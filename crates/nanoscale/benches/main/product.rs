//! What a user waits for.

use std::time::{Duration, Instant};

use ids::DeploymentState;
use testkit::{Client, GitServer, Load, Part, Repo, TestServer};

use crate::{Row, median, processes, times};

const WAIT: Duration = Duration::from_secs(60);

pub(crate) async fn measure() -> Vec<Row> {
    let git = GitServer::start().await;
    let repo = git.repo_from_example("hello", "hello-node");
    repo.commit_version("1");
    let mut starts = Vec::new();
    for _ in 0..times(5) {
        let begin = Instant::now();
        let server = TestServer::builder(env!("CARGO_BIN_EXE_nanoscale")).start().await;
        starts.push(begin.elapsed().as_secs_f64() * 1000.0);
        drop(server);
    }
    let limits = serde_json::json!({"limits": {"settle_ms": 0}});
    let server =
        TestServer::builder(env!("CARGO_BIN_EXE_nanoscale")).git_allow(git.host()).config(limits).start().await;
    let client = server.setup().await;
    // Signing in takes 19 MB for a moment; idle is after that.
    let idle = processes::memory(&[server.pid().unwrap()]).rss;
    let create =
        api::ProjectCreate { name: "hello".into(), repo_url: Some(repo.url().into()), ..api::ProjectCreate::default() };
    let first = client.project_create(&create).await.unwrap().deployment.unwrap();
    client.wait_for(&first.id, DeploymentState::Live, WAIT).await;
    let overheads = deploy_overheads(&client, &repo).await;
    let rollbacks = rollbacks(&client, &server).await;
    let report = under_load(&client, &repo, &server).await;
    vec![
        Row {
            what: "idle memory of `serve` (RSS: server, node, edge)".into(),
            value: format!("{idle:.1} MB"),
            budget: "60 MB",
        },
        Row {
            what: "idle memory of three processes (RSS: `serve server` + `serve edge` + `serve node`)".into(),
            value: idle_of_three().await,
            budget: "60 MB",
        },
        Row {
            what: "start of `serve` until it listens, empty directory".into(),
            value: format!("{:.0} ms", median(starts)),
            budget: "",
        },
        Row {
            what: "deploy overhead (all but clone, build and the app's own start), median of 10".into(),
            value: format!("{:.0} ms", median(overheads)),
            budget: "300 ms",
        },
        Row {
            what: "rollback: request until the old version answers, median of 10".into(),
            value: format!("{:.0} ms", median(rollbacks)),
            budget: "1000 ms",
        },
        Row {
            what: "failed requests over 20 redeploys under load".into(),
            value: format!("{} of {}", report.failures.len(), report.requests),
            budget: "0",
        },
    ]
}

/// Of the three processes that an installation is.
async fn idle_of_three() -> String {
    let server = TestServer::builder(env!("CARGO_BIN_EXE_nanoscale")).separate().start().await;
    server.setup().await;
    let parts = [Part::Server, Part::Edge, Part::Node].map(|part| server.pid_of(part).unwrap());
    let [own, edge, node] = parts.map(|pid| processes::memory(&[pid]).rss);
    format!("{own:.1} + {edge:.1} + {node:.1} = {:.1} MB", own + edge + node)
}

/// The whole deployment without the stretches in its log that are somebody else's.
async fn deploy_overheads(client: &Client, repo: &Repo) -> Vec<f64> {
    let mut overheads = Vec::new();
    for version in 0..times(10) {
        repo.commit_version(&format!("overhead-{version}"));
        let begin = Instant::now();
        let deployment = client.redeploy("hello").await.unwrap();
        client.wait_for(&deployment.id, DeploymentState::Live, WAIT).await;
        let whole = begin.elapsed().as_secs_f64() * 1000.0;
        let log = client.log(&deployment.id).await.unwrap();
        let at = |text: &str| {
            let line = log.iter().find(|line| line.text.starts_with(text)).unwrap();
            let time: jiff::Timestamp = line.time.parse().unwrap();
            time.as_millisecond()
        };
        let clone = at("commit ") - at("fetch: ");
        let start = at("probe: ") - at("run: ");
        #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
        overheads.push(whole - (clone + start) as f64);
    }
    overheads
}

async fn rollbacks(client: &Client, server: &TestServer) -> Vec<f64> {
    let app = server.app("hello.localhost");
    let mut took = Vec::new();
    for _ in 0..times(10) {
        let before = app.get("/").await.unwrap().text();
        let begin = Instant::now();
        let deployment = client.rollback("hello", None).await.unwrap();
        while app.get("/").await.unwrap().text() == before {}
        took.push(begin.elapsed().as_secs_f64() * 1000.0);
        client.wait_for(&deployment.id, DeploymentState::Live, WAIT).await;
    }
    took
}

async fn under_load(client: &Client, repo: &Repo, server: &TestServer) -> testkit::Report {
    let load = Load::start(&server.app("hello.localhost"));
    for version in 0..times(20) {
        repo.commit_version(&format!("load-{version}"));
        let deployment = client.redeploy("hello").await.unwrap();
        client.wait_for(&deployment.id, DeploymentState::Live, WAIT).await;
    }
    load.stop().await
}
