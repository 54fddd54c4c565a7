//! Server, edge and node as three processes: what each may do, and that each may end while apps serve.

use std::collections::BTreeSet;

use ids::DeploymentState;
use testkit::{Database, Load, PATIENCE, Part, TestServer, wait_until};

use crate::apps::{archive, deploy, node_app, project};
use crate::{BUILD, server};

/// `CAP_NET_BIND_SERVICE` (capabilities(7)).
const ONLY_BIND: u64 = 1 << 10;

fn status_line(server: &TestServer, part: Part, name: &str) -> String {
    let pid = server.pid_of(part).unwrap();
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap().trim().to_owned()
}

/// Every right that the process has or could get.
fn capabilities(server: &TestServer, part: Part) -> u64 {
    let set = |name| u64::from_str_radix(&status_line(server, part, name), 16).unwrap();
    set("CapEff") | set("CapPrm") | set("CapInh") | set("CapAmb")
}

/// Addresses of TCP sockets of a process that listen.
fn listeners(server: &TestServer, part: Part) -> Vec<String> {
    let pid = server.pid_of(part).unwrap();
    let own = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let own = own.filter_map(|fd| {
        let target = std::fs::read_link(fd.path()).ok()?.display().to_string();
        Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    });
    let own = own.collect::<BTreeSet<_>>();
    let tables = ["tcp", "tcp6", "udp", "udp6"].map(|name| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")));
    let rows = tables.into_iter().flatten().flat_map(|table| table.lines().map(str::to_owned).collect::<Vec<_>>());
    let listens = |row: String| {
        let columns = row.split_whitespace().collect::<Vec<_>>();
        // 0A: TCP_LISTEN. 07: a UDP socket without a peer.
        let waits = matches!(columns.get(3), Some(&("0A" | "07")));
        (waits && own.contains(*columns.get(9)?)).then(|| columns[1].to_owned())
    };
    rows.filter_map(listens).collect()
}

#[tokio::test]
async fn each_process_has_the_rights_that_it_needs_and_no_more() {
    let server = server().separate().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    deploy(&client, &id, node_app("1")).await;
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().version(), Some("1"));

    assert_eq!(capabilities(&server, Part::Server), 0);
    assert_eq!(capabilities(&server, Part::Edge), ONLY_BIND);
    let users = [Part::Server, Part::Edge, Part::Node].map(|part| status_line(&server, part, "Uid"));
    assert_eq!(BTreeSet::from_iter(&users).len(), 3, "{users:?}");
    assert_eq!(users[2].split_whitespace().next(), Some("0"));
    assert_eq!(listeners(&server, Part::Node), [""; 0]);
    assert_eq!(listeners(&server, Part::Server).len(), 1);

    // Neither of the two can look into what is not its own.
    let mode = |name: &str| {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let metadata = std::fs::metadata(server.data_dir().join(name)).unwrap();
        (metadata.uid().to_string(), metadata.permissions().mode() & 0o777)
    };
    let user = |index: usize| users[index].split_whitespace().next().unwrap().to_owned();
    assert_eq!(mode("server"), (user(0), 0o700));
    assert_eq!(mode("edge"), (user(1), 0o700));
    assert_eq!(mode("."), (user(2), 0o711));
    for closed in ["node/groups", "node/runs", "node/logs", "node/uploads", "node/trash"] {
        assert_eq!(mode(closed), (user(2), 0o700), "{closed}");
    }

    let nodes = client.nodes().await.unwrap();
    let separated = nodes[0].capabilities.iter().find(|it| it.name == "separate_processes").unwrap();
    assert!(separated.enabled, "{separated:?}");
}

