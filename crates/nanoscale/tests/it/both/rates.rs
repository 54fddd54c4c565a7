//! How often a person may do something in an hour.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use testkit::Client;

use crate::apps::project;
use crate::server;

const CREDENTIAL: &str = "/api/me/git-credentials/git.example.com";

async fn ask(client: &Client, method: Method, path: &str, body: Value) -> Response {
    client.raw(method, path).json(&body).send().await.unwrap()
}

/// Whether it says what there may be, and when there is more.
async fn is_refused(response: Response, limit: u64, setting: &str) {
    assert_eq!(response.status(), 429);
    let header = |name: &str| response.headers()[name].to_str().unwrap().parse::<u64>().unwrap();
    assert_eq!((header("x-ratelimit-limit"), header("x-ratelimit-remaining")), (limit, 0));
    let left = header("retry-after");
    assert!((3000..=3600).contains(&left), "{left}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!((now + left - 60..=now + left + 60).contains(&header("x-ratelimit-reset")));
    let body = response.json::<api::ErrorBody>().await.unwrap();
    assert_eq!(body.error, "RATE_LIMIT_EXCEEDED");
    assert!(body.message.contains(setting) && body.message.contains("try again in"), "{}", body.message);
}

#[tokio::test]
async fn more_than_the_limit_is_refused_until_its_hour_is_over() {
    let limits = json!({"limits": {"rate_workspace_create": 2, "rate_credential_update": 3}});
    let server = server().config(limits).env("RATE_LIMIT_TERMINAL_TOKEN", "1").start().await;
    let admin = server.setup().await;
    let bob = admin.sign_in_another("bob", "user").await;
    let shop = project(&admin, "shop").await;
    let create = json!({ "project_id": shop });

    // What is refused for another reason is not counted.
    for _ in 0..3 {
        assert_eq!(ask(&admin, Method::POST, "/api/workspaces", json!({"project_id": "none"})).await.status(), 404);
    }
    let first = ask(&admin, Method::POST, "/api/workspaces", create.clone()).await;
    assert_eq!(first.status(), 201);
    let workspace = first.json::<api::Workspace>().await.unwrap();
    assert_eq!(ask(&admin, Method::POST, "/api/workspaces", create.clone()).await.status(), 201);
    let third = ask(&admin, Method::POST, "/api/workspaces", create.clone()).await;
    is_refused(third, 2, "limits.rate_workspace_create").await;
    assert_eq!(admin.workspace_list("").await.unwrap().len(), 2, "nothing was made");
    assert_eq!(ask(&bob, Method::POST, "/api/workspaces", create).await.status(), 201, "everybody has their own");

    let token = json!({ "workspace_id": workspace.id });
    assert_eq!(ask(&admin, Method::POST, "/api/terminal/token", token.clone()).await.status(), 200);
    let second = ask(&admin, Method::POST, "/api/terminal/token", token).await;
    is_refused(second, 1, "limits.rate_terminal_token").await;

    let credential = json!({"token": "one"});
    for _ in 0..2 {
        assert_eq!(ask(&admin, Method::PUT, CREDENTIAL, credential.clone()).await.status(), 200);
    }
    assert_eq!(ask(&admin, Method::DELETE, CREDENTIAL, json!({})).await.status(), 204);
    let fourth = ask(&admin, Method::PUT, CREDENTIAL, credential).await;
    is_refused(fourth, 3, "limits.rate_credential_update").await;
    let fifth = ask(&admin, Method::DELETE, CREDENTIAL, json!({})).await;
    is_refused(fifth, 3, "limits.rate_credential_update").await;
}

#[tokio::test]
async fn of_many_at_once_no_more_than_the_limit_get_through() {
    let server = server().config(json!({"limits": {"rate_credential_update": 4}})).start().await;
    let admin = server.setup().await;
    let ask = |_| ask(&admin, Method::PUT, CREDENTIAL, json!({"token": "one"}));
    let answers = futures_util::future::join_all((0..12).map(ask)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status() == 200).count(), 4);
    assert_eq!(answers.iter().filter(|answer| answer.status() == 429).count(), 8);
}
