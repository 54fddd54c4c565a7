//! Workspaces: a project opened on a machine, with terminals that outlive whoever looks at them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../it/apps.rs"]
#[allow(dead_code, reason = "the other suite uses all of it")]
mod apps;
mod command_line;
mod credentials;
mod idle;
mod lifecycle;
mod multi;
mod own_ports;
mod page;
mod ports;
mod preview;
mod runtime;
mod sharing_page;
mod strangers;
mod terminals;
mod window;

use std::time::Duration;

use ids::{ProjectId, WorkspaceState};
use testkit::{Builder, Client, GitServer, Repo, TestServer, Viewer};

/// Long enough for any build in here on a busy machine.
#[allow(dead_code, reason = "of the module that is shared")]
const BUILD: Duration = Duration::from_secs(60);

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_nanoscale")
}

fn server() -> Builder {
    TestServer::builder(program())
}

/// A server, a repository that it may clone, and a project of that.
struct Stand {
    server: TestServer,
    client: Client,
    token: String,
    password: String,
    git: GitServer,
    repo: Repo,
    project: ProjectId,
}

impl Stand {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(configure: impl FnOnce(Builder) -> Builder) -> Self {
        let git = GitServer::start().await;
        let repo = git.repo("shop");
        repo.write("README.md", "# Shop\n").write("src/main.py", "print('hello')\n");
        repo.commit("First commit");
        let server = configure(server().git_allow(git.host())).start().await;
        let (client, password) = (server.client(), testkit::random_secret());
        client.setup("admin", &password, server.setup_code()).await.unwrap();
        let token = client.token_create("terminals").await.unwrap().token;
        let create =
            api::ProjectCreate { name: "shop".into(), repo_url: Some(repo.url().into()), ..Default::default() };
        let project = client.project_create(&create).await.unwrap().project.id;
        Self { server, client, token, password, git, repo, project }
    }

    /// A workspace that runs.
    async fn open(&self) -> api::Workspace {
        self.open_with(api::WorkspaceCreate::default()).await
    }

    async fn open_with(&self, create: api::WorkspaceCreate) -> api::Workspace {
        let create = api::WorkspaceCreate { project_id: self.project.to_string(), ..create };
        let workspace = self.client.workspace_create(&create).await.unwrap();
        self.client.workspace_in(&workspace.id, WorkspaceState::Running).await
    }

    /// A new terminal in it, with somebody who looks.
    async fn terminal(&self, workspace: &api::Workspace) -> (api::Terminal, Viewer) {
        let terminal = self.client.terminal_open(&workspace.id, &api::TerminalCreate::default()).await.unwrap();
        let viewer = self.look(workspace, &terminal, "").await;
        (terminal, viewer)
    }

    async fn look(&self, workspace: &api::Workspace, terminal: &api::Terminal, query: &str) -> Viewer {
        Viewer::open(&self.server.api_url(), &self.token, &workspace.id, &terminal.id, query).await.unwrap()
    }
}
