use std::net::SocketAddr;
use std::time::Duration;

use edge::{Config, Target};
use tokio::net::TcpListener;

use crate::support::{App, Running, get};

fn asking_json(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n\r\n")
}

#[tokio::test]
async fn unknown_host_as_page_and_json() {
    let edge = Running::start().await;
    let page = edge.request(get("nobody.example")).await;
    assert_eq!(page.status, 404);
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.field("cache-control"), Some("no-store"));
    assert!(page.body.contains("UNKNOWN_HOST") && page.body.contains("nobody.example"), "{}", page.body);

    let json = edge.request(asking_json("nobody.example")).await;
    assert_eq!(json.status, 404);
    let value: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(value["error"], "UNKNOWN_HOST");
    assert!(value["message"].as_str().unwrap().contains("nobody.example"));
}

#[tokio::test]
async fn starting_reloads() {
    let edge = Running::start().await;
    edge.edge.set_route("a.example", Target::Starting);
    let page = edge.request(get("a.example")).await;
    assert_eq!((page.status, page.field("retry-after")), (503, Some("1")));
    assert!(page.body.contains("http-equiv=\"refresh\"") && page.body.contains("STARTING"), "{}", page.body);
}

#[tokio::test]
async fn down_says_why_and_nothing_more() {
    let edge = Running::start().await;
    let reason = "It was stopped by <script>alert(\"x\")</script>".to_owned();
    edge.edge.set_route("a.example", Target::Down { reason: reason.clone() });
    let page = edge.request(get("a.example")).await;
    assert_eq!((page.status, page.field("retry-after")), (503, None));
    assert!(page.body.contains("&lt;script&gt;") && !page.body.contains("<script"), "{}", page.body);
    let json = edge.request(asking_json("a.example")).await;
    let value: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!((value["error"].as_str(), value["message"].as_str()), (Some("DOWN"), Some(reason.as_str())));
}

#[tokio::test]
async fn head_gets_no_body() {
    let edge = Running::start().await;
    let mut wire = edge.connect().await;
    wire.send("HEAD / HTTP/1.1\r\nHost: nobody.example\r\nConnection: close\r\n\r\n").await;
    assert!(wire.head().await.unwrap().starts_with("HTTP/1.1 404"));
    assert!(wire.closed().await);
}

#[tokio::test]
async fn an_upstream_that_refuses() {
    let edge = Running::start().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    edge.edge.set_route("a.example", Target::Upstream(edge.upstream(nobody)));
    let reply = edge.request(get("a.example")).await;
    assert_eq!(reply.status, 502);
    assert!(reply.body.contains("UPSTREAM_FAILED"), "{}", reply.body);
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_in_time() {
    let edge = Running::with(Config { connect_timeout: Duration::from_millis(50), ..Config::default() }).await;
    // TEST-NET-1 (RFC 5737): dropped, or refused at once where there is no route.
    let nowhere: SocketAddr = "192.0.2.1:9".parse().unwrap();
    edge.edge.set_route("a.example", Target::Upstream(edge.upstream(nowhere)));
    assert_eq!(edge.request(get("a.example")).await.status, 502);
}

#[tokio::test]
async fn an_upstream_that_speaks_something_else() {
    let edge = Running::start().await;
    let app = App::start(|mut wire| async move {
        wire.send("SSH-2.0-hello\r\n").await;
        wire.fill().await;
    })
    .await;
    edge.route("a.example", &app);
    assert_eq!(edge.request(get("a.example")).await.status, 502);
}

#[tokio::test]
async fn an_upstream_that_switches_protocols_unasked() {
    let edge = Running::start().await;
    let app = App::start(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").await;
        wire.fill().await;
    })
    .await;
    edge.route("a.example", &app);
    assert_eq!(edge.request(get("a.example")).await.status, 502);
}

#[tokio::test]
async fn an_answer_cut_short_is_not_passed_as_whole() {
    let edge = Running::start().await;
    let app = App::start(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
    })
    .await;
    edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send(get("a.example")).await;
    assert!(wire.try_reply().await.is_none());
}

#[tokio::test]
async fn a_head_that_takes_too_long() {
    let edge = Running::with(Config { header_timeout: Duration::from_millis(50), ..Config::default() }).await;
    let mut wire = edge.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost:").await;
    while wire.fill().await {}
}
