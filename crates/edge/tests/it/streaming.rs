use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

use crate::support::{App, Running, get, ok, soon, until};

const BIG: usize = 64 << 20;

#[tokio::test]
async fn an_upload_of_any_size() {
    let edge = Running::start().await;
    let app = App::start(|mut wire| async move {
        let head = wire.head().await.unwrap();
        assert!(head.contains(&format!("content-length: {BIG}\r\n")), "{head}");
        let (mut left, mut buffer) = (BIG - wire.buffer.len(), vec![0; 1 << 16]);
        while left > 0 {
            left -= soon(wire.stream.read(&mut buffer)).await.unwrap();
        }
        wire.send(ok("got it")).await;
    })
    .await;
    edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send(format!("PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {BIG}\r\n\r\n")).await;
    let part = vec![7; 1 << 20];
    for _ in 0..BIG / part.len() {
        wire.send(&part).await;
    }
    assert_eq!(wire.reply().await.body, "got it");
}

#[tokio::test]
async fn a_download_waits_for_its_reader() {
    let edge = Running::start().await;
    let sent = Arc::new(AtomicUsize::new(0));
    let app = App::start({
        let sent = sent.clone();
        move |mut wire| {
            let sent = sent.clone();
            async move {
                wire.head().await;
                wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {BIG}\r\n\r\n")).await;
                let part = vec![7; 1 << 16];
                for _ in 0..BIG / part.len() {
                    wire.send(&part).await;
                    sent.fetch_add(part.len(), Ordering::SeqCst);
                }
            }
        }
    })
    .await;
    let upstream = edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send(get("a.example")).await;
    wire.head().await.unwrap();
    // Nobody reads: what the upstream can send is what sockets and buffers hold, and then it stands still.
    let mut before = usize::MAX;
    while before != sent.load(Ordering::SeqCst) {
        before = sent.load(Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(before < BIG / 2, "{before} bytes were taken without a reader");
    assert_eq!(upstream.in_flight(), 1);

    let (mut left, mut buffer) = (BIG - wire.buffer.len(), vec![0; 1 << 16]);
    while left > 0 {
        left -= soon(wire.stream.read(&mut buffer)).await.unwrap();
    }
    until(|| upstream.in_flight() == 0).await;
}

#[tokio::test]
async fn each_event_arrives_before_the_next_is_sent() {
    let edge = Running::start().await;
    let next = Arc::new(Notify::new());
    let app = App::start({
        let next = next.clone();
        move |mut wire| {
            let next = next.clone();
            async move {
                wire.head().await;
                wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                    .await;
                for _ in 0..3 {
                    next.notified().await;
                    wire.send("9\r\ndata: x\n\n\r\n").await;
                }
                next.notified().await;
                wire.send("0\r\n\r\n").await;
                wire.fill().await;
            }
        }
    })
    .await;
    edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send(get("a.example")).await;
    assert!(wire.head().await.unwrap().contains("text/event-stream"));
    for _ in 0..3 {
        next.notify_one();
        assert_eq!(wire.chunk().await.unwrap(), b"data: x\n\n");
    }
    next.notify_one();
    assert_eq!(wire.chunk().await.unwrap(), b"");
}

#[tokio::test]
async fn both_directions_at_once() {
    let edge = Running::start().await;
    let app = App::start(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        while let Some(chunk) = wire.chunk().await {
            if chunk.is_empty() {
                break;
            }
            wire.send([format!("{:x}\r\n", chunk.len()).as_bytes(), &chunk, b"\r\n"].concat()).await;
        }
        wire.send("0\r\n\r\n").await;
    })
    .await;
    edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    wire.head().await.unwrap();
    for text in ["one", "two", "six"] {
        wire.send(format!("3\r\n{text}\r\n")).await;
        assert_eq!(wire.chunk().await.unwrap(), text.as_bytes());
    }
    wire.send("0\r\n\r\n").await;
    assert_eq!(wire.chunk().await.unwrap(), b"");
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let edge = Running::start().await;
    let app = App::start(|mut wire| async move {
        let head = wire.head().await.unwrap();
        assert!(head.contains("trailer: x-sum\r\n"), "{head}");
        let end = wire.line_end(b"x-sum: 1\r\n\r\n").await.unwrap();
        wire.cut(end);
        wire.send("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 2\r\n\r\n").await;
        wire.fill().await;
    })
    .await;
    edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send(
        "POST / HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
    )
    .await;
    wire.head().await.unwrap();
    assert!(wire.line_end(b"x-sum: 2\r\n\r\n").await.is_some());
}

#[tokio::test]
async fn expect_continue_is_answered_before_the_body() {
    let (edge, app) = (Running::start().await, App::mirror().await);
    edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send("PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n").await;
    assert!(wire.head().await.unwrap().starts_with("HTTP/1.1 100 "));
    wire.send("hi").await;
    assert!(wire.reply().await.body.ends_with("hi"));
}

#[tokio::test]
async fn expect_continue_for_nobody_needs_no_body() {
    let edge = Running::start().await;
    let reply = edge
        .request("PUT / HTTP/1.1\r\nHost: nobody.example\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn head_range_and_bodiless_statuses() {
    let edge = Running::start().await;
    let app = App::start(|mut wire| async move {
        while let Some(head) = wire.head().await {
            let reply = match head.split(' ').next().unwrap() {
                "HEAD" => "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_owned(),
                _ if head.contains("range: bytes=1-2") => {
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-2/9\r\nContent-Length: 2\r\n\r\nbc"
                        .to_owned()
                }
                _ if head.contains("if-none-match") => {
                    "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 1000\r\n\r\n".to_owned()
                }
                _ => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            };
            wire.send(reply).await;
        }
    })
    .await;
    let upstream = edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send("HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    assert!(wire.head().await.unwrap().contains("content-length: 1000\r\n"));
    wire.send("GET / HTTP/1.1\r\nHost: a.example\r\nRange: bytes=1-2\r\n\r\n").await;
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.body.as_str(), reply.field("content-range")), (206, "bc", Some("bytes 1-2/9")));
    wire.send("GET / HTTP/1.1\r\nHost: a.example\r\nIf-None-Match: \"x\"\r\n\r\n").await;
    assert!(wire.head().await.unwrap().starts_with("HTTP/1.1 304"));
    wire.send(get("a.example")).await;
    assert!(wire.head().await.unwrap().starts_with("HTTP/1.1 204"));
    until(|| upstream.in_flight() == 0).await;
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection() {
    let edge = Running::start().await;
    let app = App::start(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.0 200 OK\r\n\r\nall of it").await;
        wire.stream.shutdown().await.unwrap();
    })
    .await;
    edge.route("a.example", &app);
    let reply = edge.request(get("a.example")).await;
    assert_eq!((reply.body.as_str(), reply.field("transfer-encoding")), ("all of it", Some("chunked")));
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    let edge = Running::start().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let app = App::start(move |mut wire| {
        let tell = tell.clone();
        async move {
            let head = wire.head().await.unwrap();
            if head.starts_with("GET /stream") {
                wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n").await;
            }
            tell.send("came").unwrap();
            while wire.fill().await {}
            tell.send("went").unwrap();
        }
    })
    .await;
    let upstream = edge.route("a.example", &app);
    for path in ["/silent", "/stream"] {
        let mut wire = edge.connect().await;
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n")).await;
        assert_eq!(soon(told.recv()).await, Some("came"));
        assert_eq!(upstream.in_flight(), 1);
        drop(wire);
        assert_eq!(soon(told.recv()).await, Some("went"), "{path}");
        until(|| upstream.in_flight() == 0).await;
    }
}
