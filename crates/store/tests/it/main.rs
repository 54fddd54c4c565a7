//! The store on both engines: every test runs once on SQLite and once on a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ledger;
mod metrics;
mod notifications;
mod workspaces;

use domain::deployment::{Commit, Deployment, Failure};
use domain::node::Node;
use domain::project::{Project, ProjectSettings, RuntimeSettings};
use domain::user::User;
use ids::{DeploymentState, NodeAccess, NodeId, NodeState, ProjectId, SourceKind, Trigger, UserId};
use ledger::{a_token_spends_no_more_than_it_may, steps_of_completions_count_each_for_itself};
use notifications::{
    a_fact_is_told_once_per_channel, a_full_disk_is_noticed_once_until_it_is_cleared,
    an_attempt_is_claimed_once_and_counts_as_lost_after_a_while, channels_come_out_as_they_went_in,
    old_deliveries_go_and_waiting_ones_stay,
};
use store::{DeploymentChange, LoginAttempt, Store, StoreError};
use testkit::Postgres;
use workspaces::{
    a_port_of_the_server_is_one_persons_only, a_workspaces_transition_is_won_once,
    an_event_of_a_workspace_names_its_owner, another_start_forgets_what_the_last_one_came_to,
    how_somebody_works_is_kept, what_is_stopped_does_not_count, what_keeps_a_workspace_awake_ends_with_its_run,
    workspaces_are_found_by_whose_where_and_how_they_are,
};

/// A store, and what keeps its place alive.
struct Fixture {
    store: Store,
    url: String,
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
    tx.node_insert(&embedded(&node)).await.unwrap();
    tx.commit().await.unwrap();
    Fixture { store, url: url.to_owned(), user, node, _directory: directory }
}

fn embedded(id: &NodeId) -> Node {
    Node {
        id: id.clone(),
        name: "here".into(),
        embedded: true,
        state: NodeState::Active,
        public_key: None,
        labels: std::collections::BTreeMap::new(),
        owner: None,
        access: NodeAccess::Everybody,
        granted_to: Vec::new(),
        created_at: 1,
        last_seen_at: None,
    }
}

