//! Disk that projects take, as a shell shows it.

use serde_json::{Value, json};
use testkit::{PATIENCE, wait_until};

use super::{shell, text};
use crate::apps::{deploy, node_app, project_with};
use crate::server;

#[tokio::test]
async fn build_caches_from_a_shell() {
    let server = server().config(json!({"limits": {"settle_ms": 0}})).start().await;
    let admin = server.setup().await;
    let shell = shell(&server, &admin).await;
    let here = shell.home.path();
    let run = async |arguments: &[&str]| text(&shell.run(here, arguments).await);
    assert!(run(&["node", "caches"]).await.contains("No build keeps anything yet."));
    for name in ["shop", "blog"] {
        let build = Some("sh -c 'head -c 3M /dev/zero > $XDG_CACHE_HOME/x'".to_owned());
        let create = api::ProjectCreate { name: name.into(), build_command: build, ..Default::default() };
        deploy(&admin, &project_with(&admin, create).await, node_app("1")).await;
    }
    wait_until("both are measured", PATIENCE, async || {
        let listed = run(&["node", "caches"]).await;
        listed.contains("shop  ") && listed.contains("blog  ") && listed.contains("6.0 MB of ")
    })
    .await;
    let would = run(&["node", "prune", "--dry-run", "--bytes", "4M"]).await;
    assert!(would.contains("Would free 6.0 MB"), "{would}");
    let would: Value = serde_json::from_str(&run(&["node", "prune", "--dry-run", "--json"]).await).unwrap();
    assert_eq!((would["freed"].as_array().unwrap().len(), &would["dry_run"]), (2, &json!(true)));
    let wrong = run(&["node", "prune", "--bytes", "much"]).await;
    assert!(wrong.contains("`much` is no size"), "{wrong}");
    let cleared = run(&["project", "clear-cache", "shop"]).await;
    assert!(cleared.contains("Freed 3.0 MB"), "{cleared}");
    let node = admin.nodes().await.unwrap().remove(0);
    let freed = run(&["node", "prune", &node.name]).await;
    assert!(freed.contains("blog") && !freed.contains("shop") && freed.contains("Freed 3.0 MB"), "{freed}");
    assert!(run(&["node", "prune"]).await.contains("There is nothing to free."));
}
