//! Where there are no names below a domain: what listens in a workspace is found at a port of the server's own.

use std::net::{IpAddr, SocketAddr};

use reqwest::header::{ACCEPT, HOST, LOCATION, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Url};
use serde_json::json;
use testkit::{PATIENCE, wait_some};

use crate::Stand;
use crate::ports::{APP, browser, sign_in};

const DASHBOARD: &str = "http://cloud.localhost";
const FIRST: &str = "http://ws-ports.localhost:20000";
const SECOND: &str = "http://ws-ports.localhost:20001";

/// Of this test alone, so that the ports are free there.
fn address() -> IpAddr {
    let pid = std::process::id().to_be_bytes();
    IpAddr::from([127, 61, pid[2], pid[3]])
}

async fn stand(address: IpAddr, ports: &str) -> Stand {
    Stand::with(|builder| {
        builder.config(json!({
            "orchestrator": { "bind_address": format!("{address}:0"), "public_url": DASHBOARD },
            "workspaces": { "ports_url": "http://ws-ports.localhost", "ports": ports },
        }))
    })
    .await
}

/// A request for a URL of ours, sent to where it would be resolved to.
fn ask(method: Method, url: &str) -> RequestBuilder {
    let url = url.parse::<Url>().unwrap();
    let at = SocketAddr::new(address(), url.port().unwrap());
    let path = url.path();
    browser().request(method, format!("http://{at}{path}")).header(HOST, format!("ws-ports.localhost:{}", at.port()))
}

fn get(url: &str) -> RequestBuilder {
    ask(Method::GET, url)
}

impl Stand {
    async fn status(&self, request: RequestBuilder) -> u16 {
        request.send().await.unwrap().status().as_u16()
    }

    /// Where its owner's browser is sent who opens this port.
    async fn code(&self, workspace: &api::Workspace, port: u16, session: &str) -> String {
        let open = format!("{}/api/workspaces/{}/ports/{port}/open?to=/deep", self.server.api_url(), workspace.id);
        let sent = browser().get(open).header("cookie", session).send().await.unwrap();
        sent.headers()[LOCATION].to_str().unwrap().to_owned()
    }

    async fn share(&self, workspace: &api::Workspace, port: u16, access: &str) -> reqwest::Response {
        let path = format!("/api/workspaces/{}/ports/{port}", workspace.id);
        self.client.raw(Method::PUT, &path).json(&json!({ "access": access })).send().await.unwrap()
    }

    async fn url(&self, workspace: &api::Workspace, port: u16) -> String {
        let listed = async || {
            let ports = self.client.workspace_get(&workspace.id).await.unwrap().ports;
            ports.into_iter().find(|it| it.port == port)
        };
        wait_some("the port is found", PATIENCE, listed).await.url
    }
}

