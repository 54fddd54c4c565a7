//! A project that thrashes its memory: builds of others wait until it is over, and say so.

use ids::DeploymentState;
use serde_json::json;
use testkit::{wait_some, wait_until};

use crate::apps::{archive, deploy, node_app, project, project_with};
use crate::{BUILD, server};

/// Reads and writes, from several processes, a file that is much larger than its memory.
const THRASH: &str = "
import os, random, http.server
with open('/data/blob', 'wb') as blob:
    for _ in range(192): blob.write(os.urandom(1 << 20))
for _ in range(12):
    if os.fork() == 0:
        blob = os.open('/data/blob', os.O_RDWR)
        while True:
            place = random.randrange(192 << 8) << 12
            os.pwrite(blob, os.pread(blob, 4096, place), place)
http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), http.server.SimpleHTTPRequestHandler).serve_forever()
";

fn pressure() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/pressure/memory").ok()?;
    text.split("avg10=").nth(1)?.split(' ').next()?.parse().ok()
}

#[tokio::test]
async fn builds_wait_while_memory_is_short() {
    let server = server().config(json!({"limits": {"build_pressure_percent": 1, "settle_ms": 0}})).start().await;
    let client = server.setup().await;
    let node = client.nodes().await.unwrap().remove(0);
    let told = node.capabilities.iter().find(|it| it.name == "memory_pressure").unwrap();
    assert_eq!(told.enabled, pressure().is_some(), "{told:?}");
    let create = api::ProjectCreate {
        name: "thrash".into(),
        volumes: Some(vec![api::Volume { name: "data".into(), path: "/data".into(), size_mb: None }]),
        limits: Some(api::LimitSettings { memory_mb: Some(64), ..api::LimitSettings::default() }),
        ..api::ProjectCreate::default()
    };
    let patient = project(&client, "patient").await;
    let thrash = project_with(&client, create).await;
    deploy(&client, &thrash, archive(&[("main.py", THRASH)])).await;
    if pressure().is_none() {
        return;
    }
    wait_some("memory is short", BUILD, async || pressure().filter(|percent| *percent > 3.0)).await;
    let build = client.upload(&patient, node_app("1")).await.unwrap();
    wait_until("it says what it waits for", BUILD, async || {
        let lines = client.log(&build.id).await.unwrap();
        lines.iter().any(|line| line.text.starts_with("waiting for memory: programs waited for it "))
    })
    .await;
    let began = std::time::Instant::now();
    client.project_delete(&thrash).await.unwrap();
    client.wait_for(&build.id, DeploymentState::Live, 2 * BUILD).await;
    println!("after the thrashing ended the build went live in {:?}", began.elapsed());
}
