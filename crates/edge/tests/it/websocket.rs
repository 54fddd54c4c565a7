use std::time::{Duration, Instant};

use edge::{Config, Drained};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use crate::support::{App, Running, soon, until};

/// Echoes messages; tells the code each connection was closed with.
async fn echo() -> (App, mpsc::UnboundedReceiver<Option<CloseCode>>) {
    let (tell, told) = mpsc::unbounded_channel();
    let app = App::start(move |wire| {
        let tell = tell.clone();
        async move {
            let mut socket = accept_async(wire.stream).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                match message {
                    Message::Close(frame) => {
                        let _ = tell.send(frame.map(|frame| frame.code));
                    }
                    Message::Text(_) | Message::Binary(_) => socket.send(message).await.unwrap(),
                    _ => {}
                }
            }
        }
    })
    .await;
    (app, told)
}

async fn open(edge: &Running) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(edge.addr).await.unwrap();
    let (socket, response) = soon(client_async("ws://a.example/chat", stream)).await.unwrap();
    assert_eq!(response.status(), 101);
    socket
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Option<Result<Message, Error>> {
    soon(socket.next()).await
}

#[tokio::test]
async fn echoes_small_and_large() {
    let edge = Running::start().await;
    let (app, mut closed) = echo().await;
    let upstream = edge.route("a.example", &app);
    let mut socket = open(&edge).await;
    for size in [0, 1, 125, 126, 65535, 65536, 5 << 20] {
        let message = Message::binary(vec![9; size]);
        let (mut write, mut read) = (&mut socket).split();
        let (sent, got) = tokio::join!(write.send(message.clone()), soon(read.next()));
        sent.unwrap();
        assert!(got.unwrap().unwrap() == message, "{size}");
    }
    assert_eq!(upstream.in_flight(), 1);
    socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() })).await.unwrap();
    assert_eq!(soon(closed.recv()).await, Some(Some(CloseCode::Normal)));
    while let Some(Ok(_)) = next(&mut socket).await {}
    drop(socket);
    until(|| upstream.in_flight() == 0).await;
}

#[tokio::test]
async fn a_quiet_one_is_told_of_the_restart() {
    let edge = Running::start().await;
    let (app, mut closed) = echo().await;
    let upstream = edge.route("a.example", &app);
    let mut socket = open(&edge).await;
    socket.send(Message::text("hi")).await.unwrap();
    assert_eq!(next(&mut socket).await.unwrap().unwrap(), Message::text("hi"));

    let began = Instant::now();
    let drain = tokio::spawn({
        let upstream = upstream.clone();
        async move { upstream.drain().await }
    });
    let Some(Ok(Message::Close(Some(frame)))) = next(&mut socket).await else { panic!("no close frame") };
    assert_eq!(frame.code, CloseCode::Restart);
    assert!(began.elapsed() > Duration::from_millis(900), "closed in the middle of a conversation");
    assert!(next(&mut socket).await.is_none(), "a clean end");
    assert_eq!(soon(closed.recv()).await, Some(Some(CloseCode::Away)));
    assert_eq!(soon(drain).await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn a_busy_one_is_told_at_the_deadline() {
    let config = Config { drain_timeout: Duration::from_millis(300), ..Config::default() };
    let edge = Running::with(config).await;
    let (app, _closed) = echo().await;
    let upstream = edge.route("a.example", &app);
    let mut socket = open(&edge).await;
    let drain = tokio::spawn({
        let upstream = upstream.clone();
        async move { upstream.drain().await }
    });
    let code = loop {
        socket.send(Message::text("hi")).await.unwrap();
        match next(&mut socket).await {
            Some(Ok(Message::Text(_))) => {}
            Some(Ok(Message::Close(Some(frame)))) => break frame.code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, CloseCode::Restart);
    while let Some(Ok(_)) = next(&mut socket).await {}
    assert_eq!(soon(drain).await.unwrap(), Drained { cut: 1 });
}

#[tokio::test]
async fn no_close_frame_inside_another_frame() {
    let config =
        Config { drain_timeout: Duration::from_millis(300), websocket_quiet: Duration::ZERO, ..Config::default() };
    let edge = Running::with(config).await;
    let app = App::start(|mut wire| async move {
        wire.head().await;
        // A frame of five bytes of which three come.
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x01\x05abc")
            .await;
        while wire.fill().await {}
    })
    .await;
    let upstream = edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n").await;
    let head = wire.head().await.unwrap();
    assert!(head.contains("upgrade: WebSocket\r\n") && head.contains("connection: upgrade\r\n"), "{head}");
    assert_eq!(wire.exactly(5).await.unwrap(), b"\x01\x05abc");
    let drain = upstream.drain();
    assert!(tokio::join!(wire.closed(), soon(drain)).0);
}

#[tokio::test]
async fn any_protocol_passes_and_a_closing_listener_ends_it() {
    let config = Config { drain_timeout: Duration::from_millis(200), ..Config::default() };
    let mut edge = Running::with(config).await;
    let app = App::start(|mut wire| async move {
        let head = wire.head().await.unwrap();
        assert!(head.contains("upgrade: tcp\r\n"), "{head}");
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n").await;
        while wire.fill().await {
            let bytes = std::mem::take(&mut wire.buffer);
            wire.send(bytes).await;
        }
    })
    .await;
    edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    // What follows the head at once belongs to the other protocol already.
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\nhello").await;
    wire.head().await.unwrap();
    assert_eq!(wire.exactly(5).await.unwrap(), b"hello");
    wire.send("again").await;
    assert_eq!(wire.exactly(5).await.unwrap(), b"again");
    edge.begin_shutdown();
    assert!(wire.closed().await);
    edge.ended().await;
}

#[tokio::test]
async fn an_upgrade_refused_is_an_ordinary_answer() {
    let (edge, app) = (Running::start().await, App::says("no").await);
    edge.route("a.example", &app);
    let mut wire = edge.connect().await;
    for _ in 0..2 {
        wire.send("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        assert_eq!(wire.reply().await.body, "no");
    }
}
