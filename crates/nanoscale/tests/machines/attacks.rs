//! What somebody tries who has no key, the key of another node, or the wire.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, future};
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ids::NodeStatus;
use link::Purpose;
use reqwest::{Method, StatusCode};
use testkit::{Client, Doing, Meddler, SimulatedNode, TestServer, wait_some, wait_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::apps::{deploy, node_app};
use crate::{SHOWN, join, machine, project_on, server};

/// A machine has this long to prove who it is; some more for a busy machine.
const DROPPED: Duration = Duration::from_secs(20);

async fn status(client: &Client, node: &SimulatedNode) -> NodeStatus {
    client.node_get(node.id()).await.unwrap().status
}

async fn online(client: &Client, node: &mut SimulatedNode) {
    node.link().await.unwrap();
    wait_until("the node is online", SHOWN, async || status(client, node).await == NodeStatus::Online).await;
}

fn api_addr(server: &TestServer) -> SocketAddr {
    ([127, 0, 0, 1], server.api_port()).into()
}

/// Whether the other side ends it in time, whatever it says before.
async fn is_dropped(mut stream: impl tokio::io::AsyncRead + Unpin) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(DROPPED, stream.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_key_opens_its_link_and_nothing_else() {
    let server = server().start().await;
    let client = server.setup().await;
    let mut node = SimulatedNode::join(&client, &server.api_url(), "one").await;
    online(&client, &mut node).await;
    let (public, id) = (node.key().public().to_string(), node.id().to_string());
    let nonce = link::proof::nonce().unwrap();
    let signature = node.key().sign(nonce.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for credential in [public, id, format!("{nonce}.{signature}")] {
        for (method, path) in
            [(Method::GET, "/api/projects"), (Method::GET, "/api/nodes"), (Method::POST, "/api/cluster/generate-token")]
        {
            let answer = client.anonymous().with_token(&credential).raw(method, path).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    // Right at the port, the cluster's key is not spoken: inside of a WebSocket only.
    let connector = link::tls::Connector::new(node.key(), node.cluster()).unwrap();
    assert!(connector.connect(TcpStream::connect(api_addr(&server)).await.unwrap()).await.is_err());
    // A machine that is no member any more is told so, and nothing else.
    let mut stranger = SimulatedNode::join(&client, &server.api_url(), "two").await;
    client.node_remove(stranger.id(), true).await.unwrap();
    stranger.link().await.unwrap();
    let refused = wait_some("it is told", SHOWN, async || stranger.refused()).await;
    assert_eq!(refused.code, "NODE_REMOVED");
    wait_until("the server hangs up", SHOWN, async || !stranger.is_linked()).await;
    assert!(stranger.told() == wire::Desired::default(), "it was told something");
}

/// A compromised node: its key, and every message that it likes.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_itself_and_gets_what_was_placed_on_it() {
    let server = server().start().await;
    let client = server.setup().await;
    let mut thief = SimulatedNode::join(&client, &server.api_url(), "thief").await;
    let mut victim = SimulatedNode::join(&client, &server.api_url(), "victim").await.disobliging();
    let other = join(&server, &client, machine(), "other").await;
    let project = project_on(&client, "secret", &other).await;
    client.env_put(&project, &[("KEY", Some("hush-hush-hush"))]).await.unwrap();
    deploy(&client, &project, node_app("1")).await;
    online(&client, &mut thief).await;
    online(&client, &mut victim).await;
    // It hears where visitors of the app go, and nothing of the app itself.
    let told = wait_some("it is told the route", SHOWN, async || {
        Some(thief.told()).filter(|told| told.routes.iter().any(|route| route.host == "secret.localhost"))
    })
    .await;
    assert!(told.builds.is_empty() && told.workloads.is_empty() && told.jobs.is_empty() && told.groups.is_empty());
    assert!(!serde_json::to_string(&told).unwrap().contains("hush"));

    // The victim is asked for one more connection; the thief has seen the ticket.
    let asking = tokio::spawn({
        let (client, id) = (client.clone(), victim.id().clone());
        async move { client.raw(Method::POST, &format!("/api/nodes/{id}/caches/prune")).send().await.unwrap().status() }
    });
    let ticket = wait_some("it is asked", SHOWN, async || victim.tickets().pop()).await;
    let stolen = thief.dial(Purpose::Further { ticket: &ticket }).await.unwrap();
    assert!(is_dropped(stolen).await, "the thief's connection is not used");
    let made_up = thief.dial(Purpose::Further { ticket: "00000000000000000000000000000000" }).await.unwrap();
    assert!(is_dropped(made_up).await);
    // It is still the victim's.
    assert!(!asking.is_finished());
    let mut own = victim.dial(Purpose::Further { ticket: &ticket }).await.unwrap();
    let mut preface = [0; 14];
    tokio::time::timeout(SHOWN, own.read_exact(&mut preface)).await.unwrap().unwrap();
    assert_eq!(&preface, b"PRI * HTTP/2.0");
    drop(own);
    assert_ne!(asking.await.unwrap(), StatusCode::OK);
    assert_eq!(status(&client, &victim).await, NodeStatus::Online);

    // The tunnel goes where its own visitors are sent, and to no API.
    let tunnel = thief.dial(Purpose::Tunnel).await.unwrap();
    let (mut send, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tunnel)).await.unwrap();
    tokio::spawn(connection);
    let mut post = async |path: String| {
        let request = hyper::Request::post(format!("http://server{path}")).body(Empty::<Bytes>::new()).unwrap();
        send.send_request(request).await.unwrap().status()
    };
    let (home, local) = (other.id(), client.nodes().await.unwrap().into_iter().find(|node| node.embedded).unwrap().id);
    for path in [
        format!("/v1/peers/{home}/elsewhere.localhost"),
        format!("/v1/peers/{home}/127.0.0.1:22"),
        format!("/v1/peers/{home}/"),
        format!("/v1/peers/{local}/secret.localhost"),
        format!("/v1/peers/{}/secret.localhost", victim.id()),
        "/v1/peers/nobody/secret.localhost".into(),
        format!("/v1/peers/{home}/secret.localhost/../../../v1/desired"),
        "/v1/desired".into(),
        "/v1/logs/run/x".into(),
        "/api/projects".into(),
        "/".into(),
    ] {
        assert_eq!(post(path.clone()).await, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(post(format!("/v1/peers/{home}/secret.localhost")).await, StatusCode::OK);
    // Removed, it is cut off there too.
    client.node_remove(thief.id(), true).await.unwrap();
    wait_until("its tunnel ends", SHOWN, async || send.is_closed()).await;
    wait_until("its link ends", SHOWN, async || !thief.is_linked()).await;
}

/// A WebSocket at the link's address, with nothing said in it yet.
async fn websocket(server: &TestServer) -> tokio_tungstenite::WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(api_addr(server)).await.unwrap();
    let url = format!("ws://{}/api/cluster/link", api_addr(server));
    tokio_tungstenite::client_async(url, stream).await.unwrap().0
}

/// Whether the server ends it in time.
async fn is_closed(mut socket: tokio_tungstenite::WebSocketStream<TcpStream>) -> bool {
    let end = async { while socket.next().await.is_some_and(|message| message.is_ok()) {} };
    tokio::time::timeout(DROPPED, end).await.is_ok()
}

/// None of it is answered by more than the end of the connection, and a node that is linked does not notice.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_handshake_is_dropped_in_time() {
    let server = server().start().await;
    let client = server.setup().await;
    let meddler = Meddler::before(api_addr(&server)).await;
    let mut node = SimulatedNode::join(&client, &server.api_url(), "one").await.through(&meddler.url());
    online(&client, &mut node).await;
    wait_until("it is led", SHOWN, async || node.told().fence.generation > 0).await;
    let recorded = meddler.seen().remove(0);
    // A handshake's first record, from the real client.
    let (near, mut far) = tokio::io::duplex(1 << 14);
    let connector = link::tls::Connector::new(node.key(), node.key().public()).unwrap();
    let connecting = tokio::spawn(async move { connector.connect(near).await.map(drop) });
    let mut hello = vec![0; 1 << 12];
    let length = far.read(&mut hello).await.unwrap();
    hello.truncate(length);
    connecting.abort();

    let begun = Instant::now();
    let junk: Vec<Vec<Message>> = vec![
        vec![],
        vec![Message::text("hello")],
        vec![Message::binary(b"GET / HTTP/1.1\r\n\r\n".to_vec())],
        vec![Message::binary(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec())],
        vec![Message::binary(vec![0x16; 1 << 16])],
        vec![Message::binary(vec![])],
        vec![Message::binary(hello[..length / 2].to_vec())],
        vec![Message::binary(hello.clone())],
        vec![Message::binary(hello.clone()), Message::binary(hello.clone())],
        hello.chunks(7).map(|part| Message::binary(part.to_vec())).collect(),
        vec![Message::Ping(Bytes::new()); 50],
    ];
    let dropped = junk.into_iter().enumerate().map(async |(number, messages)| {
        let mut socket = websocket(&server).await;
        for message in messages {
            // It may be over before all of it is sent.
            let _ = socket.send(message).await;
        }
        assert!(is_closed(socket).await, "junk {number} is kept");
    });
    future::join_all(dropped).await;
    // As it was, once more: the server's half of the secret is another.
    let mut replay = TcpStream::connect(api_addr(&server)).await.unwrap();
    replay.write_all(&recorded).await.unwrap();
    assert!(is_dropped(replay).await, "a replayed link is kept");
    assert!(begun.elapsed() < DROPPED * 2, "{:?}", begun.elapsed());

    // Cut off or changed anywhere in the handshake; the WebSocket's request ends with its first empty line.
    let head = recorded.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    for at in [1, head / 2, head, head + 1, head + 20, head + 150, head + 300, head + 400] {
        meddler.does(Doing { cut_after: Some(at), ..Doing::default() });
        let cut = node.dial(Purpose::Lead).await;
        assert!(cut.is_err() || is_dropped(cut.unwrap()).await, "cut after {at}");
    }
    for at in (head + 8..head + 400).step_by(49) {
        meddler.does(Doing { change: Some(at), ..Doing::default() });
        let changed = node.dial(Purpose::Lead).await;
        assert!(changed.is_err() || is_dropped(changed.unwrap()).await, "changed at {at}");
    }
    assert!(node.is_linked() && status(&client, &node).await == NodeStatus::Online, "the node was disturbed");

    // A slow wire is no attack, one that takes for ever is.
    meddler.does(Doing { delay: Duration::from_millis(800), ..Doing::default() });
    online(&client, &mut node).await;
    meddler.does(Doing { delay: Duration::from_secs(11), ..Doing::default() });
    assert!(node.dial(Purpose::Lead).await.is_err(), "it takes for ever");
    assert!(!server.output().contains("panicked"), "{}", server.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_strangers_do_not_keep_a_node_from_linking() {
    let server = server().start().await;
    let client = server.setup().await;
    let mut node = SimulatedNode::join(&client, &server.api_url(), "one").await;
    let idle = future::join_all((0..200).map(async |_| websocket(&server).await)).await;
    let silent = future::join_all((0..200).map(|_| TcpStream::connect(api_addr(&server)))).await;
    let begun = Instant::now();
    online(&client, &mut node).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let closed = future::join_all(idle.into_iter().map(is_closed)).await;
    assert!(closed.into_iter().all(|closed| closed), "strangers stay");
    drop(silent);
    assert!(node.is_linked());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_before_is_led_and_others_are_told_what_to_do() {
    let server = server().start().await;
    let client = server.setup().await;
    let newest = wire::LINK_PROTOCOL;
    assert_eq!(wire::LINK_PROTOCOL_OLDEST, newest - 1);
    let mut before = SimulatedNode::join(&client, &server.api_url(), "before").await.speaking(newest - 1);
    online(&client, &mut before).await;
    assert!(client.node_get(before.id()).await.unwrap().problems.is_empty() && before.refused().is_none());
    for (name, protocol, which) in [("old", newest - 2, "on the machine"), ("new", newest + 1, "on the server")] {
        let mut node = SimulatedNode::join(&client, &server.api_url(), name).await.speaking(protocol);
        node.link().await.unwrap();
        let told = wait_some("it hears why", SHOWN, async || node.refused()).await;
        assert_eq!(told.code, "PROTOCOL_UNSUPPORTED");
        assert!(told.message.contains(which) && told.message.contains("install NanoScale"), "{}", told.message);
        wait_until("the server hangs up", SHOWN, async || !node.is_linked()).await;
        let shown = client.node_get(node.id()).await.unwrap();
        assert_ne!(shown.status, NodeStatus::Online);
        let problem = shown.problems.first().unwrap();
        assert_eq!((problem.code.as_str(), &problem.message), ("PROTOCOL_UNSUPPORTED", &told.message));
        assert!(node.told() == wire::Desired::default(), "it was told something");
        // Another program on the same machine, and all is well.
        let mut node = node.speaking_again(newest);
        online(&client, &mut node).await;
        assert!(client.node_get(node.id()).await.unwrap().problems.is_empty());
    }
    assert!(before.is_linked());
}
