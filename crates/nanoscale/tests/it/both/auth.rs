use std::time::{Duration, Instant};

use testkit::{Client, TestServer};

use crate::server;

async fn refused(client: &Client, username: &str, password: &str, code: &str) -> (u16, String) {
    let failure = client.setup(username, password, code).await.unwrap_err();
    (failure.status, failure.code().to_owned())
}

#[tokio::test]
async fn setup_wants_a_name_a_password_and_the_code() {
    let server = server().start().await;
    let client = server.client();
    assert_eq!(client.status().await.unwrap().users_count, 0);
    let code = server.setup_code();
    assert_eq!(refused(&client, "ada", "12345", code).await, (400, "PASSWORD_TOO_SHORT".into()));
    assert_eq!(refused(&client, "   ", "long enough", code).await, (400, "INVALID_USERNAME".into()));
    assert_eq!(refused(&client, "ada", "long enough", "wrong").await, (403, "WRONG_SETUP_CODE".into()));
    let me = client.setup("Ada", "long enough", code).await.unwrap();
    assert_eq!(me.user.role, "superadmin");
    let status = client.status().await.unwrap();
    assert_eq!((status.users_count, status.authenticated), (1, true));
    assert_eq!(client.me().await.unwrap().user.username, "ada");
    assert_eq!(refused(&client, "eve", "long enough", code).await, (409, "SETUP_DONE".into()));
}

#[tokio::test]
async fn of_twenty_setups_at_once_one_wins() {
    let server = server().start().await;
    let mut attempts = Vec::new();
    for number in 0..20 {
        let (client, code) = (server.client(), server.setup_code().to_owned());
        attempts.push(tokio::spawn(async move { client.setup(&format!("user{number}"), "long enough", &code).await }));
    }
    let mut statuses = Vec::new();
    for attempt in attempts {
        statuses.push(attempt.await.unwrap().map_or_else(|failure| failure.status, |_| 201));
    }
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 19, "{statuses:?}");
    assert_eq!(server.client().status().await.unwrap().users_count, 1);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_look_alike() {
    let server = server().start().await;
    server.setup().await;
    let mut texts = Vec::new();
    let mut times = Vec::new();
    for name in ["admin", "nobody"] {
        let start = Instant::now();
        let failure = server.client().login(name, "not the password").await.unwrap_err();
        times.push(start.elapsed());
        assert_eq!(failure.status, 401);
        texts.push(failure.text);
    }
    assert_eq!(texts[0], texts[1]);
    // Both hash: without that one of them would be a hundred times faster.
    let (slow, fast) = (times[0].max(times[1]), times[0].min(times[1]));
    assert!(slow < fast * 10 + Duration::from_millis(50), "{times:?}");
}

#[tokio::test]
async fn repeated_failures_lock_out_with_retry_after() {
    let server = server().start().await;
    server.setup().await;
    let client = server.client();
    for _ in 0..5 {
        assert_eq!(client.login("admin", "not the password").await.unwrap_err().status, 401);
    }
    let locked = client.login("admin", "not the password").await.unwrap_err();
    assert_eq!((locked.status, locked.code()), (429, "TOO_MANY_ATTEMPTS"));
    assert!(locked.retry_after.unwrap() > 0);
    // Another name from the same address is not held up.
    assert_eq!(client.login("other", "not the password").await.unwrap_err().status, 401);
}

async fn session_of(server: &TestServer, password: &str) -> String {
    let response = reqwest::Client::new()
        .post(format!("{}/api/auth/login", server.api_url()))
        .json(&serde_json::json!({ "username": "ada", "password": password }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

async fn me_with(server: &TestServer, cookie: &str) -> u16 {
    let request = reqwest::Client::new().get(format!("{}/api/auth/me", server.api_url())).header("cookie", cookie);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn logout_ends_the_session_on_the_server() {
    let server = server().start().await;
    server.client().setup("ada", "long enough", server.setup_code()).await.unwrap();
    let (first, second) = (session_of(&server, "long enough").await, session_of(&server, "long enough").await);
    assert_ne!(first, second, "each login makes a session of its own");
    assert_eq!(me_with(&server, &first).await, 200);
    let logout = reqwest::Client::new().post(format!("{}/api/auth/logout", server.api_url())).header("cookie", &first);
    assert_eq!(logout.send().await.unwrap().status(), 204);
    assert_eq!(me_with(&server, &first).await, 401);
    assert_eq!(me_with(&server, &second).await, 200);
}

#[tokio::test]
async fn a_change_from_another_site_is_refused() {
    let server = server().start().await;
    let client = server.setup().await;
    let create = |header: &'static str, value: &'static str| {
        let request = client.raw(reqwest::Method::POST, "/api/projects").json(&serde_json::json!({"name": "x"}));
        request.header(header, value).send()
    };
    assert_eq!(create("sec-fetch-site", "cross-site").await.unwrap().status(), 403);
    assert_eq!(create("origin", "https://evil.example").await.unwrap().status(), 403);
    assert_eq!(create("sec-fetch-site", "same-origin").await.unwrap().status(), 201);
}

#[tokio::test]
async fn tokens_are_shown_once_scoped_and_revocable() {
    let server = server().start().await;
    let admin = server.setup().await;
    let made = admin.token_create("ci").await.unwrap();
    assert!(made.token.starts_with("nst_"));
    let ci = server.client().with_token(&made.token);
    assert_eq!(ci.me().await.unwrap().user.username, "admin");
    let listed = admin.raw(reqwest::Method::GET, "/api/tokens").send().await.unwrap().text().await.unwrap();
    assert!(listed.contains(made.id.as_str()) && !listed.contains(&made.token));

    let scopes = Some(vec!["read".to_owned()]);
    let read = api::TokenCreate { name: "reader".into(), scopes, expires_at: None };
    let reader = server.client().with_token(&admin.token_create_with(&read).await.unwrap().token);
    assert!(reader.project_list().await.is_ok());
    let create = api::ProjectCreate { name: "x".into(), ..api::ProjectCreate::default() };
    let failure = reader.project_create(&create).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (403, "SCOPE_MISSING"));

    admin.token_delete(&made.id).await.unwrap();
    assert_eq!(ci.me().await.unwrap_err().status, 401);
    let past = api::TokenCreate { name: "x".into(), scopes: None, expires_at: Some("2001-01-01T00:00:00Z".into()) };
    assert_eq!(admin.token_create_with(&past).await.err().unwrap().field(), Some("expires_at"));
}
