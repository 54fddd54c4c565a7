//! git in a workspace: whose commits, and by what it gets in.

use ids::WorkspaceState;
use reqwest::Method;
use serde_json::json;

use crate::Stand;

const TOKEN: &str = "glpat-only-for-this-host";

#[tokio::test]
async fn it_is_given_its_owners_token_for_that_host_each_time_and_keeps_none() {
    let stand = Stand::new().await;
    stand.repo.require("ada", TOKEN);
    let bare = stand.repo.run(&["remote", "get-url", "origin"]);
    stand.repo.run(&["-C", bare.trim(), "config", "http.receivepack", "true"]);
    let create = api::WorkspaceCreate {
        project_id: stand.project.to_string(),
        new_branch: Some("from-inside".into()),
        ..Default::default()
    };
    let workspace = stand.client.workspace_create(&create).await.unwrap();
    let broken = stand.client.workspace_in(&workspace.id, WorkspaceState::Recovery).await;
    assert_eq!(broken.failure_code.as_deref(), Some("REPO_PRIVATE"), "{broken:?}");

    let settings = json!({ "git_name": "Ada Lovelace", "git_email": "ada@example.com" });
    put(&stand, "/api/me/work-settings", settings).await;
    let credential = format!("/api/me/git-credentials/{}", stand.git.host());
    put(&stand, &credential, json!({ "username": "ada", "token": TOKEN })).await;
    stand.client.workspace_stop(&workspace.id).await.unwrap();
    stand.client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    stand.client.workspace_restart(&workspace.id).await.unwrap();
    let running = stand.client.workspace_in(&workspace.id, WorkspaceState::Running).await;

    let (_, mut shell) = stand.terminal(&running).await;
    shell.type_in("git commit -q --allow-empty -m 'From inside'; git push -q && echo it is $((1+1))\n").await;
    shell.wait_for("it is 2\r\n").await;
    let pushed = stand.repo.run(&["-C", bare.trim(), "log", "-1", "--format=%an <%ae> %s", "from-inside"]);
    assert_eq!(pushed.trim(), "Ada Lovelace <ada@example.com> From inside");
    let node = stand.server.data_dir().join("node");
    let found = std::process::Command::new("grep").args(["-rl", TOKEN]).arg(&node).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "it lies nowhere");
    // Taken back, it opens nothing more.
    stand.client.raw(Method::DELETE, &credential).send().await.unwrap();
    shell.type_in("GIT_TERMINAL_PROMPT=0 git fetch -q || echo shut $((1+1))\n").await;
    shell.wait_for("shut 2\r\n").await;
}

async fn put(stand: &Stand, path: &str, body: serde_json::Value) {
    let response = stand.client.raw(Method::PUT, path).json(&body).send().await.unwrap();
    assert!(response.status().is_success(), "{path}: {}", response.text().await.unwrap());
}
