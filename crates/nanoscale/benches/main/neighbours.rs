//! What a visitor of one app notices of a bomb in another one.

use std::time::{Duration, Instant};

use ids::DeploymentState;
use testkit::{App, Client, TestServer, example};

use crate::{Row, median, percentile, times};

const WAIT: Duration = Duration::from_secs(120);
/// How often each is measured; the median counts.
const ROUNDS: usize = 3;
const VISITS: usize = 1000;
/// Enough visits by then, on a machine that is slow beside the bomb.
const LONGEST: Duration = Duration::from_secs(8);
/// From the spark until the bomb is at work.
const FUSE: Duration = Duration::from_millis(500);

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
struct Visits {
    p99: f64,
    failed: usize,
}

pub(crate) async fn measure() -> Vec<Row> {
    let server = TestServer::builder(env!("CARGO_BIN_EXE_nanoscale")).start().await;
    let client = server.setup().await;
    deploy(&client, api::ProjectCreate { name: "neighbour".into(), ..Default::default() }, "hello-node").await;
    let neighbour = server.app("neighbour.localhost");
    let mut rows = Vec::new();
    for (bomb, what) in BOMBS {
        let (mut quiet, mut loud, mut failed) = (Vec::new(), Vec::new(), 0);
        for _ in 0..times(ROUNDS) {
            let limits = api::LimitSettings { memory_mb: Some(256), ..Default::default() };
            let create = api::ProjectCreate { name: "bomber".into(), limits: Some(limits), ..Default::default() };
            deploy(&client, create, "hostile").await;
            visits(&neighbour, times(VISITS) / 5).await;
            quiet.push(visits(&neighbour, times(VISITS)).await.p99);
            let spark = tokio::spawn(light(server.app("bomber.localhost"), bomb));
            tokio::time::sleep(FUSE).await;
            let beside = visits(&neighbour, times(VISITS)).await;
            spark.abort();
            loud.push(beside.p99);
            failed += beside.failed;
            client.project_delete("bomber").await.unwrap();
            client.wait_deleted("bomber", WAIT).await;
        }
        let (quiet, loud) = (median(quiet), median(loud));
        let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        rows.push(Row {
            what: format!("a neighbour's request p99 beside {what}"),
            value: format!("{loud:.2} ms, quiet {quiet:.2} ms: {:.1} ×{failures}", loud / quiet),
            budget: "2 ×",
        });
    }
    rows
}

async fn light(bomber: App, bomb: &str) {
    loop {
        // Nobody answers while the limit ends it.
        let _ = bomber.get(&format!("/bomb/{bomb}")).await;
        if !SHORT.contains(&bomb) {
            return;
        }
        tokio::time::sleep(FUSE).await;
    }
}

/// One after the other, as a visitor's browser does.
async fn visits(app: &App, count: usize) -> Visits {
    let began = Instant::now();
    let (mut took, mut failed) = (Vec::new(), 0);
    while took.len() < count && began.elapsed() < LONGEST {
        let visit = Instant::now();
        let reply = app.get("/").await;
        took.push(visit.elapsed().as_secs_f64() * 1000.0);
        failed += usize::from(!reply.is_ok_and(|reply| reply.status == 200));
    }
    Visits { p99: percentile(took, 99), failed }
}

async fn deploy(client: &Client, create: api::ProjectCreate, name: &str) {
    let project = client.project_create(&create).await.unwrap().project.id;
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", example(name)).unwrap();
    let deployment = client.upload(&project, builder.into_inner().unwrap()).await.unwrap();
    client.wait_for(&deployment.id, DeploymentState::Live, WAIT).await;
}
