//! The request path: our edge and nginx before the same upstream.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use edge::{Config, Edge, Origin, Target, Upstream};

use crate::processes::cpu_seconds;
use crate::{Row, median, times};

const SECONDS: u32 = 4;

/// What one `wrk` run came to.
pub(crate) struct Run {
    pub(crate) requests: f64,
    pub(crate) p99_ms: f64,
    cpu_microseconds: f64,
}

/// A child that ends with this value.
pub(crate) struct Peer {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn measure() -> Vec<Row> {
    let directory = tempfile::tempdir().unwrap();
    let upstream = nginx(directory.path(), "upstream", |address| {
        format!("server {{ listen {address}; location / {{ return 200 '{}'; }} }}", "x".repeat(64))
    });
    let proxy = nginx(directory.path(), "proxy", |address| {
        format!(
            "upstream app {{ server {}; keepalive 64; }} server {{ listen {address}; location / {{ \
             proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ''; }} }}",
            upstream.address
        )
    });
    let edge = edge(&upstream.address.into());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..times(3) {
        ours.push(run(&edge, 64));
        theirs.push(run(&proxy, 64));
    }
    let pick = |runs: &[Run], number: fn(&Run) -> f64| median(runs.iter().map(number).collect());
    let cpu = (pick(&ours, |run| run.cpu_microseconds), pick(&theirs, |run| run.cpu_microseconds));
    let p99 = (pick(&ours, |run| run.p99_ms), pick(&theirs, |run| run.p99_ms));
    let rate = (pick(&ours, |run| run.requests), pick(&theirs, |run| run.requests));
    vec![
        Row {
            what: "edge CPU per request, beside nginx".into(),
            value: format!("{:.1} µs, nginx {:.1} µs: {:.2} ×", cpu.0, cpu.1, cpu.0 / cpu.1),
            budget: "1.1 ×",
        },
        Row {
            what: "edge p99 at full load, beside nginx".into(),
            value: format!("{:.2} ms, nginx {:.2} ms", p99.0, p99.1),
            budget: "+1 ms",
        },
        Row {
            what: "requests per second through one worker, beside nginx".into(),
            value: format!("{:.0}, nginx {:.0}", rate.0, rate.1),
            budget: "",
        },
    ]
}

/// This program again, as nothing but an edge with one worker.
pub(crate) fn serve_edge(origin: &str) {
    let origin: Origin = serde_json::from_str(origin).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = Config::default();
        let edge = Edge::new(config.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Upstream::new("upstream".into(), origin, &config);
        edge.set_route("127.0.0.1", Target::Upstream(Arc::new(target)));
        println!("{address}");
        edge.serve(listener, std::future::pending()).await;
    });
}

pub(crate) fn edge(origin: &Origin) -> Peer {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--as-edge", &serde_json::to_string(origin).unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Peer { child, address: line.trim().parse().unwrap() }
}

pub(crate) fn nginx(directory: &Path, name: &str, server: impl Fn(SocketAddr) -> String) -> Peer {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = directory.join(name);
    std::fs::create_dir(&home).unwrap();
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};", home.display()))
        .concat();
    // The single process is also the worker: its CPU time is all there is.
    let config = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log; events {{ worker_connections 1024; }} \
         http {{ access_log off; keepalive_requests 100000000; {paths} {1} }}",
        home.display(),
        server(address)
    );
    std::fs::write(home.join("nginx.conf"), config).unwrap();
    let child = Command::new("/usr/sbin/nginx").arg("-c").arg(home.join("nginx.conf")).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "nginx does not listen");
    }
    Peer { child, address }
}

pub(crate) fn run(peer: &Peer, connections: u32) -> Run {
    let before = cpu_seconds(peer.child.id());
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{connections}"), &format!("-d{SECONDS}s"), "--latency"])
        .arg(format!("http://{}/", peer.address))
        .output()
        .unwrap();
    let used = cpu_seconds(peer.child.id()) - before;
    let text = String::from_utf8(output.stdout).unwrap();
    let field = |name: &str| {
        text.lines().find(|line| line.trim().starts_with(name)).unwrap().split_whitespace().nth(1).unwrap()
    };
    let count: f64 = text
        .lines()
        .find(|line| line.contains("requests in"))
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(!text.contains("Non-2xx"), "{text}");
    Run {
        requests: field("Requests/sec").parse().unwrap(),
        p99_ms: milliseconds(field("99%")),
        cpu_microseconds: used * 1e6 / count,
    }
}

fn milliseconds(text: &str) -> f64 {
    let number = |unit: &str| text.strip_suffix(unit).and_then(|number| number.parse::<f64>().ok());
    number("us").map(|us| us / 1000.0).or_else(|| number("ms")).or_else(|| number("s").map(|s| s * 1000.0)).unwrap()
}
