//! Rows of workspaces: a change is won once, and only its owner hears of it.

use domain::deployment::Failure;
use domain::idle::{Awake, Keeper};
use domain::workspace::{WorkSettings, Workspace, WorkspaceFilter};
use ids::{NodeId, PortAccess, ProjectId, TerminalId, UserId, WorkspaceId, WorkspaceState};
use store::{StoreError, StoredPort, WorkspaceChange};

use super::Fixture;

fn workspace(fixture: &Fixture, project: &ProjectId, name: &str) -> Workspace {
    Workspace {
        id: WorkspaceId::new(),
        project_id: project.clone(),
        owner_id: fixture.user.clone(),
        node_id: fixture.node.clone(),
        name: name.into(),
        branch: Some("main".into()),
        new_branch: None,
        state: WorkspaceState::Creating,
        state_since: 5,
        attempt: 1,
        generation: 1,
        steps: "[]".into(),
        failure: None,
        memory_mb: 2048,
        idle_timeout_seconds: 60,
        awake: Awake::default(),
        shutdown_deadline: None,
        created_at: 5,
        updated_at: 5,
    }
}

async fn insert(fixture: &Fixture, name: &str) -> Workspace {
    let project = fixture.insert_project(name, 3100 + u16::try_from(name.len()).unwrap()).await;
    let workspace = workspace(fixture, &project.id, name);
    let mut tx = fixture.store.write().await.unwrap();
    tx.workspace_insert(&workspace).await.unwrap();
    tx.commit().await.unwrap();
    workspace
}

async fn moved(
    fixture: &Fixture,
    id: &WorkspaceId,
    from: (WorkspaceState, i64),
    to: WorkspaceState,
    change: WorkspaceChange<'_>,
) -> bool {
    let mut tx = fixture.store.write().await.unwrap();
    let won = tx.workspace_transition(id, from, to, change, 9).await.unwrap();
    tx.commit().await.unwrap();
    won
}

pub(crate) async fn workspaces_are_found_by_whose_where_and_how_they_are(fixture: Fixture) {
    let (first, second) = (insert(&fixture, "a").await, insert(&fixture, "bb").await);
    assert!(
        moved(&fixture, &second.id, (WorkspaceState::Creating, 1), WorkspaceState::Running, WorkspaceChange::None)
            .await
    );
    let mut tx = fixture.store.read().await.unwrap();
    assert_eq!(tx.workspace(&first.id).await.unwrap().unwrap(), first);
    assert_eq!(tx.workspace(&WorkspaceId::new()).await.unwrap(), None);
    let ids = |found: Vec<Workspace>| found.into_iter().map(|it| it.id).collect::<Vec<_>>();
    let all = WorkspaceFilter::default();
    assert_eq!(ids(tx.workspace_list(&all).await.unwrap()), [second.id.clone(), first.id.clone()]);
    let of = [
        (WorkspaceFilter { owner: Some(fixture.user.clone()), ..all.clone() }, 2),
        (WorkspaceFilter { owner: Some(UserId::new()), ..all.clone() }, 0),
        (WorkspaceFilter { node: Some(fixture.node.clone()), ..all.clone() }, 2),
        (WorkspaceFilter { node: Some(NodeId::new()), ..all.clone() }, 0),
        (WorkspaceFilter { project: Some(first.project_id.clone()), ..all.clone() }, 1),
        (WorkspaceFilter { state: Some(WorkspaceState::Running), ..all.clone() }, 1),
    ];
    for (filter, count) in of {
        assert_eq!(tx.workspace_list(&filter).await.unwrap().len(), count, "{filter:?}");
    }
}

pub(crate) async fn a_workspaces_transition_is_won_once(fixture: Fixture) {
    let id = insert(&fixture, "a").await.id;
    let from = (WorkspaceState::Creating, 1);
    let tries = (0..8).map(|_| {
        let (store, id) = (fixture.store.clone(), id.clone());
        tokio::spawn(async move {
            let mut tx = store.write().await.unwrap();
            let none = WorkspaceChange::None;
            let won = tx.workspace_transition(&id, from, WorkspaceState::Running, none, 9).await.unwrap();
            tx.commit().await.unwrap();
            won
        })
    });
    let mut wins = 0;
    for one in tries.collect::<Vec<_>>() {
        wins += usize::from(one.await.unwrap());
    }
    assert_eq!(wins, 1);
    // What is said of an earlier start comes too late.
    assert!(!moved(&fixture, &id, (WorkspaceState::Running, 0), WorkspaceState::Error, WorkspaceChange::None).await);
    let read = async || fixture.store.read().await.unwrap().workspace(&id).await.unwrap().unwrap();
    let after = read().await;
    assert_eq!((after.state, after.state_since, after.updated_at, after.attempt), (WorkspaceState::Running, 9, 9, 1));
}

