//! What so many nodes cost a server.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::Method;
use testkit::{Client, Part, SimulatedNode, TestServer};

use super::{JOINERS, all_online, simulate};
use crate::{Row, percentile, processes, row, times};

const PROJECTS: usize = 50;
/// Of one node.
const PERIOD_MS: i64 = 10_000;
/// Until nothing is left of what was done before.
const SETTLE: Duration = Duration::from_secs(15);
const WATCHED: Duration = Duration::from_secs(60);
/// How often the server is asked what it has. Each heartbeat is seen, but for those that a report covers.
const LOOK: Duration = Duration::from_secs(4);
const PATHS: [&str; 3] = ["/api/nodes", "/api/projects", "/api/health"];
const CALLS: usize = 300;

pub(super) async fn measure(count: usize) -> Vec<Row> {
    let mut server = TestServer::builder(env!("CARGO_BIN_EXE_nanoscale")).separate().start().await;
    let client = server.setup().await;
    for number in 0..PROJECTS {
        let create = api::ProjectCreate { name: format!("project-{number}"), ..Default::default() };
        client.project_create(&create).await.unwrap();
    }
    let without = answers(&client).await;
    tokio::time::sleep(SETTLE).await;
    let (idle, before) = resources(&server);
    let began = Instant::now();
    let nodes = simulate(&server, &client, count).await;
    let (joining, join_cpu) = (began.elapsed(), resources(&server).1 - before);
    tokio::time::sleep(SETTLE).await;
    let cpu = cpu_share(&server).await;
    let (loaded, _) = resources(&server);
    let lags = lags(&client, &nodes).await;
    let with = answers(&client).await;
    let again = restart(&mut server, &client, count).await;
    let bytes = (loaded - idle) * 1024.0 / f64::from(u32::try_from(count).unwrap());
    let numbers = |latencies: &[Vec<f64>]| {
        let of = |all: &Vec<f64>, percent| percentile(all.clone(), percent);
        let each = PATHS.iter().zip(latencies);
        let each = each.map(|(path, all)| format!("`{path}` {:.1} / {:.1}", of(all, 50), of(all, 99)));
        each.collect::<Vec<_>>().join(", ")
    };
    vec![
        row(
            format!("{count} simulated nodes join, {JOINERS} at a time, until all are online"),
            format!("{:.1} s; {join_cpu:.1} s of processor", joining.as_secs_f64()),
        ),
        row(
            format!("memory of `serve server` (RSS) with {count} nodes, beside none"),
            format!("{loaded:.1} MB, none {idle:.1} MB: {bytes:.0} kB for each"),
        ),
        row(
            format!("processor that `serve server` takes for {count} nodes that only report, over a minute"),
            format!("{:.1} % of one core", cpu * 100.0),
        ),
        row(
            format!("lag of the heartbeats of {count} nodes, p50 / p99 of {}", lags.len()),
            format!("{:.0} / {:.0} ms", percentile(lags.clone(), 50), percentile(lags, 99)),
        ),
        row(
            format!("p50 / p99 of the API with {count} nodes, one call after the other, beside none"),
            format!("{} ms; none: {} ms", numbers(&with), numbers(&without)),
        ),
        row(
            format!("all {count} nodes back after the server was killed and started again"),
            format!(
                "{:.1} s, of which it took {:.1} s until the server listened; {:.1} s of processor",
                again.whole, again.start, again.cpu
            ),
        ),
    ]
}

/// Megabytes and seconds.
fn resources(server: &TestServer) -> (f64, f64) {
    let pid = server.pid_of(Part::Server).unwrap();
    (processes::memory(&[pid]).rss, processes::cpu_seconds(pid))
}

async fn cpu_share(server: &TestServer) -> f64 {
    let (before, began) = (resources(server).1, Instant::now());
    tokio::time::sleep(WATCHED).await;
    (resources(server).1 - before) / began.elapsed().as_secs_f64()
}

/// Milliseconds of calls of each path.
async fn answers(client: &Client) -> Vec<Vec<f64>> {
    let mut all = vec![Vec::new(); PATHS.len()];
    for _ in 0..times(CALLS) {
        for (path, took) in PATHS.iter().zip(&mut all) {
            let began = Instant::now();
            let answer = client.raw(Method::GET, path).send().await.unwrap();
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
            answer.bytes().await.unwrap();
            took.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    }
    all
}

/// Milliseconds from when a heartbeat was due until the server had it.
async fn lags(client: &Client, nodes: &[SimulatedNode]) -> Vec<f64> {
    for node in nodes {
        node.take_answers();
    }
    let ms = |time: &str| time.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    // Which heartbeat the server has of a node, and when it heard of that node last.
    let mut had = BTreeSet::new();
    let began = Instant::now();
    while began.elapsed() < WATCHED {
        tokio::time::sleep(LOOK).await;
        for node in client.nodes().await.unwrap() {
            if let (Some(metrics), Some(seen)) = (&node.metrics, &node.last_seen_at) {
                had.insert((node.id.clone(), ms(&metrics.time), ms(seen)));
            }
        }
    }
    let mut lags = Vec::new();
    for node in nodes {
        let answers = node.take_answers();
        let Some(first) = answers.heartbeats.first() else { continue };
        // The earliest within the period is the one that was not late.
        let beats = answers.heartbeats.iter();
        let phase = beats.clone().map(|at| (at - first + PERIOD_MS / 2).rem_euclid(PERIOD_MS)).min().unwrap();
        let of_node = had.iter().filter(|(id, _, _)| id == node.id());
        for (_, at, seen) in of_node.filter(|(_, at, _)| at >= first) {
            // What it heard after that may be of a report.
            if answers.reports.iter().any(|report| at <= report && report <= seen) {
                continue;
            }
            let late = (at - first + PERIOD_MS / 2 - phase).rem_euclid(PERIOD_MS);
            let lag = i32::try_from(late + seen - at).unwrap();
            lags.push(f64::from(lag));
        }
    }
    lags
}

/// Seconds.
struct Again {
    whole: f64,
    start: f64,
    cpu: f64,
}

async fn restart(server: &mut TestServer, client: &Client, count: usize) -> Again {
    server.kill_part(Part::Server);
    let began = Instant::now();
    server.start_part(Part::Server).await;
    let start = began.elapsed().as_secs_f64();
    all_online(client, count + 1).await;
    Again { whole: began.elapsed().as_secs_f64(), start, cpu: resources(server).1 }
}
