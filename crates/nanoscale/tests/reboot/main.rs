//! A machine that lost its power: before, and after it was started again. `cargo xtask vm test` runs one, takes the
//! power away and runs the other, with NanoScale installed as its services say.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ids::DeploymentState;
use testkit::{App, Client, PATIENCE, Secrets, example, random_secret, wait_some, wait_some_every};

const API: &str = "http://127.0.0.1:4000";
const EDGE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 80);
const SETUP_CODE: &str = "in-the-virtual-machine";
/// What apps may take from the start of the node's process on.
const SERVED_WITHIN: Duration = Duration::from_secs(10);

/// A request takes an emulated processor as long as a start of an app does others: asked every few milliseconds, who looks
/// would take most of the machine that is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A static site and a process, and what each says.
const APPS: [(&str, &str); 2] = [("static-site", "<!doctype html>"), ("hello-python", "hello")];

fn app(name: &str) -> App {
    App::new(EDGE, format!("{name}.localhost"))
}

/// Whether an app answers as it should, and how else.
async fn serves(name: &str, says: &str) -> Result<(), String> {
    let reply = app(name).get("/").await.map_err(|error| error.to_string())?;
    let (status, text) = (reply.status, reply.text());
    if status == 200 && text.to_lowercase().contains(says) { Ok(()) } else { Err(format!("{status} {text}")) }
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
        // The node may have to find the server first.
        let made = async || client.project_create(&create).await.ok();
        let project = wait_some("the node is there", PATIENCE, made).await.project.id;
        let deployment = client.upload(&project, archive_of(&example(name))).await.unwrap();
        client.wait_for(&deployment.id, DeploymentState::Live, PATIENCE).await;
        assert_eq!(serves(name, says).await, Ok(()), "{name}");
    }
}

/// Seconds since the machine's start.
fn uptime() -> f64 {
    std::fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap()
}

/// When the node's process was started, in seconds since the machine's start.
fn started() -> Option<f64> {
    let shown = std::process::Command::new("systemctl")
        .args(["show", "--value", "--property=ExecMainStartTimestampMonotonic", "nanoscale-node.service"])
        .output()
        .unwrap();
    let microseconds = String::from_utf8_lossy(&shown.stdout).trim().parse::<f64>().unwrap();
    (microseconds > 0.0).then_some(microseconds / 1e6)
}

#[tokio::test]
async fn after() {
    let client = Client::new(API, Secrets::default());
    assert!(client.login("admin", "whatever").await.is_err_and(|failure| failure.status == 0), "no server answers");
    let started = wait_some("the node is started", PATIENCE, async || started()).await;
    let [first, second] = APPS.map(|(name, says)| async move {
        wait_some_every(LOOK, &format!("{name} serves"), PATIENCE, async || serves(name, says).await.ok()).await;
        (name, uptime())
    });
    let (first, second) = tokio::join!(first, second);
    for (name, at) in [first, second] {
        let took = at - started;
        eprintln!("{name} serves {took:.1} s after the node's start, {at:.1} s after the kernel's");
        assert!(took < SERVED_WITHIN.as_secs_f64(), "{name} served only {took:.1} s after the node's start");
    }
}
