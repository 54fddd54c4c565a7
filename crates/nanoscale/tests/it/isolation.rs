//! What an app finds on the network: itself, and nobody else.

use std::net::{IpAddr, TcpListener};

use testkit::{App, Client, TestServer};

use crate::apps::{archive, deploy, project};
use crate::server;

/// Answers `/connect?to=host:port` with how that went, and `/listens` with its own port.
const APP: &str = "
import http.server, os, socket, urllib.parse
class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        text = os.environ['PORT']
        if url.path == '/connect':
            host, port = urllib.parse.parse_qs(url.query)['to'][0].rsplit(':', 1)
            try:
                socket.create_connection((host, int(port)), 2).close()
                text = 'connected'
            except OSError as error:
                text = type(error).__name__ + ' ' + str(error.errno)
        self.send_response(200); self.end_headers(); self.wfile.write(text.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), App).serve_forever()
";

async fn app(server: &TestServer, client: &Client, name: &str) -> App {
    let id = project(client, name).await;
    deploy(client, &id, archive(&[("main.py", APP)])).await;
    server.app(format!("{name}.localhost"))
}

async fn connect(app: &App, to: &str) -> String {
    app.get(&format!("/connect?to={to}")).await.unwrap().text()
}

/// Addresses of this machine beside its loopback.
fn own_addresses() -> Vec<IpAddr> {
    let output = std::process::Command::new("hostname").arg("-I").output().unwrap();
    String::from_utf8_lossy(&output.stdout).split_whitespace().filter_map(|text| text.parse().ok()).collect()
}

#[tokio::test]
async fn an_app_meets_neither_its_host_nor_its_neighbours() {
    let server = server().start().await;
    let client = server.setup().await;
    let one = app(&server, &client, "one").await;
    let two = app(&server, &client, "two").await;
    // Both have the same port, each on a loopback of its own.
    assert_eq!(
        (one.get("/").await.unwrap().text(), two.get("/").await.unwrap().text()),
        ("3000".into(), "3000".into())
    );
    assert_eq!(connect(&one, "127.0.0.1:3000").await, "connected", "to itself");

    let edge = server.edge_addr().port();
    assert_eq!(connect(&one, &format!("127.0.0.1:{edge}")).await, "ConnectionRefusedError 111");
    // What listens on every address of the host is to be had on none of them.
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = everywhere.local_addr().unwrap().port();
    let addresses = own_addresses().into_iter().filter(IpAddr::is_ipv4).map(|address| address.to_string());
    for address in addresses.chain(["198.18.0.1".into()]) {
        assert_eq!(connect(&one, &format!("{address}:{port}")).await, "OSError 113", "{address}");
    }
    for address in ["169.254.169.254", "10.0.0.1", "172.17.0.1", "192.168.1.1", "100.64.0.1", "198.18.3.4"] {
        assert_eq!(connect(&one, &format!("{address}:80")).await, "OSError 113", "{address}");
    }
}