#[tokio::test]
async fn one_process_says_what_that_means() {
    let server = server().start().await;
    let client = server.setup().await;
    let nodes = client.nodes().await.unwrap();
    let separated = nodes[0].capabilities.iter().find(|it| it.name == "separate_processes").unwrap();
    assert!(!separated.enabled && separated.detail.contains("one process"), "{separated:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_and_node_end_and_return_and_no_visitor_notices() {
    let mut server = server().separate().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    deploy(&client, &id, node_app("1")).await;
    let load = Load::gets(&server.app("hello.localhost"));
    for part in [Part::Server, Part::Node, Part::Server, Part::Node] {
        server.kill_part(part);
        for _ in 0..20 {
            assert_eq!(server.app("hello.localhost").get("/").await.unwrap().version(), Some("1"));
        }
        server.start_part(part).await;
    }
    server.terminate_part(Part::Server);
    server.start_part(Part::Server).await;
    server.terminate_part(Part::Node);
    server.start_part(Part::Node).await;
    let second = client.upload(&id, node_app("2")).await.unwrap();
    client.wait_for(&second.id, DeploymentState::Live, BUILD).await;
    load.wait_for_version("2").await;
    load.stop().await.assert_clean();
}

#[tokio::test]
async fn an_edge_serves_by_what_it_knew_and_learns_what_it_missed() {
    let mut server = server().separate().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    deploy(&client, &id, node_app("1")).await;

    // Nobody is there to tell it anything.
    server.kill_part(Part::Node);
    server.kill_part(Part::Edge);
    server.start_part(Part::Edge).await;
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().version(), Some("1"));

    server.start_part(Part::Node).await;
    deploy(&client, &id, node_app("2")).await;
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().version(), Some("2"));

    // Without an edge nothing is called live that no visitor can reach.
    server.kill_part(Part::Edge);
    let third = client.upload(&id, node_app("3")).await.unwrap();
    let ready = "ready: visitors are sent here now";
    wait_until("the third is ready", BUILD, async || {
        client.log(&third.id).await.unwrap().iter().any(|line| line.text == ready)
    })
    .await;
    assert_eq!(client.deployment_get(&third.id).await.unwrap().state, DeploymentState::Starting);
    server.start_part(Part::Edge).await;
    client.wait_for(&third.id, DeploymentState::Live, BUILD).await;
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().version(), Some("3"));
    client.project_delete(&id).await.unwrap();
    client.wait_deleted(&id, BUILD).await;
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().status, 404);
}

/// What a reboot does, but for the kernel: every process ends, and only the edge and the node are started.
#[tokio::test]
async fn without_a_server_a_node_brings_its_apps_back() {
    let mut server = server().separate().start().await;
    let client = server.setup().await;
    let (first, second) = (project(&client, "first").await, project(&client, "second").await);
    deploy(&client, &first, node_app("1")).await;
    deploy(&client, &second, archive(&[("index.html", "static")])).await;
    server.kill();
    server.end_apps();
    server.start_part(Part::Edge).await;
    let gone = server.app("first.localhost").get("/").await.unwrap().status;
    assert!(matches!(gone, 502 | 503), "{gone}");

    server.start_part(Part::Node).await;
    for host in ["first.localhost", "second.localhost"] {
        wait_until("the app serves again", BUILD, async || {
            server.app(host).get("/").await.is_ok_and(|reply| reply.status == 200)
        })
        .await;
    }
    server.start_part(Part::Server).await;
    deploy(&client, &first, node_app("2")).await;
    assert_eq!(server.app("first.localhost").get("/").await.unwrap().version(), Some("2"));
}

#[tokio::test]
async fn a_database_put_back_to_an_older_state_is_followed_again() {
    let mut server = server().separate().database(Database::Sqlite).start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    deploy(&client, &id, node_app("1")).await;
    let directory = server.data_dir().join("server");
    let (database, backup) = (directory.join("nanoscale.db"), server.data_dir().join("backup.db"));
    server.terminate_part(Part::Server);
    std::fs::copy(&database, &backup).unwrap();
    server.start_part(Part::Server).await;
    deploy(&client, &id, node_app("2")).await;
    let app = server.app("hello.localhost");
    app.wait_for_version("2", PATIENCE).await;

    server.terminate_part(Part::Server);
    // In place, as it belongs to the server's user.
    std::fs::write(&database, std::fs::read(&backup).unwrap()).unwrap();
    for journal in ["nanoscale.db-wal", "nanoscale.db-shm"] {
        let _ = std::fs::remove_file(directory.join(journal));
    }
    assert_eq!(app.get("/").await.unwrap().version(), Some("2"));
    server.start_part(Part::Server).await;
    app.wait_for_version("1", PATIENCE).await;
    assert!(server.output().contains("an older copy"));
    deploy(&client, &id, node_app("3")).await;
    app.wait_for_version("3", PATIENCE).await;
}
