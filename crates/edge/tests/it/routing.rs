use edge::Target;

use crate::support::{App, Running, get, until};

#[tokio::test]
async fn by_host_without_port_and_case() {
    let (edge, a, b) = (Running::start().await, App::says("a").await, App::says("b").await);
    edge.route("a.example", &a);
    edge.route("B.Example:80", &b);
    for (host, body) in [("a.example", "a"), ("A.EXAMPLE:8080", "a"), ("a.example.", "a"), ("b.example", "b")] {
        assert_eq!(edge.request(get(host)).await.body, body, "{host}");
    }
    let hosts: Vec<_> = edge.edge.routes().into_iter().map(|(host, _)| host).collect();
    assert_eq!(hosts, ["a.example", "b.example"]);
}

#[tokio::test]
async fn absolute_form_overrides_host() {
    let (edge, app) = (Running::start().await, App::mirror().await);
    edge.route("a.example", &app);
    for (target, line) in [
        ("http://a.example/x?y=1", "GET /x?y=1 HTTP/1.1\r\n"),
        ("http://A.example:80", "GET / HTTP/1.1\r\n"),
        ("http://a.example?q", "GET /?q HTTP/1.1\r\n"),
    ] {
        let reply = edge.request(format!("GET {target} HTTP/1.1\r\nHost: other.example\r\n\r\n")).await;
        assert_eq!(reply.status, 200, "{target}");
        assert!(reply.body.starts_with(line), "{target}: {}", reply.body);
        assert!(!reply.body.contains("other.example"), "{}", reply.body);
    }
}

#[tokio::test]
async fn one_connection_reaches_every_host() {
    let (edge, a, b) = (Running::start().await, App::says("a").await, App::says("b").await);
    edge.route("a.example", &a);
    edge.route("b.example", &b);
    let mut wire = edge.connect().await;
    for host in ["a.example", "b.example", "a.example"] {
        wire.send(get(host)).await;
        assert_eq!(wire.reply().await.body, host[..1]);
    }
    edge.edge.remove_route("a.example");
    wire.send(get("a.example")).await;
    assert_eq!(wire.reply().await.status, 404);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (edge, a, b) = (Running::start().await, App::says("a").await, App::says("b").await);
    edge.route("a.example", &a);
    edge.route("b.example", &b);
    let mut wire = edge.connect().await;
    wire.send([get("a.example"), get("b.example"), get("a.example")].concat()).await;
    for body in ["a", "b", "a"] {
        assert_eq!(wire.reply().await.body, body);
    }
}

#[tokio::test]
async fn a_listener_for_one_host_ignores_the_name_asked_for() {
    let (edge, app) = (Running::for_host("App.example").await, App::mirror().await);
    edge.route("app.example", &app);
    let reply = edge.request(get("localhost:3000")).await;
    assert!(reply.body.contains("\r\nhost: localhost:3000\r\n"), "{}", reply.body);
    edge.edge.set_route("app.example", Target::Starting);
    assert_eq!(edge.request(get("localhost:3000")).await.status, 503);
}

#[tokio::test]
async fn counts_what_is_in_flight() {
    let (edge, app) = (Running::start().await, App::says("a").await);
    let upstream = edge.route("a.example", &app);
    assert_eq!(edge.request(get("a.example")).await.body, "a");
    until(|| upstream.in_flight() == 0).await;
    assert_eq!(upstream.id(), app.addr.to_string());
    assert_eq!(upstream.origin(), &edge::Origin::Address(app.addr));
}
