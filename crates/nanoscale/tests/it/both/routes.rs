//! Every documented route: who may not call it, and how it says no.

use reqwest::Method;
use serde_json::{Value, json};

use crate::server;

/// Routes for callers that are not signed in.
const OPEN: [&str; 6] =
    ["/api/health", "/health", "/api/auth/setup", "/api/auth/login", "/api/auth/logout", "/api/auth/status"];
/// Routes for machines, which prove otherwise who they are.
const MACHINES: [&str; 4] = ["/api/cluster/identity", "/api/cluster/join", "/api/cluster/link", "/api/cluster/tunnel"];

fn document() -> Value {
    let text = std::fs::read_to_string(testkit::workspace().join("docs/openapi.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn documented() -> Vec<(Method, String)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let routes = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(|method| (method.to_uppercase().parse().unwrap(), path.clone())).collect::<Vec<_>>()
    });
    routes.collect()
}

#[test]
fn every_parameter_is_documented_where_it_is() {
    let document = document();
    let mut queries = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                let wanted = if path.contains(&format!("{{{name}}}")) { "path" } else { "query" };
                assert_eq!(parameter["in"], wanted, "{method} {path}: {name}");
                queries += usize::from(wanted == "query");
            }
        }
    }
    assert!(queries > 15, "{queries}");
}