/// The cookie that a code is worth.
async fn enter(code: &str) -> String {
    let let_in = get(code).send().await.unwrap();
    assert_eq!((let_in.status().as_u16(), let_in.headers()[LOCATION].to_str().unwrap()), (303, "/deep"));
    let_in.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn without_names_a_port_is_found_at_one_of_the_server() {
    let mut stand = stand(address(), "20000-20001").await;
    let workspace = stand.open().await;
    let (_, mut shell) = stand.terminal(&workspace).await;
    shell.type_in(&format!("cat > app.py <<'END'{APP}END\npython3 -u app.py\n")).await;
    shell.wait_for("\nlistening\r\n").await;
    // Until it has one, the dashboard knows the way.
    let open = format!("{DASHBOARD}/api/workspaces/{}/ports/8123/open", workspace.id);
    assert_eq!(stand.url(&workspace, 8123).await, open);
    assert_eq!(stand.status(get(FIRST)).await, 404, "nothing is found at a port that nobody has");

    let session = sign_in(&stand).await;
    let code = stand.code(&workspace, 8123, &session).await;
    assert!(code.starts_with(&format!("{FIRST}/.nanoscale/")), "{code}");
    let cookie = enter(&code).await;
    assert_eq!(stand.url(&workspace, 8123).await, FIRST);
    assert_eq!((stand.status(get(FIRST)).await, stand.status(get(&code)).await), (401, 401));
    let sent = get(FIRST).header(ACCEPT, "text/html").send().await.unwrap();
    assert!(sent.headers()[LOCATION].to_str().unwrap().starts_with(&open), "where one is signed in");
    let seen = get(FIRST).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(
        (seen.status().as_u16(), seen.headers()["cross-origin-resource-policy"].as_bytes()),
        (200, &b"same-origin"[..])
    );
    let seen = seen.text().await.unwrap().to_lowercase();
    assert!(seen.contains("x-forwarded-host: ws-ports.localhost:20000\n") && !seen.contains("nanoscale_"), "{seen}");

    // Two ports are one site, and share cookies: neither opens the other, and neither's page acts for who looks at the other.
    let second = enter(&stand.code(&workspace, 9000, &session).await).await;
    assert_ne!(second.split_once('=').unwrap().0, cookie.split_once('=').unwrap().0);
    assert_eq!(stand.status(get(SECOND).header("cookie", &cookie)).await, 401);
    assert_eq!(stand.status(get(FIRST).header("cookie", format!("{second}; {cookie}"))).await, 200);
    let from = |origin: &str| ask(Method::GET, FIRST).header("cookie", &cookie).header("origin", origin);
    assert_eq!((stand.status(from(FIRST)).await, stand.status(from(SECOND)).await), (200, 403));
    let part = |mode: &str, dest: &str| {
        let asked = get(FIRST).header("cookie", &cookie).header("sec-fetch-site", "same-site");
        asked.header("sec-fetch-mode", mode).header("sec-fetch-dest", dest)
    };
    assert_eq!(stand.status(part("no-cors", "script")).await, 403);
    assert_eq!(stand.status(part("navigate", "iframe")).await, 403);
    assert_eq!(stand.status(part("navigate", "document")).await, 200);
    // A name of somebody else's that leads here shows nothing, and the dashboard is not here.
    let rebound = browser().get(format!("http://{}:20000/", address())).header(HOST, "evil.example:20000");
    assert_eq!(stand.status(rebound.header("cookie", &cookie)).await, 404);
    assert_eq!(stand.status(get(&format!("{FIRST}/api/health"))).await, 401);
    let there = browser().get(format!("{}/api/health", stand.server.api_url()));
    assert_eq!(stand.status(there.header(HOST, "ws-ports.localhost")).await, 404);

    // Who opens a third gives up the one that was not asked for the longest, unless it is open to others.
    stand.share(&workspace, 8123, "public").await;
    let third = stand.code(&workspace, 9001, &session).await;
    assert!(third.starts_with(SECOND), "{third}");
    let link = stand.share(&workspace, 9001, "link").await.json::<api::WorkspacePortShared>().await.unwrap().link;
    assert!(link.unwrap().starts_with(&format!("{SECOND}/.nanoscale/link/")));
    let full = stand.share(&workspace, 9002, "team").await;
    assert_eq!((full.status().as_u16(), full.text().await.unwrap().contains("PORTS_EXHAUSTED")), (503, true));

    // What is open to others stays where it is.
    stand.server.kill();
    stand.server.restart().await;
    assert_eq!(stand.url(&workspace, 8123).await, FIRST);
    let visited = async || (stand.status(get(FIRST)).await == 200).then_some(());
    wait_some("it is found there again", PATIENCE, visited).await;
}

#[tokio::test]
async fn who_is_not_its_owner_finds_nothing_there() {
    let stand = stand(address(), "20002-20002").await;
    let workspace = stand.open().await;
    let stranger = stand.client.sign_in_another("bob", "user").await;
    let path = format!("/api/workspaces/{}/ports/8123", workspace.id);
    let opened = stranger.raw(Method::GET, &format!("{path}/open")).send().await.unwrap();
    let shared = stranger.raw(Method::PUT, &path).json(&json!({ "access": "public" })).send().await.unwrap();
    assert_eq!((opened.status().as_u16(), shared.status().as_u16()), (404, 404));
    // Neither took the only one.
    let visit = get("http://ws-ports.localhost:20002");
    assert_eq!(stand.status(visit).await, 404);
}
