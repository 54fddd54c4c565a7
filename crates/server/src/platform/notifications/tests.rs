//! Facts that nothing in this crate tells yet.

use std::sync::Arc;
use std::time::Duration;

use domain::node::Node;
use domain::notification::Delivery;
use domain::project::{Placing, Project, ProjectSettings};
use domain::user::User;
use ids::{
    DeploymentId, NodeAccess, NodeId, NodeState, NotificationEvent, NotificationKind, ProjectId, SourceKind, UserId,
};
use store::Store;

use super::Notifications;
use crate::config::NotificationConfig;
use crate::platform::vault::{KeyRing, Vault};

fn config() -> NotificationConfig {
    NotificationConfig {
        public_url: "https://cloud.example.com".into(),
        allow_hosts: Vec::new(),
        first_retry: Duration::from_secs(10),
        disk_notice_percent: 90,
    }
}

async fn project(store: &Store) -> Project {
    let (user, node) = (UserId::new(), NodeId::new());
    let project = Project {
        id: ProjectId::new(),
        name: "shop".into(),
        slug: "shop".into(),
        node_id: node.clone(),
        source: SourceKind::Upload,
        runtime: domain::project::RuntimeSettings::default(),
        placing: Placing::default(),
        settings: ProjectSettings::default(),
        port: 3100,
        upload: None,
        deleting: false,
        created_by: user.clone(),
        created_at: 0,
        updated_at: 0,
    };
    let mut tx = store.write().await.unwrap();
    tx.setup_complete(&User { id: user, username: "ada".into(), role: "superadmin".into() }, "", 0).await.unwrap();
    let here = Node {
        id: node,
        name: "here".into(),
        embedded: true,
        state: NodeState::Active,
        public_key: None,
        labels: std::collections::BTreeMap::new(),
        owner: None,
        access: NodeAccess::Everybody,
        granted_to: Vec::new(),
        created_at: 0,
        last_seen_at: None,
    };
    tx.node_insert(&here).await.unwrap();
    tx.project_insert(&project).await.unwrap();
    tx.commit().await.unwrap();
    project
}

#[tokio::test]
async fn a_crash_loop_and_a_failed_run_are_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite:{}", directory.path().join("test.db").display())).await.unwrap();
    let vault = Arc::new(Vault::new(&KeyRing::generate()).unwrap());
    let notifications = Notifications::new(store.clone(), vault, config());
    let project = project(&store).await;
    let url = Some("https://192.0.43.8/hook".to_owned());
    let create = api::NotificationChannelCreate {
        name: "ops".into(),
        kind: NotificationKind::Webhook,
        settings: api::NotificationSettings { url, ..api::NotificationSettings::default() },
        events: None,
        project_ids: Some(vec![project.id.clone()]),
        enabled: None,
    };
    let channel = notifications.create(create).await.unwrap().channel.id;
    let deployment = DeploymentId::new();
    let mut tx = store.write().await.unwrap();
    for since in [100, 100, 200] {
        notifications.crash_loop(&mut tx, &project, &deployment, since, 5, "exit code 1").await.unwrap();
    }
    for run in ["run-1", "run-1"] {
        notifications.schedule_failed(&mut tx, &project, "nightly", run, "exit code 2").await.unwrap();
    }
    tx.commit().await.unwrap();
    let told = store.read().await.unwrap().delivery_list(&channel, None, 10).await.unwrap();
    let of = |event| told.iter().filter(|told| told.event == event).collect::<Vec<&Delivery>>();
    let loops = of(NotificationEvent::WorkloadCrashLoop);
    assert_eq!(loops.len(), 2, "a loop that begins anew is news");
    assert_eq!(loops[0].deployment_id, Some(deployment));
    let runs = of(NotificationEvent::ScheduleFailed);
    assert_eq!(runs.len(), 1);
    let payload = serde_json::from_str::<api::NotificationPayload>(&runs[0].payload).unwrap();
    assert_eq!(payload.schedule.unwrap().name, "nightly");
    assert_eq!(payload.url, format!("https://cloud.example.com/projects/{}", project.id));
    assert!(payload.message.contains("nightly") && payload.message.contains("exit code 2"));
}
