//! HTTP/2 with the roles turned round, on two connections: what is long never holds up what is short.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use edge::Edge;
use edge::control::Control;
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Method, Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ids::{DeploymentId, ProjectId};
use node::{Agent, Config, Doors, EdgeIo};
use tokio::net::{TcpListener, TcpStream};

type Body = http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>;

fn agent(directory: &Path) -> Agent {
    let config = Config {
        directory: directory.to_owned(),
        program: "/bin/false".into(),
        log_max_bytes: 1 << 20,
        log_group_max_bytes: 1 << 30,
        log_max_age: Duration::from_secs(3600),
        stop_grace: Duration::from_secs(1),
        build_disk_bytes: 1 << 30,
        disk_reserve_bytes: 0,
        cache_bytes: None,
        builds_at_once: 2,
        build_pressure_percent: 20,
        docker_host: "unix:///run/no-container-engine.sock".into(),
        network_allow: Vec::new(),
        gates: node::Gates { group: None, drain: Duration::from_secs(1) },
        separation: node::Separation::OneProcess,
        driver: node::Driver::Native,
        machine: node::MachineConfig {
            cloud_init_dir: directory.join("cloud-init"),
            reader_timeout: Duration::from_secs(10),
            docker_list_timeout: Duration::from_secs(10),
            docker_stats_timeout: Duration::from_secs(10),
        },
    };
    let control = Control::new(Edge::new(edge::Config::default()), None);
    let dial = move || {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let control = control.clone();
        tokio::spawn(async move { control.serve(theirs).await });
        Box::pin(std::future::ready(Ok(Box::pin(ours) as Pin<Box<dyn EdgeIo>>))) as _
    };
    let nowhere = || std::future::ready(Err(std::io::ErrorKind::ConnectionRefused.into()));
    let doors = Doors {
        control: Box::new(dial),
        peer: Box::new(move |_| Box::pin(nowhere())),
        tunnel: Box::new(move || Box::pin(nowhere())),
        direct: None,
    };
    Agent::new(config, doors).unwrap()
}

/// The node dials; the side that accepted becomes the client.
async fn connect(agent: &Agent) -> SendRequest<Body> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    tokio::spawn(node::serve_link(agent.clone(), dialled));
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(accepted)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(link: &SendRequest<Body>, method: Method, path: &str, body: Body) -> Response<Incoming> {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://node{path}"))
        .header("content-type", "application/json")
        .body(body)
        .unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(20), link.clone().send_request(request));
    answer.await.expect("an answer in time").unwrap()
}

fn empty() -> Body {
    Empty::new().boxed()
}

/// A log of some 40 MB.
fn long_log(directory: &Path, group: &ProjectId, workload: &DeploymentId) {
    let log = directory.join("logs").join(group.as_str()).join(workload.as_str()).join("build");
    std::fs::create_dir_all(&log).unwrap();
    let text = "x".repeat(1000);
    for segment in 0..40_u64 {
        let lines = (1..=1000_u64)
            .map(|line| format!("{{\"n\":{},\"t\":1,\"s\":\"out\",\"m\":\"{text}\"}}\n", segment * 1000 + line));
        let name = format!("{:020}.ndjson", segment * 1000 + 1);
        std::fs::write(log.join(name), lines.collect::<String>()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_pass_while_a_log_is_streamed() {
    let directory = tempfile::tempdir().unwrap();
    let (group, workload) = (ProjectId::new(), DeploymentId::new());
    let agent = agent(directory.path());
    long_log(directory.path(), &group, &workload);
    let (control, bulk) = (connect(&agent).await, connect(&agent).await);
    let path = format!("/v1/logs/build/{group}/{workload}");
    let mut log = ask(&bulk, Method::GET, &path, empty()).await.into_body();
    let mut bytes = log.frame().await.unwrap().unwrap().into_data().unwrap().len();
    // The log is not read meanwhile: its windows are full, and it must not matter.
    for _ in 0..200 {
        assert_eq!(ask(&control, Method::GET, "/v1/ports/1", empty()).await.status(), 200);
    }
    // Not even on its own connection, where every stream has a window of its own.
    assert_eq!(ask(&bulk, Method::GET, "/v1/ports/1", empty()).await.status(), 200);
    while let Some(frame) = log.frame().await {
        bytes += frame.unwrap().into_data().map_or(0, |data| data.len());
    }
    assert!(bytes > 40_000_000, "{bytes}");
}

#[tokio::test]
async fn an_older_desired_state_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let agent = agent(directory.path());
    let link = connect(&agent).await;
    let put = async |epoch: i64, generation: i64| {
        let desired = wire::Desired { fence: wire::Fence { epoch, generation }, ..wire::Desired::default() };
        let body = Full::new(Bytes::from(serde_json::to_vec(&desired).unwrap())).boxed();
        ask(&link, Method::PUT, "/v1/desired", body).await.status().as_u16()
    };
    assert_eq!(put(2, 5).await, 204);
    assert_eq!(put(2, 4).await, 409);
    assert_eq!(put(1, 9).await, 409);
    // The same again is no harm: an answer may have been lost.
    assert_eq!(put(2, 5).await, 204);
    assert_eq!(put(3, 1).await, 204);
}
