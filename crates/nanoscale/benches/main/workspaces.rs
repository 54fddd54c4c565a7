//! Workspaces and their terminals, as a browser has them, beside programs that put a terminal into a browser.

#[path = "workspaces/echo.rs"]
mod echo;
#[path = "workspaces/idle.rs"]
mod idle;
#[path = "workspaces/line.rs"]
mod line;
#[path = "workspaces/peers.rs"]
mod peers;
#[path = "workspaces/starting.rs"]
mod starting;
#[path = "workspaces/throughput.rs"]
mod throughput;

use ids::{ProjectId, WorkspaceId, WorkspaceState};
use testkit::{Client, GitServer, Repo, TestServer};

use crate::Row;
use line::Line;
use peers::Peer;

/// What `--only` may name beside all of them.
pub(crate) const PARTS: [&str; 4] = ["starting", "echo", "throughput", "idle"];
/// Every terminal has this shell, ours and our peers'.
const SHELL: [&str; 2] = ["/bin/bash", "-l"];
/// Terminals in one workspace; there may be 64.
const IN_ONE: usize = 50;

pub(crate) async fn measure(only: Option<&str>) -> Vec<Row> {
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let mut rows = Vec::new();
    if wanted("starting") {
        rows.extend(starting::measure().await);
    }
    if wanted("echo") {
        rows.extend(echo::measure().await);
    }
    if wanted("throughput") {
        rows.push(throughput::measure().await);
    }
    if wanted("idle") {
        rows.extend(idle::measure().await);
    }
    rows
}

/// An installation, one process for each part, with a project to open.
struct Stand {
    server: TestServer,
    client: Client,
    token: String,
    project: ProjectId,
    _git: GitServer,
    _repo: Repo,
}

impl Stand {
    async fn new() -> Self {
        let git = GitServer::start().await;
        let repo = git.repo("shop");
        repo.write("README.md", "# Shop\n").write("src/main.py", "print('hello')\n");
        repo.commit("First commit");
        let builder = TestServer::builder(env!("CARGO_BIN_EXE_nanoscale"));
        let server = builder.git_allow(git.host()).separate().start().await;
        let client = server.setup().await;
        let token = client.token_create("terminals").await.unwrap().token;
        let create =
            api::ProjectCreate { name: "shop".into(), repo_url: Some(repo.url().into()), ..Default::default() };
        let project = client.project_create(&create).await.unwrap().project.id;
        Self { server, client, token, project, _git: git, _repo: repo }
    }

    /// A workspace that runs.
    async fn open(&self) -> WorkspaceId {
        let create = api::WorkspaceCreate { project_id: self.project.to_string(), ..Default::default() };
        let workspace = self.client.workspace_create(&create).await.unwrap();
        self.client.workspace_in(&workspace.id, WorkspaceState::Running).await.id
    }

    async fn terminal(&self, workspace: &WorkspaceId) -> api::Terminal {
        let command = Some(SHELL.map(Into::into).to_vec());
        let create = api::TerminalCreate { command, ..Default::default() };
        self.client.terminal_open(workspace, &create).await.unwrap()
    }

    async fn look(&self, workspace: &WorkspaceId, terminal: &api::Terminal) -> Line {
        Line::ours(&self.server.api_url(), &self.token, workspace, &terminal.id).await
    }
}

/// Something that puts terminals into a browser.
enum Way {
    Ours(Box<Stand>, Vec<WorkspaceId>),
    Theirs(Peer),
}

impl Way {
    /// Ours with room for so many terminals, and the peers that are here.
    async fn all(terminals: usize) -> Vec<Self> {
        let stand = Stand::new().await;
        let mut workspaces = Vec::new();
        for _ in 0..terminals.div_ceil(IN_ONE) {
            workspaces.push(stand.open().await);
        }
        let mut ways = vec![Self::Ours(Box::new(stand), workspaces)];
        ways.extend(Peer::all().into_iter().map(Self::Theirs));
        ways
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Ours(..) => "",
            Self::Theirs(peer) => peer.name(),
        }
    }

    /// A new terminal with somebody who looks; `number` counts them.
    async fn open(&self, number: usize) -> Line {
        let mut line = match self {
            Self::Ours(stand, workspaces) => {
                let workspace = &workspaces[number / IN_ONE];
                let terminal = stand.terminal(workspace).await;
                stand.look(workspace, &terminal).await
            }
            Self::Theirs(peer) => peer.connect().await,
        };
        // Its prompt.
        line.next().await;
        line
    }
}

/// `ours, peer theirs, …`.
fn beside(ways: &[Way], number: impl Fn(usize) -> String) -> String {
    let each = ways.iter().enumerate().map(|(place, way)| match way.name() {
        "" => number(place),
        name => format!("{name} {}", number(place)),
    });
    each.collect::<Vec<_>>().join(", ")
}
