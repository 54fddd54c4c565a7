//! Files of a project, as its deployed app finds them.

use ids::DeploymentState;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::Client;

use crate::apps::{archive, deploy, project};
use crate::environment::{ODD, files_hold_no_secret};
use crate::{BUILD, server};

/// Tells of the files that are named: their content, whose they are, and whether they can be written.
fn reader() -> Vec<u8> {
    let server = "const http = require('node:http'), fs = require('node:fs'), os = require('node:os');\
        const look = (path) => { const at = path.replace(/^~/, os.homedir()); try {\
          const { uid, mode } = fs.statSync(at); let writable = true;\
          try { fs.appendFileSync(at, ''); } catch { writable = false; }\
          return { content: fs.readFileSync(at, 'utf8'), own: uid === process.getuid(), mode: mode & 0o777, writable };\
        } catch (error) { return { error: error.code }; } };\
        http.createServer((q, r) => { let body = ''; q.on('data', (part) => body += part); q.on('end', () =>\
          r.end(JSON.stringify({ env: process.env, files: JSON.parse(body || '[]').map(look) }))); }).listen(process.env.PORT);";
    archive(&[
        ("package.json", r#"{"scripts":{"start":"node server.js","build":"ls > built.txt"}}"#),
        ("server.js", server),
        ("conf/there.json", "as committed"),
        ("link/x", "x"),
    ])
}

async fn told(server: &testkit::TestServer, paths: &[&str]) -> Value {
    let body = serde_json::to_vec(paths).unwrap();
    let answer = server.app("reader.localhost").post("/", body).await.unwrap();
    serde_json::from_str(&answer.text()).unwrap()
}

async fn set(client: &Client, path: &str, content: &str) {
    let body = json!({"path": path, "content": content});
    let answer = client.raw(Method::POST, "/api/projects/reader/runtime/files").json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
}

#[tokio::test]
async fn apps_find_identical_bytes_in_variables_and_files() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "reader").await;
    let odd = ODD.map(|(key, value)| (key, Some(value)));
    client.env_put(&id, &odd).await.unwrap();
    let odd = ODD.map(|(_, value)| value).join("\r\n\t`'\"$X\\\n");
    let large = "ü\n".repeat(131_072 / 3);
    let paths = ["~/.npmrc", "~/.config/deep/x", "/etc/app.conf", "/opt/deep/er", "rel/y", "conf/there.json", ".env"];
    for path in paths {
        set(&client, path, &odd).await;
    }
    for number in 0..20 {
        set(&client, &format!("large/{number}"), &large).await;
    }
    let deployment = deploy(&client, &id, reader()).await;
    let answer = told(&server, &paths).await;
    for (key, value) in ODD {
        assert_eq!(answer["env"][key], value);
    }
    for (path, found) in paths.iter().zip(answer["files"].as_array().unwrap()) {
        assert_eq!(found["content"], odd, "{path}: {found}");
        assert_eq!((&found["own"], &found["mode"]), (&json!(true), &json!(0o600)), "{path}: {found}");
        assert_eq!(found["writable"], path.starts_with("~/"), "{path}");
    }
    let found = told(&server, &["large/0", "large/19", "built.txt"]).await;
    assert!(found["files"][0]["content"] == large && found["files"][1]["content"] == large);
    assert!(!found["files"][2]["content"].as_str().unwrap().contains("rel"), "a build is given none");

    // A command of its own finds them too.
    let run = client.run_create(&id, "cmp rel/y .env", None).await.unwrap();
    let run = testkit::wait_some("the run has ended", BUILD, async || {
        let run = client.run(&run.id).await.unwrap();
        run.state.is_settled().then_some(run)
    });
    assert_eq!(run.await.exit_code, Some(0));

    for path in [
        "/api/projects/reader/runtime-config".into(),
        format!("/api/projects/{id}"),
        format!("/api/deployments/{}", deployment.id),
        format!("/api/deployments/{}/log", deployment.id),
        "/api/projects/reader/logs".into(),
        "/api/nodes".into(),
    ] {
        let text = client.raw(Method::GET, &path).send().await.unwrap().text().await.unwrap();
        assert!(!text.contains("hunter2") && !text.contains("abcdefgh"), "{path}: {text}");
    }
    assert!(!server.output().contains("hunter2"));
    // Sealed where they are kept, and in memory only where they are found.
    files_hold_no_secret(&server.data_dir(), "hunter2");
    let groups = server.data_dir().join("node/groups");
    let found = std::process::Command::new("grep").args(["-rl", "hunter2"]).arg(&groups).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");

    // A release keeps its files; the next deployment has what is set by then.
    set(&client, "rel/y", "second").await;
    let gone =
        client.raw(Method::DELETE, "/api/projects/reader/runtime/files?path=/etc/app.conf").send().await.unwrap();
    assert_eq!(gone.status(), 204);
    let again = client.redeploy(&id).await.unwrap();
    client.wait_for(&again.id, DeploymentState::Live, BUILD).await;
    let answer = told(&server, &["rel/y", "/etc/app.conf", "conf/there.json"]).await;
    assert_eq!((&answer["files"][0]["content"], &answer["files"][1]["error"]), (&json!("second"), &json!("ENOENT")));
    let plan = client.rollback_plan(&id, None).await.unwrap();
    let what = plan.changes.iter().map(|change| change.what.as_str()).collect::<Vec<_>>();
    assert_eq!(what, ["file./etc/app.conf", "file.rel/y"]);
    let back = client.rollback(&id, None).await.unwrap();
    client.wait_for(&back.id, DeploymentState::Live, BUILD).await;
    assert_eq!(told(&server, &["rel/y"]).await["files"][0]["content"], odd);
}

#[tokio::test]
async fn a_file_that_cannot_be_placed_says_so() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "reader").await;
    set(&client, "conf", "a directory lies there").await;
    let deployment = client.upload(&id, reader()).await.unwrap();
    let failed = client.wait_for(&deployment.id, DeploymentState::Failed, BUILD).await;
    assert_eq!(failed.failure_code.as_deref(), Some("RUNTIME_FILE_NOT_PLACED"), "{failed:?}");
    assert!(failed.reason.unwrap().contains("`conf`"), "it names the file");
}

#[tokio::test]
async fn without_root_what_is_not_given_is_said() {
    let server = server().unprivileged().start().await;
    let client = server.setup().await;
    let id = project(&client, "reader").await;
    for path in ["~/.config/x", "rel/y", "/etc/app.conf"] {
        set(&client, path, "hunter2").await;
    }
    let deployment = deploy(&client, &id, reader()).await;
    let answer = told(&server, &["~/.config/x", "rel/y"]).await;
    assert_eq!((&answer["files"][0]["content"], &answer["files"][0]["mode"]), (&json!("hunter2"), &json!(0o600)));
    assert_eq!(answer["files"][1]["error"], "ENOENT");
    let log = client.log(&deployment.id).await.unwrap();
    for path in ["rel/y", "/etc/app.conf"] {
        let said = |line: &&api::LogLine| line.text.contains(path) && line.text.contains("without root");
        assert_eq!(log.iter().filter(said).count(), 1, "{log:#?}");
    }
}
