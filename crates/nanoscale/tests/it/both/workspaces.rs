//! Workspaces as far as the server alone decides: whose they are, how many, what may be asked of them when.

use domain::user::User;
use futures_util::StreamExt;
use ids::{UserId, WorkspaceState};
use reqwest::Method;
use serde_json::{Value, json};
use store::Store;
use testkit::{Client, PATIENCE, TestServer, wait_until};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::apps::project;
use crate::server;

const MISSING: &str = "01j9z3k4w5x6y7z8a9b0c1d2e3";
const PASSWORD: &str = "correct horse battery";

/// The administrator, and somebody else.
async fn two_people(server: &TestServer) -> (Client, Client) {
    let admin = server.client();
    admin.setup("admin", PASSWORD, server.setup_code()).await.unwrap();
    let store = Store::open(&server.database_url()).await.unwrap();
    let mut tx = store.write().await.unwrap();
    let (_, hash) = tx.user_by_name(&"admin".parse().unwrap()).await.unwrap().unwrap();
    let bob = User { id: UserId::new(), username: "bob".into(), role: "user".into() };
    tx.user_insert(&bob, &hash, 1).await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    let client = server.client();
    client.login("bob", PASSWORD).await.unwrap();
    (admin, client)
}

fn of(project: impl std::fmt::Display) -> api::WorkspaceCreate {
    api::WorkspaceCreate { project_id: project.to_string(), ..api::WorkspaceCreate::default() }
}

async fn gone(client: &Client, id: &ids::WorkspaceId) {
    let is_gone = async || client.workspace_get(id).await.is_err_and(|error| error.status == 404);
    wait_until("the workspace is gone", PATIENCE, is_gone).await;
}

async fn refused(client: &Client, method: Method, path: &str, body: Value) -> (u16, String) {
    let response = client.raw(method, path).json(&body).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json::<api::ErrorBody>().await.unwrap().error)
}

