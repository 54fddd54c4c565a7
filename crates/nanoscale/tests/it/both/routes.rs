//! Every documented route: who may not call it, and how it says no.

use reqwest::Method;
use serde_json::Value;

use crate::server;

/// Routes for callers that are not signed in.
const OPEN: [&str; 6] =
    ["/api/health", "/health", "/api/auth/setup", "/api/auth/login", "/api/auth/logout", "/api/auth/status"];

fn documented() -> Vec<(Method, String)> {
    let text = std::fs::read_to_string(testkit::workspace().join("docs/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let routes = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(|method| (method.to_uppercase().parse().unwrap(), path.clone())).collect::<Vec<_>>()
    });
    routes.collect()
}

#[tokio::test]
async fn without_a_session_every_route_says_401_in_the_envelope() {
    let server = server().start().await;
    server.setup().await;
    let nobody = server.client();
    let wrong = server.client().with_token("nst_wrong");
    let routes = documented();
    assert!(routes.len() > 25, "{routes:?}");
    for (method, path) in routes.into_iter().filter(|(_, path)| !OPEN.contains(&path.as_str())) {
        let path = path.replace("{id}", "01j9z3k4w5x6y7z8a9b0c1d2e3");
        for client in [&nobody, &wrong] {
            let response = client.raw(method.clone(), &path).send().await.unwrap();
            assert_eq!(response.status(), 401, "{method} {path}");
            let body: api::ErrorBody = response.json().await.unwrap();
            assert_eq!(body.error, "UNAUTHENTICATED", "{method} {path}");
            assert!(!body.message.is_empty());
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_whatever_its_kind() {
    let server = server().start().await;
    let admin = server.setup().await;
    let missing = "01j9z3k4w5x6y7z8a9b0c1d2e3";
    for path in [
        "/api/nonsense".to_owned(),
        "/api/".to_owned(),
        format!("/api/projects/{missing}"),
        "/api/projects/no-such-slug".to_owned(),
        "/api/projects/..%2F..%2Fetc".to_owned(),
        format!("/api/deployments/{missing}"),
        "/api/deployments/x/log".to_owned(),
        format!("/api/nodes/{missing}"),
        "/assets/missing.js".to_owned(),
    ] {
        let response = admin.raw(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        let body: api::ErrorBody = response.json().await.unwrap();
        assert_eq!(body.error, "NOT_FOUND", "{path}");
    }
}

#[tokio::test]
async fn a_malformed_body_is_400_and_names_the_field() {
    let server = server().start().await;
    let admin = server.setup().await;
    for (body, field) in [
        (r#"{"name":"a","port":"x"}"#, Some("port")),
        (r#"{"repo_url":"https://example.com/a"}"#, Some("name")),
        (r#"{"name":"a","env_vars":[{"key":"A"}]}"#, Some("value")),
        (r#"{"name":"a","colour":"red"}"#, Some("colour")),
        (r#"{"name":"#, None),
        ("[1]", None),
    ] {
        let request = admin.raw(Method::POST, "/api/projects").header("content-type", "application/json");
        let response = request.body(body).send().await.unwrap();
        assert_eq!(response.status(), 400, "{body}");
        let error: api::ErrorBody = response.json().await.unwrap();
        if let Some(field) = field {
            let named = error.details.unwrap()["field"].as_str().unwrap().to_owned();
            assert!(named.contains(field), "{body}: {named}");
        }
    }
    assert!(admin.project_list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_method_says_so_and_pages_carry_their_headers() {
    let server = server().start().await;
    let admin = server.setup().await;
    let response = admin.raw(Method::DELETE, "/api/projects").send().await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.json::<api::ErrorBody>().await.unwrap().error, "METHOD_NOT_ALLOWED");
    let page = admin.raw(Method::GET, "/projects/some/page").send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'self'"), "{policy}");
}