#[tokio::test]
async fn without_a_session_every_route_says_401_in_the_envelope() {
    let server = server().config(json!({"metrics": {"token": "long enough for this"}})).start().await;
    server.setup().await;
    let nobody = server.client();
    let wrong = server.client().with_token("nst_wrong");
    let routes = documented();
    assert!(routes.len() > 25, "{routes:?}");
    let open = |path: &str| OPEN.contains(&path) || MACHINES.contains(&path);
    for (method, path) in routes.into_iter().filter(|(_, path)| !open(path)) {
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
        (r#"{"name":"a","env_vars":[{"key":"A"}]}"#, Some("env_vars[0].value")),
        (r#"{"name":"a","env_vars":[{"key":"A","value":"","x":1}]}"#, Some("env_vars[0].x")),
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
async fn a_malformed_set_of_variables_names_its_field() {
    let server = server().start().await;
    let admin = server.setup().await;
    let create = api::ProjectCreate { name: "one".into(), ..api::ProjectCreate::default() };
    admin.project_create(&create).await.unwrap();
    let long = format!(r#"[{{"key":"A","value":"1"}},{{"key":"LONG","value":"{}"}}]"#, "x".repeat(131_072));
    let parts = (0..10).map(|n| format!(r#"{{"key":"K{n}","value":"{}"}}"#, "x".repeat(120_000))).collect::<Vec<_>>();
    let all = format!("[{}]", parts.join(","));
    for (body, code, field) in [
        (r#"[{"key":"A","value":"1"},{"key":7,"value":"2"}]"#, "INVALID_REQUEST", "[1].key"),
        (r#"[{"key":"A","value":1}]"#, "INVALID_REQUEST", "[0].value"),
        (r#"[{"value":"1"}]"#, "INVALID_REQUEST", "[0].key"),
        (r#"[{"key":"A","value":"1","colour":"red"}]"#, "INVALID_REQUEST", "[0].colour"),
        (r#"{"env_vars":[{"key":"A","value":1}]}"#, "INVALID_REQUEST", "env_vars[0].value"),
        (r#"{"variables":[]}"#, "INVALID_REQUEST", "variables"),
        ("{}", "INVALID_REQUEST", "env_vars"),
        (r#"[{"key":"A"}]"#, "ENV_VALUE_MISSING", "[0].value"),
        (&long, "ENV_VALUE_TOO_LARGE", "[1].value"),
        (&all, "ENV_TOO_LARGE", "env_vars"),
    ] {
        let request = admin.raw(Method::PUT, "/api/projects/one/env").header("content-type", "application/json");
        let response = request.body(body.to_owned()).send().await.unwrap();
        let shown = &body[..body.len().min(80)];
        assert_eq!(response.status(), 400, "{shown}");
        let error: api::ErrorBody = response.json().await.unwrap();
        assert_eq!((error.error.as_str(), &error.details.unwrap()["field"]), (code, &Value::from(field)), "{shown}");
        assert!(!error.message.contains("untagged"), "{}", error.message);
    }
    for body in ["7", "\"x\"", "null"] {
        let request = admin.raw(Method::PUT, "/api/projects/one/env").header("content-type", "application/json");
        assert_eq!(request.body(body).send().await.unwrap().status(), 400, "{body}");
    }
    assert!(admin.env_get("one").await.unwrap().is_empty());
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

/// PostgreSQL has no NUL in a text, paths have no rules, and nobody's spelling is an error of ours.
#[tokio::test]
async fn odd_text_is_refused_wherever_it_comes_in() {
    let server = server().start().await;
    let admin = server.setup().await;
    let create = api::ProjectCreate { name: "one".into(), ..api::ProjectCreate::default() };
    admin.project_create(&create).await.unwrap();
    for odd in ["%00", "one%00", "%FF", "%F0%9F%A6%80", "one%0A", "%25", "One", "one.two", &"x".repeat(64)] {
        for (method, path) in [
            (Method::GET, "projects/{}"),
            (Method::DELETE, "projects/{}"),
            (Method::GET, "projects/{}/env"),
            (Method::GET, "projects/{}/logs"),
            (Method::GET, "projects/{}/releases"),
            (Method::GET, "projects/{}/rollback-plan"),
            (Method::PUT, "releases/{}/pin"),
            (Method::DELETE, "releases/{}/pin"),
            (Method::POST, "projects/{}/redeploy"),
            (Method::PUT, "projects/{}/source"),
            (Method::GET, "deployments/{}"),
            (Method::GET, "deployments/{}/log"),
            (Method::POST, "deployments/{}/cancel"),
            (Method::GET, "nodes/{}"),
            (Method::DELETE, "tokens/{}"),
        ] {
            let path = format!("/api/{}", path.replace("{}", odd));
            let response = admin.raw(method.clone(), &path).send().await.unwrap();
            assert_eq!(response.status(), 404, "{method} {path}");
        }
    }
    for (query, status) in [
        ("logs?search=%00", 200),
        ("logs?search=%FF", 200),
        ("logs?after=%00", 400),
        ("logs?since=%00", 400),
        ("logs?limit=-1", 400),
        ("deployments?cursor=%00", 400),
        ("deployments?cursor=99999999999999999999", 400),
        ("deployments?cursor=-1", 200),
        ("deployments?limit=x", 400),
    ] {
        let response = admin.raw(Method::GET, &format!("/api/projects/one/{query}")).send().await.unwrap();
        assert_eq!(response.status(), status, "{query}");
    }
    let long = format!("/api/projects/one/logs?search={}", "!".repeat(60_000));
    assert_eq!(admin.raw(Method::GET, &long).send().await.unwrap().status(), 400);
    for position in ["x", "-1", "9223372036854775807", "99999999999999999999"] {
        let events = admin.raw(Method::GET, "/api/events").header("last-event-id", position).send().await.unwrap();
        assert_eq!(events.status(), 200, "{position}");
    }
}

/// One bad text in each field that takes any.
#[tokio::test]
async fn a_nul_in_any_field_is_400_or_401() {
    let server = server().start().await;
    let admin = server.setup().await;
    let create = api::ProjectCreate { name: "one".into(), ..api::ProjectCreate::default() };
    admin.project_create(&create).await.unwrap();
    let settings = [
        "name",
        "branch",
        "root_directory",
        "install_command",
        "build_command",
        "run_command",
        "output_directory",
        "health_path",
    ];
    let mut refused = Vec::new();
    for field in settings {
        refused.push((Method::POST, "/api/projects", format!(r#"{{"name":"two","{field}":"a\u0000b"}}"#)));
        refused.push((Method::PATCH, "/api/projects/one", format!(r#"{{"{field}":"a\u0000b"}}"#)));
    }
    refused.remove(0);
    for (method, path, body) in [
        (Method::POST, "/api/projects", r#"{"name":"a\u0000b"}"#),
        (Method::POST, "/api/projects", r#"{"name":"two","repo_url":"https://a\u0000b/c"}"#),
        (Method::POST, "/api/projects", r#"{"name":"two","node_id":"\u0000"}"#),
        (Method::POST, "/api/projects", r#"{"name":"two","env_vars":[{"key":"A\u0000","value":""}]}"#),
        (Method::POST, "/api/projects", r#"{"name":"two","env_vars":[{"key":"A","value":"\u0000"}]}"#),
        (Method::PUT, "/api/projects/one/env", r#"[{"key":"\u0000","value":""}]"#),
        (Method::PUT, "/api/projects/one/env", r#"[{"key":"A","value":"a\u0000b"}]"#),
        (Method::POST, "/api/projects/one/redeploy", r#"{"commit":"\u0000"}"#),
        (Method::POST, "/api/projects/one/rollback", r#"{"deployment_id":"\u0000"}"#),
        (Method::POST, "/api/projects/plan", r#"{"repo_url":"https://127.0.0.1/\u0000"}"#),
        (Method::POST, "/api/tokens", r#"{"name":"a\u0000b"}"#),
        (Method::POST, "/api/tokens", r#"{"name":"a\u001bb"}"#),
        (Method::POST, "/api/tokens", r#"{"name":"a","scopes":["\u0000"]}"#),
        (Method::POST, "/api/tokens", r#"{"name":"a","expires_at":"\u0000"}"#),
        (Method::POST, "/api/auth/setup", r#"{"username":"\u0000","password":"long enough","code":"x"}"#),
        (Method::POST, "/api/auth/login", r#"{"username":"a\u0000b","password":"\u0000"}"#),
    ] {
        refused.push((method, path, body.to_owned()));
    }
    for (method, path, body) in refused {
        let request = admin.raw(method.clone(), path).header("content-type", "application/json");
        let response = request.body(body.clone()).send().await.unwrap();
        let expected = if path == "/api/auth/login" { 401 } else { 400 };
        assert_eq!(response.status(), expected, "{method} {path} {body}");
    }
    let names = admin.project_list().await.unwrap().into_iter().map(|project| project.name).collect::<Vec<_>>();
    assert_eq!(names, ["one"]);
}
