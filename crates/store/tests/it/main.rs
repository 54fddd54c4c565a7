//! The store on both engines: every test runs once on SQLite and once on a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod notifications;

use domain::deployment::{Deployment, Failure};
use domain::project::{Project, ProjectSettings};
use domain::user::User;
use ids::{DeploymentState, NodeId, ProjectId, SourceKind, Trigger, UserId};
use notifications::{
    a_fact_is_told_once_per_channel, a_full_disk_is_noticed_once_until_it_is_cleared,
    an_attempt_is_claimed_once_and_counts_as_lost_after_a_while, channels_come_out_as_they_went_in,
    old_deliveries_go_and_waiting_ones_stay,
};
use store::{DeploymentChange, Store, StoreError, StoredNode};
use testkit::Postgres;

/// A store, and what keeps its place alive.
struct Fixture {
    store: Store,
    user: UserId,
    node: NodeId,
    _directory: Option<tempfile::TempDir>,
}

async fn sqlite() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("test.db").display());
    fixture(&url, Some(directory)).await
}

async fn postgres() -> Fixture {
    fixture(&Postgres::shared().database(), None).await
}

async fn fixture(url: &str, directory: Option<tempfile::TempDir>) -> Fixture {
    let store = Store::open(url).await.unwrap();
    let (user, node) = (UserId::new(), NodeId::new());
    let mut tx = store.write().await.unwrap();
    let admin = User { id: user.clone(), username: "admin".into(), role: "superadmin".into() };
    tx.setup_complete(&admin, "hash", 1).await.unwrap();
    tx.node_upsert(&StoredNode { id: node.clone(), name: "here".into(), embedded: true }, 1).await.unwrap();
    tx.commit().await.unwrap();
    Fixture { store, user, node, _directory: directory }
}

impl Fixture {
    fn project(&self, name: &str, port: u16) -> Project {
        Project {
            id: ProjectId::new(),
            name: name.into(),
            slug: name.into(),
            node_id: self.node.clone(),
            source: SourceKind::Git,
            settings: ProjectSettings { branch: Some("main".into()), ..ProjectSettings::default() },
            port,
            upload: None,
            deleting: false,
            created_by: self.user.clone(),
            created_at: 5,
            updated_at: 5,
        }
    }

    async fn insert_project(&self, name: &str, port: u16) -> Project {
        let project = self.project(name, port);
        let mut tx = self.store.write().await.unwrap();
        tx.project_insert(&project).await.unwrap();
        tx.commit().await.unwrap();
        project
    }

    async fn insert_deployment(&self, project: &Project) -> Deployment {
        let mut tx = self.store.write().await.unwrap();
        let number = tx.project_next_number(&project.id).await.unwrap();
        let deployment = Deployment::queued(project.id.clone(), number, Trigger::Manual, 7);
        tx.deployment_insert(&deployment).await.unwrap();
        tx.commit().await.unwrap();
        deployment
    }
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite_engine { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(super::sqlite().await).await; })* }
        mod postgres_engine { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(super::postgres().await).await; })* }
    };
}

on_both!(
    what_goes_in_comes_out,
    a_transition_is_won_once,
    one_active_deployment_per_project,
    names_slugs_and_ports_are_unique,
    setup_happens_once,
    eight_writers_lose_nothing,
    event_positions_have_no_gaps,
    a_dropped_transaction_did_not_happen,
    opening_again_keeps_everything,
    channels_come_out_as_they_went_in,
    a_fact_is_told_once_per_channel,
    an_attempt_is_claimed_once_and_counts_as_lost_after_a_while,
    old_deliveries_go_and_waiting_ones_stay,
    a_full_disk_is_noticed_once_until_it_is_cleared,
);

async fn what_goes_in_comes_out(fixture: Fixture) {
    let project = fixture.insert_project("shop", 3100).await;
    let deployment = fixture.insert_deployment(&project).await;
    let mut tx = fixture.store.read().await.unwrap();
    assert_eq!(tx.project(&project.id).await.unwrap().unwrap(), project);
    assert_eq!(tx.project_by_slug("shop").await.unwrap().unwrap(), project);
    assert_eq!(tx.deployment(&deployment.id).await.unwrap().unwrap(), deployment);
    assert_eq!(tx.deployment_latest().await.unwrap(), [deployment]);
}

