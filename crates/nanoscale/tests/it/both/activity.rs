//! What happened in a project, as people read it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use ids::ActivityKind;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, PATIENCE, wait_some};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::apps::{archive, deploy_failing, project};
use crate::server;

async fn kinds(client: &Client, query: &str) -> (Vec<ActivityKind>, bool) {
    let list = client.activity_list("shop", query).await.unwrap();
    (list.events.into_iter().map(|event| event.event_type).collect(), list.has_more)
}

fn of(project: &impl ToString) -> api::WorkspaceCreate {
    api::WorkspaceCreate { project_id: project.to_string(), ..api::WorkspaceCreate::default() }
}

#[tokio::test]
async fn what_happens_is_read_newest_first_by_those_whom_it_concerns() {
    let server = server().start().await;
    let admin = server.setup().await;
    let bob = admin.sign_in_another("bob", "user").await;
    let shop = project(&admin, "shop").await;
    let other = project(&admin, "other").await;
    let mut stream = bob.activity_stream(&shop, None).await.unwrap();
    let mut elsewhere = bob.activity_stream(&other, None).await.unwrap();
    assert_eq!(kinds(&bob, "").await, (Vec::new(), false));

    let failed = deploy_failing(&admin, &shop, archive(&[("README.md", "nothing to run")])).await;
    let told = stream.next().await.unwrap();
    assert_eq!((told.event_type, told.actor.as_deref()), (ActivityKind::DeploymentFailed, Some("admin")));
    assert_eq!((told.deployment_id.as_ref(), &told.payload["number"]), (Some(&failed.id), &json!(1)));
    assert!(told.payload["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{told:?}");
    let workspace = admin.workspace_create(&of(&shop)).await.unwrap();
    let created = wait_some("the workspace is told of", PATIENCE, async || {
        admin.activity_list("shop", "?event_type=workspace.created").await.unwrap().events.pop()
    });
    let created = created.await;
    assert_eq!((created.workspace_id.as_ref(), &created.payload["name"]), (Some(&workspace.id), &json!("shop")));

    // Pages meet without a gap, and somebody else's workspace is not told of.
    let list = admin.activity_list("shop", "?limit=1").await.unwrap();
    let [newest] = list.events.as_slice() else { panic!("{list:?}") };
    assert!(list.has_more);
    let mut seen = vec![newest.event_type];
    let mut before = newest.position;
    loop {
        let page = admin.activity_list("shop", &format!("?limit=1&before={before}")).await.unwrap();
        let Some(event) = page.events.first() else { break };
        assert!(event.position < before);
        before = event.position;
        seen.push(event.event_type);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen.last(), Some(&ActivityKind::DeploymentFailed));
    assert!(seen.contains(&ActivityKind::WorkspaceCreated), "{seen:?}");
    assert_eq!(kinds(&bob, "").await, (vec![ActivityKind::DeploymentFailed], false));
    assert_eq!(kinds(&bob, "?event_type=workspace.created").await, (Vec::new(), false));

    // Another failure comes on the same stream, and to one that resumes; nothing did elsewhere.
    deploy_failing(&admin, &shop, archive(&[("README.md", "still nothing")])).await;
    assert_eq!(stream.next().await.unwrap().payload["number"], 2);
    let position = told.position.to_string();
    let mut resumed = bob.activity_stream(&shop, Some(&position)).await.unwrap();
    assert_eq!(resumed.next().await.unwrap().payload["number"], 2);
    assert!(elsewhere.next_within(Duration::from_millis(100)).await.is_err());
    bob.logout().await.unwrap();
    assert!(stream.next_within(PATIENCE).await.unwrap().is_none());

    for (query, code) in [
        ("?limit=0", "INVALID_LIMIT"),
        ("?limit=101", "INVALID_LIMIT"),
        ("?event_type=nonsense", "INVALID_EVENT_TYPE"),
        ("?before=x", "INVALID_REQUEST"),
    ] {
        let refused = admin.activity_list("shop", query).await.unwrap_err();
        assert_eq!((refused.status, refused.code()), (400, code), "{query}");
    }
    assert_eq!(admin.activity_list("nonsense", "").await.unwrap_err().status, 404);
}

#[tokio::test]
async fn the_guides_socket_tells_of_one_project_while_its_caller_is_signed_in() {
    let server = server().start().await;
    let admin = server.setup().await;
    let (shop, other) = (project(&admin, "shop").await, project(&admin, "other").await);
    let token = admin.token_create("socket").await.unwrap();
    let request = |token: &str| {
        let url = format!("ws://127.0.0.1:{}/api/projects/{shop}/sessions/ws", server.api_port());
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    };
    let (mut socket, _) = tokio_tungstenite::connect_async(request(&token.token)).await.unwrap();
    for (ping, pong) in [("ping", "pong"), (r#"{"type":"ping"}"#, r#"{"type":"pong"}"#)] {
        socket.send(Message::text(ping)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(pong));
    }
    let nothing = || archive(&[("README.md", "nothing to run")]);
    deploy_failing(&admin, &other, nothing()).await;
    let failed = deploy_failing(&admin, &shop, nothing()).await;
    let frame = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
    let frame: Value = serde_json::from_str(frame.to_text().unwrap()).unwrap();
    assert_eq!(frame["type"], "activity.new");
    assert_eq!(frame["payload"]["deployment_id"], failed.id.as_str(), "{frame}");

    let refused = |result: Result<_, Error>| match result {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
        Ok(_) => 101,
    };
    assert_eq!(refused(tokio_tungstenite::connect_async(request("nst_wrong")).await), 401);
    let mut foreign = request(&token.token);
    foreign.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    assert_eq!(refused(tokio_tungstenite::connect_async(foreign).await), 403);
    let plain = admin.raw(Method::GET, &format!("/api/projects/{shop}/sessions/ws")).send().await.unwrap();
    assert_eq!(plain.status(), 400);

    admin.token_delete(&token.id).await.unwrap();
    let end = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
    assert!(!matches!(end, Some(Ok(Message::Text(_)))), "{end:?}");
}
