//! Machines as a person at a shell has them.

use std::process::{Command, Output, Stdio};

use ids::NodeStatus;
use serde_json::Value;
use testkit::{Client, TestServer, wait_until};

use crate::apps::{deploy, node_app};
use crate::{SHOWN, join, machine, program, project_on, server, wait_for_status};

/// A shell of somebody who is signed in.
struct Shell {
    url: String,
    token: String,
    home: tempfile::TempDir,
}

impl Shell {
    async fn new(server: &TestServer, admin: &Client) -> Self {
        let token = admin.token_create("shell").await.unwrap().token;
        Self { url: server.api_url(), token, home: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home.path())
            .env("NANOSCALE_URL", &self.url)
            .env("NANOSCALE_TOKEN", &self.token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    async fn output(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// What it says when all is well.
    async fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        text(&output)
    }

    /// What it says when not.
    async fn fail(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output));
        text(&output)
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.output(arguments).await;
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)))
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_invited_and_waited_for() {
    let server = server().start().await;
    let client = server.setup().await;
    let shell = Shell::new(&server, &client).await;

    let waiting = shell
        .command(&["node", "token", "--name", "berlin", "--label", "region=eu", "--expires", "5m", "--wait", "--json"])
        .spawn()
        .unwrap();
    let mut token = None;
    wait_until("the token is made", SHOWN, async || {
        token = client.join_tokens().await.unwrap().pop();
        token.is_some()
    })
    .await;
    // The one that it printed is read at its end; this one is as good.
    let listed = shell.run(&["node", "tokens"]).await;
    assert!(listed.contains("open") && listed.contains("berlin") && listed.contains("region=eu"), "{listed}");
    shell.run(&["node", "revoke", token.unwrap().id.as_str()]).await;
    let ended = tokio::task::spawn_blocking(|| waiting.wait_with_output().unwrap()).await.unwrap();
    assert!(!ended.status.success() && text(&ended).contains("the token is revoked"), "{}", text(&ended));

    let output = shell.run(&["node", "token", "--name", "berlin"]).await;
    assert!(output.contains("nanoscale join nsj_") && output.contains("/api/agent/install-script"), "{output}");
    assert!(output.contains("10 min") && output.contains("from this machine only"), "{output}");
    let refused = shell.fail(&["node", "token", "--expires", "1s"]).await;
    assert!(refused.contains("from 60 seconds to a day"), "{refused}");

    // The whole way, as a script has it: the token on the first line, the node on the second.
    let mut waiting = shell.command(&["node", "token", "--label", "region=eu", "--wait", "--json"]).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(waiting.stdout.take().unwrap()));
    let created: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let mut node = machine();
    node.join(created["token"].as_str().unwrap(), server.api_port()).await;
    let (arrived, status) = tokio::task::spawn_blocking(move || {
        let arrived = lines.next().expect("the node is shown").unwrap();
        (arrived, waiting.wait().unwrap())
    })
    .await
    .unwrap();
    let arrived: Value = serde_json::from_str(&arrived).unwrap();
    assert!(status.success());
    assert_eq!((arrived["id"].as_str(), arrived["status"].as_str()), (Some(node.id().as_str()), Some("online")));
    assert_eq!(arrived["labels"]["region"], "eu");
    let id = created["id"].as_str().unwrap();
    let settled = shell.fail(&["node", "revoke", id]).await;
    assert!(settled.contains("was used already") && settled.contains(node.id().as_str()), "{settled}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_renamed_labelled_drained_and_removed() {
    let server = server().start().await;
    let client = server.setup().await;
    let shell = Shell::new(&server, &client).await;
    let node = join(&server, &client, machine(), "worker").await;
    let id = node.id().as_str();

    assert!(shell.run(&["node", "rename", id, "berlin"]).await.contains("`worker` is now `berlin`"));
    let labelled = shell.run(&["node", "label", "berlin", "region=eu", "gpu="]).await;
    assert!(labelled.contains("gpu,region=eu"), "{labelled}");
    let labelled = shell.run(&["node", "label", "berlin", "gpu-", "disk=ssd", "none-"]).await;
    assert!(labelled.contains("disk=ssd,region=eu") && labelled.contains("no label `none`"), "{labelled}");
    assert!(shell.fail(&["node", "label", "berlin", "a b=c"]).await.contains("error:"));
    assert_eq!(shell.output(&["node", "label", "berlin", "nonsense"]).await.status.code(), Some(2));
    assert!(shell.run(&["node", "access", "berlin", "owner"]).await.contains("for its owner"));
    let shown = shell.json(&["node", "show", "berlin", "--json"]).await;
    assert_eq!((shown["access"].as_str(), shown["labels"]["disk"].as_str()), (Some("owner"), Some("ssd")));
    let shown = shell.run(&["node", "show", "berlin"]).await;
    assert!(shown.contains("disk=ssd,region=eu") && shown.contains("online"), "{shown}");
    let listed = shell.run(&["node", "list"]).await;
    assert!(listed.contains("berlin") && listed.contains("disk=ssd,region=eu"), "{listed}");

    shell.run(&["node", "access", "berlin", "everybody"]).await;
    let project = project_on(&client, "hello", &node).await;
    deploy(&client, &project, node_app("1")).await;
    assert!(shell.fail(&["node", "remove", "berlin"]).await.contains("--yes"), "it asks");
    let refused = shell.fail(&["node", "remove", "berlin", "--yes"]).await;
    assert!(refused.contains("hello") && refused.contains("node drain"), "{refused}");

    assert!(shell.run(&["node", "drain", "berlin", "--detach"]).await.contains("is being drained"));
    wait_for_status(&client, &node, NodeStatus::Draining).await;
    assert!(shell.run(&["node", "list"]).await.contains("draining"));
    assert!(shell.run(&["node", "resume", "berlin"]).await.contains("gets projects again"));
    wait_for_status(&client, &node, NodeStatus::Online).await;

    // It says what is left, and ends when nothing is.
    let draining = shell.command(&["node", "drain", "berlin"]).spawn().unwrap();
    wait_for_status(&client, &node, NodeStatus::Draining).await;
    client.project_delete(&project).await.unwrap();
    let drained = tokio::task::spawn_blocking(|| draining.wait_with_output().unwrap()).await.unwrap();
    assert!(drained.status.success() && text(&drained).contains("`berlin` is empty"), "{}", text(&drained));
    assert!(shell.run(&["node", "remove", "berlin", "--yes"]).await.contains("Removed `berlin`"));
    assert!(shell.fail(&["node", "show", "berlin"]).await.contains("node list"));
    let own = shell.fail(&["node", "remove", client.nodes().await.unwrap()[0].id.as_str(), "--yes"]).await;
    assert!(own.contains("own machine"), "{own}");
}
