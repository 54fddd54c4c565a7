//! What machines and processes used: kept over time, and told to Prometheus.

use std::io::Write;
use std::process::{Command, Stdio};

use reqwest::{Method, Response, StatusCode};
use serde_json::json;
use testkit::{Client, Database, PATIENCE, random_secret, wait_some, wait_until};

use crate::apps::{deploy, node_app_with, project, project_with};
use crate::server;

/// Computes a little, and sends what nobody receives: no further than the host's end of its own link.
const BUSY: &str = r#"
const socket = require("node:dgram").createSocket("udp4");
setInterval(() => {
  for (const end = Date.now() + 20; Date.now() < end; );
  socket.send(Buffer.alloc(1000), 9, "198.18.0.1", () => {});
}, 100);
"#;

async fn history(client: &Client, project: &ids::ProjectId, range: &str) -> Option<api::ProjectMetrics> {
    let history = client.project_metrics(project, range).await.unwrap();
    let has_web =
        history.processes.first().is_some_and(|it| it.process == "web" && it.samples.len() > 1 || range != "1h");
    has_web.then_some(history)
}

#[tokio::test]
async fn what_machines_and_processes_used_is_kept_and_survives_a_restart() {
    let mut server = server().start().await;
    let client = server.setup().await;
    let shop = project(&client, "shop").await;
    let live = deploy(&client, &shop, node_app_with("1", BUSY)).await;
    let node = client.nodes().await.unwrap().remove(0);
    let tens = wait_some("its process is measured", PATIENCE, async || history(&client, &shop, "1h").await).await;
    assert_eq!((tens.interval_seconds, tens.processes.len()), (10, 1));
    let last = tens.processes[0].samples.last().unwrap();
    assert!(last.cpu_percent > 1.0 && last.cpu_percent_max >= last.cpu_percent, "{last:?}");
    assert!(last.memory_bytes > 1 << 20 && last.memory_bytes_max >= last.memory_bytes, "{last:?}");
    if node.capabilities.iter().any(|it| it.name == "network_policy" && it.enabled) {
        assert!(last.network_tx_bytes_per_second > 1000.0, "{last:?}");
    }
    let workload = client.node_get(&node.id).await.unwrap().workloads.remove(0);
    assert_eq!(workload.deployment_id, live.id);
    assert!(workload.cpu_percent.is_some_and(|percent| percent > 0.0), "{workload:?}");

    let live = client.node_metrics(&node.id).await.unwrap();
    assert!(live.interval_seconds == 2 && live.samples.len() > 3);
    let sample = live.samples.last().unwrap();
    assert!(sample.load15.is_some() && sample.network_rx_bytes.is_some() && sample.cpu_percent_max.is_none());
    for (range, interval) in [("1h", 10), ("24h", 60), ("30d", 600)] {
        let history = client.node_history(&node.id, range).await.unwrap();
        assert_eq!(history.interval_seconds, interval, "{range}");
        let sample = history.samples.last().unwrap_or_else(|| panic!("no samples for {range}"));
        assert!(sample.memory_used_bytes > 0 && sample.cpu_percent_max >= Some(sample.cpu_percent), "{sample:?}");
        assert!(client.project_metrics("shop", range).await.unwrap().processes.len() == 1, "{range}");
    }

    let first = client.node_history(&node.id, "1h").await.unwrap().samples.remove(0);
    server.restart().await;
    let kept = client.node_history(&node.id, "1h").await.unwrap();
    assert_eq!(kept.samples[0], first);
    let before = kept.samples.len();
    wait_until("it is measured again", PATIENCE, async || {
        client.node_history(&node.id, "1h").await.unwrap().samples.len() > before
    })
    .await;
}

