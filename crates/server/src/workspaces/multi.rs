//! Many terminals over one WebSocket, in the words of clients that know no other way: JSON text frames, and terminals that
//! are numbered by who opens them.
//!
//! They are the same terminals: opened here they are found everywhere. Who goes comes back to them by `list_sessions` and
//! `reattach_session`, also when it is the way to their machine that was cut, at which this connection ends.

mod view;
mod words;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use domain::user::User;
use domain::workspace::Workspace;
use futures_util::stream::SplitStream;
use futures_util::{SinkExt, StreamExt};
use ids::TerminalId;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use wire::attach;

use self::view::View;
use self::words::{Asked, Session, error, say};
use super::Workspaces;
use super::attach::{FAREWELL, PING, SILENCE, Typed, resize, typed_too_much, typing};
use super::terminals::side;
use crate::error::{Error, Result};
use crate::platform::identity::Credential;

/// Messages on their way to a client that takes none: its terminals wait for it.
const MESSAGES: usize = 16;

/// Somebody with terminals of one workspace.
pub(super) struct Multi {
    workspaces: Workspaces,
    user: User,
    workspace: Workspace,
    sessions: HashMap<TerminalId, Open>,
    out: mpsc::Sender<Message>,
    /// Where views tell that the way was cut.
    cut: mpsc::Sender<Error>,
}

/// A terminal that is looked at over this connection.
struct Open {
    typed: Typed,
    is_closed: Arc<AtomicBool>,
    view: AbortOnDropHandle<()>,
}

impl Workspaces {
    /// Serves one client until it goes, is signed out, or the server stops.
    pub(super) async fn serve_multi(self, socket: WebSocket, user: User, workspace: Workspace, credential: Credential) {
        let (mut sink, stream) = socket.split();
        let (out, mut messages) = mpsc::channel(MESSAGES);
        let (cut, mut cuts) = mpsc::channel(1);
        let (identity, closing) = (self.identity.clone(), self.closing.clone());
        let mut multi = Multi { workspaces: self, user, workspace, sessions: HashMap::new(), out, cut };
        let send = async {
            let mut ping = tokio::time::interval(PING);
            ping.reset();
            loop {
                let message = tokio::select! {
                    Some(message) = messages.recv() => message,
                    _ = ping.tick() => Message::Ping(Bytes::new()),
                };
                // Who takes nothing for so long has gone, also when nothing says so.
                if !matches!(tokio::time::timeout(SILENCE, sink.send(message)).await, Ok(Ok(()))) {
                    return;
                }
            }
        };
        let (code, last) = tokio::select! {
            () = send => (close_code::NORMAL, None),
            end = multi.listen(stream) => match end {
                Ok(()) => (close_code::NORMAL, None),
                Err(error) => (close_code::AGAIN, Some(error)),
            },
            Some(error) = cuts.recv() => (close_code::AGAIN, Some(error)),
            () = identity.ended(credential) => (close_code::POLICY, Some(Error::unauthenticated())),
            () = closing.cancelled() => (close_code::RESTART, None),
        };
        let farewell = async {
            if let Some(last) = &last {
                sink.send(error(None, last)).await?;
            }
            sink.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
        // Who may not type any more has typed nothing.
        if code != close_code::POLICY {
            drop(messages);
            multi.leave().await;
        }
    }
}

impl Multi {
    /// Until the client goes.
    ///
    /// # Errors
    /// When this connection cannot go on.
    async fn listen(&mut self, mut stream: SplitStream<WebSocket>) -> Result<()> {
        loop {
            let message = match tokio::time::timeout(SILENCE, stream.next()).await {
                Ok(Some(Ok(message))) => message,
                _ => return Ok(()),
            };
            let text = match message {
                Message::Text(text) => text,
                Message::Close(_) => return Ok(()),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => continue,
            };
            match words::read(&text) {
                Ok(Asked::Input { session, text }) => self.input(&session, &text).await?,
                Ok(asked) => self.answer(asked).await,
                Err(wrong) => self.say(error(None, &wrong)).await,
            }
        }
    }

    /// What was typed before arrives: each node hangs up when it has taken the last of it.
    async fn leave(self) {
        let views = self.sessions.into_values().map(|Open { view, .. }| view);
        let _ = tokio::time::timeout(FAREWELL, futures_util::future::join_all(views)).await;
    }

    async fn say(&self, message: Message) {
        // Nobody takes it when the client has gone, which the reading side notices.
        let _ = self.out.send(message).await;
    }

    async fn answer(&mut self, asked: Asked) {
        let (session, done) = match asked {
            Asked::Create { session, rows, cols, name, directory } => {
                let create = api::TerminalCreate {
                    rows: Some(rows),
                    columns: Some(cols),
                    name,
                    directory,
                    ..api::TerminalCreate::default()
                };
                let done = self.create(&session, create).await;
                (session, done)
            }
            Asked::Reattach { session, rows, cols } => {
                let done = self.reattach(&session, rows, cols).await;
                (session, done)
            }
            Asked::Resize { session, rows, cols } => {
                let resized = self.opened(&session).map(|open| resize(&open.typed, rows, cols));
                let done = resized.and_then(|is_taken| if is_taken { Ok(()) } else { Err(typed_too_much()) });
                (session, done)
            }
            Asked::Rename { session, name } => {
                let done = self.rename(&session, name).await;
                (session, done)
            }
            Asked::Close { session } => {
                let done = self.close(&session).await;
                (session, done)
            }
            Asked::Input { .. } => return,
            Asked::List => return self.list().await,
            Asked::Ping { session } => return self.say(say("pong", session.as_deref(), None)).await,
        };
        if let Err(wrong) = done {
            self.say(error(Some(&session.id), &wrong)).await;
        }
    }