pub(crate) async fn another_start_forgets_what_the_last_one_came_to(fixture: Fixture) {
    use WorkspaceState::{Creating, Error, Recovery};
    let id = insert(&fixture, "a").await.id;
    let read = async || fixture.store.read().await.unwrap().workspace(&id).await.unwrap().unwrap();
    let progress = async |attempt: i64, steps: &str| {
        let mut tx = fixture.store.write().await.unwrap();
        let is_news = tx.workspace_progress(&id, attempt, steps, 7).await.unwrap();
        tx.commit().await.unwrap();
        is_news
    };
    assert!(progress(1, r#"[{"name":"clone"}]"#).await);
    assert!(!progress(1, r#"[{"name":"clone"}]"#).await, "the same is no news");
    assert!(!progress(2, "[1]").await, "nor is another start");
    let failure = Failure { code: Some("X".into()), reason: "because".into(), last_lines: vec!["a\0".into()] };
    assert!(moved(&fixture, &id, (Creating, 1), Recovery, WorkspaceChange::Failed(&failure)).await);
    let failed = read().await;
    assert_eq!(failed.failure.unwrap().last_lines, ["a\u{fffd}"]);
    assert_eq!(failed.steps, r#"[{"name":"clone"}]"#);
    assert!(moved(&fixture, &id, (Recovery, 1), Creating, WorkspaceChange::Restart).await);
    let again = read().await;
    assert_eq!((again.attempt, again.generation, again.steps.as_str(), again.failure), (2, 1, "[]", None));
    assert!(moved(&fixture, &id, (Creating, 2), Error, WorkspaceChange::Failed(&failure)).await);
    assert!(moved(&fixture, &id, (Error, 2), Creating, WorkspaceChange::Rebuild).await);
    let anew = read().await;
    assert_eq!((anew.attempt, anew.generation, anew.failure), (3, 2, None));
}

pub(crate) async fn what_is_stopped_does_not_count(fixture: Fixture) {
    use WorkspaceState::{Creating, Deleting, Stopped, Stopping};
    let (first, second) = (insert(&fixture, "a").await, insert(&fixture, "bb").await);
    let counts = async || {
        let mut tx = fixture.store.read().await.unwrap();
        let of_user = tx.workspace_active_of(&fixture.user).await.unwrap();
        let on_node = tx.workspace_active_by_node().await.unwrap().get(&fixture.node).copied().unwrap_or_default();
        assert_eq!(tx.workspace_active_of(&UserId::new()).await.unwrap(), 0);
        (of_user, on_node)
    };
    assert_eq!(counts().await, (2, 2));
    moved(&fixture, &first.id, (Creating, 1), Stopping, WorkspaceChange::None).await;
    assert_eq!(counts().await, (2, 2));
    moved(&fixture, &first.id, (Stopping, 1), Stopped, WorkspaceChange::None).await;
    moved(&fixture, &second.id, (Creating, 1), Deleting, WorkspaceChange::None).await;
    assert_eq!(counts().await, (0, 0));
    let mut tx = fixture.store.write().await.unwrap();
    assert!(tx.workspace_update(&first.id, "other", 0, None, 10).await.unwrap());
    assert!(!tx.workspace_update(&second.id, "other", 0, None, 10).await.unwrap());
    // Only what is on its way out goes, and its project only after it.
    assert!(!tx.workspace_delete(&first.id).await.unwrap());
    assert!(tx.workspace_delete(&second.id).await.unwrap());
    tx.project_mark_deleting(&second.project_id, 1).await.unwrap();
    assert!(tx.project_delete(&second.project_id).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = fixture.store.write().await.unwrap();
    tx.project_mark_deleting(&first.project_id, 1).await.unwrap();
    assert!(matches!(tx.project_delete(&first.project_id).await, Err(StoreError::Query(_))));
}

pub(crate) async fn what_keeps_a_workspace_awake_ends_with_its_run(fixture: Fixture) {
    use WorkspaceState::{Creating, Running, Stopped, Stopping};
    let id = insert(&fixture, "a").await.id;
    let read = async || fixture.store.read().await.unwrap().workspace(&id).await.unwrap().unwrap();
    let keeper = Keeper {
        terminal: TerminalId::new(),
        terminal_name: "Build".into(),
        job: Some("17".into()),
        command: Some("make all".into()),
    };
    let wanted = Awake { until: Some(99), by: Some(keeper) };
    let keep = async |attempt: i64, awake: &Awake| {
        let mut tx = fixture.store.write().await.unwrap();
        let kept = tx.workspace_awake(&id, attempt, awake, 8).await.unwrap();
        tx.commit().await.unwrap();
        kept
    };
    let deadline = async |at: i64| {
        let mut tx = fixture.store.write().await.unwrap();
        assert!(tx.workspace_update(&id, "a", 60, Some(at), 8).await.unwrap());
        tx.commit().await.unwrap();
    };
    assert!(!keep(1, &wanted).await, "it does not run yet");
    assert!(moved(&fixture, &id, (Creating, 1), Running, WorkspaceChange::None).await);
    assert!(!keep(2, &wanted).await, "this is another start");
    assert!(keep(1, &wanted).await);
    deadline(1000).await;
    let kept = read().await;
    assert_eq!((&kept.awake, kept.shutdown_deadline), (&wanted, Some(1000)));
    assert!(moved(&fixture, &id, (Running, 1), Stopping, WorkspaceChange::None).await);
    assert!(moved(&fixture, &id, (Stopping, 1), Stopped, WorkspaceChange::None).await);
    assert_eq!(read().await.awake, Awake::default());
    // A deadline ahead stays, one that has passed would end the next run at once.
    assert!(moved(&fixture, &id, (Stopped, 1), Creating, WorkspaceChange::Restart).await);
    assert_eq!(read().await.shutdown_deadline, Some(1000));
    assert!(moved(&fixture, &id, (Creating, 2), Stopping, WorkspaceChange::None).await);
    assert!(moved(&fixture, &id, (Stopping, 2), Stopped, WorkspaceChange::None).await);
    deadline(9).await;
    assert!(moved(&fixture, &id, (Stopped, 2), Creating, WorkspaceChange::Restart).await);
    assert_eq!(read().await.shutdown_deadline, None);
}

pub(crate) async fn an_event_of_a_workspace_names_its_owner(fixture: Fixture) {
    let workspace = insert(&fixture, "a").await;
    let mut tx = fixture.store.write().await.unwrap();
    tx.workspace_event("workspace.updated", &workspace, 6).await.unwrap();
    tx.event_insert("node.updated", None, None, 6).await.unwrap();
    tx.commit().await.unwrap();
    let events = fixture.store.read().await.unwrap().events_after(0).await.unwrap();
    let told = events.into_iter().map(|it| (it.kind, it.project_id, it.workspace_id, it.owner_id)).collect::<Vec<_>>();
    let own = ("workspace.updated".into(), Some(workspace.project_id), Some(workspace.id), Some(workspace.owner_id));
    assert_eq!(told, [own, ("node.updated".into(), None, None, None)]);
}

pub(crate) async fn how_somebody_works_is_kept(fixture: Fixture) {
    let settings =
        WorkSettings { git_name: Some("Ada".into()), git_email: None, dotfiles_url: Some("https://x/y".into()) };
    let mut tx = fixture.store.write().await.unwrap();
    assert_eq!(tx.work_settings(&fixture.user).await.unwrap(), WorkSettings::default());
    tx.work_settings_put(&fixture.user, &WorkSettings::default()).await.unwrap();
    tx.work_settings_put(&fixture.user, &settings).await.unwrap();
    assert_eq!(tx.work_settings(&fixture.user).await.unwrap(), settings);
}

pub(crate) async fn a_port_of_the_server_is_one_persons_only(fixture: Fixture) {
    let (id, other) = (insert(&fixture, "a").await.id, UserId::new());
    let allot = async |owner: &UserId, port: u16, now: i64| {
        let mut tx = fixture.store.write().await.unwrap();
        let number = tx.own_port_allot(owner, (&id, port), (&(20_000..=20_003), 3), now).await.unwrap();
        tx.commit().await.unwrap();
        number
    };
    let open = async |port: u16| {
        let mut tx = fixture.store.write().await.unwrap();
        let stored = StoredPort { port, access: PortAccess::Public, link_digest: None };
        tx.workspace_port_put(&id, &stored, 10).await.unwrap();
        tx.commit().await.unwrap();
    };
    let owner = &fixture.user;
    let at_once = tokio::join!(allot(owner, 1, 1), allot(owner, 2, 2), allot(owner, 3, 3));
    let (Some(of_one), Some(of_two), Some(of_three)) = at_once else { panic!("{at_once:?}") };
    let mut numbers = [of_one, of_two, of_three];
    numbers.sort_unstable();
    assert_eq!(numbers, [20_000, 20_001, 20_002]);
    assert_eq!(allot(owner, 2, 9).await, Some(of_two), "it stays where it is");
    let found = async |number: u16| fixture.store.read().await.unwrap().own_port(number).await.unwrap();
    assert_eq!((found(of_two).await, found(20_003).await), (Some((id.clone(), 2)), None));

    // They have as many as one person may. 3 was asked for before 2 was again; 1 is open to others.
    open(1).await;
    assert_eq!(allot(owner, 4, 10).await, Some(of_three));
    open(2).await;
    open(4).await;
    assert_eq!(allot(owner, 5, 11).await, None);
    assert_eq!(allot(&other, 6, 12).await, Some(20_003));

    // Nothing is left of the workspace but whose numbers these were: there is one for its owner, and none for others.
    assert!(moved(&fixture, &id, (WorkspaceState::Creating, 1), WorkspaceState::Deleting, WorkspaceChange::None).await);
    let mut tx = fixture.store.write().await.unwrap();
    assert!(tx.workspace_delete(&id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(found(of_one).await, None);
    let id = insert(&fixture, "bb").await.id;
    let mut tx = fixture.store.write().await.unwrap();
    let all = &(20_000..=20_003);
    assert_eq!(tx.own_port_allot(&UserId::new(), (&id, 1), (all, 3), 13).await.unwrap(), None);
    assert_eq!(tx.own_port_allot(owner, (&id, 1), (all, 3), 13).await.unwrap(), Some(of_one));
}
