//! The reason this proxy exists: twenty deployments under load, and nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use edge::{Config, Drained, Target};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::{App, Running, Wire, field, get, ok, soon, until};

const SWAPS: usize = 20;

/// An application that tells its version, over HTTP and WebSocket.
async fn version(version: usize) -> App {
    App::start(move |mut wire| async move {
        while let Some(message) = wire.message().await {
            if let Some(key) = field(&message.head, "sec-websocket-key") {
                let accept = derive_accept_key(key.as_bytes());
                wire.send(format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Accept: {accept}\r\n\r\n"
                ))
                .await;
                return tell_socket(wire, version).await;
            }
            let text = format!("{version} {}", message.body.len());
            if wire.try_send(ok(&text)).await.is_err() {
                return;
            }
        }
    })
    .await
}

async fn tell_socket(wire: Wire, version: usize) {
    let mut socket = WebSocketStream::from_partially_read(wire.stream, wire.buffer, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() {
            socket.send(Message::text(version.to_string())).await.unwrap();
        }
    }
}

struct Load {
    addr: std::net::SocketAddr,
    stop: AtomicBool,
    done: AtomicUsize,
    sockets_moved: AtomicUsize,
    uploads_across: AtomicUsize,
}

/// What one client has seen; versions only go up.
#[derive(Default)]
struct Witness(usize);

impl Witness {
    fn saw(&mut self, body: &str, length: usize) {
        let (version, got) = body.split_once(' ').unwrap();
        assert_eq!(got, length.to_string());
        self.saw_version(version.parse().unwrap());
    }

    fn saw_version(&mut self, version: usize) {
        assert!(version >= self.0, "saw version {version} after {}", self.0);
        self.0 = version;
    }
}

impl Load {
    fn on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    async fn requests(self: Arc<Self>, request: String, length: usize) {
        let (mut witness, mut wire) = (Witness::default(), Wire::connect(self.addr).await);
        while self.on() {
            wire.send(&request).await;
            let reply = wire.reply().await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            witness.saw(&reply.body, length);
            self.done.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Each upload begins before a swap and ends after it.
    async fn uploads(self: Arc<Self>, mut swapped: watch::Receiver<usize>) {
        let mut wire = Wire::connect(self.addr).await;
        while self.on() {
            let before = *swapped.borrow_and_update();
            wire.send("PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\n\r\nabc").await;
            if soon(swapped.changed()).await.is_err() {
                return;
            }
            wire.send("def").await;
            let reply = wire.reply().await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            // Either it was claimed before the swap it waited for, or after.
            Witness(before).saw(&reply.body, 6);
            self.uploads_across.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn sockets(self: Arc<Self>) {
        let mut witness = Witness::default();
        while self.on() {
            let stream = TcpStream::connect(self.addr).await.unwrap();
            let (mut socket, _) = soon(client_async("ws://a.example/ws", stream)).await.unwrap();
            socket.send(Message::text("?")).await.unwrap();
            while let Some(message) = soon(socket.next()).await {
                match message.unwrap() {
                    Message::Text(version) => witness.saw_version(version.parse().unwrap()),
                    Message::Close(frame) => assert_eq!(frame.unwrap().code, CloseCode::Restart),
                    other => panic!("{other:?}"),
                }
            }
            self.sockets_moved.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_swaps_under_load_fail_nobody() {
    let config = Config { websocket_quiet: Duration::from_millis(50), ..Config::default() };
    let edge = Running::with(config).await;
    let load = Arc::new(Load {
        addr: edge.addr,
        stop: AtomicBool::new(false),
        done: AtomicUsize::new(0),
        sockets_moved: AtomicUsize::new(0),
        uploads_across: AtomicUsize::new(0),
    });
    let mut app = version(0).await;
    let mut upstream = edge.route("a.example", &app);
    let (swap, swapped) = watch::channel(0);

    let (mut clients, mut sockets) = (JoinSet::new(), JoinSet::new());
    let post = format!("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9000\r\n\r\n{}", "x".repeat(9000));
    for _ in 0..24 {
        clients.spawn(load.clone().requests(get("a.example"), 0));
        clients.spawn(load.clone().requests(post.clone(), 9000));
    }
    for _ in 0..4 {
        clients.spawn(load.clone().uploads(swapped.clone()));
        sockets.spawn(load.clone().sockets());
    }
    drop(swapped);

    for number in 1..=SWAPS {
        let done = load.done.load(Ordering::SeqCst);
        until(|| load.done.load(Ordering::SeqCst) > done + 500).await;
        let next = version(number).await;
        let next_upstream = edge.route("a.example", &next);
        swap.send(number).unwrap();
        assert_eq!(soon(upstream.drain()).await, Drained { cut: 0 }, "swap {number}");
        drop(std::mem::replace(&mut app, next));
        upstream = next_upstream;
    }
    load.stop.store(true, Ordering::SeqCst);
    drop(swap);
    while let Some(client) = soon(clients.join_next()).await {
        client.unwrap();
    }
    edge.edge.set_route("a.example", Target::Starting);
    assert_eq!(soon(upstream.drain()).await, Drained { cut: 0 });
    while let Some(socket) = soon(sockets.join_next()).await {
        socket.unwrap();
    }
    assert!(load.done.load(Ordering::SeqCst) >= 10_000);
    assert!(load.uploads_across.load(Ordering::SeqCst) >= SWAPS);
    assert!(load.sockets_moved.load(Ordering::SeqCst) >= SWAPS);
}
