//! Workspaces on another machine, and what becomes of their terminals when nobody reaches it for a minute.

use std::time::{Duration, Instant};

use ids::{NodeStatus, WorkspaceState};
use reqwest::header::HOST;
use testkit::{Client, GitServer, PATIENCE, TestServer, Viewer, wait_some, wait_until};

use crate::{SHOWN, join, machine, open_server, project_on, server, wait_for_status};

/// Somebody at the server, who looks at terminals.
struct Desk<'a> {
    server: &'a TestServer,
    client: &'a Client,
    token: String,
}

impl<'a> Desk<'a> {
    async fn new(server: &'a TestServer, client: &'a Client) -> Self {
        Self { server, client, token: client.token_create("terminals").await.unwrap().token }
    }

    async fn open(&self, create: &api::WorkspaceCreate) -> api::Workspace {
        let workspace = self.client.workspace_create(create).await.unwrap();
        self.client.workspace_in(&workspace.id, WorkspaceState::Running).await
    }

    async fn terminal(&self, workspace: &api::Workspace) -> (api::Terminal, Viewer) {
        let terminal = self.client.terminal_open(&workspace.id, &api::TerminalCreate::default()).await.unwrap();
        let viewer = self.look(workspace, &terminal, "").await.unwrap();
        (terminal, viewer)
    }

    async fn look(&self, workspace: &api::Workspace, terminal: &api::Terminal, query: &str) -> Option<Viewer> {
        Viewer::open(&self.server.api_url(), &self.token, &workspace.id, &terminal.id, query).await.ok()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_elsewhere_is_opened_typed_into_visited_stopped_and_deleted() {
    let git = GitServer::start().await;
    let repo = git.repo_from_example("site", "static-site");
    let server = server().git_allow(git.host()).start().await;
    let client = server.setup().await;
    let node = join(&server, &client, machine(), "one").await;
    let create = api::ProjectCreate { name: "site".into(), repo_url: Some(repo.url().into()), ..Default::default() };
    let project = client.project_create(&create).await.unwrap().project.id;
    let desk = Desk::new(&server, &client).await;
    let create = api::WorkspaceCreate {
        project_id: project.to_string(),
        node_id: Some(node.id().to_string()),
        ..Default::default()
    };
    let workspace = desk.open(&create).await;
    assert_eq!(&workspace.node_id, node.id());
    let group = node.data_dir().join("node/groups").join(workspace.id.as_str());
    assert!(group.join("home-1/site/index.html").exists(), "{}", group.display());
    assert!(!server.data_dir().join("node/groups").join(workspace.id.as_str()).exists());
    let (_, mut shell) = desk.terminal(&workspace).await;
    shell.type_in("echo kept > note.txt; python3 -m http.server 8123 --bind 127.0.0.1\n").await;
    shell.wait_for("Serving HTTP").await;
    wait_until("its port is found", PATIENCE, async || {
        client.workspace_get(&workspace.id).await.unwrap().ports.iter().any(|port| port.port == 8123)
    })
    .await;
    let path = format!("/api/workspaces/{}/ports/8123", workspace.id);
    let public = serde_json::json!({ "access": "public" });
    let shared = client.raw(reqwest::Method::PUT, &path).json(&public).send().await.unwrap();
    assert!(shared.status().is_success(), "{}", shared.text().await.unwrap());
    let host = format!("ws-{}--8123.localhost", workspace.id);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.get(format!("{}/note.txt", server.api_url())).header(HOST, &host).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "kept\n");

    client.workspace_stop(&workspace.id).await.unwrap();
    client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    shell.end().await;
    client.workspace_restart(&workspace.id).await.unwrap();
    let again = client.workspace_in(&workspace.id, WorkspaceState::Running).await;
    assert_eq!(&again.node_id, node.id());
    let (_, mut shell) = desk.terminal(&again).await;
    shell.type_in("cat note.txt\n").await;
    shell.wait_for("\nkept\r\n").await;
    client.workspace_delete(&workspace.id).await.unwrap();
    let is_gone = async || client.workspace_get(&workspace.id).await.is_err_and(|error| error.status == 404);
    wait_until("it is gone", PATIENCE, is_gone).await;
    wait_until("its files are gone", PATIENCE, async || !group.exists()).await;
}

/// The job goes on while nobody reaches its machine, and whoever comes back is told all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_minute_without_a_link_costs_no_line_of_a_terminal() {
    let server = open_server().start().await;
    let client = server.setup().await;
    let node = join(&server, &client, machine().on_wire(), "far").await;
    let project = project_on(&client, "far", &node).await;
    let desk = Desk::new(&server, &client).await;
    let create = api::WorkspaceCreate {
        project_id: project.to_string(),
        node_id: Some(node.id().to_string()),
        ..Default::default()
    };
    let workspace = desk.open(&create).await;
    let (terminal, mut viewer) = desk.terminal(&workspace).await;
    // Some twenty seconds longer than the cut.
    viewer.type_in("echo $$ > pid; stty -echo; for i in $(seq 100000); do echo line $i; ").await;
    viewer.type_in("[ $((i % 1000)) = 0 ] && sleep 0.8; done; echo all sa''id\n").await;
    viewer.wait_for("line 100\r\n").await;

    let cut = Instant::now();
    node.wire().cut();
    // What was on its way still comes; then it is told that nobody is there.
    while viewer.next().await {}
    wait_for_status(&client, &node, NodeStatus::Unreachable).await;
    assert_eq!(client.workspace_get(&workspace.id).await.unwrap().id, workspace.id);
    wait_until("the time is over", Duration::from_secs(100), async || cut.elapsed() >= Duration::from_secs(60)).await;
    wait_for_status(&client, &node, NodeStatus::Offline).await;
    node.wire().mend();
    wait_for_status(&client, &node, NodeStatus::Online).await;

    let mut seen = std::mem::take(&mut viewer.seen);
    while !String::from_utf8_lossy(&seen).contains("all said\r\n") {
        let query = format!("&from={}", viewer.offset);
        let offset = viewer.offset;
        viewer =
            wait_some("the terminal is there again", SHOWN, async || desk.look(&workspace, &terminal, &query).await)
                .await;
        assert_eq!(viewer.offset, offset, "it goes on where it was");
        while !String::from_utf8_lossy(&viewer.seen).contains("all said\r\n") && viewer.next().await {}
        seen.extend_from_slice(&viewer.seen);
    }
    // What the shell says about pasting stands before the first.
    let text = String::from_utf8_lossy(&seen).replace("\u{1b}[?2004l\r", "");
    let numbers = text.lines().filter_map(|line| line.trim_end().strip_prefix("line ")?.parse::<u32>().ok());
    let wrong = numbers.clone().zip(1..).find(|(is, should)| is != should);
    assert_eq!((wrong, numbers.count()), (None, 100_000), "every line once, in order");
    viewer.type_in("[ $(cat pid) = $$ ] && echo the sa''me\n").await;
    viewer.wait_for("the same\r\n").await;
    let workspace = client.workspace_in(&workspace.id, WorkspaceState::Running).await;
    assert_eq!(workspace.attempt, 1);
}
