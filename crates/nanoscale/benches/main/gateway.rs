//! The gateway for models, beside other gateways: what each adds to an engine that answers at once, and what becomes of a long prompt
//! that a real one has read before.

#[path = "gateway/decision.rs"]
mod decision;
#[path = "gateway/engine.rs"]
mod engine;
#[path = "gateway/peers.rs"]
mod peers;
#[path = "gateway/prefixes.rs"]
mod prefixes;

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Client, MeshAgent, TestServer, wait_until};

use crate::{Row, percentile, processes, times};
pub(crate) use engine::serve as serve_engine;
use peers::Gateway;

/// What `--only` may name beside all of them.
pub(crate) const PARTS: [&str; 3] = ["decision", "added", "prefixes"];
const MODEL: &str = "m";
const PATIENCE: Duration = Duration::from_secs(60);
/// For each `wrk`.
const SECONDS: u32 = 4;
const CONNECTIONS: u32 = 32;

pub(crate) async fn measure(only: Option<&str>) -> Vec<Row> {
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let mut rows = Vec::new();
    if wanted("decision") {
        rows.push(decision::measure());
    }
    if wanted("added") {
        rows.extend(added().await);
    }
    if wanted("prefixes") {
        rows.push(prefixes::measure().await);
    }
    rows
}

/// A server with a mesh, and somebody with a token and all credits they need.
pub(crate) struct Stand {
    pub(crate) server: TestServer,
    pub(crate) admin: Client,
    pub(crate) token: String,
}

impl Stand {
    pub(crate) async fn new() -> Self {
        let config = json!({ "mesh": { "enabled": true, "coordinator_bind": "127.0.0.1:0",
            "control_plane_bind": "127.0.0.1:0", "portal_bind": "127.0.0.1:0" } });
        let server = TestServer::builder(env!("CARGO_BIN_EXE_nanoscale")).config(config).start().await;
        let admin = server.setup().await;
        admin.grant("admin", 1_000_000_000_000).await.unwrap();
        let create = api::TokenCreate {
            name: "bench".into(),
            scopes: Some(vec!["models".into()]),
            ..api::TokenCreate::default()
        };
        let token = admin.token_create_with(&create).await.unwrap().token;
        Self { server, admin, token }
    }

    /// A machine that offers what the engine at `url` has.
    pub(crate) async fn machine(&self, node_id: &str, url: &str) -> MeshAgent {
        let created = self.admin.enrol(node_id).await.unwrap();
        let (program, coordinator) = (env!("CARGO_BIN_EXE_nanoscale"), self.server.mesh_url("coordinator"));
        let mut agent = MeshAgent::new(program, &coordinator, node_id, &created.registration_token, &[url.to_owned()]);
        agent.start();
        self.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
        wait_until("the machine serves", PATIENCE, async || {
            let all = self.admin.enrolment_list().await.unwrap().enrolments;
            all.iter().any(|it| it.node_id.as_str() == node_id && it.online && !it.models.is_empty())
        })
        .await;
        agent
    }

    fn gateway(&self, agent: &MeshAgent) -> Gateway {
        Gateway {
            name: "ours",
            address: self.server.api_url().replace("http://", "").parse().unwrap(),
            headers: vec![("authorization", format!("Bearer {}", self.token))],
            processes: vec![self.server.pid().unwrap(), agent.pid().unwrap()],
            held: None,
        }
    }
}

/// What a gateway came to.
struct Measured {
    name: &'static str,
    /// Milliseconds of a whole answer, and of the first event of a stream.
    whole: Vec<f64>,
    first: Vec<f64>,
    requests: f64,
    megabytes: f64,
}

