//! The stable loopback port that every project has.

use testkit::{PATIENCE, wait_until};

use crate::apps::{deploy, node_app, project_with};
use crate::server;

/// Servers of other tests give their projects the first port that is free, this one's too while nobody has it.
const FAR: i64 = 23_100;

#[tokio::test]
async fn a_port_that_was_taken_is_told_and_tried_again() {
    let mut server = server().start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate { name: "hello".into(), port: Some(FAR), ..api::ProjectCreate::default() };
    let id = project_with(&client, create).await;
    deploy(&client, &id, node_app("1")).await;
    let port = client.project_get(&id).await.unwrap().port;
    let by_port = async || reqwest::get(format!("http://127.0.0.1:{port}/")).await.is_ok_and(|it| it.status() == 200);
    assert!(by_port().await);
    assert_eq!(client.project_get(&id).await.unwrap().port_error, None);

    server.terminate();
    let squatter = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    server.restart().await;
    wait_until("the project tells of it", PATIENCE, async || {
        let project = client.project_get(&id).await.ok();
        project.and_then(|project| project.port_error).is_some_and(|error| error.contains(&port.to_string()))
    })
    .await;
    // Only the port: its host name answers.
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().version(), Some("1"));

    drop(squatter);
    wait_until("the port answers", PATIENCE, by_port).await;
    wait_until("nothing is told any more", PATIENCE, async || {
        client.project_get(&id).await.is_ok_and(|project| project.port_error.is_none())
    })
    .await;
    let warnings = server.output().matches("a project's port cannot be served").count();
    assert_eq!(warnings, 1, "what goes on is said once");
}