#[tokio::test]
async fn a_range_that_is_none_is_400_and_what_is_not_there_404() {
    let server = server().start().await;
    let client = server.setup().await;
    project(&client, "shop").await;
    let node = client.nodes().await.unwrap().remove(0);
    for path in [format!("nodes/{}", node.id), "projects/shop".to_owned()] {
        for range in ["", "2h", "10M", "1h%00", "-1h"] {
            let refused = client.raw(Method::GET, &format!("/api/{path}/metrics?range={range}")).send().await.unwrap();
            assert_eq!(refused.status(), 400, "{path} {range}");
            assert_eq!(refused.json::<api::ErrorBody>().await.unwrap().error, "INVALID_RANGE");
        }
    }
    let missing = "01j9z3k4w5x6y7z8a9b0c1d2e3";
    for path in [format!("nodes/{missing}"), format!("projects/{missing}")] {
        let answer = client.raw(Method::GET, &format!("/api/{path}/metrics?range=1h")).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    let nothing = client.project_metrics("shop", "30d").await.unwrap();
    assert!(nothing.processes.is_empty() && nothing.volumes.is_empty());
}

#[tokio::test]
async fn volumes_are_counted_over_time() {
    let server = server().start().await;
    let client = server.setup().await;
    let volume = api::Volume { name: "data".into(), path: "/data".into(), size_mb: None };
    let create = api::ProjectCreate { name: "shop".into(), volumes: Some(vec![volume]), ..Default::default() };
    let shop = project_with(&client, create).await;
    let write = r#"require("node:fs").writeFileSync("/data/file", Buffer.alloc(3 << 20));"#;
    deploy(&client, &shop, node_app_with("1", write)).await;
    wait_until("its volume is in the history", PATIENCE, async || {
        let history = client.project_metrics(&shop, "10m").await.unwrap();
        history.volumes.last().is_some_and(|sample| sample.used_bytes >= 3 << 20)
    })
    .await;
}

/// Losing the history is no harm.
#[tokio::test]
async fn a_damaged_history_begins_anew() {
    let mut server = server().database(Database::Sqlite).start().await;
    let client = server.setup().await;
    let node = client.nodes().await.unwrap().remove(0);
    // It may be read at the moment in which it is opened anew.
    let has_history = async || client.node_history(&node.id, "1h").await.is_ok_and(|it| !it.samples.is_empty());
    wait_until("there is a history", PATIENCE, has_history).await;
    server.terminate();
    let file = server.data_dir().join("server/metrics.db");
    std::fs::write(&file, "no database at all, ".repeat(1000)).unwrap();
    server.restart().await;
    assert!(file.with_extension("db.damaged").exists());
    assert!(server.output().contains("the history of metrics was damaged"), "{}", server.output());
    wait_until("there is a history again", PATIENCE, has_history).await;
    // Also while it is in use.
    std::fs::remove_file(&file).unwrap();
    wait_until("the file is made again", PATIENCE, async || file.exists()).await;
    wait_until("there is a history again", PATIENCE, has_history).await;
}

async fn scrape(client: &Client, token: Option<&str>) -> Response {
    let request = client.anonymous().raw(Method::GET, "/metrics");
    let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
    request.send().await.unwrap()
}

async fn refusal(response: Response, status: StatusCode) -> api::ErrorBody {
    assert_eq!(response.status(), status);
    response.json().await.unwrap()
}

/// What Prometheus's own tool says of it: nothing, if it is well.
fn complaints(metrics: &str) -> String {
    let mut tool = Command::new("promtool");
    tool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tool = tool.spawn().unwrap();
    tool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn prometheus_reads_everything_with_a_token_of_its_own() {
    let token = random_secret();
    let config = json!({
        "metrics": {"token": token},
        "orchestrator": {"server_name": "my \"big\" machine \\ here"},
    });
    let server = server().config(config).start().await;
    let client = server.setup().await;
    let shop = project(&client, "shop").await;
    let live = deploy(&client, &shop, node_app_with("1", BUSY)).await;
    for wrong in [None, Some("wrong"), Some(""), Some(&token[1..]), Some(&*format!("{token}x"))] {
        let refused = refusal(scrape(&client, wrong).await, StatusCode::UNAUTHORIZED).await;
        assert_eq!(refused.error, "UNAUTHENTICATED", "{wrong:?}");
    }
    // Nor does it open anything else, or anything else it.
    let refused = client.with_token(&token).project_list().await.unwrap_err();
    assert_eq!(refused.status, 401, "{refused:?}");
    let other = client.token_create("all").await.unwrap();
    refusal(scrape(&client, Some(&other.token)).await, StatusCode::UNAUTHORIZED).await;
    assert_eq!(client.raw(Method::GET, "/metrics").send().await.unwrap().status(), 401);

    let text = wait_some("the process is told of", PATIENCE, async || {
        let response = scrape(&client, Some(&token)).await;
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let text = response.text().await.unwrap();
        let is_all =
            ["nanoscale_workload_cpu_seconds_total{", "nanoscale_node_load1{"].iter().all(|it| text.contains(it));
        is_all.then_some(text)
    })
    .await;
    assert_eq!(complaints(&text), "", "{text}");
    let node = client.nodes().await.unwrap().remove(0);
    let of_node = format!("node=\"my \\\"big\\\" machine \\\\ here\",node_id=\"{}\"", node.id);
    for line in [
        format!("nanoscale_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")),
        format!("nanoscale_node_up{{{of_node}}} 1"),
        format!("nanoscale_node_state{{{of_node},state=\"online\"}} 1"),
        format!("nanoscale_node_memory_used_bytes{{{of_node}}} "),
        format!("nanoscale_node_network_receive_bytes_total{{{of_node}}} "),
        format!("nanoscale_workload_ready{{deployment=\"{}\",{of_node},process=\"web\",project=\"shop\"}} 1", live.id),
        "nanoscale_deployments{state=\"live\"} 1".to_owned(),
        "nanoscale_projects 1".to_owned(),
        "nanoscale_http_requests_total{code=\"401\",method=\"GET\"} ".to_owned(),
    ] {
        assert!(text.lines().any(|it| it.starts_with(&line)), "{line} is not in\n{text}");
    }
    assert!(!server.output().contains(&token));
}

#[tokio::test]
async fn without_the_setting_nobody_reads_metrics_and_is_told_why() {
    let server = server().start().await;
    let client = server.setup().await;
    for token in [None, Some("anything at all, however long it is")] {
        let refused = refusal(scrape(&client, token).await, StatusCode::NOT_FOUND).await;
        assert_eq!(refused.error, "METRICS_OFF");
        assert!(refused.message.contains("metrics.token"), "{}", refused.message);
    }
}
