use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use edge::{Config, Drained, Target, Upstream};
use tokio::sync::Notify;

use crate::support::{App, Running, get, ok, soon, until};

/// Sends its answer's head and first half, and the rest when told.
async fn slow() -> (App, Arc<Notify>) {
    let go = Arc::new(Notify::new());
    let told = go.clone();
    let app = App::start(move |mut wire| {
        let told = told.clone();
        async move {
            while wire.message().await.is_some() {
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst").await;
                told.notified().await;
                wire.send("final").await;
            }
        }
    })
    .await;
    (app, go)
}

fn short() -> Config {
    Config { drain_timeout: Duration::from_millis(100), ..Config::default() }
}

#[tokio::test]
async fn waits_for_what_is_in_flight() {
    let edge = Running::start().await;
    let (old, go) = slow().await;
    let new = App::says("new").await;
    let upstream = edge.route("a.example", &old);
    let mut wire = edge.connect().await;
    wire.send(get("a.example")).await;
    wire.head().await.unwrap();

    edge.route("a.example", &new);
    let drain = tokio::spawn({
        let upstream = upstream.clone();
        async move { upstream.drain().await }
    });
    until(|| upstream.is_draining()).await;
    assert_eq!(edge.request(get("a.example")).await.body, "new");
    assert!(!drain.is_finished());
    go.notify_one();
    assert_eq!(wire.exactly(10).await.unwrap(), b"firstfinal");
    assert_eq!(soon(drain).await.unwrap(), Drained { cut: 0 });
    assert_eq!(upstream.in_flight(), 0);
    wire.send(get("a.example")).await;
    assert_eq!(wire.reply().await.body, "new", "the client's connection outlives the upstream");
    assert_eq!(soon(upstream.drain()).await, Drained { cut: 0 }, "may be called again");
}

#[tokio::test]
async fn cuts_at_the_deadline() {
    let edge = Running::with(short()).await;
    let (app, _go) = slow().await;
    let silent = App::start(|mut wire| async move { while wire.fill().await {} }).await;

    let upstream = edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send(get("a.example")).await;
    wire.head().await.unwrap();
    let began = Instant::now();
    assert_eq!(soon(upstream.drain()).await, Drained { cut: 1 });
    assert!(began.elapsed() >= Duration::from_millis(100));
    while wire.fill().await {}
    assert_eq!(wire.buffer, b"first");

    let upstream = edge.route("b.example", &silent);
    let mut wire = edge.connect().await;
    wire.send(get("b.example")).await;
    until(|| upstream.in_flight() == 1).await;
    assert_eq!(soon(upstream.drain()).await, Drained { cut: 1 });
    assert_eq!(wire.reply().await.status, 502);
    assert_eq!(upstream.in_flight(), 0);
}

#[tokio::test]
async fn unused_connections_end_when_the_drain_begins() {
    let edge = Running::start().await;
    let ended = Arc::new(AtomicBool::new(false));
    let app = App::start({
        let ended = ended.clone();
        move |mut wire| {
            let ended = ended.clone();
            async move {
                wire.message().await;
                wire.send(ok("a")).await;
                ended.store(wire.closed().await, Ordering::SeqCst);
            }
        }
    })
    .await;
    let upstream = edge.route("a.example", &app);
    assert_eq!(edge.request(get("a.example")).await.status, 200);
    soon(upstream.drain()).await;
    until(|| ended.load(Ordering::SeqCst)).await;
}

#[tokio::test]
async fn a_route_to_a_drained_upstream_says_come_back() {
    let (edge, app) = (Running::start().await, App::says("a").await);
    let upstream = edge.route("a.example", &app);
    soon(upstream.drain()).await;
    let reply = edge.request(get("a.example")).await;
    assert_eq!((reply.status, reply.field("retry-after")), (503, Some("1")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_lands_on_a_drained_upstream() {
    let edge = Running::start().await;
    let (stop, late, served) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    // One address serves all; what matters is which upstream is charged, and that it is charged before it is quiet.
    let app = App::says("a").await;
    let mut upstream: Arc<Upstream> = edge.route("a.example", &app);
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let (stop, served) = (stop.clone(), served.clone());
            let mut wire = None;
            let addr = edge.addr;
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let wire = match &mut wire {
                        Some(wire) => wire,
                        none => none.insert(crate::support::Wire::connect(addr).await),
                    };
                    wire.send(get("a.example")).await;
                    assert_eq!(wire.reply().await.status, 200);
                    served.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for round in 0..500 {
        until(|| served.load(Ordering::SeqCst) > round).await;
        let next = edge.upstream(app.addr);
        edge.edge.set_route("a.example", Target::Upstream(next.clone()));
        assert_eq!(soon(upstream.drain()).await, Drained { cut: 0 });
        // A claim that is given back counts for an instant, but never reaches the wire: nothing is left of it.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        if upstream.in_flight() != 0 {
            late.fetch_add(1, Ordering::SeqCst);
        }
        upstream = next;
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        soon(client).await.unwrap();
    }
    assert_eq!(late.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_closing_listener_finishes_its_requests() {
    let mut edge = Running::start().await;
    let (app, go) = slow().await;
    edge.route("a.example", &app);
    let mut idle = edge.connect().await;
    let mut fresh = edge.connect().await;
    idle.send(get("nobody.example")).await;
    assert_eq!(idle.reply().await.status, 404);
    let mut busy = edge.connect().await;
    busy.send(get("a.example")).await;
    busy.head().await.unwrap();

    let addr = edge.addr;
    edge.begin_shutdown();
    assert!(idle.closed().await && fresh.closed().await);
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
    go.notify_one();
    assert_eq!(busy.exactly(10).await.unwrap(), b"firstfinal");
    assert!(busy.closed().await);
    edge.ended().await;
}

#[tokio::test]
async fn a_closing_listener_cuts_at_the_deadline() {
    let mut edge = Running::with(short()).await;
    let (app, _go) = slow().await;
    edge.route("a.example", &app);
    let mut busy = edge.connect().await;
    busy.send(get("a.example")).await;
    busy.head().await.unwrap();
    edge.begin_shutdown();
    while busy.fill().await {}
    assert_eq!(busy.buffer, b"first");
    edge.ended().await;
}
