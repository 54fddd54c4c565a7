use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use edge::{Config, Target};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Notify, mpsc};

use crate::support::{App, Running, get, ok, soon, until};

/// Counts connections; each answers `per_connection` requests, reads one more where told to, and ends.
async fn short_lived(per_connection: usize, reads_one_more: bool) -> (App, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (connections, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (connections.clone(), ended.clone());
    let app = App::start(move |mut wire| {
        let (connections, ended) = counts.clone();
        async move {
            connections.fetch_add(1, Ordering::SeqCst);
            for _ in 0..per_connection {
                if wire.message().await.is_none() {
                    return;
                }
                wire.send(ok("a")).await;
            }
            if reads_one_more {
                wire.head().await;
            }
            drop(wire);
            ended.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    (app, connections, ended)
}

#[tokio::test]
async fn connections_are_used_again() {
    let edge = Running::start().await;
    let (app, connections, _) = short_lived(1000, false).await;
    let upstream = edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    for _ in 0..100 {
        wire.send(get("a.example")).await;
        assert_eq!(wire.reply().await.status, 200);
        until(|| upstream.in_flight() == 0).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_closed_while_unused_fails_nobody() {
    let edge = Running::start().await;
    let (app, connections, ended) = short_lived(1, false).await;
    edge.route("a.example", &app);
    for n in 1..=50 {
        assert_eq!(edge.request(get("a.example")).await.status, 200);
        let post = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi";
        until(|| ended.load(Ordering::SeqCst) == 2 * n - 1).await;
        // A POST is safe only when the proxy has seen the end, which is on this thread, after these turns.
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
        assert_eq!(edge.request(post).await.status, 200);
        until(|| ended.load(Ordering::SeqCst) == 2 * n).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 100);
}

#[tokio::test]
async fn a_get_that_died_unanswered_on_a_used_connection_is_sent_again() {
    let edge = Running::start().await;
    let (app, connections, _) = short_lived(1, true).await;
    edge.route("a.example", &app);
    for _ in 0..10 {
        assert_eq!(edge.request(get("a.example")).await.status, 200);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 10);

    let post = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(edge.request(post).await.status, 502, "a POST that may have arrived is not sent twice");
}

#[tokio::test]
async fn a_get_that_died_on_a_new_connection_is_not_sent_again() {
    let edge = Running::start().await;
    let (app, connections, _) = short_lived(0, true).await;
    edge.route("a.example", &app);
    assert_eq!(edge.request(get("a.example")).await.status, 502);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_unused_connection_is_let_go() {
    let edge = Running::with(Config { upstream_idle: Duration::from_millis(50), ..Config::default() }).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let app = App::start(move |mut wire| {
        let tell = tell.clone();
        async move {
            wire.message().await;
            wire.send(ok("a")).await;
            assert!(wire.closed().await);
            tell.send(()).unwrap();
        }
    })
    .await;
    edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send(get("a.example")).await;
    assert_eq!(wire.reply().await.status, 200);
    soon(told.recv()).await.unwrap();
}

#[tokio::test]
async fn an_upstream_that_listens_a_moment_later() {
    let edge = Running::start().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = socket.local_addr().unwrap();
    let upstream = edge.upstream(addr);
    edge.edge.set_route("a.example", Target::Upstream(upstream.clone()));
    let mut wire = edge.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi").await;
    until(|| upstream.in_flight() == 1).await;
    let listener: TcpListener = socket.listen(16).unwrap();
    let _app = App::on(listener, |mut wire| async move {
        let message = wire.message().await.unwrap();
        wire.send(ok(std::str::from_utf8(&message.body).unwrap())).await;
        wire.fill().await;
    });
    assert_eq!(wire.reply().await.body, "hi");
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_upload() {
    let edge = Running::start().await;
    let enough = Arc::new(Notify::new());
    let app = App::start({
        let enough = enough.clone();
        move |mut wire| {
            let enough = enough.clone();
            async move {
                wire.head().await;
                wire.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!").await;
                enough.notified().await;
            }
        }
    })
    .await;
    let upstream = edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\nhi").await;
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.body.as_str()), (413, "no!"));
    drop(wire);
    until(|| upstream.in_flight() == 0).await;
    enough.notify_one();
}
