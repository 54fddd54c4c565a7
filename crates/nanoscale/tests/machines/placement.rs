use std::collections::BTreeSet;
use std::time::Duration;

use ids::{DeploymentState, NodeAccess, NodeId, NodeStatus, PlacementState, ProjectId, ProjectStatus};
use serde_json::json;
use testkit::{Client, Database, Load, LogsQuery, Postgres, TestNode, wait_until};

use crate::apps::{deploy, node_app, node_app_with, project_with};
use crate::{BUILD, SHOWN, join, machine, project_on, server, wait_for_status};

fn wish(name: &str) -> api::ProjectCreate {
    api::ProjectCreate { name: name.into(), ..api::ProjectCreate::default() }
}

async fn placed(client: &Client, project: &ProjectId) -> Vec<(NodeId, PlacementState, bool)> {
    let project = client.project_get(project).await.unwrap();
    project.placements.into_iter().map(|it| (it.node_id, it.state, it.ready)).collect()
}

/// Waits until a project is ready on exactly these nodes.
async fn wait_for_placement(client: &Client, project: &ProjectId, nodes: &[&NodeId]) {
    let wanted = nodes.iter().copied().cloned().collect::<BTreeSet<_>>();
    wait_until(&format!("{project} is ready on {wanted:?} only"), BUILD, async || {
        let placed = placed(client, project).await;
        let on = placed.iter().map(|(node, _, _)| node.clone()).collect::<BTreeSet<_>>();
        on == wanted && placed.iter().all(|(_, state, ready)| *state == PlacementState::Wanted && *ready)
    })
    .await;
}

