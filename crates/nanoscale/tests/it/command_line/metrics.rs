//! What was used, as a shell shows it.

use testkit::{PATIENCE, wait_until};

use super::{shell, text};
use crate::apps::{deploy, node_app, project};
use crate::server;

#[tokio::test]
async fn metrics_from_a_shell() {
    let server = server().start().await;
    let admin = server.setup().await;
    let shell = shell(&server, &admin).await;
    let here = shell.home.path();
    let run = async |arguments: &[&str]| text(&shell.run(here, arguments).await);
    let shop = project(&admin, "shop").await;
    assert!(run(&["project", "metrics", "shop"]).await.contains("Nothing ran in that time."));
    deploy(&admin, &shop, node_app("1")).await;
    wait_until("its process is measured", PATIENCE, async || {
        let shown = run(&["project", "metrics", "shop", "--range", "30d"]).await;
        shown.contains("web cpu") && shown.contains("web memory") && shown.contains("LAST 30D")
    })
    .await;
    let shown = run(&["node", "metrics"]).await;
    assert!(shown.contains("LAST 10M") && shown.contains("memory") && shown.contains("received"), "{shown}");
    assert!(shown.chars().any(|c| ('▁'..='█').contains(&c)), "{shown}");
    let node = admin.nodes().await.unwrap().remove(0);
    let json = run(&["node", "metrics", &node.name, "--range", "1h", "--json"]).await;
    assert_eq!(serde_json::from_str::<api::MetricsHistory>(&json).unwrap().interval_seconds, 10);
    let wrong = run(&["node", "metrics", "--range", "2h"]).await;
    assert!(wrong.contains("10m, 1h, 24h, 30d"), "{wrong}");
}
