//! What projects and people are given, set from a shell.

use serde_json::Value;

use super::{shell, text};
use crate::apps::project;
use crate::server;

#[tokio::test]
async fn variables_and_files_from_a_shell() {
    let server = server().start().await;
    let admin = server.setup().await;
    project(&admin, "shop").await;
    let shell = shell(&server, &admin).await;
    let here = shell.home.path();
    let run = async |arguments: &[&str], input: &str| text(&shell.run_with(here, arguments, input).await);
    run(&["env", "set", "shop", "GREETING=hello you", "--plain"], "").await;
    run(&["env", "set", "shop", "API_KEY"], "hunter2\n").await;
    assert_eq!(run(&["env", "list", "shop"], "").await, "API_KEY\nGREETING=hello you\n");
    run(&["env", "set", "shop", "GREETING=changed"], "").await;
    assert_eq!(run(&["env", "list", "shop"], "").await, "API_KEY\nGREETING=changed\n");
    run(&["env", "set", "shop", "GREETING=hidden", "--secret"], "").await;
    assert_eq!(run(&["env", "list", "shop"], "").await, "API_KEY\nGREETING\n");

    let set = run(&["file", "set", "shop", "conf/app.json", "--plain"], "{\"a\": \"ü\"}\n\n").await;
    assert!(set.contains("Set conf/app.json") && set.contains("nanoscale redeploy 'shop'"), "{set}");
    std::fs::write(here.join("npmrc"), "//registry/:_authToken=hunter2").unwrap();
    run(&["file", "set", "shop", "~/.npmrc", "--from", "npmrc"], "").await;
    let listed = run(&["file", "list", "shop"], "").await;
    assert!(listed.contains("conf/app.json") && listed.contains("plain") && listed.contains("secret"), "{listed}");
    assert!(!listed.contains("hunter2"));
    assert_eq!(run(&["file", "show", "shop", "conf/app.json"], "").await, "{\"a\": \"ü\"}\n\n");
    assert!(run(&["file", "show", "shop", "~/.npmrc"], "").await.contains("is secret"));
    let refused = shell.run_with(here, &["file", "set", "shop", "a/../b"], "x").await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("no part of it is empty"), "{}", text(&refused));
    let json: Value = serde_json::from_str(&run(&["file", "list", "shop", "--json"], "").await).unwrap();
    assert_eq!(json["files"].as_array().unwrap().len(), 2);
    run(&["file", "remove", "shop", "~/.npmrc"], "").await;
    assert!(!run(&["file", "list", "shop"], "").await.contains("npmrc"));
}

#[tokio::test]
async fn git_credentials_and_settings_from_a_shell() {
    let server = server().start().await;
    let admin = server.setup().await;
    let shell = shell(&server, &admin).await;
    let here = shell.home.path();
    let run = async |arguments: &[&str], input: &str| text(&shell.run_with(here, arguments, input).await);
    let none = run(&["git-credential", "set", "github.com"], "").await;
    assert!(none.contains("no token for github.com"), "{none}");
    let set = run(&["git-credential", "set", "GitHub.com", "--username", "ada"], "hunter2\n").await;
    assert_eq!(set, "Set the credential of ada for github.com\n");
    let listed = run(&["git-credential", "list"], "").await;
    assert!(listed.contains("github.com") && listed.contains("ada") && !listed.contains("hunter2"), "{listed}");
    assert_eq!(run(&["git-credential", "remove", "github.com"], "").await, "Removed github.com\n");
    assert!(run(&["git-credential", "list"], "").await.contains("You have no git credentials"));

    run(&["settings", "git", "--name", "Ada Lovelace", "--email", "ada@example.com"], "").await;
    let shown = run(&["settings", "git", "--email", "a@example.com"], "").await;
    assert_eq!(shown, "name      Ada Lovelace\nemail     a@example.com\ndotfiles  -\n");
    let cleared = run(&["settings", "git", "--name", ""], "").await;
    assert_eq!(cleared, "name      -\nemail     a@example.com\ndotfiles  -\n");
    assert!(run(&["settings", "git", "--name", "<x>"], "").await.contains("none of them a control character"));
}
