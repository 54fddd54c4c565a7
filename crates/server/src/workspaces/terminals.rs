//! Terminals of a workspace, as its node has them.

use domain::user::User;
use domain::workspace::Workspace;
use ids::{TerminalId, WorkspaceId};
use serde::Deserialize;
use wire::{LogQuery, LogRecord};

use super::{Workspaces, own};
use crate::error::{Error, Result};
use crate::platform::nodes::{Lines, Link};
use crate::rfc3339;

/// Characters of a terminal's name.
const NAME_MAX: usize = 50;
/// A screen of an ordinary terminal, and the largest one.
const ROWS: u16 = 24;
const COLUMNS: u16 = 80;
const SIDE_MAX: u16 = 1000;
/// Bytes of a program's arguments, and of a directory.
const TEXT_MAX: usize = 4096;
/// Bytes of output at once.
pub(super) const OUTPUT_MAX: u64 = 4 << 20;
const SEARCH_MAX: usize = 1000;
const MATCHES_MAX: u32 = 1000;

/// What a node found.
#[derive(Default, Deserialize)]
struct Matches {
    matches: Vec<Match>,
    truncated: bool,
}

#[derive(Deserialize)]
struct Match {
    terminal: TerminalId,
    name: String,
    #[serde(flatten)]
    found: wire::TerminalMatch,
}

impl Workspaces {
    pub(super) async fn terminals(&self, user: &User, id: &WorkspaceId) -> Result<Vec<api::Terminal>> {
        let workspace = own(&mut self.store.read().await?, user, id).await?;
        self.terminals_at(&workspace).await
    }

    /// Oldest first.
    pub(super) async fn terminals_at(&self, workspace: &Workspace) -> Result<Vec<api::Terminal>> {
        let link = self.nodes.link(&workspace.node_id).await?;
        let path = format!("/v1/workspaces/{}/terminals", workspace.id);
        let terminals: Vec<wire::Terminal> = none_if_missing(link.ask(&path).await)?;
        Ok(terminals.into_iter().map(shown).collect())
    }

    pub(super) async fn terminal_create(
        &self,
        user: &User,
        id: &WorkspaceId,
        create: api::TerminalCreate,
    ) -> Result<api::Terminal> {
        self.terminal_open(user, id, TerminalId::new(), create).await
    }

    /// The same, by an id that the caller chose. One that is there already is left as it is.
    pub(super) async fn terminal_open(
        &self,
        user: &User,
        id: &WorkspaceId,
        terminal: TerminalId,
        create: api::TerminalCreate,
    ) -> Result<api::Terminal> {
        let rows = side("rows", create.rows.unwrap_or(ROWS))?;
        let columns = side("columns", create.columns.unwrap_or(COLUMNS))?;
        let name = create.name.as_deref().map(parse_name).transpose()?;
        let directory = directory(create.directory)?;
        let command = command(create.command)?;
        if create.wake {
            self.wake(user, &self.find(user, id).await?).await?;
        }
        self.usable(user, id).await?;
        let (link, path) = self.terminals_of(user, id).await?;
        let name = match name {
            Some(name) => name,
            None => free_name(&none_if_missing(link.ask::<Vec<wire::Terminal>>(&path).await)?),
        };
        let spec = wire::TerminalSpec { id: terminal, name, rows, columns, directory, command };
        Ok(shown(link.create(&path, &spec).await.map_err(not_running)?))
    }

    pub(super) async fn terminal_rename(
        &self,
        user: &User,
        (id, terminal): (&WorkspaceId, &TerminalId),
        update: &api::TerminalUpdate,
    ) -> Result<api::Terminal> {
        let rename = wire::TerminalRename { name: parse_name(&update.name)? };
        let (link, path) = self.terminals_of(user, id).await?;
        Ok(shown(link.patch(&format!("{path}/{terminal}"), &rename).await.map_err(no_terminal)?))
    }

    /// Ends one, or forgets one that has ended.
    pub(super) async fn terminal_delete(&self, user: &User, id: &WorkspaceId, terminal: &TerminalId) -> Result<()> {
        let (link, path) = self.terminals_of(user, id).await?;
        self.links_forget(id, terminal).await?;
        link.delete(&format!("{path}/{terminal}")).await.map_err(no_terminal)
    }

    /// Bytes that one put out, also when it has ended: with where they begin and where its output ends.
    pub(super) async fn terminal_output(
        &self,
        user: &User,
        (id, terminal): (&WorkspaceId, &TerminalId),
        from: u64,
        max: u64,
    ) -> Result<hyper::Response<hyper::body::Incoming>> {
        let (link, path) = self.terminals_of(user, id).await?;
        link.read(&format!("{path}/{terminal}/output?from={from}&max={max}")).await.map_err(no_terminal)
    }

