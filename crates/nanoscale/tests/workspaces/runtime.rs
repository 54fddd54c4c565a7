//! Variables and files of a project, as its shells and its deployed app find them.

use std::path::Path;
use std::process::Command;

use ids::{DeploymentState, WorkspaceState};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{BUILD, Stand};

const ODD: &str = "it's \"quoted\" \\ back\n$HOME$(id)`id`$$\n\ttab Größe 🦀 \u{202e}x\n\n";
const PATHS: [&str; 4] = ["~/.config/deep/x", "rel/y", "/etc/app-of-test/config.toml", "/srv/data-of-test/x"];
/// Tells which bytes the app found.
const SERVER: &str = "const http = require('node:http'), fs = require('node:fs'), os = require('node:os');\
    const hash = (bytes) => require('node:crypto').createHash('sha256').update(bytes).digest('hex');\
    http.createServer((q, r) => { let body = ''; q.on('data', (part) => body += part); q.on('end', () =>\
      r.end(JSON.stringify(JSON.parse(body || '[]').map((path) => hash(path.startsWith('$') ? process.env[path.slice(1)] :\
        fs.readFileSync(path.replace(/^~/, os.homedir()))))))); }).listen(process.env.PORT);";

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is in a file, so that nothing of it is in two of them.
fn content(path: &str) -> String {
    format!("hunter2 of {path}\n{ODD}\r\n")
}

async fn set(stand: &Stand, path: &str, content: &str) {
    let body = json!({ "path": path, "content": content });
    let answer = stand.client.raw(Method::POST, "/api/projects/shop/runtime/files").json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
}

async fn restart(stand: &Stand, workspace: &api::Workspace) -> api::Workspace {
    stand.client.workspace_stop(&workspace.id).await.unwrap();
    stand.client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    stand.client.workspace_restart(&workspace.id).await.unwrap();
    stand.client.workspace_in(&workspace.id, WorkspaceState::Running).await
}

#[tokio::test]
async fn a_shell_and_the_deployed_app_find_the_same_bytes() {
    let stand = Stand::new().await;
    stand.repo.write("package.json", r#"{"scripts":{"start":"node server.js"}}"#).write("server.js", SERVER);
    stand.repo.commit("An app");
    stand.client.env_put(&stand.project, &[("ODD", Some(ODD))]).await.unwrap();
    for path in PATHS {
        set(&stand, path, &content(path)).await;
    }
    let deployment = stand.client.redeploy(&stand.project).await.unwrap();
    let workspace = stand.open().await;
    stand.client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
    let asked = PATHS.into_iter().chain(["$ODD"]).collect::<Vec<_>>();
    let body = serde_json::to_vec(&asked).unwrap();
    let answer = stand.server.app("shop.localhost").post("/", body).await.unwrap().text();
    let expected = PATHS.map(|path| hash(&content(path))).into_iter().chain([hash(ODD)]).collect::<Vec<_>>();
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), json!(expected));

    let step = workspace.steps.iter().find(|step| step.name == "files").unwrap();
    assert_eq!(step.message.as_deref(), Some("2 written, 2 in memory"));
    // Two shells: what one has the other has.
    for _ in 0..2 {
        let (_, mut shell) = stand.terminal(&workspace).await;
        for (path, hash) in PATHS.iter().zip(&expected) {
            shell.type_in(&format!("sha256sum <{path}; stat -c 'of %U, %a:%s' {path}\n")).await;
            shell.wait_for(&format!("{hash}  -\r\nof dev, 600:{}", content(path).len())).await;
        }
        shell.type_in("printf %s \"$ODD\" | sha256sum\n").await;
        shell.wait_for(&format!("{}  -", hash(ODD))).await;
    }
    // In memory only, and nowhere on this machine.
    assert!(!Path::new("/etc/app-of-test").exists() && !Path::new("/srv/data-of-test").exists());
    for path in &PATHS[2..] {
        let marker = format!("hunter2 of {path}");
        let found = Command::new("grep").args(["-rlaF", &marker]).arg(stand.server.data_dir()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    }
}

#[tokio::test]
async fn what_is_changed_is_found_at_the_next_start() {
    let stand = Stand::new().await;
    let (path, gone) = ("/etc/app-of-test/config.toml", "/srv/data-of-test/x");
    set(&stand, path, "first").await;
    set(&stand, gone, "for now").await;
    let workspace = stand.open().await;
    let (_, mut shell) = stand.terminal(&workspace).await;
    set(&stand, path, "second").await;
    let route = format!("/api/projects/shop/runtime/files?path={gone}");
    assert_eq!(stand.client.raw(Method::DELETE, &route).send().await.unwrap().status(), 204);
    shell.type_in(&format!("echo [$(cat {path})]; echo x >{path}\n")).await;
    shell.wait_for("[first]\r\n").await;
    shell.wait_for("Read-only file system").await;

    let workspace = restart(&stand, &workspace).await;
    let (_, mut shell) = stand.terminal(&workspace).await;
    shell.type_in(&format!("echo [$(cat {path})]; ls {gone}\n")).await;
    shell.wait_for("[second]\r\n").await;
    shell.wait_for("No such file or directory").await;
}

#[tokio::test]
async fn without_root_what_is_not_given_is_said() {
    let stand = Stand::with(|builder| builder.unprivileged()).await;
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().join("deep/x").display().to_string();
    set(&stand, &path, "never").await;
    set(&stand, "~/.given", "given").await;
    let workspace = stand.open().await;
    let step = workspace.steps.iter().find(|step| step.name == "files").unwrap();
    assert_eq!(step.message.as_deref(), Some("1 written, 1 left out"));
    let log = format!("/api/workspaces/{}/log", workspace.id);
    let log = stand.client.raw(Method::GET, &log).send().await.unwrap().text().await.unwrap();
    assert!(log.contains(&path) && log.contains("without root"), "{log}");
    assert!(std::fs::read_dir(outside.path()).unwrap().next().is_none(), "nothing is written outside");
}
