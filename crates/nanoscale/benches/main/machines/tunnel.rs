//! A visitor of one machine whose app is on another one.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use ids::DeploymentState;
use serde_json::json;
use testkit::{App, Client, TestNode, TestServer, wait_until};

use super::WAIT;
use super::ssh::Ssh;
use crate::{Row, median, percentile, row, times};

const HOST: &str = "hello.localhost";
/// Of an app on a machine that takes connections of others.
const DIRECT: &str = "direct.localhost";
const ROUNDS: usize = 5;
const VISITS: usize = 400;
/// Between two visits, which so never meet.
const PAUSE: Duration = Duration::from_millis(2);
const CONNECTIONS: u32 = 32;
const SECONDS: u32 = 4;
const LARGE_MB: u32 = 256;

/// Answers 64 bytes, and many at `/large`.
const APP: &str = "
const small = 'x'.repeat(64), piece = Buffer.alloc(1 << 20);
require('node:http').createServer((request, response) => {
  if (request.url !== '/large') return response.end(small);
  let left = 256;
  response.writeHead(200, {'content-length': left << 20});
  const more = () => {
    while (left > 0) { left -= 1; if (!response.write(piece)) return response.once('drain', more); }
    response.end();
  };
  more();
}).listen(process.env.PORT || 3000);
";

/// A way to the app, and what was measured on it.
struct Way {
    name: &'static str,
    host: &'static str,
    address: SocketAddr,
    /// Milliseconds.
    latencies: Vec<f64>,
    /// Each second.
    requests: Vec<f64>,
    megabytes: Vec<f64>,
}

pub(super) async fn measure() -> Vec<Row> {
    let server = TestServer::builder(env!("CARGO_BIN_EXE_nanoscale")).start().await;
    let client = server.setup().await;
    let one = join(&server, &client, machine(), "one").await;
    let two = join(&server, &client, machine(), "two").await;
    let listens = machine().config(json!({ "worker": { "bind": "127.0.0.1:0" } }));
    let three = join(&server, &client, listens, "three").await;
    deploy(&client, &two, "hello").await;
    deploy(&client, &three, "direct").await;
    let ssh = Ssh::start(two.edge_addr());
    let way = |name, address| Way { name, host: HOST, address, latencies: vec![], requests: vec![], megabytes: vec![] };
    let mut ways = vec![way("tunnel", one.edge_addr()), way("its own edge", two.edge_addr())];
    ways.push(Way { host: DIRECT, ..way("directly", one.edge_addr()) });
    ways.extend(ssh.as_ref().ok().map(|ssh| way("OpenSSH", ssh.address)));
    for way in &ways {
        let app = App::new(way.address, way.host);
        wait_until("the app is reached", WAIT, async || app.get("/").await.is_ok_and(|reply| reply.status == 200))
            .await;
    }
    wait_until("one machine reaches another one directly", WAIT, async || one.output().contains("is reached directly"))
        .await;
    for _ in 0..times(ROUNDS) {
        for way in &mut ways {
            way.visit().await;
            way.requests.push(wrk(way));
            way.megabytes.push(download(way));
        }
    }
    let mut rows = rows(&ways);
    if let Err(reason) = ssh {
        rows.push(row("the same through OpenSSH", format!("not here: {reason}")));
    }
    rows
}

fn rows(ways: &[Way]) -> Vec<Row> {
    let latency = |way: &Way, percent| percentile(way.latencies.clone(), percent);
    let list = |unit: &str, number: &dyn Fn(&Way) -> String| {
        let each = ways.iter().enumerate().map(|(place, way)| {
            let name = if place == 0 { String::new() } else { format!("{} ", way.name) };
            format!("{name}{} {unit}", number(way))
        });
        each.collect::<Vec<_>>().join(", ")
    };
    let ratio = |number: &dyn Fn(&Way) -> f64| format!("{:.2} × its own edge", number(&ways[0]) / number(&ways[1]));
    let middle = |values: fn(&Way) -> &Vec<f64>| move |way: &Way| median(values(way).clone());
    let (rate, speed) = (middle(|way| &way.requests), middle(|way| &way.megabytes));
    let what = "an app on another machine, through the tunnel";
    vec![
        row(
            format!("{what}: one request after the other, p50 / p99"),
            format!(
                "{}: {}",
                list("ms", &|way| format!("{:.2} / {:.2}", latency(way, 50), latency(way, 99))),
                ratio(&|way| latency(way, 50))
            ),
        ),
        row(
            format!("{what}: requests per second, `wrk -t1 -c{CONNECTIONS}`"),
            format!("{}: {}", list("/s", &|way| format!("{:.0}", rate(way))), ratio(&rate)),
        ),
        row(
            format!("{what}: a body of {LARGE_MB} MB"),
            format!("{}: {}", list("MB/s", &|way| format!("{:.0}", speed(way))), ratio(&speed)),
        ),
    ]
}

fn machine() -> TestNode {
    TestNode::new(env!("CARGO_BIN_EXE_nanoscale"))
}

async fn join(server: &TestServer, client: &Client, mut node: TestNode, name: &str) -> TestNode {
    let create = api::JoinTokenCreate { name: Some(name.into()), ..Default::default() };
    let token = client.join_token(&create).await.unwrap().token;
    node.join(&token, server.api_port()).await;
    node
}

async fn deploy(client: &Client, node: &TestNode, name: &str) {
    let create = api::ProjectCreate { name: name.into(), node_id: Some(node.id().to_string()), ..Default::default() };
    let project = client.project_create(&create).await.unwrap().project.id;
    let directory = tempfile::tempdir().unwrap();
    let package = r#"{"name": "hello", "version": "1.0.0", "scripts": {"start": "node main.js"}}"#;
    std::fs::write(directory.path().join("package.json"), package).unwrap();
    std::fs::write(directory.path().join("main.js"), APP).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all(".", directory.path()).unwrap();
    let deployment = client.upload(&project, archive.into_inner().unwrap()).await.unwrap();
    client.wait_for(&deployment.id, DeploymentState::Live, WAIT).await;
}

impl Way {
    async fn visit(&mut self) {
        let app = App::new(self.address, self.host);
        app.get("/").await.unwrap();
        for _ in 0..times(VISITS) {
            tokio::time::sleep(PAUSE).await;
            let began = Instant::now();
            let reply = app.get("/").await.unwrap();
            self.latencies.push(began.elapsed().as_secs_f64() * 1000.0);
            assert_eq!(reply.body.len(), 64, "{}", self.name);
        }
    }
}

fn wrk(Way { host, address, .. }: &Way) -> f64 {
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{SECONDS}s"), "-H", &format!("Host: {host}")])
        .arg(format!("http://{address}/"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "{text}");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    line.unwrap().trim().parse().unwrap()
}

/// Megabytes each second.
fn download(Way { host, address, .. }: &Way) -> f64 {
    let output = Command::new("curl")
        .args(["-sS", "--fail", "-o", "/dev/null", "-w", "%{size_download} %{time_total}"])
        .args(["-H", &format!("Host: {host}")])
        .arg(format!("http://{address}/large"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers = text.split(' ').map(|number| number.parse::<f64>().unwrap()).collect::<Vec<_>>();
    assert!((numbers[0] - f64::from(LARGE_MB) * 1_048_576.0).abs() < 0.5, "{text}");
    numbers[0] / 1_048_576.0 / numbers[1]
}
