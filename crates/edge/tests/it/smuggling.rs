use crate::support::{App, Running, get, until};

#[tokio::test]
async fn what_could_be_read_two_ways_is_refused() {
    let (edge, app) = (Running::start().await, App::mirror().await);
    edge.route("a.example", &app);
    for (what, request) in [
        (
            "both lengths",
            "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "both, other order",
            "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        ),
        ("two lengths", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        ("a list of lengths", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1, 2\r\n\r\nab"),
        ("a signed length", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: +1\r\n\r\na"),
        ("chunked not last", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
        ("chunked in 1.0", "POST / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("space before colon", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        ("folded line", "GET / HTTP/1.1\r\nHost: a.example\r\nX: a\r\n b\r\n\r\n"),
        ("no host", "GET / HTTP/1.1\r\n\r\n"),
        ("two hosts", "GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n"),
        ("empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        ("host with user", "GET / HTTP/1.1\r\nHost: me@a.example\r\n\r\n"),
        ("host with path", "GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n"),
        ("hosts in a list", "GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n"),
        ("connect", "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ("other scheme", "GET ftp://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ("user in target", "GET http://me@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ] {
        let mut wire = edge.connect().await;
        wire.send(request).await;
        let reply = wire.reply().await;
        assert_eq!(reply.status, 400, "{what}: {}", reply.body);
        assert!(!wire.fill().await, "{what}: the connection is still open");
    }
}

#[tokio::test]
async fn the_second_request_is_looked_at_too() {
    let (edge, app) = (Running::start().await, App::mirror().await);
    edge.route("a.example", &app);
    let both = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let mut wire = edge.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc").await;
    assert_eq!(wire.reply().await.status, 200);
    wire.send(both).await;
    assert_eq!(wire.reply().await.status, 400);
    assert!(wire.closed().await);
}

#[tokio::test]
async fn an_ambiguous_request_that_hides_is_the_last_and_goes_by_its_chunks() {
    let (edge, app) = (Running::start().await, App::mirror().await);
    edge.route("a.example", &app);
    let both = "POST /both HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n\
                0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let mut wire = edge.connect().await;
    wire.send([get("a.example"), both.to_owned()].concat()).await;
    assert_eq!(wire.reply().await.status, 200);
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.field("connection")), (200, Some("close")));
    assert!(reply.body.starts_with("POST /both") && !reply.body.contains("content-length"), "{}", reply.body);
    assert!(!wire.fill().await);
}

#[tokio::test]
async fn an_upstream_with_two_lengths_does_not_confuse_the_client() {
    let edge = Running::start().await;
    let app = App::start(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            .await;
        wire.fill().await;
    })
    .await;
    edge.route("a.example", &app);
    let reply = edge.request(get("a.example")).await;
    assert_eq!((reply.body.as_str(), reply.field("content-length")), ("abc", None));
}

#[tokio::test]
async fn a_body_that_goes_wrong_is_the_clients_fault_and_reaches_no_end_upstream() {
    let (edge, app) = (Running::start().await, App::mirror().await);
    let upstream = edge.route("a.example", &app);
    for wrong in ["zz\r\nhello\r\n", "3\r\nabcX", "-1\r\n\r\n", "10000000000000000\r\n"] {
        let mut wire = edge.connect().await;
        wire.send(format!("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n{wrong}")).await;
        assert_eq!(wire.reply().await.status, 400, "{wrong:?}");
        assert!(!wire.fill().await, "{wrong:?}: the connection is still open");
        until(|| upstream.in_flight() == 0).await;
    }
}
