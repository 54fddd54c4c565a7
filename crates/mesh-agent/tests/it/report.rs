//! What the coordinator is told.

use testkit::{PATIENCE, wait_until};
use wire::{MESH_PROTOCOL, MeshModel, MeshPrice, MeshReport};

use crate::stand::Stand;

#[tokio::test]
async fn a_report_says_what_is_served() {
    let stand = Stand::start().await;
    let report = stand.coordinator.report().await;
    let price = MeshPrice { input: 1, output: 2 };
    let model = MeshModel { name: "m".into(), loaded: true, context: 4096, slots: 2, busy: 0, price };
    assert_eq!((report.protocol, report.os.as_str(), &report.paused), (MESH_PROTOCOL, std::env::consts::OS, &None));
    assert_eq!(report.models, [model]);

    // What the owner does with it, past this, is seen too.
    stand.engine.set_busy(true);
    wait_until("it is busy", PATIENCE, async || stand.coordinator.report().await.models[0].busy == 1).await;
}

#[tokio::test]
async fn who_waits_for_news_hears_of_it() {
    let stand = Stand::start().await;
    let report = stand.coordinator.report().await;
    let target = format!("/v1/report?than={}", report.generation);
    let waiting = stand.coordinator.get(&target);
    let (said, ()) = tokio::join!(waiting, async { mesh_agent::pause(stand.directory.path(), Some("away")).unwrap() });
    let news: MeshReport = serde_json::from_value(said.1).unwrap();
    assert!(news.generation > report.generation);
    assert_eq!(news.paused.as_deref(), Some("away"));
    // Who has an older one is answered at once, and where nothing happens with the same in the end.
    let (_, again) = stand.coordinator.get(&target).await;
    let (_, same) = stand.coordinator.get(&format!("/v1/report?than={}", news.generation)).await;
    assert_eq!(
        (again["generation"].as_u64(), same["generation"].as_u64()),
        (Some(news.generation), Some(news.generation))
    );
    mesh_agent::pause(stand.directory.path(), None).unwrap();
    wait_until("it goes on", PATIENCE, async || stand.coordinator.report().await.paused.is_none()).await;
}