async fn a_transition_is_won_once(fixture: Fixture) {
    let project = fixture.insert_project("a", 3100).await;
    let deployment = fixture.insert_deployment(&project).await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (store, id) = (fixture.store.clone(), deployment.id.clone());
        tasks.push(tokio::spawn(async move {
            let mut tx = store.write().await.unwrap();
            let (from, to) = (DeploymentState::Queued, DeploymentState::Building);
            let won = tx.deployment_transition(&id, from, to, DeploymentChange::default(), 9).await.unwrap();
            tx.commit().await.unwrap();
            won
        }));
    }
    let mut wins = 0;
    for task in tasks {
        wins += usize::from(task.await.unwrap());
    }
    assert_eq!(wins, 1);
    let failure =
        Failure { code: Some("X".into()), reason: "because".into(), last_lines: vec!["a".into(), "b".into()] };
    let change = DeploymentChange { failure: Some(&failure), ..DeploymentChange::default() };
    let mut tx = fixture.store.write().await.unwrap();
    let (from, to) = (DeploymentState::Building, DeploymentState::Failed);
    assert!(tx.deployment_transition(&deployment.id, from, to, change, 11).await.unwrap());
    tx.commit().await.unwrap();
    let stored = fixture.store.read().await.unwrap().deployment(&deployment.id).await.unwrap().unwrap();
    assert_eq!((stored.started_at, stored.finished_at, stored.failure), (Some(9), Some(11), Some(failure)));
}

async fn one_active_deployment_per_project(fixture: Fixture) {
    let project = fixture.insert_project("a", 3100).await;
    let first = fixture.insert_deployment(&project).await;
    let second = fixture.insert_deployment(&project).await;
    let mut tx = fixture.store.write().await.unwrap();
    let (from, to) = (DeploymentState::Queued, DeploymentState::Building);
    assert!(tx.deployment_transition(&first.id, from, to, DeploymentChange::default(), 1).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = fixture.store.write().await.unwrap();
    let refused = tx.deployment_transition(&second.id, from, to, DeploymentChange::default(), 1).await;
    assert!(matches!(refused, Err(StoreError::Taken(_))), "{refused:?}");
}

async fn names_slugs_and_ports_are_unique(fixture: Fixture) {
    fixture.insert_project("a", 3100).await;
    for (name, port) in [("a", 3101), ("b", 3100)] {
        let mut tx = fixture.store.write().await.unwrap();
        let refused = tx.project_insert(&fixture.project(name, port)).await;
        assert!(matches!(refused, Err(StoreError::Taken(_))), "{name} {port}: {refused:?}");
    }
    let mut tx = fixture.store.write().await.unwrap();
    assert!(tx.project_insert(&fixture.project("low", 80)).await.is_err());
}

async fn setup_happens_once(fixture: Fixture) {
    let mut tx = fixture.store.write().await.unwrap();
    let second = User { id: UserId::new(), username: "other".into(), role: "superadmin".into() };
    let refused = tx.setup_complete(&second, "hash", 1).await;
    assert!(matches!(refused, Err(StoreError::Taken(_))), "{refused:?}");
    drop(tx);
    assert_eq!(fixture.store.read().await.unwrap().user_count().await.unwrap(), 1);
}

/// Read, then write, in one transaction: the case that SQLite refuses when it begins as a reader.
async fn eight_writers_lose_nothing(fixture: Fixture) {
    let project = fixture.insert_project("a", 3100).await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (store, id) = (fixture.store.clone(), project.id.clone());
        tasks.push(tokio::spawn(async move {
            for _ in 0..25 {
                let mut tx = store.write().await.unwrap();
                tx.project(&id).await.unwrap().unwrap();
                tx.project_next_number(&id).await.unwrap();
                tx.commit().await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let mut tx = fixture.store.write().await.unwrap();
    assert_eq!(tx.project_next_number(&project.id).await.unwrap(), 201);
}

async fn event_positions_have_no_gaps(fixture: Fixture) {
    let mut tasks = Vec::new();
    for writer in 0..8 {
        let store = fixture.store.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..10 {
                let mut tx = store.write().await.unwrap();
                tx.event_insert("test", None, None, 1).await.unwrap();
                // Some give up: their position must not be missing afterwards.
                if (writer + round) % 3 != 0 {
                    tx.commit().await.unwrap();
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let events = fixture.store.read().await.unwrap().events_after(0).await.unwrap();
    let positions = events.iter().map(|event| event.position).collect::<Vec<_>>();
    let count = i64::try_from(positions.len()).unwrap();
    assert!(count > 0);
    assert_eq!(positions, (1..=count).collect::<Vec<_>>());
}

async fn a_dropped_transaction_did_not_happen(fixture: Fixture) {
    let project = fixture.project("a", 3100);
    let mut tx = fixture.store.write().await.unwrap();
    tx.project_insert(&project).await.unwrap();
    drop(tx);
    assert!(fixture.store.read().await.unwrap().project(&project.id).await.unwrap().is_none());
}

async fn opening_again_keeps_everything(fixture: Fixture) {
    let mut tx = fixture.store.write().await.unwrap();
    let first = tx.next_epoch().await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = fixture.store.write().await.unwrap();
    assert_eq!(tx.next_epoch().await.unwrap(), first + 1);
    tx.commit().await.unwrap();
    assert!(fixture.store.ping().await.is_ok());
}
