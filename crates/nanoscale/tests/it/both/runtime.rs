//! Variables and files of a project one by one: what is refused, what is shown, and how many there may be.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::Client;

use crate::server;

pub(super) async fn send(client: &Client, method: Method, path: &str, body: Value) -> (u16, Value) {
    let response = client.raw(method, path).json(&body).send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

async fn set_variable(client: &Client, key: &str, value: &str) -> (u16, Value) {
    send(client, Method::POST, "/api/projects/one/runtime/env-vars", json!({"key": key, "value": value})).await
}

async fn set_file(client: &Client, path: &str, content: &str) -> (u16, Value) {
    send(client, Method::POST, "/api/projects/one/runtime/files", json!({"path": path, "content": content})).await
}

async fn project(client: &Client) {
    client.project_create(&api::ProjectCreate { name: "one".into(), ..api::ProjectCreate::default() }).await.unwrap();
}

async fn config(client: &Client) -> Value {
    client.raw(Method::GET, "/api/projects/one/runtime-config").send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn secrets_are_never_shown_and_plain_values_are() {
    let server = server().start().await;
    let client = server.setup().await;
    project(&client).await;
    assert_eq!(config(&client).await, json!({"env_vars": [], "files": []}));
    let (env_vars, files) = ("/api/projects/one/runtime/env-vars", "/api/projects/one/runtime/files");
    assert_eq!(set_variable(&client, "SECRET", "hunter2-hidden").await.0, 201);
    let plain = json!({"key": "PLAIN", "value": "for all: ü", "is_secret": false});
    let (status, answer) = send(&client, Method::POST, env_vars, plain).await;
    assert_eq!(status, 201);
    assert_eq!(answer, config(&client).await, "the answer is the whole configuration");
    assert_eq!(set_file(&client, "~/.secret", "hunter2-file").await.0, 201);
    let plain = json!({"path": "conf\\app.json", "content": "{\"ü\": 1}\n", "is_secret": false});
    assert_eq!(send(&client, Method::POST, files, plain).await.0, 201);

    let shown = config(&client).await;
    let variable = |at: usize| &shown["env_vars"][at];
    assert_eq!((&variable(0)["key"], &variable(0)["value"]), (&json!("PLAIN"), &json!("for all: ü")));
    assert_eq!((&variable(0)["is_secret"], &variable(0)["has_value"]), (&json!(false), &json!(true)));
    assert_eq!((&variable(1)["key"], &variable(1)["is_secret"]), (&json!("SECRET"), &json!(true)));
    assert!(variable(1).get("value").is_none() && variable(1)["updated_at"].is_string());
    let file = |at: usize| &shown["files"][at];
    assert_eq!((&file(0)["path"], &file(0)["content"]), (&json!("conf/app.json"), &json!("{\"ü\": 1}\n")));
    assert_eq!((&file(0)["size_bytes"], &file(0)["is_secret"]), (&json!(10), &json!(false)));
    assert_eq!((&file(1)["path"], &file(1)["size_bytes"]), (&json!("~/.secret"), &json!(12)));
    assert!(file(1).get("content").is_none() && !shown.to_string().contains("hunter2"));

    // What it is stays when nobody says, and both ways of writing see one table.
    assert_eq!(set_variable(&client, "PLAIN", "other").await.0, 200);
    assert_eq!(config(&client).await["env_vars"][0]["value"], "other");
    let listed = client.env_get("one").await.unwrap();
    let secrets = listed.iter().map(|it| (it.key.as_str(), it.is_secret)).collect::<Vec<_>>();
    assert_eq!(secrets, [("PLAIN", false), ("SECRET", true)]);
    // A secret is not shown by asking for it differently.
    let reveal = json!([{"key": "SECRET", "is_secret": false}]);
    let (status, refused) = send(&client, Method::PUT, "/api/projects/one/env", reveal).await;
    assert_eq!((status, &refused["error"]), (400, &json!("ENV_VALUE_MISSING")));
    client.env_put("one", &[("SECRET", None), ("PLAIN", None), ("OLD", Some("way"))]).await.unwrap();
    let shown = config(&client).await;
    assert_eq!(shown["env_vars"][1]["value"], "other");
    assert_eq!(shown["env_vars"].as_array().unwrap().len(), 3);
    let hide = json!({"key": "PLAIN", "value": "hidden", "is_secret": true});
    assert_eq!(send(&client, Method::POST, env_vars, hide).await.0, 200);
    assert!(config(&client).await["env_vars"][1].get("value").is_none());

    let delete = async |path: &str| client.raw(Method::DELETE, path).send().await.unwrap().status().as_u16();
    assert_eq!(delete(&format!("{env_vars}/PLAIN")).await, 204);
    assert_eq!(delete(&format!("{env_vars}/PLAIN")).await, 404);
    assert_eq!(delete(&format!("{env_vars}/%00")).await, 404);
    assert_eq!(delete(&format!("{files}?path=~/.secret")).await, 204);
    assert_eq!(delete(&format!("{files}?path=~/.secret")).await, 404);
    assert_eq!(delete(&format!("{files}?path=conf%5Capp.json")).await, 204);
    assert_eq!(delete(files).await, 400);
    assert_eq!(config(&client).await["files"], json!([]));
}

#[tokio::test]
async fn values_are_counted_in_bytes() {
    let server = server().start().await;
    let client = server.setup().await;
    project(&client).await;
    let refused = set_variable(&client, "1BAD", "x").await;
    assert_eq!(
        (refused.0, &refused.1["error"], &refused.1["details"]["field"]),
        (400, &json!("INVALID_ENV_KEY"), &json!("key"))
    );
    assert_eq!(set_variable(&client, "A", &"x".repeat(8192)).await.0, 201);
    let refused = set_variable(&client, "A", &"x".repeat(8193)).await;
    assert_eq!((refused.0, &refused.1["error"]), (400, &json!("ENV_VALUE_TOO_LARGE")));
    // Four bytes each.
    assert_eq!(set_variable(&client, "B", &"🦀".repeat(2048)).await.0, 201);
    assert_eq!(set_variable(&client, "B", &"🦀".repeat(2049)).await.0, 400);
    assert_eq!(set_variable(&client, "C", "a\0b").await.0, 400);
    assert_eq!(set_file(&client, "f", &"ü".repeat(65_536)).await.0, 201);
    let refused = set_file(&client, "f", &"ü".repeat(65_537)).await;
    assert_eq!((refused.0, &refused.1["error"]), (400, &json!("RUNTIME_FILE_TOO_LARGE")));
    assert_eq!(set_file(&client, "empty", "").await.0, 201);
}

#[tokio::test]
async fn at_the_limit_only_what_is_there_can_be_set() {
    let limits = json!({"env_vars": 3, "files": 2, "env_value_bytes": 4, "file_bytes": 5, "file_path_length": 6});
    let server = server().config(json!({ "limits": limits })).start().await;
    let client = server.setup().await;
    project(&client).await;
    for key in ["A", "B", "C"] {
        assert_eq!(set_variable(&client, key, "1234").await.0, 201);
    }
    assert_eq!(set_variable(&client, "D", "1").await.1["error"], "ENV_TOO_MANY");
    assert_eq!(set_variable(&client, "C", "2").await.0, 200);
    assert_eq!(set_variable(&client, "C", "12345").await.1["error"], "ENV_VALUE_TOO_LARGE");
    let four = [("A", None), ("B", None), ("C", None), ("D", Some("1"))];
    assert_eq!(client.env_put("one", &four).await.unwrap_err().code(), "ENV_TOO_MANY");
    // Whole sets have the room that they had before there were limits.
    client.env_put("one", &[("A", None), ("B", None), ("C", Some("longer"))]).await.unwrap();
    for path in ["a", "b"] {
        assert_eq!(set_file(&client, path, "12345").await.0, 201);
    }
    assert_eq!(set_file(&client, "c", "").await.1["error"], "RUNTIME_FILES_TOO_MANY");
    assert_eq!(set_file(&client, "b", "123456").await.1["error"], "RUNTIME_FILE_TOO_LARGE");
    assert_eq!(set_file(&client, "b", "1").await.0, 200);
    assert_eq!(set_file(&client, "1234567", "").await.1["error"], "INVALID_RUNTIME_FILE_PATH");
    let answer = client.raw(Method::DELETE, "/api/projects/one/runtime/files?path=a").send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(set_file(&client, "c", "").await.0, 201);
}

#[tokio::test]
async fn the_usual_limits_are_those_of_the_guide() {
    let server = server().start().await;
    let client = server.setup().await;
    project(&client).await;
    let many = (0..150).map(|number| format!("K{number}")).collect::<Vec<_>>();
    let set = many.iter().map(|key| (key.as_str(), Some("x"))).collect::<Vec<_>>();
    client.env_put("one", &set).await.unwrap();
    assert_eq!(set_variable(&client, "ONE_MORE", "x").await.0, 400);
    assert_eq!(set_variable(&client, "K149", "other").await.0, 200);
    for number in 0..50 {
        assert_eq!(set_file(&client, &format!("f{number}"), "").await.0, 201);
    }
    assert_eq!(set_file(&client, "f50", "").await.0, 400);
    assert_eq!(set_file(&client, "f49", "x").await.0, 200);
}

#[tokio::test]
async fn paths_stay_where_they_may_be() {
    let server = server().start().await;
    let client = server.setup().await;
    project(&client).await;
    let long = "x".repeat(257);
    for path in [
        "a/../b",
        "",
        "x:y",
        &long,
        "a\0b",
        "a\nb",
        ".",
        "..",
        "./a",
        "a/./b",
        "../a",
        "~",
        "~/",
        "~root/x",
        "/",
        "a//b",
        "/etc/passwd",
        "/usr/bin/env",
        "/proc/1/environ",
        "/dev/null",
        "/nanoscale",
        "/app/server.js",
        "/lib/x",
        "..\\a",
    ] {
        let (status, refused) = set_file(&client, path, "x").await;
        assert_eq!((status, &refused["error"]), (400, &json!("INVALID_RUNTIME_FILE_PATH")), "{path:?}");
        assert_eq!(refused["details"]["field"], "path");
        assert!(refused["message"].as_str().unwrap().len() > 20, "{path:?}");
    }
    assert_eq!(config(&client).await["files"], json!([]));
    for path in ["~/.npmrc", "/etc/x", "dir\\f", &long[..256]] {
        assert_eq!(set_file(&client, path, "x").await.0, 201, "{path}");
    }
    let shown = config(&client).await;
    let paths = shown["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap());
    let mut paths = paths.collect::<Vec<_>>();
    paths.sort_unstable();
    assert_eq!(paths, ["/etc/x", "dir/f", &long[..256], "~/.npmrc"]);
    for path in ["dir", "dir/f/g"] {
        assert_eq!(set_file(&client, path, "x").await.1["error"], "RUNTIME_FILE_COLLIDES", "{path}");
    }
}
