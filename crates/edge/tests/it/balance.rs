//! One host, several upstreams.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use edge::control::{Control, Destination, Member};
use edge::{Origin, Target, Upstream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpStream, UnixListener};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, client_async};

use crate::driver::{Driver, among, plan};
use crate::load::{Load, post};
use crate::support::{App, Running, get, ok, soon};

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nanoscale-test-edge-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Passes what connects to a Unix socket on to `to`, as a tunnel does, until it is dropped.
struct Passage(AbortHandle);

impl Passage {
    fn open(path: &Path, to: SocketAddr) -> Self {
        // From where the path is short enough to be bound.
        let (directory, name) = (path.parent().unwrap(), path.file_name().unwrap());
        let directory = std::fs::File::open(directory).unwrap();
        let short = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&directory));
        let listener = UnixListener::bind(Path::new(&short).join(name)).unwrap();
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(to).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self(accepting.abort_handle())
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_two_drains_under_load_and_nobody_notices() {
    let edge = Running::start().await;
    let mut driver = Driver::of(&Control::new(edge.edge.clone(), None));
    let stays = App::says("stays").await;
    let mut leaves = App::says("0").await;
    driver.tell(&plan(1, &[("a.example", among(&[("stays", stays.addr), ("0", leaves.addr)]))])).await;
    driver.until(|report| report.generation == 1 && report.upstreams.len() == 2).await;
    let load = Load::of(&edge, &[get("a.example"), post("a.example")], 32);
    for number in 1..=10_u64 {
        load.more(300).await;
        let next = App::says(number.to_string()).await;
        let (old, new) = ((number - 1).to_string(), number.to_string());
        driver.tell(&plan(2 * number, &[("a.example", among(&[("stays", stays.addr)]))])).await;
        driver.until(|report| report.generation == 2 * number && !report.upstreams.contains(&old)).await;
        drop(std::mem::replace(&mut leaves, next));
        load.more(100).await;
        let both = among(&[("stays", stays.addr), (&new, leaves.addr)]);
        driver.tell(&plan(2 * number + 1, &[("a.example", both)])).await;
        driver.until(|report| report.generation == 2 * number + 1).await;
    }
    load.end().await;
}

#[tokio::test]
async fn where_one_drains_the_other_is_asked_and_where_all_do_it_is_starting() {
    let edge = Running::start().await;
    let apps = [App::says("a").await, App::says("b").await];
    let upstreams = apps.iter().map(|app| edge.upstream(app.addr)).collect::<Arc<[_]>>();
    edge.edge.set_route("a.example", Target::Upstreams(upstreams.clone()));
    soon(upstreams[0].drain()).await;
    for _ in 0..20 {
        assert_eq!(edge.request(get("a.example")).await.body, "b");
    }
    soon(upstreams[1].drain()).await;
    let reply = edge.request(get("a.example")).await;
    assert_eq!((reply.status, reply.field("retry-after")), (503, Some("1")));
}

#[tokio::test]
async fn a_socket_with_a_long_path() {
    let edge = Running::start().await;
    let directory = Directory::new("long");
    let deep = directory.0.join("d".repeat(100)).join("e".repeat(100));
    std::fs::create_dir_all(&deep).unwrap();
    let path = deep.join("tunnel.sock");
    let app = App::mirror().await;
    let _passage = Passage::open(&path, app.addr);
    let upstream = Upstream::new("far".into(), Origin::Socket(path), &edge.config);
    edge.edge.set_route("a.example", Target::Upstream(Arc::new(upstream)));
    let mut wire = edge.connect().await;
    for _ in 0..3 {
        wire.send(post("a.example")).await;
        let reply = wire.reply().await;
        assert!(reply.status == 200 && reply.body.ends_with("\r\n\r\nhi"), "{}", reply.body);
    }
}

#[tokio::test]
async fn a_socket_whose_backlog_is_full() {
    let edge = Running::start().await;
    let directory = Directory::new("full");
    let path = directory.0.join("tunnel.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let waiting = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let upstream = Arc::new(Upstream::new("far".into(), Origin::Socket(path), &edge.config));
    edge.edge.set_route("a.example", Target::Upstreams(Arc::new([upstream.clone(), upstream])));
    let mut wire = edge.connect().await;
    wire.send(get("a.example")).await;
    // What it would do if the refusal counted: give up.
    assert!(tokio::time::timeout(Duration::from_millis(100), wire.fill()).await.is_err());
    drop(waiting);
    listener.set_nonblocking(true).unwrap();
    let listener = UnixListener::from_std(listener).unwrap();
    let answering = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 1024];
            if tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await.unwrap() > 0 {
                tokio::io::AsyncWriteExt::write_all(&mut stream, ok("at last").as_bytes()).await.unwrap();
            }
        }
    });
    assert_eq!(wire.reply().await.body, "at last");
    answering.abort();
}

