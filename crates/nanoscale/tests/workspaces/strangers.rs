//! Somebody else's workspace is not there: on no route, with no token, under no host name.

use reqwest::header::HOST;
use reqwest::{Client as Http, Method};
use serde_json::{Value, json};
use testkit::Viewer;

use crate::Stand;

#[tokio::test]
async fn bob_finds_nothing_of_adas() {
    let stand = Stand::new().await;
    let workspace = stand.open().await;
    let (terminal, mut shell) = stand.terminal(&workspace).await;
    shell.type_in("echo private $((40+2)); python3 -m http.server 8123 --bind 127.0.0.1\n").await;
    shell.wait_for("Serving HTTP").await;
    let bob = stand.client.sign_in_another("bob", "user").await;
    let token = bob.token_create("bob").await.unwrap().token;
    let admin = stand.client.sign_in_another("eve", "admin").await;
    let (id, of) = (&workspace.id, format!("/api/workspaces/{}", workspace.id));
    let one = format!("{of}/terminals/{}", terminal.id);
    let routes: Vec<(Method, String, Value)> = vec![
        (Method::GET, of.clone(), json!({})),
        (Method::PATCH, of.clone(), json!({ "name": "mine" })),
        (Method::DELETE, of.clone(), json!({})),
        (Method::POST, format!("{of}/stop"), json!({})),
        (Method::POST, format!("{of}/restart"), json!({})),
        (Method::POST, format!("{of}/rebuild"), json!({ "discard_files": true })),
        (Method::GET, format!("{of}/log"), json!({})),
        (Method::GET, format!("{of}/metrics"), json!({})),
        (Method::GET, format!("{of}/terminals"), json!({})),
        (Method::POST, format!("{of}/terminals"), json!({})),
        (Method::PATCH, one.clone(), json!({ "name": "mine" })),
        (Method::DELETE, one.clone(), json!({})),
        (Method::GET, format!("{one}/output"), json!({})),
        (Method::GET, format!("{of}/matches?q=private"), json!({})),
        (Method::GET, format!("{of}/ports"), json!({})),
        (Method::PUT, format!("{of}/ports/8123"), json!({ "access": "public" })),
        (Method::GET, format!("{of}/ports/8123/open"), json!({})),
        (Method::POST, "/api/terminal/token".into(), json!({ "workspace_id": id })),
    ];
    for (method, path, body) in routes {
        for stranger in [&bob, &admin, &bob.with_token(&token)] {
            let answer = stranger.raw(method.clone(), &path).json(&body).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{method} {path}");
        }
        let nobody = stand.client.anonymous().raw(method.clone(), &path).json(&body).send().await.unwrap();
        assert_eq!(nobody.status(), 401, "{method} {path}");
    }
    assert_eq!(bob.workspace_list("").await.unwrap(), []);
    let base = stand.server.api_url();
    assert!(Viewer::open(&base, &token, id, &terminal.id, "").await.is_err());
    assert!(Viewer::open(&base, "nst_forged", id, &terminal.id, "").await.is_err());
    // Another workspace's terminal is not one of hers either.
    let other = stand.open().await;
    assert!(Viewer::open(&base, &stand.token, &other.id, &terminal.id, "").await.is_err());
    // Under its host, whatever is sent along.
    let http = Http::builder().no_proxy().build().unwrap();
    let host = format!("ws-{id}--8123.localhost");
    for (name, value) in [
        ("x-forwarded-host", "localhost"),
        ("x-sam-workspace-id", id.as_str()),
        ("authorization", &format!("Bearer {token}")),
        ("cookie", "nanoscale_port=forged"),
    ] {
        let answer = http.get(&base).header(HOST, &host).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{name}");
    }
    shell.type_in("\u{3}").await;
    shell.wait_for("Keyboard interrupt").await;
}
