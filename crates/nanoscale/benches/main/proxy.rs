//! The request path: our edge and nginx before the same upstream.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use edge::{Config, Edge, Target, Upstream};

use crate::{Row, median};

const SECONDS: u32 = 4;

/// What one `wrk` run came to.
struct Run {
    requests: f64,
    p99_ms: f64,
    cpu_microseconds: f64,
}

/// A child that ends with this value.
struct Peer {
    child: Child,
    address: SocketAddr,
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
    let edge = edge(upstream.address);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        ours.push(run(&edge));
        theirs.push(run(&proxy));
    }
    let pick = |runs: &[Run], number: fn(&Run) -> f64| median(runs.iter().map(number).collect());
    let cpu = (pick(&ours, |run| run.cpu_microseconds), pick(&theirs, |run| run.cpu_microseconds));
    let p99 = (pick(&ours, |run| run.p99_ms), pick(&theirs, |run| run.p99_ms));
    let rate = (pick(&ours, |run| run.requests), pick(&theirs, |run| run.requests));
    vec![
        Row {
            what: "edge CPU per request, beside nginx",
            value: format!("{:.1} µs, nginx {:.1} µs: {:.2} ×", cpu.0, cpu.1, cpu.0 / cpu.1),
            budget: "1.1 ×",
        },
        Row {
            what: "edge p99 at full load, beside nginx",
            value: format!("{:.2} ms, nginx {:.2} ms", p99.0, p99.1),
            budget: "+1 ms",
        },
        Row {
            what: "requests per second through one worker, beside nginx",
            value: format!("{:.0}, nginx {:.0}", rate.0, rate.1),
            budget: "",
        },
    ]
}

/// This program again, as nothing but an edge with one worker.
pub(crate) fn serve_edge(upstream: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = Config::default();
        let edge = Edge::new(config.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Upstream::new("upstream".into(), upstream.parse::<std::net::SocketAddr>().unwrap(), &config);
        edge.set_route("127.0.0.1", Target::Upstream(Arc::new(target)));
        println!("{address}");
        edge.serve(listener, std::future::pending()).await;
    });
}

fn edge(upstream: SocketAddr) -> Peer {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--as-edge", &upstream.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Peer { child, address: line.trim().parse().unwrap() }
}

fn nginx(directory: &Path, name: &str, server: impl Fn(SocketAddr) -> String) -> Peer {
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

fn run(peer: &Peer) -> Run {
    let before = cpu_seconds(peer.child.id());
    let output = Command::new("wrk")
        .args(["-t1", "-c64", &format!("-d{SECONDS}s"), "--latency", &format!("http://{}/", peer.address)])
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

/// User and system time of a process and its threads, at 100 ticks a second (proc(5)).
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().collect::<Vec<_>>();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
