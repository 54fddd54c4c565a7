use testkit::wait_until;

use crate::apps::{deploy, node_app, project};
use crate::{BUILD, server};

fn mentions(id: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("cgroup")).ok())
        .any(|text| text.contains(id))
}

#[tokio::test]
async fn a_deleted_project_leaves_nothing_and_its_name_is_free() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    let deployment = deploy(&client, &id, node_app("1")).await;
    assert!(mentions(deployment.id.as_str()));
    let status = client.project_delete(&id).await.unwrap();
    assert!(matches!(status, 202 | 204), "{status}");
    client.wait_deleted(&id, BUILD).await;
    assert!(!mentions(deployment.id.as_str()));
    assert_eq!(client.deployment_get(&deployment.id).await.unwrap_err().status, 404);
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().status, 404);
    let left = |directory: &str| std::fs::read_dir(server.data_dir().join(directory)).unwrap().count();
    wait_until("no file is left", BUILD, async || {
        ["node/groups", "node/logs", "node/runs", "node/uploads", "server/uploads"]
            .iter()
            .all(|directory| left(directory) == 0)
    })
    .await;
    let identities = std::fs::read_to_string(server.data_dir().join("node/identities.json")).unwrap();
    assert!(!identities.contains(id.as_str()), "{identities}");
    let instance = identities.split('"').nth(3).unwrap().to_owned();
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let group = hierarchy.path().join(format!("nanoscale-{instance}")).join(deployment.id.as_str());
        assert!(!group.exists(), "{}", group.display());
    }
    let again = project(&client, "hello").await;
    deploy(&client, &again, node_app("2")).await;
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().header("x-version"), Some("2"));
}
