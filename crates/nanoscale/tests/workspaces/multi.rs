//! Many terminals over one connection, and tokens that open it.

use ids::WorkspaceState;
use serde_json::{Value, json};
use testkit::{PATIENCE, Sessions, wait_until};

use crate::Stand;

const ONE: &str = "1b4e28ba-2fa1-41d2-883f-0016d3cca427";
const TWO: &str = "2B4E28BA-2FA1-41D2-883F-0016D3CCA427";
const THREE: &str = "3b4e28ba-2fa1-41d2-883f-0016d3cca427";

/// The host name of a workspace.
fn host(workspace: &api::Workspace) -> String {
    format!("ws-{}.localhost", workspace.id.as_str().to_uppercase())
}

/// As a browser comes: it can say nothing but names of protocols.
async fn come(stand: &Stand, workspace: &api::Workspace) -> Sessions {
    let token = stand.client.terminal_token_create(&workspace.id).await.unwrap().token;
    let offered = format!("nanoscale.terminal, bearer.{token}");
    let headers = [("sec-websocket-protocol", offered.as_str()), ("origin", "https://elsewhere.example")];
    Sessions::open(&stand.server.api_url(), &host(workspace), "", &headers).await.unwrap()
}

async fn listed(sessions: &mut Sessions) -> Vec<Value> {
    sessions.heard.clear();
    sessions.say("list_sessions", "", Value::Null).await;
    sessions.hear("session_list", None).await["sessions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn sessions_are_created_typed_into_renamed_closed_and_ended() {
    let stand = Stand::new().await;
    let workspace = stand.open().await;
    let mut sessions = come(&stand, &workspace).await;
    let size = |name: &str| json!({ "rows": 24, "cols": 80, "name": name, "workDir": "/tmp" });
    for (id, name) in [(ONE, "build"), (TWO, "logs"), (THREE, "shell")] {
        sessions.say("create_session", id, size(name)).await;
        let created = sessions.hear("session_created", Some(id)).await;
        assert_eq!((&created["sessionId"], &created["workingDirectory"]), (&json!(id), &json!("/tmp")));
    }
    sessions.type_in(ONE, "echo hi\n").await;
    sessions.wait_for(ONE, "\nhi\r\n").await;
    sessions.say("resize", ONE, json!({ "rows": 40, "cols": 120 })).await;
    sessions.type_in(ONE, "stty size\n").await;
    sessions.wait_for(ONE, "\n40 120\r\n").await;
    // Characters are whole wherever the program's writes are cut.
    sessions.type_in(TWO, "for b in e2 82 ac; do printf \"\\x$b\"; sleep 0.05; done; echo \" $((40+2))\"\n").await;
    sessions.wait_for(TWO, "€ 42\r\n").await;
    assert!(!sessions.text(TWO).contains(char::REPLACEMENT_CHARACTER));
    sessions.say("ping", ONE, Value::Null).await;
    sessions.hear("pong", Some(ONE)).await;

    // What is not understood is told, and harms nothing.
    sessions.say("dance", ONE, Value::Null).await;
    assert_eq!(sessions.hear("error", None).await["error"], "INVALID_REQUEST");
    sessions.say("create_session", "tab-1", size("x")).await;
    sessions.heard.clear();
    sessions.say("rename_session", ONE, json!({ "name": "x".repeat(51) })).await;
    assert_eq!(sessions.hear("error", Some(ONE)).await["error"], "INVALID_NAME");
    sessions.say("rename_session", ONE, json!({ "name": "compile" })).await;
    assert_eq!(sessions.hear("session_renamed", Some(ONE)).await["name"], "compile");

    // The same number again is the same terminal, also for somebody else of the same person.
    let mut second = come(&stand, &workspace).await;
    second.say("create_session", ONE, size("again")).await;
    second.wait_for(ONE, "\n40 120\r\n").await;
    let named = |it: &Value| (it["sessionId"].clone(), it["name"].clone(), it["status"].clone());
    let list = listed(&mut second).await.iter().map(named).collect::<Vec<_>>();
    let two = TWO.to_lowercase();
    let wanted = [(ONE, "compile"), (two.as_str(), "logs"), (THREE, "shell")];
    assert_eq!(list, wanted.map(|(id, name)| (json!(id), json!(name), json!("running"))));

    sessions.type_in(TWO, "exit 7\n").await;
    let ended = sessions.hear("session_closed", Some(TWO)).await;
    assert_eq!((&ended["reason"], &ended["exitCode"]), (&json!("process_exit"), &json!(7)));
    sessions.type_in(TWO, "into the void\n").await;
    assert_eq!(sessions.hear("error", Some(TWO)).await["error"], "SESSION_NOT_ATTACHED");
    sessions.say("close_session", THREE, Value::Null).await;
    assert_eq!(sessions.hear("session_closed", Some(THREE)).await["reason"], "user_requested");
    let is_gone = async || listed(&mut second).await.iter().all(|it| it["sessionId"] != THREE);
    wait_until("the closed tab is gone", PATIENCE, is_gone).await;
    let exited = listed(&mut second).await.into_iter().find(|it| it["sessionId"] == two).unwrap();
    assert_eq!(exited["status"], "exited");
    second.say("reattach_session", &two, json!({ "rows": 24, "cols": 80 })).await;
    assert_eq!(second.hear("error", Some(&two)).await["error"], "SESSION_ENDED");
    second.say("reattach_session", THREE, json!({ "rows": 24, "cols": 80 })).await;
    assert_eq!(second.hear("error", Some(THREE)).await["error"], "NOT_FOUND");
    second.type_in(THREE, "x").await;
    second.say("ping", "", Value::Null).await;
    second.hear("pong", Some("")).await;
}

#[tokio::test]
async fn who_comes_back_gets_what_was_said_once_and_then_the_rest() {
    let stand = Stand::new().await;
    let workspace = stand.open().await;
    let mut first = come(&stand, &workspace).await;
    first.say("create_session", ONE, json!({ "rows": 24, "cols": 80 })).await;
    first
        .type_in(ONE, "stty -echo; for i in $(seq 3000); do echo line $i; sleep 0.001; done; echo all $((1+1))\n")
        .await;
    first.wait_for(ONE, "line 300\r\n").await;
    // What is typed right before leaving arrives.
    first.type_in(ONE, "echo typed $((40+2))\n").await;
    drop(first);
    let mut second = come(&stand, &workspace).await;
    assert_eq!(listed(&mut second).await[0]["sessionId"], ONE);
    second.say("reattach_session", ONE, json!({ "rows": 24, "cols": 80 })).await;
    second.hear("session_reattached", Some(ONE)).await;
    let scrollback = second.hear("scrollback", Some(ONE)).await["data"].as_str().unwrap().len();
    assert!(scrollback <= 256 << 10, "{scrollback}");
    second.wait_for(ONE, "all 2\r\n").await;
    second.wait_for(ONE, "typed 42\r\n").await;
    let text = second.text(ONE);
    let numbers = text.lines().filter_map(|line| line.trim_end().strip_prefix("line ")?.parse::<u32>().ok());
    assert!(numbers.eq(1..=3000), "every line once, in order");
}

#[tokio::test]
async fn a_token_opens_the_terminals_of_one_workspace_while_its_maker_is_signed_in() {
    let stand = Stand::new().await;
    let (one, two) = (stand.open().await, stand.open().await);
    let base = stand.server.api_url();
    let token = stand.client.terminal_token_create(&one.id).await.unwrap().token;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    // It says itself which one; everything else that says so must agree.
    Sessions::open(&base, "127.0.0.1", "", &headers).await.unwrap();
    let query = |workspace: &api::Workspace| format!("?workspace_id={}", workspace.id);
    Sessions::open(&base, &host(&one), &query(&one), &headers).await.unwrap();
    assert_eq!(Sessions::refused(&base, &host(&two), "", &headers).await, 404);
    assert_eq!(Sessions::refused(&base, "127.0.0.1", &query(&two), &headers).await, 404);
    assert_eq!(Sessions::refused(&base, &format!("ws-{}.localhost", ids::WorkspaceId::new()), "", &headers).await, 404);
    assert_eq!(Sessions::refused(&base, &host(&one), "", &[]).await, 401);
    // Nor is it read where every log would have it.
    assert_eq!(Sessions::refused(&base, &host(&one), &format!("?token={token}"), &[]).await, 401);
    let (terminal, _viewer) = stand.terminal(&one).await;
    let attach =
        async |workspace: &api::Workspace| testkit::Viewer::open(&base, &token, &workspace.id, &terminal.id, "").await;
    let mut viewer = attach(&one).await.unwrap();
    viewer.type_in("echo it is $((1+1))\n").await;
    viewer.wait_for("it is 2\r\n").await;
    let Err(testkit::WebSocketError::Http(refused)) = attach(&two).await else { panic!("it is let in") };
    assert_eq!(refused.status(), 404);
    // Somebody else's opens nothing of this.
    let bob = stand.client.sign_in_another("bob", "user").await;
    assert_eq!(bob.terminal_token_create(&one.id).await.map(drop).unwrap_err().code(), "NOT_FOUND");

    stand.client.workspace_stop(&two.id).await.unwrap();
    stand.client.workspace_in(&two.id, WorkspaceState::Stopped).await;
    let api_token = format!("Bearer {}", stand.token);
    let with_api_token = [("authorization", api_token.as_str())];
    assert_eq!(Sessions::refused(&base, &host(&two), "", &with_api_token).await, 503);
    assert_eq!(Sessions::refused(&base, "127.0.0.1", "", &with_api_token).await, 400);
    Sessions::open(&base, "127.0.0.1", &query(&one), &with_api_token).await.unwrap();

    // Whose maker is signed out opens nothing any more, and what is open is closed.
    let mut open = Sessions::open(&base, &host(&one), "", &headers).await.unwrap();
    stand.client.logout().await.unwrap();
    while open.next().await {}
    assert_eq!(open.close_code, Some(1008));
    while viewer.next().await {}
    assert_eq!(Sessions::refused(&base, &host(&one), "", &headers).await, 401);
}
