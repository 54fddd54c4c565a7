//! What listens in a workspace, for its owner and for nobody else.

use ids::WorkspaceState;
use reqwest::header::{ACCEPT, HOST, HeaderValue, LOCATION, SET_COOKIE};
use reqwest::{Client as Http, Method, StatusCode, redirect};
use testkit::{PATIENCE, wait_some, wait_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Stand;

/// Says what it was asked, and echoes a WebSocket's messages without knowing what they are.
pub(crate) const APP: &str = r#"
import http.server
class App(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        if self.headers.get('Upgrade'):
            self.send_response(101); self.send_header('Upgrade', 'echo'); self.send_header('Connection', 'Upgrade'); self.end_headers()
            while True:
                data = self.connection.recv(100)
                if not data: break
                self.connection.sendall(data)
            return
        body = ''.join('%s: %s\n' % pair for pair in self.headers.items()).encode()
        self.send_response(200); self.send_header('Content-Length', str(len(body)))
        self.send_header('Set-Cookie', 'nanoscale_session=theirs; Domain=localhost'); self.send_header('Set-Cookie', 'mine=1')
        self.end_headers(); self.wfile.write(body)
    def log_message(self, *_): pass
print('listening'); http.server.ThreadingHTTPServer(('127.0.0.1', 8123), App).serve_forever()
"#;

/// A browser without its own ideas: no redirects, no cookies.
pub(crate) fn browser() -> Http {
    Http::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap()
}

#[tokio::test]
async fn its_owner_gets_in_by_a_code_that_is_good_once() {
    let stand = Stand::new().await;
    let workspace = stand.open().await;
    let (_, mut shell) = stand.terminal(&workspace).await;
    shell.type_in(&format!("cat > app.py <<'END'{APP}END\npython3 -u app.py\n")).await;
    shell.wait_for("\nlistening\r\n").await;
    let port = wait_some("the port is found", PATIENCE, async || {
        stand.client.workspace_get(&workspace.id).await.unwrap().ports.into_iter().find(|port| port.port == 8123)
    })
    .await;
    assert_eq!((port.access, port.is_listening), (ids::PortAccess::Private, true));
    let host = port.url.trim_start_matches("http://").to_owned();
    assert!(host.starts_with(&format!("ws-{}--8123.localhost", workspace.id)), "{host}");
    let base = stand.server.api_url();
    let ask = |path: &str| browser().get(format!("{base}{path}")).header(HOST, &host);

    // A program is told, a browser is sent to where it may be signed in.
    assert_eq!(ask("/").send().await.unwrap().status(), 401);
    let sent = ask("/deep?a=b").header(ACCEPT, "text/html").send().await.unwrap();
    let place = sent.headers()[LOCATION].to_str().unwrap().to_owned();
    assert!(place.ends_with("/ports/8123/open?to=%2Fdeep%3Fa%3Db"), "{place}");

    let open = format!("/api/workspaces/{}/ports/8123/open?to=/deep", workspace.id);
    assert_eq!(browser().get(format!("{base}{open}")).send().await.unwrap().status(), 401);
    let session = sign_in(&stand).await;
    let sent = browser().get(format!("{base}{open}")).header("cookie", &session).send().await.unwrap();
    let entered = sent.headers()[LOCATION].to_str().unwrap().to_owned();
    assert!(!entered.contains(session.split_once('=').unwrap().1), "no session in a URL");
    let path = entered.strip_prefix(&port.url).unwrap();
    let let_in = ask(path).send().await.unwrap();
    assert_eq!((let_in.status(), let_in.headers()[LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/deep"));
    let cookie = let_in.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert!(!let_in.headers()[SET_COOKIE].to_str().unwrap().contains("Domain"));
    assert_eq!(ask(path).send().await.unwrap().status(), 401, "a code is good once");

    // What apps keep in cookies need not be text.
    let both = [b"mine=M\xc3\xbcller; ", cookie.as_bytes()].concat();
    let with_cookie = |path: &str| ask(path).header("cookie", HeaderValue::from_bytes(&both).unwrap());
    let forged = ["x-sam-workspace-id", "x_sam_workspace_id", "x-forwarded-server", "forwarded", "x_real-ip", "x-hop"];
    let asked = forged.iter().fold(with_cookie("/"), |asked, name| asked.header(*name, "forged"));
    let seen = asked.header("authorization", "Bearer app").header("connection", "x-hop").send().await.unwrap();
    let set = seen.headers().get_all(SET_COOKIE).into_iter().collect::<Vec<_>>();
    assert_eq!(set, ["mine=1"], "none of ours");
    let seen = String::from_utf8_lossy(&seen.bytes().await.unwrap()).to_lowercase();
    assert!(seen.contains("cookie: mine=m") && !seen.contains("nanoscale_"), "{seen}");
    assert!(seen.contains("x-forwarded-for: 127.0.0.1\n"), "{seen}");
    assert!(seen.contains("authorization: bearer app\n") && !seen.contains("forged"), "{seen}");
    assert!(seen.contains(&format!("x-forwarded-host: {host}\n")) && seen.contains("host: localhost:8123\n"), "{seen}");

    // Another host name, and another port, have other cookies.
    let other = host.replace("--8123", "--8124");
    let elsewhere = browser().get(&base).header(HOST, other).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(elsewhere.status(), 401);
    // Signed out, the cookie is worth nothing.
    let out = browser().post(format!("{base}/api/auth/logout")).header("cookie", &session).send().await.unwrap();
    assert!(out.status().is_success());
    assert_eq!(with_cookie("/").send().await.unwrap().status(), 401);
}

/// A session, as its cookie.
pub(crate) async fn sign_in(stand: &Stand) -> String {
    let credentials = api::Credentials { username: "admin".into(), password: stand.password.clone() };
    let base = stand.server.api_url();
    let response = browser().post(format!("{base}/api/auth/login")).json(&credentials).send().await.unwrap();
    response.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_port_is_opened_to_others_by_choice() {
    let stand = Stand::new().await;
    let workspace = stand.open().await;
    let (_, mut shell) = stand.terminal(&workspace).await;
    shell.type_in("python3 -m http.server 8123 --bind 127.0.0.1\n").await;
    shell.wait_for("Serving HTTP").await;
    let base = stand.server.api_url();
    let host = format!("ws-{}--8123.localhost", workspace.id);
    let status = async |path: &str| {
        browser().get(format!("{base}{path}")).header(HOST, &host).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("/").await, 401);
    let share = async |access: &str| {
        let path = format!("/api/workspaces/{}/ports/8123", workspace.id);
        let response = stand.client.raw(Method::PUT, &path).json(&serde_json::json!({ "access": access })).send().await;
        response.unwrap().json::<api::WorkspacePortShared>().await.unwrap()
    };
    assert_eq!(share("public").await.link, None);
    assert_eq!(status("/README.md").await, 200);
    let link = share("link").await.link.unwrap();
    let path = link.split_once("localhost").unwrap().1;
    let path = &path[path.find('/').unwrap()..];
    assert_eq!((status("/").await, status(path).await), (401, 303));
    share("private").await;
    assert_eq!((status("/").await, status(path).await), (401, 401));
    wait_until("what does not listen is told of", PATIENCE, async || {
        let other = format!("ws-{}--9.localhost", workspace.id);
        let path = format!("/api/workspaces/{}/ports/9", workspace.id);
        let body = serde_json::json!({ "access": "public" });
        stand.client.raw(Method::PUT, &path).json(&body).send().await.unwrap();
        browser().get(&base).header(HOST, other).send().await.unwrap().status() == 503
    })
    .await;
}

/// The cookie that lets somebody in to a port of the workspace, by its code.
async fn pass(stand: &Stand, session: &str, port: &str, host: &str) -> String {
    let base = stand.server.api_url();
    let sent = browser().get(format!("{base}{port}/open?to=/")).header("cookie", session).send().await.unwrap();
    let entered = sent.headers()[LOCATION].to_str().unwrap().to_owned();
    let path = &entered[entered.find("/.nanoscale").unwrap()..];
    let let_in = browser().get(format!("{base}{path}")).header(HOST, host).send().await.unwrap();
    let_in.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_open_ends_with_the_right_to_it_and_pages_of_others_open_nothing() {
    let stand = Stand::new().await;
    let workspace = stand.open().await;
    let (_, mut shell) = stand.terminal(&workspace).await;
    shell.type_in(&format!("cat > app.py <<'END'{APP}END\npython3 -u app.py\n")).await;
    shell.wait_for("\nlistening\r\n").await;
    let (base, host) = (stand.server.api_url(), format!("ws-{}--8123.localhost", workspace.id));
    let port = format!("/api/workspaces/{}/ports/8123", workspace.id);
    let session = sign_in(&stand).await;
    let cookie = pass(&stand, &session, &port, &host).await;
    let upgrade = async |cookie: &str, origin: &str| {
        let asked = browser().get(&base).header(HOST, &host).header("cookie", cookie).header("origin", origin);
        asked.header("connection", "upgrade").header("upgrade", "echo").send().await.unwrap()
    };
    let (own, neighbour) = (format!("http://{host}"), format!("http://{}", host.replace("--8123", "--3000")));
    let stranger = format!("http://ws-{}--8123.localhost", ids::WorkspaceId::new());
    for origin in [&stranger, "http://localhost", "null", "https://evil.example"] {
        assert_eq!(upgrade(&cookie, origin).await.status(), 403, "{origin}");
    }
    assert_eq!(upgrade(&cookie, &neighbour).await.status(), 101);
    let mut echo = upgrade(&cookie, &own).await.upgrade().await.unwrap();
    speaks(&mut echo).await;
    let out = browser().post(format!("{base}/api/auth/logout")).header("cookie", &session).send().await.unwrap();
    assert!(out.status().is_success());
    ends(&mut echo).await;

    let share =
        |access: &str| stand.client.raw(Method::PUT, &port).json(&serde_json::json!({ "access": access })).send();
    share("public").await.unwrap();
    let mut echo = upgrade("", &stranger).await.upgrade().await.unwrap();
    speaks(&mut echo).await;
    share("private").await.unwrap();
    ends(&mut echo).await;
}

async fn speaks(echo: &mut reqwest::Upgraded) {
    let mut heard = [0; 5];
    echo.write_all(b"hello").await.unwrap();
    echo.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
}

async fn ends(echo: &mut reqwest::Upgraded) {
    let heard = tokio::time::timeout(PATIENCE, echo.read(&mut [0; 5])).await.expect("it ends");
    assert!(matches!(heard, Ok(0) | Err(_)), "{heard:?}");
}

#[tokio::test]
async fn who_is_let_in_wakes_what_sleeps_and_goes_on_to_the_app() {
    let stand = Stand::new().await;
    let create =
        api::WorkspaceCreate { idle_timeout_seconds: Some(5), name: Some("a <b>".into()), ..Default::default() };
    let workspace = stand.open_with(create).await;
    let (base, host) = (stand.server.api_url(), format!("ws-{}--8123.localhost", workspace.id));
    let port = format!("/api/workspaces/{}/ports/8123", workspace.id);
    let cookie = pass(&stand, &sign_in(&stand).await, &port, &host).await;
    let ask = |cookie: &str, headers: &[(&str, &str)]| {
        let mut request = browser().get(format!("{base}/")).header(HOST, &host).header("cookie", cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        async { request.send().await.unwrap() }
    };
    let html = ("accept", "text/html");
    stand.client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    // Neither a stranger, nor a program, nor a page that loads itself wakes it.
    assert_eq!(ask("", &[html]).await.status(), 302);
    let program = ask(&cookie, &[]).await;
    assert_eq!((program.status().as_u16(), &program.headers()["retry-after"]), (503, &"2".parse().unwrap()));
    let itself = ask(&cookie, &[html, ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")]).await;
    let text = itself.text().await.unwrap();
    assert!(text.contains("a &lt;b&gt; is asleep") && !text.contains("refresh"), "{text}");
    let access =
        |access: &str| stand.client.raw(Method::PUT, &port).json(&serde_json::json!({ "access": access })).send();
    access("public").await.unwrap();
    let anybody = ask("", &[html]).await.text().await.unwrap();
    assert!(anybody.contains("Its owner can start it") && !anybody.contains("&lt;b&gt;"), "{anybody}");
    access("private").await.unwrap();
    assert_eq!(stand.client.workspace_get(&workspace.id).await.unwrap().attempt, 1);

    let by_hand = [html, ("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate"), ("sec-fetch-user", "?1")];
    let page = ask(&cookie, &by_hand).await;
    assert_eq!(page.status(), 503);
    let text = page.text().await.unwrap();
    assert!(text.contains("Waking a &lt;b&gt;") && text.contains("http-equiv=\"refresh\""), "{text}");
    let woken = stand.client.workspace_in(&workspace.id, WorkspaceState::Running).await;
    assert_eq!(woken.attempt, 2);
    let text = ask(&cookie, &[html]).await.text().await.unwrap();
    assert!(text.contains("Nothing listens on port 8123 yet") && text.contains("refresh"), "{text}");
    let (_, mut shell) = stand.terminal(&woken).await;
    shell.type_in("python3 -m http.server 8123 --bind 127.0.0.1\n").await;
    shell.wait_for("Serving HTTP").await;
    let listing = ask(&cookie, &[html]).await;
    assert!(listing.status() == 200 && listing.text().await.unwrap().contains("README.md"));
    // Something is asked of the port: a use of the workspace.
    wait_until("that is seen", PATIENCE, async || {
        let used = stand.client.workspace_get(&woken.id).await.unwrap().idle.and_then(|idle| idle.last_use);
        used.is_some_and(|used| used.kind == ids::UseKind::Printed || used.port == Some(8123))
    })
    .await;

    // What its owner has stopped stays so.
    stand.client.workspace_stop(&workspace.id).await.unwrap();
    stand.client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    let text = ask(&cookie, &by_hand).await.text().await.unwrap();
    assert!(text.contains("is stopped"), "{text}");
}
