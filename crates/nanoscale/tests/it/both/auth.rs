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

/// The count is taken before a password is compared: guessing in parallel gains nothing.
#[tokio::test]
async fn fifty_guesses_at_once_get_no_more_tries_than_one_after_the_other() {
    let server = server().start().await;
    server.client().setup("ada", "long enough", server.setup_code()).await.unwrap();
    let mut guesses = Vec::new();
    for number in 0..50 {
        let client = server.client();
        guesses.push(tokio::spawn(async move { client.login("ada", &format!("guess number {number}")).await }));
    }
    let mut compared = 0;
    for guess in guesses {
        let failure = guess.await.unwrap().unwrap_err();
        match failure.status {
            401 => compared += 1,
            _ => {
                assert_eq!((failure.status, failure.code()), (429, "TOO_MANY_ATTEMPTS"));
                assert!(failure.retry_after.unwrap() > 0);
            }
        }
    }
    assert_eq!(compared, 5);
    // Locked means that the right password does not open either.
    let locked = server.client().login("ada", "long enough").await.unwrap_err();
    assert_eq!((locked.status, locked.code()), (429, "TOO_MANY_ATTEMPTS"));
}

/// Sign-ins that wait from one address leave room for those from another.
#[tokio::test]
async fn a_flood_of_sign_ins_from_one_address_keeps_nobody_else_out() {
    let server = server().start().await;
    server.client().setup("ada", "long enough", server.setup_code()).await.unwrap();
    let mut flood = tokio::task::JoinSet::new();
    for number in 0..200 {
        let client = server.client();
        flood.spawn(async move { client.login(&format!("nobody{number}"), "not the password").await });
    }
    let refused = async {
        while let Some(result) = flood.join_next().await {
            let failure = result.unwrap().unwrap_err();
            if failure.status == 429 {
                return failure.code().to_owned();
            }
        }
        panic!("the queue of the address is never full");
    };
    assert_eq!(refused.await, "TOO_MANY_ATTEMPTS");
    let elsewhere = server.client().from_address([127, 0, 0, 2].into());
    elsewhere.login("ada", "long enough").await.unwrap();
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
    let read = api::TokenCreate { name: "reader".into(), scopes, ..api::TokenCreate::default() };
    let reader = server.client().with_token(&admin.token_create_with(&read).await.unwrap().token);
    assert!(reader.project_list().await.is_ok());
    let create = api::ProjectCreate { name: "x".into(), ..api::ProjectCreate::default() };
    let failure = reader.project_create(&create).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (403, "SCOPE_MISSING"));

    admin.token_delete(&made.id).await.unwrap();
    assert_eq!(ci.me().await.unwrap_err().status, 401);
    let past = api::TokenCreate {
        name: "x".into(),
        expires_at: Some("2001-01-01T00:00:00Z".into()),
        ..api::TokenCreate::default()
    };
    assert_eq!(admin.token_create_with(&past).await.err().unwrap().field(), Some("expires_at"));
}

fn token(name: &str, scopes: &[&str], years: Option<i64>) -> api::TokenCreate {
    let scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
    let expires_at = years.map(|years| format!("{}-01-31T12:00:00Z", 2100 + years));
    api::TokenCreate { name: name.into(), scopes, expires_at, ..api::TokenCreate::default() }
}

