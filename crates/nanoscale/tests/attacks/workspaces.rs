//! The same from a terminal of a workspace, with what a workspace has beside an app's sandbox.

mod bombs;
mod tricks;

use std::fs::Permissions;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use ids::{WorkspaceId, WorkspaceState};
use nix::fcntl::{FcntlArg, OFlag};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Builder, Client, GitServer, PATIENCE, Repo, TestServer, Viewer, wait_until};

use crate::hostile::pids_of_user;
use crate::prey::{Host, Told, assert_nothing_succeeded, neighbour, pids_of_workload, targets};
use crate::server;

/// The secret in a neighbour's home, and what its shell has in its environment.
const SECRET: &str = "only-bob-has-it";
/// Listens on every address of a workspace, and says which that is.
const LISTENER: &str = "python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
    s.connect((\"9.9.9.9\", 53)); print(\"address=\" + s.getsockname()[0] + \";\", flush=True); \
    t = socket.create_server((\"0.0.0.0\", 8123)); print(\"list\" + \"ening\", flush=True)\nwhile True: t.accept()'\n";

/// A server, and a repository with the hostile project that it may clone.
struct Stand {
    server: TestServer,
    client: Client,
    _git: GitServer,
    repo: Repo,
}

impl Stand {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(configure: impl FnOnce(Builder) -> Builder) -> Self {
        let git = GitServer::start().await;
        let repo = git.repo_from_example("hostile", "hostile");
        let server = configure(server().git_allow(git.host())).start().await;
        let client = server.setup().await;
        Self { server, client, _git: git, repo }
    }

    /// A workspace of theirs that runs, with a project of its own.
    async fn open(&self, client: &Client, name: &str) -> Open {
        let create =
            api::ProjectCreate { name: name.into(), repo_url: Some(self.repo.url().into()), ..Default::default() };
        let project = client.project_create(&create).await.unwrap().project.id;
        let create = api::WorkspaceCreate { project_id: project.to_string(), ..Default::default() };
        let id = client.workspace_create(&create).await.unwrap().id;
        client.workspace_in(&id, WorkspaceState::Running).await;
        let token = client.token_create("terminals").await.unwrap().token;
        let home = self.server.data_dir().join("node/groups").join(id.as_str()).join("home-1");
        assert!(home.join(".bashrc").exists(), "{}", home.display());
        Open { client: client.clone(), base: self.server.api_url(), token, id, home }
    }
}

/// A workspace with its owner.
struct Open {
    client: Client,
    base: String,
    token: String,
    id: WorkspaceId,
    /// On the host.
    home: PathBuf,
}

impl Open {
    fn uid(&self) -> u32 {
        std::fs::metadata(&self.home).unwrap().uid()
    }

    async fn look(&self, terminal: &api::Terminal) -> Viewer {
        Viewer::open(&self.base, &self.token, &self.id, &terminal.id, "").await.unwrap()
    }

    async fn shell(&self) -> Viewer {
        let terminal = self.client.terminal_open(&self.id, &api::TerminalCreate::default()).await.unwrap();
        self.look(&terminal).await
    }

    /// What a program in a terminal of its own says until it ends, and how it ends.
    async fn run(&self, command: &[&str]) -> (String, Option<i32>) {
        let command = Some(command.iter().map(|&word| word.to_owned()).collect());
        let create = api::TerminalCreate { command, ..Default::default() };
        let terminal = self.client.terminal_open(&self.id, &create).await.unwrap();
        let mut viewer = self.look(&terminal).await;
        let (code, _) = viewer.end().await;
        (viewer.text(), code)
    }
}

async fn keep_credential(client: &Client, host: &str) {
    let path = format!("/api/me/git-credentials/{host}");
    let body = json!({ "username": "x", "token": "glpat-of-this-host-alone" });
    let response = client.raw(Method::PUT, &path).json(&body).send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.text().await.unwrap());
}

/// Adds what is to be had of workspaces: of a neighbour's, and of its own from outside.
fn add_workspaces(known: &mut Value, server: &TestServer, own: &Open, theirs: &Open, address: &str) {
    let node = server.data_dir().join("node");
    let mut paths = vec![theirs.home.clone(), theirs.home.join("secret"), theirs.home.parent().unwrap().to_owned()];
    let mut pids = Vec::new();
    let mut sockets = Vec::new();
    for workspace in [own, theirs] {
        paths.push(node.join("logs").join(workspace.id.as_str()).join("terminals"));
        paths.push(node.join("groups").join(workspace.id.as_str()).join("workspace.json"));
        for entry in std::fs::read_dir(node.join("runs")).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with(workspace.id.as_str()) {
                paths.push(entry.path());
                sockets.push(entry.path().join("shim.sock"));
            }
        }
        pids.extend(pids_of_workload(server, workspace.id.as_str()));
        sockets.push(node.join("runs").join(workspace.id.as_str()).join("own/workspace.sock"));
    }
    for path in paths.iter().chain(&sockets) {
        assert!(path.exists(), "{}", path.display());
    }
    assert!(pids.len() >= 8, "for each a shim and an init, and the same for its terminal: {pids:?}");
    let mut add = |kind: &str, more: Value| {
        let all = known.as_object_mut().unwrap().entry(kind).or_insert_with(|| json!([])).as_array_mut().unwrap();
        all.extend(more.as_array().unwrap().clone());
    };
    add("workspaces", json!(paths));
    add("sockets", json!(sockets));
    add("pids", json!(pids));
    add("neighbour_addresses", json!([address]));
    add("workspace_addresses", json!([address]));
    add("workspace_ports", json!([8123]));
    add("own_hosts", json!(["git.example.com"]));
    add("foreign_hosts", json!(["git.example.org"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_tried_from_a_terminal_succeeds() {
    let stand = Stand::new().await;
    let host = Host::new().await;
    let app = neighbour(&stand.server, &stand.client).await;
    let bob = stand.client.sign_in_another("bob", "user").await;
    let (own, theirs) = (stand.open(&stand.client, "hostile").await, stand.open(&bob, "bobs").await);
    keep_credential(&stand.client, "git.example.com").await;
    keep_credential(&bob, "git.example.org").await;
    let mut shell = theirs.shell().await;
    shell.type_in(&format!("echo {SECRET} > ~/secret; export SECRET={SECRET}\n{LISTENER}")).await;
    shell.wait_for("listening\r\n").await;
    let address = shell.text().split("address=").last().unwrap().split(';').next().unwrap().to_owned();
    // There would be something to find: the way is closed, not empty.
    TcpStream::connect((address.as_str(), 8123)).unwrap();
    let mut own_shell = own.shell().await;
    own_shell.type_in("echo here\n").await;
    own_shell.wait_for("\nhere\r\n").await;
    let terminal = HostTerminal::new();

    let mut known = targets(&stand.server, &host, &app, None);
    add_workspaces(&mut known, &stand.server, &own, &theirs, &address);
    std::fs::write(own.home.join("targets.json"), known.to_string()).unwrap();
    let (said, code) = own.run(&["python3", "main.py", "workspace", "../targets.json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let told: Told = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert!(told.len() >= 53, "{}", told.len());
    // It has a home directory, and a socket on which its node answers what git asks.
    let more: [(&str, &[&str]); 2] = [
        ("read_the_host", &["/home: ['dev']", "/run: ['nanoscale']"]),
        ("find_what_has_a_telling_name", &["['/run/nanoscale/workspace.sock']"]),
    ];
    assert_nothing_succeeded("workspace", &told, &more);

    shell.type_in("\u{3}cat ~/secret\n").await;
    shell.wait_for(&format!("\n{SECRET}\r\n")).await;
    assert!(!shell.text().contains("shouted"), "{}", shell.text());
    assert_eq!(terminal.heard(), "");
    own_shell.wait_for("shouted from inside").await;
    let uid = own.uid();
    assert!(pids_of_user(uid).len() >= 3, "an init, a shell and the process that will not go");
    own.client.workspace_stop(&own.id).await.unwrap();
    own.client.workspace_in(&own.id, WorkspaceState::Stopped).await;
    wait_until("nothing of it runs", PATIENCE, async || pids_of_user(uid).is_empty()).await;
    assert_eq!(bob.workspace_get(&theirs.id).await.unwrap().state, WorkspaceState::Running);
    assert_eq!(stand.server.app("neighbour.localhost").get("/").await.unwrap().text(), app.address);
}

/// A terminal of the host's.
struct HostTerminal(nix::pty::OpenptyResult);

impl HostTerminal {
    /// One that everybody may write to, had they a name for it.
    fn new() -> Self {
        let pair = nix::pty::openpty(None, None).unwrap();
        let name = format!("/proc/self/fd/{}", pair.slave.as_raw_fd());
        std::fs::set_permissions(name, Permissions::from_mode(0o666)).unwrap();
        nix::fcntl::fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        Self(pair)
    }

    /// What was written to it.
    fn heard(&self) -> String {
        let mut buffer = [0; 1000];
        let count = nix::unistd::read(&self.0.master, &mut buffer).unwrap_or(0);
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    }
}