    /// Lines of output with this text in them, of all terminals, also of those that have ended.
    pub(super) async fn matches(
        &self,
        user: &User,
        id: &WorkspaceId,
        text: &str,
        limit: Option<u32>,
    ) -> Result<api::TerminalMatchList> {
        if text.is_empty() || text.len() > SEARCH_MAX {
            let message = format!("say with `q` what to look for, in 1 to {SEARCH_MAX} bytes");
            return Err(Error::invalid("q", "INVALID_SEARCH", message));
        }
        let workspace = own(&mut self.store.read().await?, user, id).await?;
        let limit = limit.unwrap_or(MATCHES_MAX / 10).clamp(1, MATCHES_MAX);
        let query = [("text", text.to_owned()), ("limit", limit.to_string())];
        let query = serde_urlencoded::to_string(query).map_err(Error::internal)?;
        let link = self.nodes.link(&workspace.node_id).await?;
        let found: Matches = none_if_missing(link.ask(&format!("/v1/workspaces/{id}/matches?{query}")).await)?;
        let matches = found.matches.into_iter().map(|it| api::TerminalMatch {
            terminal_id: it.terminal,
            terminal_name: it.name,
            offset: it.found.offset,
            line: it.found.line,
        });
        Ok(api::TerminalMatchList { matches: matches.collect(), truncated: found.truncated })
    }

    /// What its starts came to, line by line.
    pub(super) async fn log(
        &self,
        user: &User,
        id: &WorkspaceId,
        after: Option<String>,
        follow: bool,
    ) -> Result<Lines<LogRecord>> {
        let workspace = own(&mut self.store.read().await?, user, id).await?;
        let query = LogQuery { after, follow, ..LogQuery::default() };
        let query = serde_urlencoded::to_string(query).map_err(Error::internal)?;
        let path = format!("/v1/logs/job/{}/{id}?{query}", id.group());
        Lines::of(self.nodes.link(&workspace.node_id).await?.stream(&path).await?, "after")
    }

    /// A workspace in which terminals can be opened now.
    pub(super) async fn usable(&self, user: &User, id: &WorkspaceId) -> Result<Workspace> {
        let workspace = own(&mut self.store.read().await?, user, id).await?;
        if workspace.state.is_usable() { Ok(workspace) } else { Err(needs_running()) }
    }

    /// The way to its terminals: they are there as long as its files are.
    async fn terminals_of(&self, user: &User, id: &WorkspaceId) -> Result<(Link, String)> {
        let workspace = own(&mut self.store.read().await?, user, id).await?;
        Ok((self.nodes.link(&workspace.node_id).await?, format!("/v1/workspaces/{id}/terminals")))
    }
}

pub(super) fn needs_running() -> Error {
    let message = "the workspace does not run; restart it, or wait until it is ready";
    Error::conflict("WORKSPACE_NOT_RUNNING", message)
}

/// A node that has nothing of a workspace yet has no terminals of it.
fn none_if_missing<T: Default>(answer: Result<T>) -> Result<T> {
    match answer {
        Err(error) if error.is_not_found() => Ok(T::default()),
        answer => answer,
    }
}

/// What is not running on its node, whatever its row says by now.
fn not_running(error: Error) -> Error {
    if error.is_not_found() { needs_running() } else { error }
}

pub(super) fn no_terminal(error: Error) -> Error {
    if error.is_not_found() { Error::not_found("terminal") } else { error }
}

fn parse_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.contains(char::is_control) {
        let message = format!("a terminal's name has 1 to {NAME_MAX} characters, none of them a control character");
        return Err(Error::invalid("name", "INVALID_NAME", message));
    }
    Ok(name.to_owned())
}

/// `Terminal 1`, or the next one that is free.
fn free_name(terminals: &[wire::Terminal]) -> String {
    let mut names = (1..=terminals.len() + 1).map(|number| format!("Terminal {number}"));
    let free = names.find(|name| terminals.iter().all(|terminal| terminal.name != *name));
    free.unwrap_or_else(|| "Terminal".into())
}

/// Rows or columns of a screen.
pub(super) fn side(field: &str, count: u16) -> Result<u16> {
    if (1..=SIDE_MAX).contains(&count) {
        return Ok(count);
    }
    Err(Error::invalid(field, "INVALID_SIZE", format!("a terminal has 1 to {SIDE_MAX} {field}")))
}

fn directory(given: Option<String>) -> Result<Option<String>> {
    let Some(directory) = given.filter(|directory| !directory.is_empty()) else { return Ok(None) };
    if directory.len() > TEXT_MAX || directory.contains('\0') {
        let message = format!("a directory has at most {TEXT_MAX} bytes, and no NUL");
        return Err(Error::invalid("directory", "INVALID_DIRECTORY", message));
    }
    Ok(Some(directory))
}

fn command(given: Option<Vec<String>>) -> Result<Option<Vec<String>>> {
    let Some(command) = given.filter(|command| !command.is_empty()) else { return Ok(None) };
    let length = command.iter().map(String::len).sum::<usize>();
    if command[0].is_empty() || length > TEXT_MAX || command.iter().any(|word| word.contains('\0')) {
        let message = format!("a command is a program and its arguments, with at most {TEXT_MAX} bytes and no NUL");
        return Err(Error::invalid("command", "INVALID_COMMAND", message));
    }
    Ok(Some(command))
}

fn shown(terminal: wire::Terminal) -> api::Terminal {
    let exit = terminal.exit.as_ref();
    api::Terminal {
        id: terminal.id,
        name: terminal.name,
        directory: terminal.directory,
        is_running: exit.is_none(),
        exit_code: exit.and_then(|exit| exit.code),
        signal: exit.and_then(|exit| exit.signal),
        viewers: terminal.viewers,
        output_bytes: terminal.end,
        created_at: rfc3339(terminal.created_at_ms),
        ended_at: exit.map(|exit| rfc3339(exit.at_ms)),
        used_at: terminal.used_at_ms.map(rfc3339),
    }
}