async fn added() -> Vec<Row> {
    let engine = engine::Engine::start();
    let stand = Stand::new().await;
    let agent = stand.machine("bench", &format!("http://{}", engine.address)).await;
    let direct = Gateway::directly(engine.address, engine.pid());
    let mut gateways = vec![stand.gateway(&agent)];
    gateways.extend(peers::all(engine.address));
    let direct = measure_one(&direct).await;
    let mut all = Vec::new();
    for gateway in &gateways {
        all.push(measure_one(gateway).await);
    }
    let told = |number: &dyn Fn(&Measured) -> String| {
        all.iter().map(|it| format!("{} {}", it.name, number(it))).collect::<Vec<_>>().join(", ")
    };
    let beyond = |of: fn(&Measured) -> &Vec<f64>, percent: usize, it: &Measured| {
        percentile(of(it).clone(), percent) - percentile(of(&direct).clone(), percent)
    };
    vec![
        Row {
            what: "a gateway adds to a chat completion that an engine answers at once, one after the other, p50 / p99 of 2000; \
                   ours with token, credits set aside and settled, signature and link"
                .into(),
            value: told(&|it| format!("{:.2} / {:.2} ms", beyond(|it| &it.whole, 50, it), beyond(|it| &it.whole, 99, it))),
            budget: "p50 0.5 ms",
        },
        Row {
            what: "… to the first event of a stream, p50 / p99 of 500".into(),
            value: told(&|it| format!("{:.2} / {:.2} ms", beyond(|it| &it.first, 50, it), beyond(|it| &it.first, 99, it))),
            budget: "p99 1 ms",
        },
        Row {
            what: format!("chat completions per second, `wrk -t1 -c{CONNECTIONS}`"),
            value: format!("{}; the engine itself {:.0}", told(&|it| format!("{:.0}", it.requests)), direct.requests),
            budget: "4000",
        },
        Row {
            what: "memory of all its processes after that (RSS); ours with the mesh agent".into(),
            value: told(&|it| format!("{:.0} MB", it.megabytes)),
            budget: "64 MB",
        },
    ]
}

async fn measure_one(gateway: &Gateway) -> Measured {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut whole = Vec::new();
    for _ in 0..times(2000) {
        let began = Instant::now();
        let answer = gateway.ask(&client, &body(false)).await;
        assert!(answer.status().is_success(), "{}: {}", gateway.name, answer.text().await.unwrap());
        answer.bytes().await.unwrap();
        whole.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    let mut first = Vec::new();
    for _ in 0..times(500) {
        let began = Instant::now();
        let mut answer = gateway.ask(&client, &body(true)).await;
        let mut heard = Vec::new();
        while !heard.windows(5).any(|part| part == b"data:") {
            let chunk = answer.chunk().await.unwrap();
            heard.extend(chunk.unwrap_or_else(|| panic!("{}: {}", gateway.name, String::from_utf8_lossy(&heard))));
        }
        first.push(began.elapsed().as_secs_f64() * 1000.0);
        answer.bytes().await.unwrap();
    }
    let requests = requests_per_second(gateway);
    let megabytes = processes::memory(&processes::family(&gateway.processes)).rss;
    println!("{}: {requests:.0} requests a second, {megabytes:.0} MB", gateway.name);
    Measured { name: gateway.name, whole, first, requests, megabytes }
}

fn body(streams: bool) -> Value {
    json!({ "model": MODEL, "stream": streams, "max_tokens": 16,
        "messages": [{ "role": "user", "content": "Which city is the capital of France?" }] })
}

fn requests_per_second(gateway: &Gateway) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("post.lua");
    let headers = gateway.headers.iter().map(|(name, value)| format!("wrk.headers['{name}'] = '{value}'\n"));
    let text = format!(
        "wrk.method = 'POST'\nwrk.body = '{}'\nwrk.headers['content-type'] = 'application/json'\n{}",
        body(false),
        headers.collect::<String>()
    );
    std::fs::write(&script, text).unwrap();
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{SECONDS}s"), "-s"])
        .arg(&script)
        .arg(gateway.url())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("Non-2xx"), "{}: {text}", gateway.name);
    let line = text.lines().find(|line| line.starts_with("Requests/sec")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A port that nobody has at this moment.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
