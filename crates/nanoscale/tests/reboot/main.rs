//! A machine that lost its power: before, and after it was started again. `cargo xtask vm test` runs one, takes the
//! power away and runs the other, with NanoScale installed as its services say.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ids::DeploymentState;
use testkit::{App, Client, PATIENCE, Secrets, example, random_secret, wait_some};

const API: &str = "http://127.0.0.1:4000";
const EDGE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const SETUP_CODE: &str = "in-the-virtual-machine";
/// What apps may take from the start of the node's process on.
const SERVED_WITHIN: Duration = Duration::from_secs(10);

/// A static site and a process, and what each says.
const APPS: [(&str, &str); 2] = [("static-site", "<!doctype html>"), ("hello-python", "hello")];

fn app(name: &str) -> App {
    App::new(EDGE, format!("{name}.localhost"))
}

/// Whether an app answers as it should.
async fn serves(name: &str, says: &str) -> bool {
    app(name).get("/").await.is_ok_and(|reply| reply.status == 200 && reply.text().to_lowercase().contains(says))
}

fn archive_of(directory: &Path) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", directory).unwrap();
    builder.into_inner().unwrap()
}

#[tokio::test]
async fn before() {
    let client = Client::new(API, Secrets::default());
    let password = random_secret();
    wait_some("the server is up", PATIENCE, async || client.setup("admin", &password, SETUP_CODE).await.ok()).await;
    for (name, says) in APPS {
        let create = api::ProjectCreate { name: name.into(), ..api::ProjectCreate::default() };
        let project = client.project_create(&create).await.unwrap().project.id;
        let deployment = client.upload(&project, archive_of(&example(name))).await.unwrap();
        client.wait_for(&deployment.id, DeploymentState::Live, PATIENCE).await;
        assert!(serves(name, says).await, "{name} serves");
    }
}

/// Seconds since the machine's start.
fn uptime() -> f64 {
    std::fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap()
}

/// When the node's process was started, in seconds since the machine's start.
fn started() -> Option<f64> {
    let unit = std::env::var("NANOSCALE_TEST_NODE_UNIT").unwrap_or_else(|_| "nanoscale.service".into());
    let shown = std::process::Command::new("systemctl")
        .args(["show", "--value", "--property=ExecMainStartTimestampMonotonic", &unit])
        .output()
        .unwrap();
    let microseconds = String::from_utf8_lossy(&shown.stdout).trim().parse::<f64>().unwrap();
    (microseconds > 0.0).then_some(microseconds / 1e6)
}

#[tokio::test]
async fn after() {
    let started = wait_some("the node is started", PATIENCE, async || started()).await;
    let serving = APPS.map(|(name, says)| async move {
        wait_some(&format!("{name} serves"), PATIENCE, async || serves(name, says).await.then_some(())).await;
        (name, uptime())
    });
    let [first, second] = serving;
    let (first, second) = tokio::join!(first, second);
    for (name, at) in [first, second] {
        let took = at - started;
        eprintln!("{name} serves {took:.1} s after the node's start, {at:.1} s after the kernel's");
        assert!(took < SERVED_WITHIN.as_secs_f64(), "{name} served only {took:.1} s after the node's start");
    }
}