async fn token_refused(client: &Client, create: &api::TokenCreate) -> (u16, String, String) {
    let failure = client.token_create_with(create).await.err().unwrap();
    (failure.status, failure.code().to_owned(), failure.field().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_token_makes_sees_and_ends_only_what_it_could_be_itself() {
    let server = server().start().await;
    let admin = server.setup().await;
    let made = async |create| admin.token_create_with(&create).await.unwrap();
    let full = made(token("full", &["read", "write"], None)).await;
    let writer = made(token("writer", &["write"], None)).await;
    let brief = made(token("brief", &["read", "write"], Some(5))).await;
    let with = |made: &api::TokenCreated| server.client().with_token(&made.token);
    let scopes = |scope: &str| (403, "SCOPE_EXCEEDED".to_owned(), scope.to_owned());

    assert_eq!(token_refused(&with(&writer), &token("x", &["read", "write"], None)).await, scopes("scopes"));
    let absent = api::TokenCreate { name: "x".into(), scopes: None, ..api::TokenCreate::default() };
    assert_eq!(token_refused(&with(&writer), &absent).await, scopes("scopes"));
    let expiry = (403, "EXPIRY_EXCEEDED".to_owned(), "expires_at".to_owned());
    assert_eq!(token_refused(&with(&brief), &token("x", &["read"], None)).await, expiry);
    assert_eq!(token_refused(&with(&brief), &token("x", &["read"], Some(6))).await, expiry);
    let child = with(&brief).token_create_with(&token("child", &["read", "write"], Some(4))).await.unwrap();

    let seen = async |made: &api::TokenCreated| {
        let listed = with(made).token_list().await.unwrap().tokens;
        let mut names = listed.into_iter().map(|token| token.name).collect::<Vec<_>>();
        names.sort();
        names
    };
    assert_eq!(seen(&brief).await, ["brief", "child"]);
    assert_eq!(seen(&full).await, ["brief", "child", "full", "writer"]);
    for other in [&full, &writer] {
        assert_eq!(with(&brief).token_delete(&other.id).await.unwrap_err().status, 404);
    }
    assert_eq!(with(&writer).token_delete(&full.id).await.unwrap_err().status, 404);
    with(&brief).token_delete(&child.id).await.unwrap();
    with(&brief).token_delete(&brief.id).await.unwrap();
    assert_eq!(with(&brief).me().await.unwrap_err().status, 401);
    // Whoever signs in with a password has all of them.
    admin.token_delete(&full.id).await.unwrap();
}

#[tokio::test]
async fn what_a_token_made_ends_with_it() {
    let server = server().start().await;
    let admin = server.setup().await;
    let with = |made: &api::TokenCreated| server.client().with_token(&made.token);
    let first = admin.token_create("first").await.unwrap();
    let other = admin.token_create("other").await.unwrap();
    let child = with(&first).token_create("child").await.unwrap();
    let grandchild = with(&child).token_create("grandchild").await.unwrap();
    let listed = admin.token_list().await.unwrap().tokens;
    let parent = |made: &api::TokenCreated| listed.iter().find(|it| it.id == made.id).unwrap().parent_id.clone();
    assert_eq!(
        (parent(&first), parent(&child), parent(&grandchild)),
        (None, Some(first.id.clone()), Some(child.id.clone()))
    );
    let mut events = with(&grandchild).events(None).await.unwrap();

    admin.token_delete(&first.id).await.unwrap();
    for gone in [&first, &child, &grandchild] {
        assert_eq!(with(gone).me().await.unwrap_err().status, 401);
    }
    assert!(events.next_within(AT_ONCE).await.unwrap().is_none());
    with(&other).me().await.unwrap();
    // A child may end before what made it.
    let child = with(&other).token_create("child").await.unwrap();
    with(&child).token_delete(&child.id).await.unwrap();
    with(&other).me().await.unwrap();
}

#[tokio::test]
async fn a_token_has_a_name_that_can_be_shown() {
    let server = server().start().await;
    let admin = server.setup().await;
    for name in ["", "   ", "a\u{0}b", "a\nb", "\u{1b}[31m", &"x".repeat(65)] {
        let refused = token_refused(&admin, &token(name, &["read"], None)).await;
        assert_eq!(refused, (400, "INVALID_NAME".to_owned(), "name".to_owned()), "{name:?}");
    }
    for name in ["x", "Größe 🦀", &"ä".repeat(64)] {
        admin.token_create(name).await.unwrap();
    }
}

const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_stream_of_events_ends_with_what_opened_it() {
    let server = server().start().await;
    let admin = server.setup().await;
    let (ci, other) = (admin.token_create("ci").await.unwrap(), admin.token_create("other").await.unwrap());
    let mut by_token = server.client().with_token(&ci.token).events(None).await.unwrap();
    let mut by_other = server.client().with_token(&other.token).events(None).await.unwrap();
    let mut by_session = admin.events(None).await.unwrap();

    admin.token_delete(&ci.id).await.unwrap();
    assert!(by_token.next_within(AT_ONCE).await.unwrap().is_none());
    admin.logout().await.unwrap();
    assert!(by_session.next_within(AT_ONCE).await.unwrap().is_none());
    // Nobody else is cut off.
    let create = api::ProjectCreate { name: "x".into(), ..api::ProjectCreate::default() };
    server.client().with_token(&other.token).project_create(&create).await.unwrap();
    assert_eq!(by_other.next_within(AT_ONCE).await.unwrap().unwrap().kind, "project.created");
}

#[tokio::test]
async fn a_followed_log_ends_with_what_opened_it() {
    let server = server().start().await;
    let admin = server.setup().await;
    let id = crate::apps::project(&admin, "quiet").await;
    let ci = admin.token_create("ci").await.unwrap();
    let query = testkit::LogsQuery::default();
    let mut log = server.client().with_token(&ci.token).follow_project_logs(&id, &query).await.unwrap();
    admin.token_delete(&ci.id).await.unwrap();
    assert!(log.next_within(AT_ONCE).await.unwrap().is_none());
}
