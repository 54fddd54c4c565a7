//! Terminals of workspaces: opened on request, owned by their shims, found again on the disk.
//!
//! Which there are stands in a file beside what each has put out, so nobody has to remember it: a node that was killed
//! looks there and at the shims that answer. Only who looks at one at the moment is known in memory.

mod history;
mod hub;
mod job;
mod viewer;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use checkpoint::Checkpoint;
use ids::{TerminalId, WorkloadId, WorkspaceId};
use sandbox::WindowSize;
use serde::{Deserialize, Serialize};
use wire::shim::Exit;
use wire::{Failure, Terminal, TerminalSpec, WorkspaceSpec};

pub(super) use history::Turns;
use hub::Hub;

use super::Agent;
use super::process::{failed, node_error};
use crate::confine::workspace::{Inside, shell};
use crate::layout::write_atomic;
use crate::shim::{Shim, read_exit};
use crate::terminal::directory::Directory;
use crate::terminal::record::Reader;

/// Of one workspace at the same time.
const RUNNING_MAX: usize = 64;
/// Ended ones that are kept to read in.
const ENDED_KEPT: usize = 50;
const META: &str = "meta.json";
/// Below a terminal's directory, as its shim names it.
const RECORD: &str = "terminal";
const SIDE_MAX: u16 = 1000;

/// Who looks at which terminal.
pub(super) type Hubs = BTreeMap<WorkloadId, Arc<Hub>>;

/// What is known of a terminal, beside its output.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Meta {
    name: String,
    directory: String,
    created_at_ms: i64,
    exit: Option<Exit>,
}

impl Agent {
    /// Opens a terminal in a workspace that runs. Asked again for the same one, it is the one that is there.
    pub(crate) async fn open_terminal(&self, id: &WorkspaceId, spec: TerminalSpec) -> Result<Terminal, Failure> {
        if let Some(meta) = self.meta(id, &spec.id) {
            return Ok(self.terminal(id, &spec.id, meta));
        }
        let (workspace, init) = self.open_workspace(id).await?;
        let directory = self.terminal_directory(&workspace, spec.directory.as_deref());
        let meta = Meta {
            name: spec.name.clone(),
            directory: directory.display().to_string(),
            created_at_ms: crate::now_ms(),
            exit: None,
        };
        let argv = spec.command.unwrap_or_else(|| vec![shell().to_owned(), "-l".to_owned()]);
        let side = |side: u16| side.clamp(1, SIDE_MAX);
        let size = WindowSize { rows: side(spec.rows), columns: side(spec.columns) };
        let inside = Inside::Terminal { id: spec.id.clone(), argv, directory, size, init };
        self.add_terminal(&workspace, &spec.id, &inside, &meta)?;
        checkpoint::reach(Checkpoint::TerminalMarked).await;
        if let Err(failure) = self.start_inside(&workspace, &inside).await {
            self.lock().hubs.remove(&WorkloadId::terminal(id, &spec.id));
            self.discard(&self.confine().layout.terminal(&id.group(), &spec.id));
            return Err(failure);
        }
        checkpoint::reach(Checkpoint::TerminalStarted).await;
        self.await_end(id, &spec.id);
        self.forget_old_terminals(id);
        Ok(self.terminal(id, &spec.id, meta))
    }

    /// Makes room for one more, if there may be one: what is started next is found by its mark.
    fn add_terminal(
        &self,
        workspace: &WorkspaceSpec,
        terminal: &TerminalId,
        inside: &Inside,
        meta: &Meta,
    ) -> Result<(), Failure> {
        // However many are opened at the same time, each is counted by the next.
        let _one_at_a_time = self.inner.marking.lock().unwrap_or_else(PoisonError::into_inner);
        let running = self.list_terminals(&workspace.id).into_iter().filter(|terminal| terminal.exit.is_none()).count();
        if running >= RUNNING_MAX {
            let reason = format!("{running} terminals are open in this workspace; close one first");
            return Err(failed("TOO_MANY_TERMINALS", reason));
        }
        // By the same id, or its mark is found before it runs.
        if !self.hub(&workspace.id, terminal).attend() {
            return Err(failed("TERMINAL_OPENING", "somebody else opens it at this moment; ask again"));
        }
        let prepared = self.confine().prepare_inside(workspace, inside);
        prepared.and_then(|()| self.keep_meta(&workspace.id, terminal, meta)).map_err(|error| {
            self.lock().hubs.remove(&WorkloadId::terminal(&workspace.id, terminal));
            node_error(error)
        })
    }

    /// Where its shell begins: the working copy, if there is one.
    fn terminal_directory(&self, workspace: &WorkspaceSpec, wanted: Option<&str>) -> PathBuf {
        let home = self.confine().workspace_home(workspace);
        let on_host = self.confine().layout.home(&workspace.id.group(), workspace.generation);
        let checkout = workspace.checkout.as_ref().map(|checkout| checkout.directory.as_str());
        // No link of its owner's is followed on the host: that would tell what directories there are.
        let is_there = |directory: &str| on_host.join(directory).symlink_metadata().is_ok_and(|it| it.is_dir());
        let below = |directory: &str| is_there(directory).then(|| home.join(directory));
        match wanted {
            Some(directory) => home.join(directory.strip_prefix("~/").unwrap_or(directory)),
            None => checkout.and_then(below).unwrap_or(home),
        }
    }