    async fn create(&mut self, session: &Session, create: api::TerminalCreate) -> Result<()> {
        let (rows, cols) = (create.rows.unwrap_or_default(), create.columns.unwrap_or_default());
        let opened =
            self.workspaces.terminal_open(&self.user, &self.workspace.id, session.terminal.clone(), create).await?;
        if !opened.is_running {
            return Err(ended());
        }
        let data = json!({ "sessionId": session.id, "workingDirectory": opened.directory });
        self.say(say("session_created", Some(&session.id), Some(data))).await;
        self.view(session, (rows, cols), Some(0)).await
    }

    async fn reattach(&mut self, session: &Session, rows: u16, cols: u16) -> Result<()> {
        let size = (side("rows", rows)?, side("cols", cols)?);
        let terminals = self.workspaces.terminals(&self.user, &self.workspace.id).await?;
        let found = terminals.into_iter().find(|terminal| terminal.id == session.terminal);
        let found = found.ok_or_else(|| Error::not_found("terminal"))?;
        if !found.is_running {
            return Err(ended());
        }
        let data = json!({ "sessionId": session.id, "workingDirectory": found.directory });
        self.say(say("session_reattached", Some(&session.id), Some(data))).await;
        self.view(session, size, None).await
    }

    /// Looks at it from now on; instead of an earlier look, if there was one.
    async fn view(&mut self, session: &Session, (rows, columns): (u16, u16), from: Option<u64>) -> Result<()> {
        self.sessions.remove(&session.terminal);
        let query = attach::Query { from, rows, columns, watch: false };
        let (typed, typing) = typing();
        let output = self.workspaces.attach(&self.workspace, &session.terminal, &query, typing).await?;
        let is_closed = Arc::<AtomicBool>::default();
        let view = View {
            session: session.clone(),
            is_return: from.is_none(),
            is_closed: is_closed.clone(),
            out: self.out.clone(),
        };
        let cut = self.cut.clone();
        let view = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(error) = view.show(output).await {
                let _ = cut.try_send(error);
            }
        }));
        self.sessions.insert(session.terminal.clone(), Open { typed, is_closed, view });
        Ok(())
    }

    async fn input(&self, session: &Session, text: &str) -> Result<()> {
        match self.opened(session) {
            Ok(open) if open.typed.send(attach::INPUT, text.as_bytes()) => Ok(()),
            Ok(_) => Err(typed_too_much()),
            Err(wrong) => {
                self.say(error(Some(&session.id), &wrong)).await;
                Ok(())
            }
        }
    }

    async fn rename(&self, session: &Session, name: String) -> Result<()> {
        let update = api::TerminalUpdate { name };
        let place = (&self.workspace.id, &session.terminal);
        let renamed = self.workspaces.terminal_rename(&self.user, place, &update).await?;
        // Who looks at it is told by the terminal itself.
        if self.opened(session).is_err() {
            let data = json!({ "sessionId": session.id, "name": renamed.name });
            self.say(say("session_renamed", Some(&session.id), Some(data))).await;
        }
        Ok(())
    }

    /// Ends it, and forgets it: a tab that is closed here is gone. A shell may take its time, for which nobody waits.
    async fn close(&mut self, session: &Session) -> Result<()> {
        let (id, terminal) = (self.workspace.id.clone(), session.terminal.clone());
        let listed = self.workspaces.terminals(&self.user, &id).await?;
        let found = listed.into_iter().find(|it| it.id == terminal).ok_or_else(|| Error::not_found("terminal"))?;
        let open = self.sessions.get(&terminal).filter(|_| found.is_running);
        if let Some(open) = open {
            open.is_closed.store(true, Ordering::Relaxed);
        }
        // Who looks at it is told by its end.
        let is_told = open.is_some();
        let (workspaces, user, out, session) =
            (self.workspaces.clone(), self.user.clone(), self.out.clone(), session.clone());
        tokio::spawn(async move {
            let mut deleted = workspaces.terminal_delete(&user, &id, &terminal).await;
            if found.is_running && deleted.is_ok() {
                deleted = workspaces.terminal_delete(&user, &id, &terminal).await;
            }
            let data = json!({ "sessionId": session.id, "reason": "user_requested" });
            let _ = match deleted {
                Err(wrong) => out.send(error(Some(&session.id), &wrong)).await,
                Ok(()) if is_told => Ok(()),
                Ok(()) => out.send(say("session_closed", Some(&session.id), Some(data))).await,
            };
        });
        Ok(())
    }

    async fn list(&self) {
        let terminals = match self.workspaces.terminals(&self.user, &self.workspace.id).await {
            Ok(terminals) => terminals,
            Err(wrong) => return self.say(error(None, &wrong)).await,
        };
        let sessions = terminals.into_iter().map(|terminal| {
            json!({
                "sessionId": terminal.id.to_uuid(),
                "name": terminal.name,
                "status": if terminal.is_running { "running" } else { "exited" },
                "workingDirectory": terminal.directory,
                "lastActivityAt": terminal.used_at.as_ref().unwrap_or(&terminal.created_at),
                "createdAt": terminal.created_at,
            })
        });
        let data = json!({ "sessions": sessions.collect::<Vec<_>>() });
        self.say(say("session_list", None, Some(data))).await;
    }

    fn opened(&self, session: &Session) -> Result<&Open> {
        let not_open = || {
            let message = "this terminal is not open over this connection; create the session, or reattach it";
            Error::conflict("SESSION_NOT_ATTACHED", message)
        };
        let open = self.sessions.get(&session.terminal).filter(|open| !open.view.is_finished());
        open.ok_or_else(not_open)
    }
}

fn ended() -> Error {
    Error::conflict("SESSION_ENDED", "the terminal's process has ended; create another session")
}
