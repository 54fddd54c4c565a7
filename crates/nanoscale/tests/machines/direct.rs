//! Machines that take connections of others: no server lies between a visitor and an app.

use std::net::SocketAddr;
use std::time::Duration;

use ids::NodeStatus;
use link::tls::Connector;
use link::{KeyPair, PublicKey};
use serde_json::json;
use testkit::{App, Client, Load, TestNode, TestServer, wait_some, wait_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::apps::{deploy, node_app};
use crate::{SHOWN, join, machine, project_on, server, wait_for_status};

const DIRECTLY: &str = "another node is reached directly";

fn listening() -> TestNode {
    machine().config(json!({ "worker": { "bind": "127.0.0.1:0" } }))
}

/// Two machines, and an app on the first one that the second one's edge sends visitors to.
async fn two(first: TestNode, second: TestNode) -> (TestServer, Client, TestNode, TestNode) {
    let server = server().start().await;
    let client = server.setup().await;
    let one = join(&server, &client, first, "one").await;
    let two = join(&server, &client, second, "two").await;
    let project = project_on(&client, "hello", &one).await;
    deploy(&client, &project, node_app("1")).await;
    reached(&two.app("hello.localhost")).await;
    (server, client, one, two)
}

async fn reached(app: &App) {
    wait_until("the app is reached", SHOWN, async || {
        app.get("/").await.is_ok_and(|reply| reply.version() == Some("1"))
    })
    .await;
}

async fn address(client: &Client, node: &TestNode) -> SocketAddr {
    wait_some("it says where it is", SHOWN, async || client.node_get(node.id()).await.ok()?.direct_address).await
}

/// The server is killed, and later the machine with the app.
#[tokio::test(flavor = "multi_thread")]
async fn visitors_pass_from_machine_to_machine_without_the_server() {
    let (mut server, client, one, two) = two(listening(), machine()).await;
    let app = two.app("hello.localhost");
    wait_until("the way is there", SHOWN, async || two.output().contains(DIRECTLY)).await;
    let at = address(&client, &one).await;
    assert!(at.ip().is_loopback());
    assert_eq!(client.node_get(two.id()).await.unwrap().direct_address, None);
    let load = Load::gets(&app);
    wait_until("it is visited", SHOWN, async || load.so_far().requests > 50).await;
    server.kill();
    let before = load.so_far().requests;
    wait_until("it is visited without a server", SHOWN, async || load.so_far().requests > before + 200).await;
    load.stop().await.assert_clean();
    // Both know each other after their own ends, too, when nobody could tell them.
    let mut one = one.config(json!({ "worker": { "bind": at } }));
    one.restart().await;
    reached(&app).await;
    server.restart().await;
    wait_for_status(&client, &one, NodeStatus::Online).await;
    reached(&app).await;
}

/// It says where it is, and is not to be found there: the server's way is taken at once, and nobody waits.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_does_not_answer_changes_nothing() {
    let elsewhere = json!({ "worker": { "bind": "127.0.0.1:0", "ip": "127.0.0.2" } });
    let (_server, client, one, two) = two(machine().config(elsewhere), machine()).await;
    assert_eq!(address(&client, &one).await.ip().to_string(), "127.0.0.2");
    wait_until("it was tried", SHOWN, async || two.output().contains("is reached through the control plane")).await;
    let load = Load::gets(&two.app("hello.localhost"));
    wait_until("it is visited", SHOWN, async || load.so_far().requests > 100).await;
    load.stop().await.assert_clean();
    assert!(!two.output().contains(DIRECTLY));
}

/// What somebody gets who dials the address: an HTTP/2 connection, when the key is a node's.
async fn gets_in(address: SocketAddr, key: &KeyPair, peer: PublicKey) -> bool {
    let stream = TcpStream::connect(address).await.unwrap();
    let Ok(mut stream) = Connector::new(key, peer).unwrap().connect(stream).await else { return false };
    let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let mut settings = [0; 9];
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut settings)).await;
    matches!(read, Ok(Ok(_)))
}

fn key(node: &TestNode) -> KeyPair {
    KeyPair::from_pkcs8(&std::fs::read(node.data_dir().join("node/link.key")).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_machines_of_the_cluster_come_in() {
    let (server, client, one, two) = two(listening(), listening()).await;
    let at = address(&client, &one).await;
    let (own, other) = (key(&one).public(), key(&two));
    assert!(gets_in(at, &other, own).await);
    assert!(!gets_in(at, &KeyPair::generate().unwrap(), own).await, "a key that nobody knows");
    assert!(!gets_in(at, &other, KeyPair::generate().unwrap().public()).await, "another machine was expected there");
    // Neither words nor silence.
    let mut stranger = TcpStream::connect(at).await.unwrap();
    stranger.write_all(b"GET /v1/peers/hello.localhost HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stranger.read_to_end(&mut said)).await.unwrap();
    assert!(!String::from_utf8_lossy(&said).contains("HTTP/1"));
    let mut silent = TcpStream::connect(at).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), silent.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "a connection that says nothing is kept");
    // From its removal on, a machine's key opens nothing.
    client.node_remove(two.id(), true).await.unwrap();
    wait_until("its key is worthless", SHOWN, async || !gets_in(at, &other, own).await).await;
    reached(&server.app("hello.localhost")).await;
}