#[tokio::test]
async fn somebody_elses_workspace_is_not_there() {
    let server = server().start().await;
    let (admin, bob) = two_people(&server).await;
    let shop = project(&admin, "shop").await;
    let mut events = admin.events(None).await.unwrap();
    let workspace = bob.workspace_create(&of(&shop)).await.unwrap();
    assert_eq!((workspace.name.as_str(), workspace.owner.as_str(), workspace.attempt), ("shop", "bob", 1));
    assert_eq!(
        (workspace.project_name.as_str(), workspace.memory_mb, workspace.idle_timeout_seconds),
        ("shop", 2048, 0)
    );
    assert!(workspace.url.ends_with(&format!("/workspaces/{}", workspace.id)), "{}", workspace.url);
    let id = &workspace.id;
    for (method, path, body) in [
        (Method::GET, String::new(), json!({})),
        (Method::PATCH, String::new(), json!({"name": "mine"})),
        (Method::DELETE, String::new(), json!({})),
        (Method::POST, "/stop".into(), json!({})),
        (Method::POST, "/restart".into(), json!({})),
        (Method::POST, "/rebuild".into(), json!({"discard_files": true})),
        (Method::POST, "/awake".into(), json!({"seconds": 60})),
        (Method::DELETE, "/awake".into(), json!({})),
        (Method::GET, "/log".into(), json!({})),
        (Method::GET, "/terminals".into(), json!({})),
        (Method::POST, "/terminals".into(), json!({"wake": true})),
        (Method::GET, "/matches?q=secret".into(), json!({})),
        (Method::PATCH, format!("/terminals/{MISSING}"), json!({"name": "mine"})),
        (Method::DELETE, format!("/terminals/{MISSING}"), json!({})),
        (Method::GET, format!("/terminals/{MISSING}/output"), json!({})),
        (Method::GET, format!("/terminals/{MISSING}/attach"), json!({})),
    ] {
        let path = format!("/api/workspaces/{id}{path}");
        assert_eq!(refused(&admin, method.clone(), &path, body).await, (404, "NOT_FOUND".into()), "{method} {path}");
    }
    assert_eq!(admin.workspace_list("").await.unwrap(), []);
    assert_eq!(bob.workspace_list("").await.unwrap().len(), 1);
    assert_eq!(bob.workspace_list("?project_id=shop").await.unwrap().len(), 1);
    assert_eq!(bob.workspace_list(&format!("?node_id={}", workspace.node_name)).await.unwrap().len(), 1);
    assert_eq!(bob.workspace_list("?state=deleting").await.unwrap(), []);
    // Nor does anybody else hear of it, or read its name.
    let failure = admin.project_delete(&shop).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (409, "PROJECT_HAS_WORKSPACES"));
    assert!(failure.text.contains("1 of other people"), "{}", failure.text);
    project(&admin, "next").await;
    let next = async {
        loop {
            let event = events.next().await.unwrap();
            assert_eq!(event.workspace_id, None, "{event:?}");
            if event.kind == "project.created" {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await.unwrap();
    let failure = bob.project_delete(&shop).await.unwrap_err();
    assert!(failure.text.contains("`shop`"), "{}", failure.text);
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_is_made() {
    let server = server().start().await;
    let admin = server.setup().await;
    let shop = project(&admin, "shop").await;
    for (body, answer) in [
        (json!({}), (400, "INVALID_REQUEST")),
        (json!({"project_id": MISSING}), (404, "NOT_FOUND")),
        (json!({"project_id": "nonsense"}), (404, "NOT_FOUND")),
        (json!({"project_id": "shop", "name": " "}), (400, "INVALID_NAME")),
        (json!({"project_id": "shop", "name": "a\nb"}), (400, "INVALID_NAME")),
        (json!({"project_id": "shop", "name": "x".repeat(65)}), (400, "INVALID_NAME")),
        (json!({"project_id": "shop", "branch": "--upload-pack=x"}), (400, "INVALID_BRANCH")),
        (json!({"project_id": "shop", "new_branch": "a..b"}), (400, "INVALID_BRANCH")),
        (json!({"project_id": "shop", "new_branch": "work"}), (409, "NO_REPOSITORY")),
        (json!({"project_id": "shop", "idle_timeout_seconds": -1}), (400, "INVALID_IDLE_TIMEOUT")),
        (json!({"project_id": "shop", "idle_timeout_seconds": 86_401}), (400, "INVALID_IDLE_TIMEOUT")),
        (
            json!({"project_id": "shop", "shutdown_deadline": "2020-01-01T00:00:00Z"}),
            (400, "INVALID_SHUTDOWN_DEADLINE"),
        ),
        (json!({"project_id": "shop", "memory_mb": 1}), (400, "INVALID_LIMIT")),
        (json!({"project_id": "shop", "node_id": "nowhere"}), (400, "UNKNOWN_NODE")),
        (json!({"project_id": "shop", "node_id": MISSING}), (400, "UNKNOWN_NODE")),
    ] {
        let refused = refused(&admin, Method::POST, "/api/workspaces", body.clone()).await;
        assert_eq!(refused, (answer.0, answer.1.to_owned()), "{body}");
    }
    assert_eq!(admin.workspace_list("").await.unwrap(), []);
    let first =
        admin.workspace_create(&api::WorkspaceCreate { name: Some(" my work ".into()), ..of("shop") }).await.unwrap();
    let second =
        admin.workspace_create(&api::WorkspaceCreate { name: Some("my work".into()), ..of(&shop) }).await.unwrap();
    assert_eq!((first.name.as_str(), second.name.as_str()), ("my work", "my work (2)"));
    let rename = |name: &str| api::WorkspaceUpdate {
        name: Some(name.into()),
        idle_timeout_seconds: Some(60),
        shutdown_deadline: Some("2099-01-31T12:00:00+02:00".into()),
    };
    assert_eq!(admin.workspace_update(&second.id, &rename("my work")).await.unwrap_err().code(), "NAME_TAKEN");
    let renamed = admin.workspace_update(&second.id, &rename("other")).await.unwrap();
    assert_eq!((renamed.name.as_str(), renamed.idle_timeout_seconds), ("other", 60));
    assert_eq!(renamed.shutdown_deadline.as_deref(), Some("2099-01-31T10:00:00.000Z"));
    let path = format!("/api/workspaces/{}", second.id);
    for past in ["2020-01-01T00:00:00Z", "soon"] {
        let refused = refused(&admin, Method::PATCH, &path, json!({"shutdown_deadline": past})).await;
        assert_eq!(refused, (400, "INVALID_SHUTDOWN_DEADLINE".into()));
    }
    let none = api::WorkspaceUpdate { shutdown_deadline: Some(String::new()), ..api::WorkspaceUpdate::default() };
    assert_eq!(admin.workspace_update(&second.id, &none).await.unwrap().shutdown_deadline, None);
    let none = api::WorkspaceRebuild { discard_files: false };
    assert_eq!(admin.workspace_rebuild(&first.id, &none).await.unwrap_err().code(), "FILES_WOULD_BE_LOST");
}

#[tokio::test]
async fn what_is_not_stopped_counts_and_what_is_deleted_goes() {
    let server = server().config(json!({"limits": {"workspaces_per_user": 1}})).start().await;
    let (admin, bob) = two_people(&server).await;
    let shop = project(&admin, "shop").await;
    let first = admin.workspace_create(&of(&shop)).await.unwrap();
    let failure = admin.workspace_create(&of(&shop)).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (409, "USER_WORKSPACE_LIMIT"));
    assert!(failure.text.contains("limits.workspaces_per_user"), "{}", failure.text);
    // Everybody has as many.
    let of_bob = bob.workspace_create(&of(&shop)).await.unwrap();

    admin.workspace_stop(&first.id).await.unwrap();
    let failure = admin.workspace_stop(&first.id).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (409, "WORKSPACE_STATE"));
    admin.workspace_in(&first.id, WorkspaceState::Stopped).await;
    let second = admin.workspace_create(&of(&shop)).await.unwrap();
    assert_eq!(second.name, "shop (2)");
    assert_eq!(admin.workspace_restart(&first.id).await.unwrap_err().code(), "USER_WORKSPACE_LIMIT");
    for id in [&first.id, &second.id] {
        admin.workspace_delete(id).await.unwrap();
        gone(&admin, id).await;
    }
    bob.workspace_delete(&of_bob.id).await.unwrap();
    gone(&bob, &of_bob.id).await;
    admin.project_delete(&shop).await.unwrap();
}

#[tokio::test]
async fn a_machine_has_room_for_some() {
    let server = server().config(json!({"limits": {"workspaces_per_node": 1}})).start().await;
    let (admin, bob) = two_people(&server).await;
    let shop = project(&admin, "shop").await;
    let first = admin.workspace_create(&of(&shop)).await.unwrap();
    let named = api::WorkspaceCreate { node_id: Some(first.node_name.clone()), ..of(&shop) };
    for create in [named, of(&shop)] {
        let failure = bob.workspace_create(&create).await.unwrap_err();
        assert_eq!((failure.status, failure.code()), (409, "NODE_WORKSPACE_LIMIT"));
        assert!(failure.text.contains("limits.workspaces_per_node"), "{}", failure.text);
    }
    admin.workspace_delete(&first.id).await.unwrap();
    bob.workspace_create(&of(&shop)).await.unwrap();
}

/// What a handshake is answered with: its status, and the messages that come until the end if it is let in.
async fn attach(server: &TestServer, path: &str, headers: &[(&str, String)]) -> (u16, Vec<Message>) {
    let mut request = format!("{}{path}", server.api_url().replace("http", "ws")).into_client_request().unwrap();
    for (name, value) in headers {
        let name: reqwest::header::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    match tokio_tungstenite::connect_async(request).await {
        Ok((socket, _)) => {
            let all = socket.map(Result::unwrap).collect::<Vec<_>>();
            (101, tokio::time::timeout(PATIENCE, all).await.unwrap())
        }
        Err(Error::Http(response)) => (response.status().as_u16(), Vec::new()),
        Err(error) => panic!("{path}: {error}"),
    }
}

#[tokio::test]
async fn a_terminal_is_for_its_owner_from_our_own_pages() {
    let server = server().start().await;
    let (admin, bob) = two_people(&server).await;
    let shop = project(&admin, "shop").await;
    let id = bob.workspace_create(&of(&shop)).await.unwrap().id;
    let path = format!("/api/workspaces/{id}/terminals/{MISSING}/attach");
    let bearer = |token: &api::TokenCreated| ("authorization", format!("Bearer {}", token.token));
    let own = bob.token_create("all").await.unwrap();
    let reading =
        api::TokenCreate { name: "read".into(), scopes: Some(vec!["read".into()]), ..api::TokenCreate::default() };
    let reading = bob.token_create_with(&reading).await.unwrap();
    let foreign = admin.token_create("all").await.unwrap();

    assert_eq!(attach(&server, &path, &[]).await.0, 401);
    assert_eq!(attach(&server, &path, &[("authorization", "Bearer nst_wrong".into())]).await.0, 401);
    assert_eq!(attach(&server, &path, &[bearer(&foreign)]).await.0, 404);
    assert_eq!(attach(&server, &path, &[bearer(&reading)]).await.0, 403);
    let elsewhere = ("origin", "http://evil.example".to_owned());
    assert_eq!(attach(&server, &path, &[bearer(&own), elsewhere]).await.0, 403);
    let preview = ("origin", format!("http://ws-{id}--3000.localhost:{}", server.api_port()));
    assert_eq!(attach(&server, &path, &[bearer(&own), preview]).await.0, 403);
    assert_eq!(attach(&server, &format!("{path}?rows=0"), &[bearer(&own)]).await.0, 400);

    // Let in, they hear why there is nothing to see.
    let ours = ("origin", server.api_url());
    let (watching, watch) = (format!("{path}?watch=true"), [bearer(&reading)]);
    for (path, headers) in [(&path, &[bearer(&own), ours][..]), (&watching, &watch)] {
        let (status, messages) = attach(&server, path, headers).await;
        assert_eq!((status, messages.len()), (101, 2), "{messages:?}");
        let notice: api::TerminalNotice = serde_json::from_str(messages[0].to_text().unwrap()).unwrap();
        assert!(matches!(&notice, api::TerminalNotice::Error { error, .. } if error == "NOT_FOUND"), "{notice:?}");
        assert!(matches!(&messages[1], Message::Close(Some(end)) if u16::from(end.code) == 1008), "{messages:?}");
    }
    let failure = bob.raw(Method::GET, &path).send().await.unwrap();
    assert_eq!(failure.status(), 400);
    for (body, code) in [
        (json!({"name": "x".repeat(51)}), "INVALID_NAME"),
        (json!({"rows": 0}), "INVALID_SIZE"),
        (json!({"command": ["a\0b"]}), "INVALID_COMMAND"),
        (json!({"directory": "a\0b"}), "INVALID_DIRECTORY"),
    ] {
        let path = format!("/api/workspaces/{id}/terminals");
        assert_eq!(refused(&bob, Method::POST, &path, body.clone()).await, (400, code.into()), "{body}");
    }
    bob.workspace_stop(&id).await.unwrap();
    let path = format!("/api/workspaces/{id}/terminals");
    assert_eq!(refused(&bob, Method::POST, &path, json!({})).await, (409, "WORKSPACE_NOT_RUNNING".into()));
    let none: api::TerminalList = bob.raw(Method::GET, &path).send().await.unwrap().json().await.unwrap();
    assert_eq!(none.terminals, []);
    assert_eq!(
        refused(&bob, Method::GET, &format!("/api/workspaces/{id}/matches"), json!({})).await.1,
        "INVALID_SEARCH"
    );
}
