//! The load against an example without an edge in between.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command};

use bytes::Bytes;
use futures_util::stream;
use testkit::{App, Load, PATIENCE, wait_until};

/// An example app on a free port, killed at the end.
struct Example(Child, SocketAddr);

impl Example {
    async fn start(name: &str, command: &[&str]) -> Self {
        let addr =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("find a free port");
        let mut child = Command::new(command[0]);
        child.args(&command[1..]).current_dir(testkit::example(name)).env("PORT", addr.port().to_string());
        child.env("SECRET", "abc").env("PYTHONDONTWRITEBYTECODE", "1");
        let example = Self(child.spawn().expect("start an example"), addr);
        example.app().wait_for_version("1.0.0", PATIENCE).await;
        example
    }

    fn app(&self) -> App {
        App::new(self.1, "hello.localhost")
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn hello_node_stands_a_load() {
    let example = Example::start("hello-node", &["node", "server.js"]).await;
    let load = Load::start(&example.app());
    load.wait_for_version("1.0.0").await;
    wait_until("a hundred visits", PATIENCE, async || load.so_far().requests >= 100).await;
    let report = load.stop().await;
    report.assert_clean();
    assert_eq!(report.versions.len(), 5, "{report}");

    let mut socket = example.app().websocket("/ws").await.unwrap();
    for size in [0, 125, 126, 70_000] {
        assert_eq!(socket.echo(&"ä".repeat(size)).await, Ok(Some(())), "{size}");
    }
    socket.close(None).await.unwrap();
    let load = Load::start(&example.app());
    load.wait_for_version("1.0.0").await;
    drop(example);
    wait_until("every visitor fails", PATIENCE, async || load.so_far().failures.len() > 4).await;
    let report = load.so_far();
    assert!(std::panic::catch_unwind(|| report.assert_clean()).is_err());
}

#[tokio::test]
async fn hello_python_answers() {
    let example = Example::start("hello-python", &["/usr/bin/python3", "main.py"]).await;
    let app = example.app();
    assert!(app.get("/").await.unwrap().text().contains("version=1.0.0"));
    let hash = app.get("/env/SECRET").await.unwrap();
    assert_eq!(hash.text(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let pieces = stream::iter([Bytes::from_static(b"one "), Bytes::from_static(b"two")]);
    assert_eq!(app.upload("/echo", pieces).await.unwrap().text(), "one two");
    let load = Load::gets(&app);
    load.wait_for_version("1.0.0").await;
    load.stop().await.assert_clean();
}
