//! The outbox of notifications, on both engines.

use domain::notification::{Channel, Delivery};
use ids::{
    DeliveryState, NotificationChannelId, NotificationDeliveryId, NotificationEvent, NotificationKind, ProjectId,
};
use store::{DeliveryAttempt, StoreError};

use crate::Fixture;

fn channel(name: &str) -> Channel {
    Channel {
        id: NotificationChannelId::new(),
        name: name.into(),
        kind: NotificationKind::Slack,
        settings_sealed: "v1:sealed".into(),
        events: vec![NotificationEvent::DeploymentFailed, NotificationEvent::NodeDiskNearlyFull],
        project_ids: vec![ProjectId::new(), ProjectId::new()],
        enabled: true,
        disabled_reason: None,
        created_at: 5,
        updated_at: 5,
    }
}

fn delivery(channel: &Channel, fact: &str, created_at: i64) -> Delivery {
    Delivery {
        id: NotificationDeliveryId::new(),
        channel_id: channel.id.clone(),
        fact: fact.into(),
        event: NotificationEvent::DeploymentFailed,
        project_id: Some(ProjectId::new()),
        deployment_id: None,
        subject: "shop: deployment 1 failed".into(),
        payload: "{}".into(),
        state: DeliveryState::Pending,
        attempts: 0,
        next_attempt_at: Some(created_at),
        last_error: None,
        last_status: None,
        created_at,
        finished_at: None,
    }
}

async fn insert(fixture: &Fixture, name: &str) -> Channel {
    let channel = channel(name);
    let mut tx = fixture.store.write().await.unwrap();
    tx.notification_channel_insert(&channel).await.unwrap();
    tx.commit().await.unwrap();
    channel
}

pub(crate) async fn channels_come_out_as_they_went_in(fixture: Fixture) {
    let made = insert(&fixture, "ops").await;
    let mut tx = fixture.store.write().await.unwrap();
    assert_eq!(tx.notification_channel(&made.id).await.unwrap().unwrap(), made);
    let changed = Channel { name: "team".into(), project_ids: Vec::new(), enabled: false, updated_at: 9, ..made };
    assert!(tx.notification_channel_update(&changed).await.unwrap());
    assert_eq!(tx.notification_channel_list().await.unwrap(), [changed]);
    tx.commit().await.unwrap();
    let mut tx = fixture.store.write().await.unwrap();
    let taken = tx.notification_channel_insert(&channel("team")).await;
    assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
}

/// Eight at once, as several servers would that saw the same thing.
pub(crate) async fn a_fact_is_told_once_per_channel(fixture: Fixture) {
    let (ops, team) = (insert(&fixture, "ops").await, insert(&fixture, "team").await);
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (store, ops, team) = (fixture.store.clone(), ops.clone(), team.clone());
        tasks.push(tokio::spawn(async move {
            let mut tx = store.write().await.unwrap();
            let mut news = 0;
            for channel in [&ops, &team] {
                news += usize::from(tx.delivery_insert(&delivery(channel, "deployment/1/failed", 1)).await.unwrap());
            }
            tx.commit().await.unwrap();
            news
        }));
    }
    let mut news = 0;
    for task in tasks {
        news += task.await.unwrap();
    }
    assert_eq!(news, 2);
    let mut tx = fixture.store.read().await.unwrap();
    assert_eq!(tx.delivery_list(&ops.id, None, 10).await.unwrap().len(), 1);
    assert_eq!(tx.delivery_latest().await.unwrap().len(), 2);
}

pub(crate) async fn an_attempt_is_claimed_once_and_counts_as_lost_after_a_while(fixture: Fixture) {
    let ops = insert(&fixture, "ops").await;
    let told = delivery(&ops, "a", 100);
    let mut tx = fixture.store.write().await.unwrap();
    tx.delivery_insert(&told).await.unwrap();
    assert_eq!(tx.delivery_due(1000).await.unwrap(), [(ops.id.clone(), 100)]);
    assert!(tx.delivery_next(&ops.id, 99, 1000).await.unwrap().is_none(), "not yet");
    assert_eq!(tx.delivery_next(&ops.id, 100, 1000).await.unwrap(), Some(told.clone()));
    assert!(tx.delivery_claim(&told.id, 0, 200).await.unwrap());
    assert!(!tx.delivery_claim(&told.id, 0, 200).await.unwrap(), "somebody has it");
    assert!(tx.delivery_next(&ops.id, 199, 1000).await.unwrap().is_none());
    // As after the clock was set back by more than any pause.
    assert_eq!(tx.delivery_due(150).await.unwrap(), [(ops.id.clone(), 0)]);
    assert!(tx.delivery_next(&ops.id, 100, 150).await.unwrap().is_some());
    // Nobody said what became of it.
    assert!(tx.delivery_claim(&told.id, 1, 300).await.unwrap());
    let done =
        DeliveryAttempt { state: DeliveryState::Delivered, next_attempt_at: None, error: None, status: Some(204) };
    assert!(!tx.delivery_settle(&told.id, 1, &done, 210).await.unwrap(), "the first attempt is over");
    assert!(tx.delivery_settle(&told.id, 2, &done, 220).await.unwrap());
    let settled = tx.delivery(&told.id).await.unwrap().unwrap();
    assert_eq!((settled.state, settled.attempts, settled.finished_at), (DeliveryState::Delivered, 2, Some(220)));
    assert!(tx.delivery_due(1000).await.unwrap().is_empty());
    assert!(!tx.delivery_retry(&told.id, 230).await.unwrap());
}

pub(crate) async fn old_deliveries_go_and_waiting_ones_stay(fixture: Fixture) {
    let (ops, team) = (insert(&fixture, "ops").await, insert(&fixture, "team").await);
    let mut tx = fixture.store.write().await.unwrap();
    for number in 0..12_i64 {
        let state = if number == 1 { DeliveryState::Pending } else { DeliveryState::Failed };
        // Ids of the same millisecond have no order.
        let id = format!("01j9z3k4w5x6y7z8a9b0c1d{number:03}").parse().unwrap();
        let told = Delivery { id, state, ..delivery(&ops, &number.to_string(), number) };
        assert!(tx.delivery_insert(&told).await.unwrap());
    }
    assert!(
        tx.delivery_insert(&Delivery { state: DeliveryState::Delivered, ..delivery(&team, "a", 50) }).await.unwrap()
    );
    tx.delivery_purge(3, 5).await.unwrap();
    let kept = tx.delivery_list(&ops.id, None, 50).await.unwrap();
    let facts = kept.iter().map(|delivery| delivery.fact.as_str()).collect::<Vec<_>>();
    assert_eq!(facts, ["11", "10", "9", "8", "7", "1"]);
    assert_eq!(tx.delivery_list(&team.id, None, 50).await.unwrap().len(), 1);
    assert!(tx.notification_channel_delete(&ops.id).await.unwrap());
    assert!(tx.delivery_list(&ops.id, None, 50).await.unwrap().is_empty());
}

pub(crate) async fn a_full_disk_is_noticed_once_until_it_is_cleared(fixture: Fixture) {
    let mut tx = fixture.store.write().await.unwrap();
    assert!(tx.node_disk_notice(&fixture.node, 1).await.unwrap());
    assert!(!tx.node_disk_notice(&fixture.node, 2).await.unwrap());
    tx.node_disk_notice_clear(&fixture.node).await.unwrap();
    assert!(tx.node_disk_notice(&fixture.node, 3).await.unwrap());
}
