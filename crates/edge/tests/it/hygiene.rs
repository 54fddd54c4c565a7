use crate::support::{App, Running, field};

async fn seen(request: &str) -> String {
    let (edge, app) = (Running::start().await, App::mirror().await);
    edge.route("a.example", &app);
    let reply = edge.request(request).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

#[tokio::test]
async fn origin_is_told_by_the_proxy_alone() {
    let edge = Running::start().await;
    let app = App::mirror().await;
    edge.route("a.example", &app);
    let head = edge
        .request(
            "GET / HTTP/1.1\r\nHost: A.example:99\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n\
             X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /e\r\n\
             X_Forwarded_For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Mine: kept\r\n\r\n",
        )
        .await
        .body;
    let port = edge.addr.port().to_string();
    for (name, value) in [
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-host", Some("A.example:99")),
        ("x-forwarded-port", Some(port.as_str())),
        ("x-forwarded-prefix", None),
        ("forwarded", None),
        ("x-real-ip", None),
        ("x-mine", Some("kept")),
        ("host", Some("A.example:99")),
    ] {
        assert_eq!(field(&head, name), value, "{name}");
    }
    assert!(!head.contains("6.6.6.6") && !head.contains("7.7.7.7"), "{head}");
}

#[tokio::test]
async fn hop_by_hop_fields_end_here() {
    let head = seen(
        "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, X-Hop\r\nConnection: x-other\r\nX-Hop: 1\r\n\
         X-Other: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip;q=0.5\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Authorization: Basic x\r\nX-End: 1\r\n\r\n",
    )
    .await;
    for name in ["connection", "x-hop", "x-other", "keep-alive", "proxy-connection", "te", "upgrade"] {
        assert_eq!(field(&head, name), None, "{name}");
    }
    assert_eq!(field(&head, "proxy-authorization"), None);
    assert_eq!(field(&head, "x-end"), Some("1"));
}

#[tokio::test]
async fn an_upgrade_to_h2c_is_not_passed() {
    let head = seen(
        "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: x\r\n\r\n",
    )
    .await;
    for name in ["connection", "upgrade", "http2-settings"] {
        assert_eq!(field(&head, name), None, "{name}");
    }
}

#[tokio::test]
async fn te_trailers_passes() {
    let head = seen("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: TE\r\nTE: gzip, trailers\r\n\r\n").await;
    assert_eq!((field(&head, "te"), field(&head, "connection")), (Some("trailers"), Some("te")));
}

#[tokio::test]
async fn private_cookies_are_taken_out() {
    let head = seen(
        "GET / HTTP/1.1\r\nHost: a.example\r\nCookie: a=1; nanoscale_session=secret; b=2\r\n\
         Cookie: __Host-nanoscale_session=secret; nanoscale_port_1=secret\r\n\r\n",
    )
    .await;
    assert_eq!(field(&head, "cookie"), Some("a=1; b=2"));
    assert!(!head.contains("secret"), "{head}");
}

#[tokio::test]
async fn http_1_0_becomes_1_1_upstream_and_ends() {
    let (edge, app) = (Running::start().await, App::mirror().await);
    edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n").await;
    let reply = wire.reply().await;
    assert!(reply.head.starts_with("HTTP/1.0 200"), "{}", reply.head);
    assert!(reply.body.starts_with("GET / HTTP/1.1\r\n"), "{}", reply.body);
    assert!(wire.closed().await);
}

#[tokio::test]
async fn responses_lose_what_is_for_one_hop() {
    let edge = Running::start().await;
    let app = App::start(|mut wire| async move {
        while wire.head().await.is_some() {
            wire.send(
                "HTTP/1.1 299 Fine So Far\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\n\
                 Proxy-Authenticate: x\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-End: 1\r\nContent-Length: 0\r\n\r\n",
            )
            .await;
        }
    })
    .await;
    edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    for _ in 0..2 {
        wire.send(crate::support::get("a.example")).await;
        let reply = wire.reply().await;
        assert!(reply.head.starts_with("HTTP/1.1 299 Fine So Far\r\n"), "{}", reply.head);
        for name in ["connection", "x-hop", "keep-alive", "proxy-authenticate"] {
            assert_eq!(reply.field(name), None, "{name}");
        }
        assert_eq!(reply.field("x-end"), Some("1"));
        assert_eq!(reply.head.matches("set-cookie").count(), 2, "{}", reply.head);
    }
}

#[tokio::test]
async fn no_body_stays_no_body() {
    let head = seen("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    assert_eq!((field(&head, "content-length"), field(&head, "transfer-encoding")), (None, None));
    let head = seen("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(field(&head, "content-length"), Some("0"));
    let seen =
        seen("GET / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n").await;
    assert!(seen.ends_with("\r\n\r\nhi"), "{seen}");
}
