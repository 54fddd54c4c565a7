//! What a visitor of one app notices of a bomb in another one.

use std::process::Command;
use std::time::{Duration, Instant};

use ids::DeploymentState;
use testkit::{App, Client, TestServer, example};

use crate::{Row, percentile, times};

const WAIT: Duration = Duration::from_secs(120);
/// How often each is measured, quiet and loud in turn; all visits count as one lot.
const ROUNDS: usize = 5;
const VISITS: usize = 1000;
/// Enough visits by then, on a machine that is slow beside the bomb.
const LONGEST: Duration = Duration::from_secs(8);
/// From the spark until the bomb is at work, and the node has seen what it takes.
const FUSE: Duration = Duration::from_secs(2);
/// Until one that has ended is lit again.
const PAUSE: Duration = Duration::from_millis(500);

/// What `examples/hostile` calls it, and what it is.
const BOMBS: [(&str, &str); 10] = [
    ("fork", "a fork bomb"),
    ("memory", "a memory bomb, lit again and again"),
    ("descriptors", "a bomb of descriptors"),
    ("terminals", "a bomb of terminals"),
    ("threads", "a bomb of threads"),
    ("log", "a flood of the log"),
    ("processor", "33 processes that burn the processor"),
    ("temporary", "a filler of /tmp, lit again and again"),
    ("shared", "a filler of /dev/shm"),
    ("inodes", "a maker of directories in /tmp"),
];
/// Those that their limit ends at once.
const SHORT: [&str; 2] = ["memory", "temporary"];

/// Milliseconds of visits, and how many failed.
#[derive(Default)]
struct Visits {
    took: Vec<f64>,
    failed: usize,
}

pub(crate) async fn measure() -> Vec<Row> {
    let server = TestServer::builder(env!("CARGO_BIN_EXE_nanoscale")).start().await;
    let client = server.setup().await;
    deploy(&client, api::ProjectCreate { name: "neighbour".into(), ..Default::default() }, "hello-node").await;
    let neighbour = server.app("neighbour.localhost");
    visitors_are_elsewhere();
    let mut rows = Vec::new();
    for (bomb, what) in BOMBS {
        let (mut quiet, mut beside) = (Visits::default(), Visits::default());
        for _ in 0..times(ROUNDS) {
            let limits = api::LimitSettings { memory_mb: Some(256), ..Default::default() };
            let create = api::ProjectCreate { name: "bomber".into(), limits: Some(limits), ..Default::default() };
            deploy(&client, create, "hostile").await;
            visit(&neighbour, times(VISITS) / 5, &mut Visits::default()).await;
            visit(&neighbour, times(VISITS), &mut quiet).await;
            let spark = tokio::spawn(light(server.app("bomber.localhost"), bomb));
            tokio::time::sleep(FUSE).await;
            visit(&neighbour, times(VISITS), &mut beside).await;
            spark.abort();
            client.project_delete("bomber").await.unwrap();
            client.wait_deleted("bomber", WAIT).await;
        }
        let failures = if beside.failed > 0 { format!(", {} failed", beside.failed) } else { String::new() };
        let (quiet, loud) = (percentile(quiet.took, 99), percentile(beside.took, 99));
        rows.push(Row {
            what: format!("a neighbour's request p99 beside {what}"),
            value: format!("{loud:.2} ms, quiet {quiet:.2} ms: {:.1} ×{failures}", loud / quiet),
            budget: "2 ×",
        });
    }
    rows
}

/// A visitor's own machine is not the one that the bomb is on: this process waits for nobody.
fn visitors_are_elsewhere() {
    let process = std::process::id().to_string();
    let done = Command::new("chrt").args(["--all-tasks", "--reset-on-fork", "--fifo", "--pid", "1", &process]).status();
    assert!(done.unwrap().success(), "chrt");
}

async fn light(bomber: App, bomb: &str) {
    loop {
        // Nobody answers while the limit ends it.
        let _ = bomber.get(&format!("/bomb/{bomb}")).await;
        if !SHORT.contains(&bomb) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One after the other, as a visitor's browser does.
async fn visit(app: &App, count: usize, visits: &mut Visits) {
    let began = Instant::now();
    for _ in 0..count {
        if began.elapsed() > LONGEST {
            break;
        }
        let visit = Instant::now();
        let reply = app.get("/").await;
        visits.took.push(visit.elapsed().as_secs_f64() * 1000.0);
        visits.failed += usize::from(!reply.is_ok_and(|reply| reply.status == 200));
    }
}

async fn deploy(client: &Client, create: api::ProjectCreate, name: &str) {
    let project = client.project_create(&create).await.unwrap().project.id;
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", example(name)).unwrap();
    let deployment = client.upload(&project, builder.into_inner().unwrap()).await.unwrap();
    client.wait_for(&deployment.id, DeploymentState::Live, WAIT).await;
}