fn groups(node: &TestNode) -> Vec<String> {
    let entries = std::fs::read_dir(node.data_dir().join("node/groups")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_drained_without_a_failed_request_and_removed() {
    let server = server().start().await;
    let client = server.setup().await;
    let one = join(&server, &client, machine(), "one").await;
    let two = join(&server, &client, machine(), "two").await;
    let project = project_on(&client, "hello", &one).await;
    deploy(&client, &project, node_app("1")).await;
    let second = deploy(&client, &project, node_app("2")).await;
    wait_for_placement(&client, &project, &[one.id()]).await;
    let loads = [Load::gets(&server.app("hello.localhost")), Load::gets(&two.app("hello.localhost"))];
    for load in &loads {
        wait_until("it is visited", Duration::from_secs(10), async || load.so_far().requests > 20).await;
    }
    assert_eq!(client.node_drain(one.id()).await.unwrap().status, NodeStatus::Draining);
    wait_until("the machine is empty", BUILD, async || {
        let placed = placed(&client, &project).await;
        placed.len() == 1 && placed[0].0 != *one.id() && groups(&one).is_empty()
    })
    .await;
    for load in loads {
        let seen = load.so_far().requests;
        wait_until("it is still visited", Duration::from_secs(10), async || load.so_far().requests > seen + 20).await;
        load.stop().await.assert_clean();
    }
    assert!(client.node_get(one.id()).await.unwrap().workloads.is_empty());
    // What it was before can be gone back to, where it is now.
    let rolled = client.rollback(&project, None).await.unwrap();
    client.wait_for(&rolled.id, DeploymentState::Live, BUILD).await;
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().version(), Some("1"));
    assert_eq!(second.number, 2);
    // Nothing new comes to it, until it is resumed.
    let there = api::ProjectCreate { node_id: Some(one.id().to_string()), ..wish("new") };
    assert_eq!(client.project_create(&there).await.unwrap_err().code(), "NODE_DRAINING");
    assert_eq!(client.node_resume(one.id()).await.unwrap().status, NodeStatus::Online);
    client.node_remove(one.id(), false).await.unwrap();
    assert_eq!(client.nodes().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_spread_and_one_that_is_lost_is_not_missed() {
    let server = server().start().await;
    let client = server.setup().await;
    let mut one = join(&server, &client, machine(), "one").await;
    let two = join(&server, &client, machine(), "two").await;
    let create = api::ProjectCreate { node_id: Some(one.id().to_string()), replicas: Some(2), ..wish("hello") };
    let project = project_with(&client, create).await;
    deploy(&client, &project, node_app("1")).await;
    wait_until("there are two", BUILD, async || placed(&client, &project).await.iter().filter(|it| it.2).count() == 2)
        .await;
    let nodes = placed(&client, &project).await.into_iter().map(|(node, _, _)| node).collect::<Vec<_>>();
    let load = Load::gets(&server.app("hello.localhost"));
    // Each of them answers alone too.
    deploy(&client, &project, node_app("2")).await;
    load.wait_for_version("2").await;
    one.lose_power();
    wait_for_status(&client, &one, NodeStatus::Unreachable).await;
    let seen = load.so_far().requests;
    wait_until("it is still visited", SHOWN, async || load.so_far().requests > seen + 50).await;
    let report = load.stop().await;
    println!("{report}");
    // A request that was under way on the machine when it lost power may be lost with it.
    assert!(report.failures.len() <= 2, "{report}");
    assert_eq!(client.project_get(&project).await.unwrap().status, ProjectStatus::Live);
    one.start().await;
    let nodes = nodes.iter().collect::<Vec<_>>();
    wait_for_placement(&client, &project, &nodes).await;
    drop(two);
}

/// Each machine has what its own replica wrote.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_each_replica_is_read() {
    let server = server().start().await;
    let client = server.setup().await;
    let one = join(&server, &client, machine(), "one").await;
    let create = api::ProjectCreate { node_id: Some(one.id().to_string()), replicas: Some(2), ..wish("hello") };
    let project = project_with(&client, create).await;
    deploy(&client, &project, node_app_with("1", r#"console.log("I am " + process.hrtime.bigint());"#)).await;
    wait_until("there are two", BUILD, async || placed(&client, &project).await.iter().filter(|it| it.2).count() == 2)
        .await;
    let mut said = BTreeSet::new();
    for (node, _, _) in placed(&client, &project).await {
        for name in [node.to_string(), client.node_get(&node).await.unwrap().name] {
            let query = LogsQuery { node: Some(name), search: Some("I am".into()), ..LogsQuery::default() };
            let lines = client.project_logs(&project, &query).await.unwrap();
            assert_eq!(lines.len(), 1, "{lines:?}");
            said.insert(lines[0].text.clone());
        }
    }
    assert_eq!(said.len(), 2);
    let elsewhere = LogsQuery { node: Some("elsewhere".into()), ..LogsQuery::default() };
    assert_eq!(client.project_logs(&project, &elsewhere).await.unwrap_err().code(), "NOT_PLACED_THERE");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_move_is_built_elsewhere_when_its_machine_is_lost() {
    let server = server().config(json!({ "limits": { "reschedule_after_seconds": 2 } })).start().await;
    let client = server.setup().await;
    let mut one = join(&server, &client, machine(), "one").await;
    let create = api::ProjectCreate { node_id: Some(one.id().to_string()), reschedule: Some(true), ..wish("hello") };
    let moves = project_with(&client, create).await;
    let stays = project_on(&client, "stays", &one).await;
    deploy(&client, &moves, node_app("1")).await;
    deploy(&client, &stays, node_app("1")).await;
    one.lose_power();
    let app = server.app("hello.localhost");
    wait_until("it is live elsewhere", BUILD, async || {
        app.get("/").await.is_ok_and(|reply| reply.version() == Some("1"))
    })
    .await;
    let down = client.project_get(&stays).await.unwrap();
    assert_eq!((down.status, down.down_code.as_deref()), (ProjectStatus::Down, Some("NODE_UNREACHABLE")));
    // When it comes back it runs what it shall, and no more.
    one.start().await;
    wait_for_status(&client, &one, NodeStatus::Online).await;
    wait_until("it has what it shall have", SHOWN, async || {
        let workloads = client.node_get(one.id()).await.unwrap().workloads;
        workloads.len() == 1 && workloads[0].project_id == stays && groups(&one) == [stays.to_string()]
    })
    .await;
    wait_until("nothing is left of it", SHOWN, async || placed(&client, &moves).await.len() == 1).await;
    // What only the lost machine had is not waited for when it goes there again.
    let back = api::ProjectUpdate { node_id: Some(one.id().to_string()), ..api::ProjectUpdate::default() };
    client.project_update(&moves, &back).await.unwrap();
    wait_for_placement(&client, &moves, &[one.id()]).await;
}

#[tokio::test]
async fn a_project_moves_when_it_is_told_to_and_stays_with_its_volumes() {
    let server = server().start().await;
    let client = server.setup().await;
    let one = join(&server, &client, machine(), "one").await;
    let labels = [("region".to_owned(), "eu".to_owned())];
    let update = api::NodeUpdate { labels: Some(labels.clone().into()), ..api::NodeUpdate::default() };
    client.node_update(one.id(), &update).await.unwrap();
    let here = client.nodes().await.unwrap().into_iter().find(|node| node.embedded).unwrap().id;
    // By its labels.
    let create = api::ProjectCreate { node_labels: Some(labels.into()), ..wish("eu") };
    let eu = project_with(&client, create).await;
    assert_eq!(client.project_get(&eu).await.unwrap().node_id, *one.id());
    let nowhere = [("region".to_owned(), "us".to_owned())];
    let create = api::ProjectCreate { node_labels: Some(nowhere.into()), ..wish("us") };
    assert_eq!(client.project_create(&create).await.unwrap_err().code(), "NO_SUCH_NODE");

    let project = project_with(&client, api::ProjectCreate { node_id: Some(here.to_string()), ..wish("hello") }).await;
    deploy(&client, &project, node_app("1")).await;
    let there = api::ProjectUpdate { node_id: Some(one.id().to_string()), ..api::ProjectUpdate::default() };
    client.project_update(&project, &there).await.unwrap();
    wait_for_placement(&client, &project, &[one.id()]).await;
    assert_eq!(client.project_get(&project).await.unwrap().node_id, *one.id());
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().version(), Some("1"));

    let volume = api::Volume { name: "data".into(), path: "/data".into(), size_mb: None };
    let keeps = project_with(
        &client,
        api::ProjectCreate { node_id: Some(here.to_string()), volumes: Some(vec![volume]), ..wish("keeps") },
    )
    .await;
    assert_eq!(client.project_update(&keeps, &there).await.unwrap_err().code(), "VOLUMES_PINNED");
    let two = api::ProjectUpdate { replicas: Some(2), ..api::ProjectUpdate::default() };
    assert_eq!(client.project_update(&keeps, &two).await.unwrap_err().code(), "VOLUMES_PINNED");
    let many = api::ProjectUpdate { replicas: Some(0), ..api::ProjectUpdate::default() };
    assert_eq!(client.project_update(&project, &many).await.unwrap_err().code(), "INVALID_REPLICAS");
}

/// A server is its owner's to give away.
#[tokio::test]
async fn who_may_not_use_a_machine_puts_nothing_on_it() {
    let url = Postgres::shared().database();
    let server = server().database(Database::Postgres(url.clone())).start().await;
    let client = server.setup().await;
    let one = join(&server, &client, machine(), "one").await;
    let here = client.nodes().await.unwrap().into_iter().find(|node| node.embedded).unwrap().id;
    let project = project_with(&client, api::ProjectCreate { node_id: Some(here.to_string()), ..wish("hello") }).await;
    let theirs = client.join_token(&api::JoinTokenCreate::default()).await.unwrap();
    // From now on somebody else, whose machine it is not.
    Postgres::shared().psql(&url, "update users set role = 'user'");
    Postgres::shared().psql(&url, "update nodes set owner_id = null, access = 'owner' where embedded = 0");
    Postgres::shared().psql(&url, "update nodes set access = 'everybody' where embedded = 1");
    let mut server = server;
    server.restart().await;
    wait_for_status(&client, &one, NodeStatus::Online).await;
    let there = api::ProjectCreate { node_id: Some(one.id().to_string()), ..wish("there") };
    let refused = client.project_create(&there).await.unwrap_err();
    assert_eq!((refused.status, refused.code()), (403, "NODE_NOT_GRANTED"));
    let moved = api::ProjectUpdate { node_id: Some(one.id().to_string()), ..api::ProjectUpdate::default() };
    assert_eq!(client.project_update(&project, &moved).await.unwrap_err().code(), "NODE_NOT_GRANTED");
    let update = api::NodeUpdate { name: Some("mine".into()), ..api::NodeUpdate::default() };
    assert_eq!(client.node_update(one.id(), &update).await.unwrap_err().code(), "OWNER_ONLY");
    // What nobody chooses goes where it may.
    let create = api::ProjectCreate { replicas: Some(2), ..wish("anywhere") };
    let anywhere = project_with(&client, create).await;
    deploy(&client, &anywhere, node_app("1")).await;
    let placed = placed(&client, &anywhere).await.into_iter().map(|(node, _, _)| node).collect::<Vec<_>>();
    assert_eq!((client.project_get(&anywhere).await.unwrap().node_id, placed), (here.clone(), vec![here]));
    // It is granted.
    Postgres::shared().psql(&url, "update users set role = 'admin'");
    let grant = |names: &[&str]| api::NodeUpdate {
        access: Some(NodeAccess::Granted),
        granted_to: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..api::NodeUpdate::default()
    };
    for nobody in ["nobody", "", "no body"] {
        let refused = client.node_update(one.id(), &grant(&["admin", nobody])).await.unwrap_err();
        assert_eq!((refused.status, refused.code()), (400, "UNKNOWN_USER"));
    }
    assert_eq!(client.node_update(one.id(), &grant(&["admin", " admin"])).await.unwrap().granted_to, ["admin"]);
    Postgres::shared().psql(&url, "update users set role = 'user'");
    client.project_create(&there).await.unwrap();
    server.restart().await;
    assert_eq!(client.node_get(one.id()).await.unwrap().granted_to, ["admin"]);
    // Their own invitation is theirs, and no longer when somebody else made it.
    client.join_token_revoke(&theirs.id).await.unwrap();
}

#[tokio::test]
async fn a_project_in_a_container_says_that_it_stays() {
    let server = server().config(json!({ "images": { "allow_hosts": ["127.0.0.1:1"] } })).start().await;
    let client = server.setup().await;
    let image = |replicas, reschedule| api::ProjectCreate {
        image: Some("127.0.0.1:1/app:1".into()),
        replicas,
        reschedule,
        ..wish("boxed")
    };
    for create in [image(Some(2), None), image(None, Some(true))] {
        assert_eq!(client.project_create(&create).await.unwrap_err().code(), "IMAGE_PINNED");
    }
    assert!(client.project_list().await.unwrap().is_empty());
}