#[tokio::test]
async fn a_websocket_through_a_socket() {
    let edge = Running::start().await;
    let directory = Directory::new("websocket");
    let path = directory.0.join("tunnel.sock");
    let echo = App::start(|wire| async move {
        let mut socket = accept_async(wire.stream).await.unwrap();
        while let Some(Ok(message @ Message::Binary(_))) = socket.next().await {
            socket.send(message).await.unwrap();
        }
    })
    .await;
    let _passage = Passage::open(&path, echo.addr);
    let mut driver = Driver::of(&Control::new(edge.edge.clone(), None));
    let members = vec![Member { id: "far".into(), origin: Origin::Socket(path) }];
    driver.tell(&plan(1, &[("a.example", Destination::Upstreams { members })])).await;
    driver.until(|report| report.generation == 1).await;
    let stream = TcpStream::connect(edge.addr).await.unwrap();
    let (mut socket, _) = soon(client_async("ws://a.example/", stream)).await.unwrap();
    for size in [1, 70_000] {
        let message = Message::binary(vec![7; size]);
        socket.send(message.clone()).await.unwrap();
        assert!(soon(socket.next()).await.unwrap().unwrap() == message);
    }
}

#[tokio::test]
async fn a_table_kept_by_an_older_edge_is_read() {
    let edge = Running::start().await;
    let directory = Directory::new("snapshot");
    let (file, app) = (directory.0.join("routes.json"), App::says("app").await);
    let old = format!(
        r#"{{"generation":7,"sites":[{{"host":"a.example","to":{{"kind":"upstream","id":"x@1","origin":{{"address":"{}"}}}}}},
            {{"host":"b.example","port":null,"to":{{"kind":"down","reason":"It was stopped."}}}}]}}"#,
        app.addr
    );
    std::fs::write(&file, old).unwrap();
    let mut driver = Driver::of(&Control::new(edge.edge.clone(), Some(file)));
    assert!(driver.report().await.unwrap().upstreams.contains("x@1"));
    assert_eq!(edge.request(get("a.example")).await.body, "app");
    assert_eq!(edge.request(get("b.example")).await.status, 503);
}

#[tokio::test]
async fn what_several_members_are_written_as() {
    let member = Member { id: "x@1".into(), origin: Origin::Socket("/run/t.sock".into()) };
    let text = serde_json::to_string(&Destination::Upstreams { members: vec![member] }).unwrap();
    assert_eq!(text, r#"{"kind":"upstreams","members":[{"id":"x@1","origin":{"socket":"/run/t.sock"}}]}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slow_one_gets_far_fewer() {
    const BEHIND: usize = 200;
    let edge = Running::start().await;
    let served = watch::Sender::new(0);
    let fast = App::start({
        let served = served.clone();
        move |mut wire| {
            let served = served.clone();
            async move {
                while wire.message().await.is_some() {
                    wire.send(ok("fast")).await;
                    served.send_modify(|served| *served += 1);
                }
            }
        }
    })
    .await;
    let arrived = Arc::new(AtomicUsize::new(0));
    let slow = App::start({
        let (served, arrived) = (served.clone(), arrived.clone());
        move |mut wire| {
            let (mut served, arrived) = (served.subscribe(), arrived.clone());
            async move {
                while wire.message().await.is_some() {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    let wanted = *served.borrow() + BEHIND;
                    // At the end nobody asks the other one any more.
                    let _ =
                        tokio::time::timeout(crate::support::PATIENCE / 10, served.wait_for(|n| *n >= wanted)).await;
                    wire.send(ok("slow")).await;
                }
            }
        }
    })
    .await;
    let upstreams = [edge.upstream(fast.addr), edge.upstream(slow.addr)];
    edge.edge.set_route("a.example", Target::Upstreams(Arc::new(upstreams)));
    let load = Load::of(&edge, &[get("a.example")], 8);
    load.more(5000).await;
    load.end().await;
    let (fast, slow) = (*served.borrow(), arrived.load(Ordering::SeqCst));
    assert!(slow > 0 && slow * 20 < fast, "{fast} and {slow}");
}

#[tokio::test]
async fn a_slow_one_gets_far_fewer_also_of_one_client() {
    const TAKES: Duration = Duration::from_millis(100);
    let edge = Running::start().await;
    let fast = App::says("fast").await;
    let slow = App::start(|mut wire| async move {
        while wire.message().await.is_some() {
            tokio::time::sleep(TAKES).await;
            wire.send(ok("slow")).await;
        }
    })
    .await;
    let upstreams = [edge.upstream(fast.addr), edge.upstream(slow.addr)];
    edge.edge.set_route("a.example", Target::Upstreams(Arc::new(upstreams)));
    let mut slow = 0;
    for _ in 0..100 {
        slow += usize::from(edge.request(get("a.example")).await.body == "slow");
    }
    assert!((1..20).contains(&slow), "{slow}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn equals_share() {
    let edge = Running::start().await;
    let mut apps = Vec::new();
    for name in ["a", "b", "c"] {
        apps.push(App::says(name).await);
    }
    let upstreams = apps.iter().map(|app| edge.upstream(app.addr)).collect();
    edge.edge.set_route("a.example", Target::Upstreams(upstreams));
    // Bodies are not timed, so that only what is in flight decides.
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..300 {
        *seen.entry(edge.request(post("a.example")).await.body).or_default() += 1;
    }
    assert!(seen.len() == 3 && seen.values().all(|count| *count > 50), "{seen:?}");
}
