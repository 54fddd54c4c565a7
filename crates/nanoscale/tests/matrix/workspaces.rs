//! Every flow of a workspace, struck at each of its steps: it comes to where its owner wants it, its files are there or
//! gone as was asked for, one sandbox runs, every terminal there is works, and nothing is left over.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use checkpoint::{Checkpoint, Flow, Part};
use ids::{NodeStatus, ProjectId, WorkloadId, WorkspaceId, WorkspaceState};
use testkit::{GitServer, Repo, Viewer};

use crate::leftovers::{Names, Wanted, names, of_node};
use crate::processes::{Identities, apps, shims};
use crate::stand::Stand;
use crate::victim::Victim;

/// A flow that comes to a step does so within this time.
const REACH: Duration = Duration::from_secs(20);

/// A project with a repository, and one workspace of it that is struck again and again.
struct Desk {
    stand: Stand,
    token: String,
    project: ProjectId,
    /// A workspace that runs, with a note in its home directory.
    open: Option<WorkspaceId>,
    _git: (GitServer, Repo),
}

#[derive(Debug, Clone, Copy)]
struct Case {
    flow: Flow,
    checkpoint: Checkpoint,
    victim: Victim,
}

/// Each step with who waits there, and with whoever else has a part in it.
async fn all(flow: Flow) {
    let mut failures = Vec::new();
    let mut desk = Desk::new().await;
    for checkpoint in Checkpoint::ALL.iter().copied().filter(|step| step.flows().contains(&flow)) {
        for victim in victims(checkpoint).iter().copied() {
            let outcome = Case { flow, checkpoint, victim }.run(&mut desk).await;
            if let Err(failure) = outcome {
                failures.push(format!("{flow:?}, {victim:?} killed at {}\n    {failure}", checkpoint.name()));
                desk = Desk::new().await;
            }
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}

/// Shims know nothing of the server.
fn victims(checkpoint: Checkpoint) -> &'static [Victim] {
    match checkpoint.part() {
        Part::Server => &[Victim::Server, Victim::Node],
        Part::Node => &[Victim::Server, Victim::Node, Victim::Shim],
        Part::Shim => &[Victim::Node, Victim::Shim],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_making_of_a_workspace_is_struck_at_every_step() {
    all(Flow::WorkspaceCreate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_terminal_is_struck_at_every_step() {
    all(Flow::Terminal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_of_a_workspace_is_struck_at_every_step() {
    all(Flow::WorkspaceStop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_of_a_workspace_is_struck_at_every_step() {
    all(Flow::WorkspaceStart).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_of_a_workspace_is_struck_at_every_step() {
    all(Flow::WorkspaceRebuild).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_removal_of_a_workspace_is_struck_at_every_step() {
    all(Flow::WorkspaceDelete).await;
}

impl Case {
    async fn run(self, desk: &mut Desk) -> Result<(), String> {
        desk.is_online().await?;
        let id = match self.flow {
            Flow::WorkspaceCreate => None,
            _ => Some(desk.opened().await?),
        };
        if self.flow == Flow::WorkspaceStart {
            desk.ask(&id, Flow::WorkspaceStop).await.ok_or("it cannot be stopped")?;
            desk.is_in(id.as_ref().unwrap(), WorkspaceState::Stopped).await?;
        }
        let attempt = match &id {
            Some(id) => desk.stand.client.workspace_get(id).await.map_err(|it| it.to_string())?.attempt,
            None => 0,
        };
        if matches!(self.flow, Flow::WorkspaceStop | Flow::WorkspaceRebuild | Flow::WorkspaceDelete) {
            // Somebody who is there when it ends.
            desk.type_into_a_new_terminal(id.as_ref().unwrap(), "echo here").await?;
        }
        let trap = desk.stand.checkpoints.hold(self.checkpoint);
        let client = desk.stand.client.clone();
        let asked = tokio::spawn(ask(client, desk.project.clone(), id.clone(), self.flow));
        let held = trap.reached(REACH).await;
        let passed = desk.stand.checkpoints.passed();
        let held = held.ok_or_else(|| format!("nobody came to this step; passed were {passed:?}"))?;
        self.victim.strike(&mut desk.stand, Some(held.pid)).await;
        drop(held);
        let _ = asked.await;
        let id = match id {
            Some(id) => id,
            None => desk.newest().await?,
        };
        self.came_to_its_end(desk, &id, attempt).await
    }

    async fn came_to_its_end(self, desk: &mut Desk, id: &WorkspaceId, attempt: i64) -> Result<(), String> {
        match self.flow {
            Flow::WorkspaceDelete => {
                desk.open = None;
                return desk.is_gone(id).await;
            }
            Flow::WorkspaceStop => {
                desk.is_in(id, WorkspaceState::Stopped).await?;
                desk.stand.converge(async || desk.faults(id, false).await).await?;
                desk.ask(&Some(id.clone()), Flow::WorkspaceStart).await.ok_or("it cannot be started again")?;
            }
            _ => {}
        }
        let attempt = if self.flow == Flow::Terminal { attempt } else { attempt + 1 };
        let is_kept = !matches!(self.flow, Flow::WorkspaceCreate | Flow::WorkspaceRebuild);
        desk.stand
            .converge(async || {
                let mut faults = self.start_faults(desk, id, attempt).await;
                if faults.is_empty() {
                    faults = desk.faults(id, true).await;
                    faults.extend(desk.file_faults(id, is_kept));
                }
                faults
            })
            .await?;
        for terminal in desk.running_terminals(id).await? {
            desk.type_into(id, &terminal, "echo still there").await?;
        }
        if self.flow == Flow::WorkspaceCreate {
            desk.ask(&Some(id.clone()), Flow::WorkspaceDelete).await.ok_or("it cannot be deleted")?;
            return desk.is_gone(id).await;
        }
        if self.flow == Flow::WorkspaceRebuild {
            desk.type_into_a_new_terminal(id, "echo kept > ~/note").await?;
        }
        Ok(())
    }

    /// Whether it runs. What has lost the processes that it needs may say so instead, and starts when it is asked to.
    async fn start_faults(self, desk: &Desk, id: &WorkspaceId, attempt: i64) -> Vec<String> {
        let found = match desk.stand.client.workspace_get(id).await {
            Ok(found) => found,
            Err(error) => return vec![error.to_string()],
        };
        if found.attempt >= attempt && found.state == WorkspaceState::Running {
            return Vec::new();
        }
        let is_due = found.reason.is_some() && self.victim == Victim::Shim;
        if is_due && matches!(found.state, WorkspaceState::Recovery | WorkspaceState::Error) {
            let _ = desk.stand.client.workspace_restart(id).await;
        }
        let why = (found.failure_code, found.reason);
        vec![format!("start {} is {}, and {attempt} should run: {why:?}", found.attempt, found.state)]
    }
}

/// Asks for it, of whoever may be killed meanwhile.
async fn ask(client: testkit::Client, project: ProjectId, id: Option<WorkspaceId>, flow: Flow) -> Option<()> {
    let Some(id) = id else {
        let create = api::WorkspaceCreate { project_id: project.to_string(), ..Default::default() };
        return client.workspace_create(&create).await.ok().map(drop);
    };
    match flow {
        Flow::WorkspaceStop => client.workspace_stop(&id).await.map(drop),
        Flow::WorkspaceStart => client.workspace_restart(&id).await.map(drop),
        Flow::WorkspaceRebuild => {
            client.workspace_rebuild(&id, &api::WorkspaceRebuild { discard_files: true }).await.map(drop)
        }
        Flow::WorkspaceDelete => client.workspace_delete(&id).await,
        _ => client.terminal_open(&id, &api::TerminalCreate::default()).await.map(drop),
    }
    .ok()
}

impl Desk {
    async fn new() -> Self {
        let git = GitServer::start().await;
        let repo = git.repo("shop");
        repo.write("README.md", "# Shop\n");
        repo.commit("First commit");
        let stand = Stand::with(None, |builder| builder.separate().git_allow(git.host())).await;
        let token = stand.client.token_create("terminals").await.unwrap().token;
        let create =
            api::ProjectCreate { name: "shop".into(), repo_url: Some(repo.url().into()), ..Default::default() };
        let project = stand.client.project_create(&create).await.unwrap().project.id;
        Self { stand, token, project, open: None, _git: (git, repo) }
    }

    async fn ask(&self, id: &Option<WorkspaceId>, flow: Flow) -> Option<()> {
        ask(self.stand.client.clone(), self.project.clone(), id.clone(), flow).await
    }

    /// The workspace that runs, with a note.
    async fn opened(&mut self) -> Result<WorkspaceId, String> {
        if let Some(id) = &self.open {
            return Ok(id.clone());
        }
        self.ask(&None, Flow::WorkspaceCreate).await.ok_or("no workspace is made")?;
        let id = self.newest().await?;
        self.is_in(&id, WorkspaceState::Running).await?;
        self.type_into_a_new_terminal(&id, "echo kept > ~/note").await?;
        self.open = Some(id.clone());
        Ok(id)
    }

    async fn newest(&self) -> Result<WorkspaceId, String> {
        let list = self.stand.client.workspace_list("").await.map_err(|it| it.to_string())?;
        list.into_iter().next().map(|it| it.id).ok_or_else(|| "there is no workspace".into())
    }

    /// Rows may be as they should before the node that was killed is back.
    async fn is_online(&self) -> Result<(), String> {
        let look = async || match self.stand.client.nodes().await {
            Ok(nodes) if nodes.iter().all(|node| node.status == NodeStatus::Online) => Vec::new(),
            other => vec![format!("its machine is not online: {other:?}")],
        };
        self.stand.converge(look).await
    }

    async fn is_in(&self, id: &WorkspaceId, state: WorkspaceState) -> Result<(), String> {
        let look = async || match self.stand.client.workspace_get(id).await {
            Ok(it) if it.state == state => Vec::new(),
            Ok(it) => vec![format!("it is {}, not {state}: {:?} {:?}", it.state, it.failure_code, it.reason)],
            Err(error) => vec![error.to_string()],
        };
        self.stand.converge(look).await
    }

    async fn is_gone(&self, id: &WorkspaceId) -> Result<(), String> {
        self.stand
            .converge(async || {
                let (projects, hosts) =
                    (Names::from([self.project.to_string()]), Some(Names::from(["shop.localhost".into()])));
                let wanted = Wanted { projects, hosts, ..Wanted::default() };
                let mut faults = of_node(&self.stand.server.data_dir(), &wanted);
                match self.stand.client.workspace_get(id).await {
                    Err(failure) if failure.status == 404 => {}
                    other => faults.push(format!("the workspace is {other:?}")),
                }
                faults
            })
            .await
    }

    fn homes(&self, id: &WorkspaceId) -> Vec<PathBuf> {
        let group = self.stand.server.data_dir().join("node/groups").join(id.as_str());
        let homes = names(&group).into_iter().filter(|name| name.starts_with("home-"));
        homes.map(|name| group.join(name)).collect()
    }

    fn file_faults(&self, id: &WorkspaceId, is_kept: bool) -> Vec<String> {
        let (mut faults, homes) = (Vec::new(), self.homes(id));
        if homes.len() != 1 {
            faults.push(format!("there are {} home directories", homes.len()));
        }
        let is_there = |file: &str| homes.iter().any(|home| home.join(file).exists());
        if !is_there("shop/README.md") {
            faults.push("the clone is not there".into());
        }
        if is_there("note") != is_kept {
            faults.push(format!("what was written there is {}", if is_kept { "lost" } else { "still there" }));
        }
        faults
    }

    async fn running_terminals(&self, id: &WorkspaceId) -> Result<Vec<api::Terminal>, String> {
        let mut list = self.stand.client.terminal_list(id).await.map_err(|it| it.to_string())?;
        list.retain(|terminal| terminal.is_running);
        Ok(list)
    }

    async fn type_into_a_new_terminal(&self, id: &WorkspaceId, command: &str) -> Result<(), String> {
        let made = self.stand.client.terminal_open(id, &api::TerminalCreate::default()).await;
        self.type_into(id, &made.map_err(|it| it.to_string())?, command).await
    }

    /// Has it run a command to its end.
    async fn type_into(&self, id: &WorkspaceId, terminal: &api::Terminal, command: &str) -> Result<(), String> {
        let looked = Viewer::open(&self.stand.server.api_url(), &self.token, id, &terminal.id, "").await;
        let mut viewer = looked.map_err(|error| format!("{} cannot be looked at: {error}", terminal.name))?;
        viewer.type_in(&format!("{command}; echo it is $((40+2))\n")).await;
        while !viewer.text().contains("it is 42\r\n") {
            if viewer.exit.is_some() || !viewer.next().await {
                return Err(format!("{} has ended: {}", terminal.name, viewer.text()));
            }
        }
        Ok(())
    }

    /// What the machine has of it and should not, or should and has not.
    async fn faults(&self, id: &WorkspaceId, runs: bool) -> Vec<String> {
        let terminals = match self.stand.client.terminal_list(id).await {
            Ok(list) => list,
            Err(error) => return vec![error.to_string()],
        };
        let mut faults = Vec::new();
        let running =
            terminals.iter().filter(|it| it.is_running).map(|it| WorkloadId::terminal(id, &it.id).to_string());
        let running = running.collect::<BTreeSet<_>>();
        if !runs && !running.is_empty() {
            faults.push(format!("{} terminals run", running.len()));
        }
        let data = self.stand.server.data_dir();
        let (node, identities, shims) = (data.join("node"), Identities::of(&data), shims(&data));
        // One that has not run is none; one that has, has a record, be it empty.
        let logs = node.join("logs").join(id.as_str()).join("terminals");
        let has_run = |it: &&api::Terminal| logs.join(it.id.as_str()).join("terminal").exists();
        let never = terminals.iter().filter(|it| !has_run(it));
        faults.extend(never.map(|it| format!("{} has never run", it.name)));
        let own = Names::from([self.project.to_string(), id.to_string()]);
        let of_sandbox = if runs { Names::from([id.to_string()]) } else { Names::new() };
        let everything = of_sandbox.union(&running).cloned().collect::<Names>();
        let places = [
            ("run directories", names(&node.join("runs")), &everything),
            ("cgroups", identities.cgroups().into_iter().collect(), &of_sandbox),
            ("groups", names(&node.join("groups")), &own),
            ("logs", names(&node.join("logs")), &own),
            ("users", identities.slots.keys().cloned().collect(), &own),
            ("trash", names(&node.join("trash")), &Names::new()),
            ("gates", names(&node.join("gates")), &Names::new()),
            ("shims", shims.values().cloned().collect(), &everything),
            ("processes", apps(&data).into_values().collect(), &of_sandbox),
        ];
        for (what, found, wanted) in places.iter().filter(|(_, found, wanted)| found != *wanted) {
            faults.push(format!("{what}: there are {found:?}, and there should be {wanted:?}"));
        }
        let counts = [
            ("shims", shims.len(), everything.len()),
            ("links", identities.links().len(), of_sandbox.len()),
            ("processes", apps(&data).len(), everything.len()),
        ];
        for (what, found, wanted) in counts.into_iter().filter(|(_, found, wanted)| found != wanted) {
            faults.push(format!("{found} {what}, and not {wanted}"));
        }
        faults
    }
}
