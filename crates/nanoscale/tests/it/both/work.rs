//! What people set for their own workspaces.

use reqwest::Method;
use serde_json::json;

use super::runtime::send;
use crate::server;

#[tokio::test]
async fn git_credentials_are_kept_and_their_tokens_never_shown() {
    let server = server().start().await;
    let client = server.setup().await;
    let put =
        async |host: &str, body| send(&client, Method::PUT, &format!("/api/me/git-credentials/{host}"), body).await;
    let list = async || client.raw(Method::GET, "/api/me/git-credentials").send().await.unwrap().text().await.unwrap();
    assert_eq!(list().await, r#"{"git_credentials":[]}"#);
    let (status, set) = put("GitHub.com", json!({"token": " ghp_hunter2-token\n"})).await;
    assert_eq!((status, &set["host"], &set["username"]), (200, &json!("github.com"), &json!("x-access-token")));
    assert!(set.get("token").is_none() && set["created_at"] == set["updated_at"]);
    let (status, set) = put("git.example.com:8443", json!({"username": "ada", "token": "hunter2-other"})).await;
    assert_eq!((status, &set["host"], &set["username"]), (200, &json!("git.example.com:8443"), &json!("ada")));
    let (_, again) = put("github.com:443", json!({"username": "bot", "token": "hunter2-new"})).await;
    assert_eq!((&again["host"], &again["username"]), (&json!("github.com"), &json!("bot")));
    let listed: serde_json::Value = serde_json::from_str(&list().await).unwrap();
    let hosts = listed["git_credentials"].as_array().unwrap().iter().map(|it| it["host"].as_str().unwrap());
    assert_eq!(hosts.collect::<Vec<_>>(), ["git.example.com:8443", "github.com"]);
    assert!(!listed.to_string().contains("hunter2"));
    for (host, body, code) in [
        ("a%2Fb", json!({"token": "x"}), "INVALID_GIT_HOST"),
        ("a%40b", json!({"token": "x"}), "INVALID_GIT_HOST"),
        ("a%00", json!({"token": "x"}), "INVALID_GIT_HOST"),
        ("a:99999", json!({"token": "x"}), "INVALID_GIT_HOST"),
        ("a.b", json!({"token": ""}), "INVALID_GIT_TOKEN"),
        ("a.b", json!({"token": "x\npassword=y"}), "INVALID_GIT_TOKEN"),
        ("a.b", json!({"token": "x\u{0}"}), "INVALID_GIT_TOKEN"),
        ("a.b", json!({"token": "x", "username": "a\nb"}), "INVALID_GIT_USERNAME"),
        ("a.b", json!({"username": "x"}), "INVALID_REQUEST"),
    ] {
        let (status, refused) = put(host, body).await;
        assert_eq!((status, refused["error"].as_str().unwrap()), (400, code), "{host}");
        assert!(!refused.to_string().contains("password=y"));
    }
    let delete = async |host: &str| {
        let path = format!("/api/me/git-credentials/{host}");
        client.raw(Method::DELETE, &path).send().await.unwrap().status().as_u16()
    };
    assert_eq!((delete("GITHUB.com").await, delete("github.com").await, delete("%00").await), (204, 404, 404));
    assert!(!server.output().contains("hunter2"));
    if server.data_dir().join("server").exists() {
        crate::environment::files_hold_no_secret(&server.data_dir(), "hunter2");
    }
}

#[tokio::test]
async fn work_settings_are_checked_and_written_whole() {
    let server = server().start().await;
    let client = server.setup().await;
    let put = async |body| send(&client, Method::PUT, "/api/me/work-settings", body).await;
    let get = async || client.raw(Method::GET, "/api/me/work-settings").send().await.unwrap().text().await.unwrap();
    assert_eq!(get().await, "{}");
    let settings = json!({"git_name": "Ada Lovelace", "git_email": "ada@example.com", "dotfiles_url": "https://8.8.8.8/ada/dotfiles"});
    assert_eq!(put(settings.clone()).await, (200, settings.clone()));
    for (field, text, code) in [
        ("git_name", "Ada <ada@example.com>", "INVALID_GIT_IDENTITY"),
        ("git_name", "Ada\nBob", "INVALID_GIT_IDENTITY"),
        ("git_email", "a\u{0}", "INVALID_GIT_IDENTITY"),
        ("git_email", "<a@b>", "INVALID_GIT_IDENTITY"),
        ("dotfiles_url", "git@github.com:a/b", "INVALID_REPO_URL"),
        ("dotfiles_url", "https://127.0.0.1/a/b", "PRIVATE_HOST"),
        ("dotfiles_url", "http://example.com/a/b", "INSECURE_REPO_URL"),
    ] {
        let (status, refused) = put(json!({ field: text })).await;
        assert_eq!((status, refused["error"].as_str().unwrap()), (400, code), "{text}");
        assert_eq!(refused["details"]["field"], field);
    }
    assert_eq!(serde_json::from_str::<serde_json::Value>(&get().await).unwrap(), settings);
    assert_eq!(
        put(json!({"git_name": "  ", "git_email": " ada@example.com "})).await.1,
        json!({"git_email": "ada@example.com"})
    );
    assert_eq!(get().await, r#"{"git_email":"ada@example.com"}"#);
}
