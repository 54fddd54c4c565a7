//! One host, several upstreams.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use edge::control::{Control, Destination, Member};
use edge::{Origin, Target, Upstream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpStream, UnixListener};
use tokio::task::{AbortHandle, JoinSet};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, client_async};

use crate::driver::{Driver, plan};
use crate::support::{App, Running, Wire, get, soon, until};

fn among(members: &[(&str, SocketAddr)]) -> Destination {
    let member = |&(id, address): &(&str, SocketAddr)| Member { id: id.into(), origin: address.into() };
    Destination::Upstreams { members: members.iter().map(member).collect() }
}

fn post(host: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\nhi")
}

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

/// Clients that go on asking until told to stop, and are content with nothing but 200.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    clients: JoinSet<()>,
}

impl Load {
    fn of(edge: &Running, requests: &[String], clients: usize) -> Self {
        let mut load = Self { stop: Arc::default(), done: Arc::default(), clients: JoinSet::new() };
        for request in requests.iter().cycle().take(clients) {
            let (addr, request) = (edge.addr, request.clone());
            let (stop, done) = (load.stop.clone(), load.done.clone());
            load.clients.spawn(async move {
                let mut wire = Wire::connect(addr).await;
                while !stop.load(Ordering::SeqCst) {
                    wire.send(&request).await;
                    let reply = wire.reply().await;
                    assert_eq!(reply.status, 200, "{}", reply.body);
                    done.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        load
    }

    async fn more(&self, requests: usize) {
        let done = self.done.load(Ordering::SeqCst);
        until(|| self.done.load(Ordering::SeqCst) > done + requests || self.clients.is_empty()).await;
    }

    async fn end(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(client) = soon(self.clients.join_next()).await {
            client.unwrap();
        }
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