impl Fixture {
    fn project(&self, name: &str, port: u16) -> Project {
        Project {
            id: ProjectId::new(),
            name: name.into(),
            slug: name.into(),
            node_id: self.node.clone(),
            source: SourceKind::Git,
            runtime: RuntimeSettings::default(),
            placing: domain::project::Placing::default(),
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
    each_step_is_remembered_from_when_it_began,
    what_a_process_says_is_kept_within_bounds,
    one_active_deployment_per_project,
    names_slugs_and_ports_are_unique,
    setup_happens_once,
    eight_writers_lose_nothing,
    writers_that_take_rows_in_any_order_never_deadlock,
    event_positions_have_no_gaps,
    a_dropped_transaction_did_not_happen,
    opening_again_keeps_everything,
    a_lock_holds_until_it_ends_and_is_forgotten_later,
    channels_come_out_as_they_went_in,
    an_audit_entry_cannot_be_changed_unseen,
    a_fact_is_told_once_per_channel,
    an_attempt_is_claimed_once_and_counts_as_lost_after_a_while,
    old_deliveries_go_and_waiting_ones_stay,
    a_full_disk_is_noticed_once_until_it_is_cleared,
    a_token_spends_no_more_than_it_may,
    steps_of_completions_count_each_for_itself,
    workspaces_are_found_by_whose_where_and_how_they_are,
    a_workspaces_transition_is_won_once,
    another_start_forgets_what_the_last_one_came_to,
    what_is_stopped_does_not_count,
    an_event_of_a_workspace_names_its_owner,
    what_keeps_a_workspace_awake_ends_with_its_run,
    how_somebody_works_is_kept,
    a_port_of_the_server_is_one_persons_only,
);

async fn what_goes_in_comes_out(fixture: Fixture) {
    let project = fixture.insert_project("shop", 3100).await;
    let deployment = fixture.insert_deployment(&project).await;
    let mut tx = fixture.store.read().await.unwrap();
    assert_eq!(tx.project(&project.id).await.unwrap().unwrap(), project);
    assert_eq!(tx.project_by_slug(&"shop".parse().unwrap()).await.unwrap().unwrap(), project);
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

async fn each_step_is_remembered_from_when_it_began(fixture: Fixture) {
    let project = fixture.insert_project("a", 3100).await;
    let id = fixture.insert_deployment(&project).await.id;
    let (queued, building, starting) = (DeploymentState::Queued, DeploymentState::Building, DeploymentState::Starting);
    let mut tx = fixture.store.write().await.unwrap();
    tx.deployment_transition(&id, queued, building, DeploymentChange::default(), 10).await.unwrap();
    for (step, now) in [("fetch", 11), ("fetch", 12), ("build", 20)] {
        tx.deployment_progress(&id, step, None, None, now).await.unwrap();
    }
    let start = DeploymentChange { step: Some("start"), ..DeploymentChange::default() };
    tx.deployment_transition(&id, building, starting, start, 30).await.unwrap();
    tx.deployment_transition(&id, starting, DeploymentState::Live, DeploymentChange::default(), 40).await.unwrap();
    let steps = tx.deployment(&id).await.unwrap().unwrap().steps;
    let steps = steps.iter().map(|step| (step.name.as_str(), step.started_at)).collect::<Vec<_>>();
    assert_eq!(steps, [("fetch", 11), ("build", 20), ("start", 30)]);
}

async fn what_a_process_says_is_kept_within_bounds(fixture: Fixture) {
    let project = fixture.insert_project("a", 3100).await;
    let id = fixture.insert_deployment(&project).await.id;
    let (queued, building, failed) = (DeploymentState::Queued, DeploymentState::Building, DeploymentState::Failed);
    let mut tx = fixture.store.write().await.unwrap();
    tx.deployment_transition(&id, queued, building, DeploymentChange::default(), 1).await.unwrap();
    let commit = Commit { sha: "a".repeat(40), message: "é".repeat(5000), author: "\0".into() };
    tx.deployment_progress(&id, "fetch", Some(&commit), None, 1).await.unwrap();
    let last_lines = (0..1000).map(|number| format!("{number} {}", "x".repeat(1000))).collect();
    let failure = Failure { code: None, reason: "r".repeat(100_000), last_lines };
    let change = DeploymentChange { failure: Some(&failure), ..DeploymentChange::default() };
    tx.deployment_transition(&id, building, failed, change, 2).await.unwrap();
    let stored = tx.deployment(&id).await.unwrap().unwrap();
    let (commit, failure) = (stored.commit.unwrap(), stored.failure.unwrap());
    assert!(commit.message.len() <= 1024 && commit.message.ends_with("é…"), "{}", commit.message.len());
    assert_eq!(commit.author, "\u{fffd}");
    assert!(failure.reason.len() <= 4096);
    let bytes = failure.last_lines.iter().map(|line| line.len() + 1).sum::<usize>();
    assert!((60_000..=65_536).contains(&bytes), "{bytes}");
    assert!(failure.last_lines.last().unwrap().starts_with("999 "));
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

async fn writers_that_take_rows_in_any_order_never_deadlock(fixture: Fixture) {
    let (one, two) = (fixture.insert_project("a", 3100).await.id, fixture.insert_project("b", 3101).await.id);
    // As of another server on the same database.
    let other = Store::open(&fixture.url).await.unwrap();
    let mut tasks = Vec::new();
    for writer in 0..8 {
        let store = if writer < 4 { fixture.store.clone() } else { other.clone() };
        let (first, then) = if writer % 2 == 0 { (one.clone(), two.clone()) } else { (two.clone(), one.clone()) };
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                let mut tx = store.write().await.unwrap();
                tx.project_next_number(&first).await.unwrap();
                tx.event_insert("test", None, None, 1).await.unwrap();
                tx.project_next_number(&then).await.unwrap();
                tx.commit().await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let mut tx = fixture.store.write().await.unwrap();
    assert_eq!(tx.project_next_number(&one).await.unwrap(), 81);
    assert_eq!(tx.project_next_number(&two).await.unwrap(), 81);
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

async fn a_lock_holds_until_it_ends_and_is_forgotten_later(fixture: Fixture) {
    let attempt = async |now: i64| {
        let mut tx = fixture.store.write().await.unwrap();
        let attempt = tx.login_attempt("ada|10.0.0.1", now, now - 1000, now + 1000).await.unwrap();
        tx.commit().await.unwrap();
        attempt
    };
    assert_eq!(attempt(100).await, LoginAttempt::Counted { failures: 1 });
    assert_eq!(attempt(101).await, LoginAttempt::Counted { failures: 2 });
    let mut tx = fixture.store.write().await.unwrap();
    tx.login_lock("ada|10.0.0.1", 500).await.unwrap();
    assert_eq!(tx.login_locked_until("ada|10.0.0.1").await.unwrap(), 500);
    assert_eq!(tx.login_locked_until("eve|10.0.0.1").await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(attempt(499).await, LoginAttempt::Locked { until: 500 });
    assert_eq!(attempt(500).await, LoginAttempt::Counted { failures: 3 });
    // A lock of a clock that was set back since does not hold for all that time.
    let mut tx = fixture.store.write().await.unwrap();
    tx.login_lock("ada|10.0.0.1", 90_000).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(attempt(501).await, LoginAttempt::Counted { failures: 4 });
    // Failures further apart than the memory are counted anew.
    assert_eq!(attempt(2000).await, LoginAttempt::Counted { failures: 1 });
    let mut tx = fixture.store.write().await.unwrap();
    assert_eq!(tx.login_forget(2500, 1500).await.unwrap(), 0);
    assert_eq!(tx.login_forget(4000, 3000).await.unwrap(), 1);
}

macro_rules! metrics_on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite_metrics {
            use super::metrics;
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() { metrics::$name(metrics::sqlite().await).await; })*
        }
        mod postgres_metrics {
            use super::metrics;
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() { metrics::$name(metrics::postgres().await).await; })*
        }
    };
}

metrics_on_both!(
    what_goes_in_comes_out_and_a_process_is_added_up,
    longer_means_are_made_and_what_is_old_goes,
    a_thousand_machines_are_one_transaction_a_time,
);

/// Whoever changes, or takes out, an entry of the audit breaks the chain.
async fn an_audit_entry_cannot_be_changed_unseen(fixture: Fixture) {
    let mut tx = fixture.store.write().await.unwrap();
    for number in 1..=3 {
        tx.audit("admin", "node.drained", "id", &format!("the {number}th"), number).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = fixture.store.read().await.unwrap();
    assert_eq!(tx.audit_count().await.unwrap(), 3);
    let written = tx.audit_after(0, 10).await.unwrap();
    assert_eq!(tx.audit_list(Some("id"), i64::MAX, 2).await.unwrap().len(), 2);
    assert!(tx.audit_list(Some("other"), i64::MAX, 2).await.unwrap().is_empty());
    let is_chain = |events: &[store::AuditEvent]| {
        let before = std::iter::once("").chain(events.iter().map(|event| event.hash.as_str()));
        events.iter().zip(before).all(|(event, before)| event.hash == event.expected_hash(before))
    };
    assert!(is_chain(&written));
    let mut changed = written.clone();
    changed[1].actor = "somebody".into();
    assert!(!is_chain(&changed));
    assert!(!is_chain(&[written[0].clone(), written[2].clone()]));
}