    /// Oldest first.
    pub(crate) fn list_terminals(&self, id: &WorkspaceId) -> Vec<Terminal> {
        let entries = std::fs::read_dir(self.confine().layout.terminals(&id.group())).into_iter().flatten().flatten();
        let found = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<TerminalId>().ok());
        let terminals = found.filter_map(|it| Some(self.terminal(id, &it, self.meta(id, &it)?)));
        let mut terminals = terminals.collect::<Vec<_>>();
        // Not by id, which may be a client's own.
        terminals.sort_by(|a, b| (a.created_at_ms, &a.id).cmp(&(b.created_at_ms, &b.id)));
        terminals
    }

    pub(crate) fn find_terminal(&self, id: &WorkspaceId, terminal: &TerminalId) -> Option<Terminal> {
        Some(self.terminal(id, terminal, self.meta(id, terminal)?))
    }

    pub(crate) fn rename_terminal(
        &self,
        id: &WorkspaceId,
        terminal: &TerminalId,
        name: &str,
    ) -> Result<Option<Terminal>, Failure> {
        let one_at_a_time = self.inner.marking.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut meta) = self.meta(id, terminal) else { return Ok(None) };
        meta.name = name.to_owned();
        self.keep_meta(id, terminal, &meta).map_err(node_error)?;
        drop(one_at_a_time);
        if let Some(hub) = self.lock().hubs.get(&WorkloadId::terminal(id, terminal)) {
            hub.renamed(name);
        }
        Ok(self.find_terminal(id, terminal))
    }

    /// Ends a terminal that runs, and forgets one that has ended. Whether there was one.
    pub(crate) async fn close_terminal(&self, id: &WorkspaceId, terminal: &TerminalId) -> bool {
        let Some(meta) = self.meta(id, terminal) else { return false };
        let run = WorkloadId::terminal(id, terminal);
        if meta.exit.is_some() {
            self.discard(&self.confine().layout.terminal(&id.group(), terminal));
            return true;
        }
        if let Some(shim) = Shim::find(&self.confine().layout.run(&run)).await {
            // What a shell is told when its window is closed, and what it cannot overhear.
            let _ = shim.signal(nix::libc::SIGHUP).await;
            let mut exit = tokio::time::timeout(super::workspace::FAREWELL, shim.wait()).await;
            if exit.is_err() {
                let _ = shim.signal(nix::libc::SIGKILL).await;
                exit = tokio::time::timeout(super::workspace::FAREWELL, shim.wait()).await;
            }
            if let Ok(exit) = exit {
                self.terminal_ended(id, terminal, exit);
            }
        }
        true
    }

    /// Takes up the terminals that an earlier life of this node has opened.
    pub(super) fn adopt_terminals(&self, id: &WorkspaceId) {
        for terminal in self.list_terminals(id) {
            if terminal.exit.is_none() && self.hub(id, &terminal.id).attend() {
                self.await_end(id, &terminal.id);
            }
        }
    }

    /// Writes down how it ends, when it does.
    fn await_end(&self, id: &WorkspaceId, terminal: &TerminalId) {
        let (agent, id, terminal) = (self.clone(), id.clone(), terminal.clone());
        let closing = self.inner.closing.clone();
        self.count_terminals(&id);
        self.inner.tasks.spawn(async move {
            let run_dir = agent.confine().layout.run(&WorkloadId::terminal(&id, &terminal));
            let ended = async {
                match Shim::find(&run_dir).await {
                    Some(shim) => shim.wait().await,
                    None => read_exit(&run_dir),
                }
            };
            tokio::select! {
                exit = ended => agent.terminal_ended(&id, &terminal, exit),
                () = closing.cancelled() => {}
            }
        });
    }

    fn terminal_ended(&self, id: &WorkspaceId, terminal: &TerminalId, exit: Option<Exit>) {
        // Who waits for its end and who closes it say so once.
        let one_at_a_time = self.inner.marking.lock().unwrap_or_else(PoisonError::into_inner);
        let meta = self.meta(id, terminal).filter(|meta| meta.exit.is_none());
        let has_no_record = || self.record(id, terminal).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if meta.is_some() && exit.is_none() && has_no_record() {
            // Nobody was ever told of it: its node or its shim was killed before it ran.
            self.discard(&self.confine().layout.terminal(&id.group(), terminal));
        } else if let Some(mut meta) = meta {
            // Nobody knows how, where the shim has gone too.
            let unknown =
                || Exit { code: None, signal: None, at_ms: crate::now_ms(), spawn_error: None, out_of_memory: false };
            meta.exit = Some(exit.unwrap_or_else(unknown));
            if let Err(error) = self.keep_meta(id, terminal, &meta) {
                tracing::warn!(%error, workspace.id = %id, "cannot remember how a terminal ended");
            }
        }
        drop(one_at_a_time);
        let hub = self.lock().hubs.remove(&WorkloadId::terminal(id, terminal));
        if let Some(at) = hub.and_then(|hub| hub.used_at_ms()) {
            self.note_typed(id, terminal, at);
        }
        self.discard(&self.confine().layout.run(&WorkloadId::terminal(id, terminal)));
        self.count_terminals(id);
    }

    /// The same for all of a workspace, whose processes are gone.
    pub(super) async fn forget_terminals(&self, id: &WorkspaceId) {
        for terminal in self.list_terminals(id).into_iter().filter(|terminal| terminal.exit.is_none()) {
            let exit = read_exit(&self.confine().layout.run(&WorkloadId::terminal(id, &terminal.id)));
            self.terminal_ended(id, &terminal.id, exit);
        }
    }

    /// The same for one whose workspace is not wanted any more, and whose node was killed before it could say so.
    pub(super) fn end_swept_terminal(&self, run: &WorkloadId) {
        let terminal = run.process_name().and_then(|name| name.parse::<TerminalId>().ok());
        if let (Ok(id), Some(terminal)) = (run.base().parse::<WorkspaceId>(), terminal) {
            self.terminal_ended(&id, &terminal, read_exit(&self.confine().layout.run(run)));
        }
    }

    fn forget_old_terminals(&self, id: &WorkspaceId) {
        let ended = self.list_terminals(id).into_iter().filter(|terminal| terminal.exit.is_some()).collect::<Vec<_>>();
        for terminal in ended.iter().take(ended.len().saturating_sub(ENDED_KEPT)) {
            self.discard(&self.confine().layout.terminal(&id.group(), &terminal.id));
        }
    }

    /// Bytes that each terminal which runs has put out.
    pub(super) fn outputs_of(&self, id: &WorkspaceId) -> BTreeMap<TerminalId, u64> {
        let running = self.hubs_of(id).into_iter().map(|(terminal, _)| terminal);
        let ends = running.filter_map(|it| Some((self.record(id, &it).ok()?.bounds().ok()?.end, it)));
        ends.map(|(end, terminal)| (terminal, end)).collect()
    }

    /// Into which one something was typed last, and when.
    pub(super) fn last_typed(&self, id: &WorkspaceId) -> Option<(TerminalId, i64)> {
        let typed = self.hubs_of(id).into_iter().filter_map(|(terminal, hub)| Some((terminal, hub.used_at_ms()?)));
        typed.max_by_key(|(_, at)| *at)
    }

    fn hubs_of(&self, id: &WorkspaceId) -> Vec<(TerminalId, Arc<Hub>)> {
        let state = self.lock();
        let hubs = state.hubs.iter().filter(|(run, _)| run.base() == id.as_str());
        hubs.filter_map(|(run, hub)| Some((run.process_name()?.parse().ok()?, hub.clone()))).collect()
    }

    fn count_terminals(&self, id: &WorkspaceId) {
        let running = self.list_terminals(id).into_iter().filter(|terminal| terminal.exit.is_none()).count();
        self.update(|state| {
            if let Some(workspace) = state.workspaces.get_mut(id) {
                workspace.status.terminals = u32::try_from(running).unwrap_or(u32::MAX);
            }
        });
    }

    fn terminal(&self, id: &WorkspaceId, terminal: &TerminalId, meta: Meta) -> Terminal {
        let hub = self.lock().hubs.get(&WorkloadId::terminal(id, terminal)).cloned();
        let bounds = self.record(id, terminal).and_then(|record| record.bounds()).ok();
        Terminal {
            id: terminal.clone(),
            name: meta.name,
            directory: meta.directory,
            created_at_ms: meta.created_at_ms,
            used_at_ms: hub.as_ref().and_then(|hub| hub.used_at_ms()),
            viewers: hub.map_or(0, |hub| hub.viewers()),
            exit: meta.exit,
            end: bounds.map_or(0, |bounds| bounds.end),
        }
    }

    fn record(&self, id: &WorkspaceId, terminal: &TerminalId) -> io::Result<Reader> {
        let path = self.confine().layout.terminal(&id.group(), terminal).join(RECORD);
        Ok(Reader::new(&Directory::open(&path)?))
    }

    fn hub(&self, id: &WorkspaceId, terminal: &TerminalId) -> Arc<Hub> {
        self.lock().hubs.entry(WorkloadId::terminal(id, terminal)).or_default().clone()
    }

    fn meta(&self, id: &WorkspaceId, terminal: &TerminalId) -> Option<Meta> {
        let path = self.confine().layout.terminal(&id.group(), terminal).join(META);
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    fn keep_meta(&self, id: &WorkspaceId, terminal: &TerminalId, meta: &Meta) -> io::Result<()> {
        let path = self.confine().layout.terminal(&id.group(), terminal).join(META);
        write_atomic(&path, &serde_json::to_vec(meta)?)
    }
}
