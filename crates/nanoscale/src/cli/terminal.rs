//! A terminal of a workspace, in the one that this program runs in.

mod asked;
mod choose;
mod keys;
mod progress;
mod screen;
mod socket;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use api::{TerminalNotice, TerminalRequest};
use ids::TerminalId;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::client::Client;
use super::{output, ws};
use asked::Asked;
use choose::choose;
use progress::Progress;
use socket::{Failure, Heard, Socket};

const FIRST_WAIT: Duration = Duration::from_millis(200);
/// A server that is reached answers sooner.
const CONNECT: Duration = Duration::from_secs(15);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Broken connections in a row: about two minutes, enough for a restart of the server.
const TRIES: u32 = 60;
/// How often the server is told how far the screen has come, when little happens.
const TELL: Duration = Duration::from_millis(50);
const PING: Duration = Duration::from_secs(15);
/// Three pings without any word: the connection is dead.
const SILENCE: Duration = Duration::from_secs(45);
/// For so long after old output was drawn, what the local terminal says may be answers to it.
const REPLIES: Duration = Duration::from_millis(300);
/// What is typed while there is no connection is kept up to so many bytes.
const KEPT: usize = 64 * 1024;
/// What shells add to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;

#[derive(clap::Args)]
pub(crate) struct TerminalArgs {
    /// The workspace, by id or name.
    workspace: String,
    /// Go into the running terminal of this name or id, or open one that is called so. Default: open another one.
    #[arg(long, short)]
    name: Option<String>,
    /// Only look; with no `--name`, at the one that was used last.
    #[arg(long, conflicts_with = "command")]
    watch: bool,
    /// A command and its arguments, instead of a login shell.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Why a view of a terminal is over.
enum End {
    /// The process has ended, by this code or signal.
    Exited { code: Option<i32>, signal: Option<i32> },
    /// The person left; it goes on.
    Left,
    /// This program is to end.
    Asked(SignalKind),
}

/// What ends one connection.
enum Cut {
    End(End),
    Broken,
}

pub(super) async fn run(args: TerminalArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let workspace = ws::find(&client, &args.workspace).await?.value;
    let id = workspace.id.as_str();
    let terminal = choose(&client, id, &args).await?;
    let interactive = screen::is_interactive();
    if interactive {
        let verb = if args.watch { "Looking at" } else { "In" };
        output::note(format!("{verb} {} of {}; Ctrl-] leaves, and it goes on", terminal.name, workspace.name));
    }
    let view = View {
        client: &client,
        workspace: id,
        terminal: &terminal.id,
        name: format!("{} – {}", workspace.name, terminal.name),
        watching: args.watch,
        interactive,
    };
    // From before it is raw on: nothing may end this program in between.
    let asked = Asked::listen()?;
    let raw = if interactive { Some(screen::Raw::enter()?) } else { None };
    let end = view.run(asked).await;
    drop(raw);
    match end? {
        End::Exited { code, signal } => Ok(exit_code(code, signal)),
        End::Left => {
            output::note(format!(
                "{} goes on; back into it: nanoscale terminal {id} --name {}",
                terminal.name, terminal.id
            ));
            Ok(ExitCode::SUCCESS)
        }
        End::Asked(kind) => Ok(exit_code(None, Some(kind.as_raw_value()))),
    }
}

/// As a shell tells it.
fn exit_code(code: Option<i32>, signal: Option<i32>) -> ExitCode {
    let number = code.unwrap_or_else(|| SIGNALLED + signal.unwrap_or(0));
    ExitCode::from(u8::try_from(number).unwrap_or(1))
}

/// A terminal elsewhere, shown here over as many connections as it takes.
struct View<'a> {
    client: &'a Client,
    workspace: &'a str,
    terminal: &'a TerminalId,
    name: String,
    watching: bool,
    interactive: bool,
}

/// What happens on this side.
struct Local {
    typed: mpsc::Receiver<Vec<u8>>,
    /// Nothing more will be typed.
    ended: bool,
    last_byte: Option<u8>,
    /// Not sent yet.
    kept: Vec<u8>,
    resized: Signal,
    asked: Asked,
}

impl View<'_> {
    async fn run(&self, asked: Asked) -> Result<End> {
        let mut local = Local {
            typed: screen::typed(),
            ended: false,
            last_byte: None,
            kept: Vec::new(),
            resized: signal(SignalKind::window_change())?,
            asked,
        };
        let mut progress = Progress::default();
        let mut failures = 0;
        loop {
            let connected = tokio::select! {
                connected = self.connect(&progress) => connected,
                // A network that swallows everything is left, too.
                end = self.wait(&mut local, CONNECT) => match end {
                    Some(end) => return Ok(end),
                    None => Err(Failure::Passing(anyhow!("the server does not answer within {} s", CONNECT.as_secs()))),
                },
            };
            let outcome = match connected {
                Ok(socket) => {
                    let (cut, heard) = self.show(socket, &mut local, &mut progress).await?;
                    if heard {
                        failures = 0;
                    }
                    cut
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(error)) if failures >= TRIES || progress.next().is_none() => return Err(error),
                Err(Failure::Passing(_)) => Cut::Broken,
            };
            if let Cut::End(end) = outcome {
                return Ok(end);
            }
            if failures >= TRIES {
                bail!("the connection breaks off again and again; the terminal goes on without it");
            }
            self.tell_broken(failures);
            let wait = (FIRST_WAIT * 2_u32.pow(failures.min(8))).min(LONGEST_WAIT);
            failures += 1;
            if let Some(end) = self.wait(&mut local, wait).await {
                return Ok(end);
            }
        }
    }

    async fn connect(&self, progress: &Progress) -> Result<Socket, Failure> {
        let path = ["workspaces", self.workspace, "terminals", self.terminal.as_str(), "attach"];
        let mut query = Vec::new();
        if let Some(next) = progress.next() {
            query.push(("from", next.to_string()));
        }
        if let Some((rows, columns)) = screen::size().filter(|_| self.interactive) {
            query.extend([("rows", rows.to_string()), ("columns", columns.to_string())]);
        }
        if self.watching {
            query.push(("watch", "true".to_owned()));
        }
        Socket::connect(self.client, &path, &query).await
    }

    fn tell_broken(&self, failures: u32) {
        if self.interactive {
            screen::title(&format!("{} (connection lost, trying again; Ctrl-] leaves)", self.name));
        } else if failures == 0 {
            output::note("connection lost; trying again");
        }
    }

    /// One connection, to its end, and whether the server said anything on it.
    async fn show(&self, mut socket: Socket, local: &mut Local, progress: &mut Progress) -> Result<(Cut, bool)> {
        let mut tell = tokio::time::interval(TELL);
        let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
        let (mut pings, mut heard_at, mut attached) = (0, Instant::now(), false);
        let mut old_at = Instant::now();
        loop {
            let open = attached && !local.ended;
            let sent = tokio::select! {
                biased;
                kind = local.asked.come() => return self.leave(socket, End::Asked(kind)).await,
                typed = local.typed.recv(), if open => {
                    let replayed = self.interactive && old_at.elapsed() < REPLIES;
                    let (bytes, leaves) = self.to_send(local, typed, replayed);
                    let sent = if bytes.is_empty() { Ok(()) } else { socket.type_in(&bytes).await };
                    if leaves {
                        return self.leave(socket, End::Left).await;
                    }
                    sent
                }
                heard = socket.hear() => {
                    heard_at = Instant::now();
                    match heard {
                        None => return Ok((Cut::Broken, attached)),
                        Some(Heard::Sign) => Ok(()),
                        Some(Heard::Output(bytes)) => {
                            screen::draw(&bytes)?;
                            if progress.is_old() {
                                old_at = Instant::now();
                            }
                            progress.shown(bytes.len());
                            self.tell(&mut socket, progress, false).await
                        }
                        Some(Heard::Notice(notice)) => {
                            let is_first = matches!(notice, TerminalNotice::Attached { .. });
                            if let Some(end) = self.notice(notice, progress)? {
                                return Ok((Cut::End(end), true));
                            }
                            if is_first {
                                attached = true;
                                let kept = std::mem::take(&mut local.kept);
                                if kept.is_empty() { Ok(()) } else { socket.type_in(&kept).await }
                            } else {
                                Ok(())
                            }
                        }
                    }
                }
                _ = local.resized.recv() => self.resize(&mut socket).await,
                _ = tell.tick() => self.tell(&mut socket, progress, true).await,
                _ = ping.tick() => {
                    pings += 1;
                    socket.say(&TerminalRequest::Ping { id: pings }).await
                }
            };
            if sent.is_err() || heard_at.elapsed() > SILENCE {
                return Ok((Cut::Broken, attached));
            }
        }
    }

    async fn leave(&self, socket: Socket, end: End) -> Result<(Cut, bool)> {
        socket.close().await;
        Ok((Cut::End(end), true))
    }

    /// What of the typed bytes goes out, and whether the person leaves.
    fn to_send(&self, local: &mut Local, typed: Option<Vec<u8>>, replayed: bool) -> (Vec<u8>, bool) {
        let Some(typed) = typed else {
            local.ended = true;
            let end = if self.watching { &[][..] } else { keys::end_of_input(local.last_byte) };
            return (end.to_vec(), false);
        };
        if !self.interactive {
            local.last_byte = typed.last().copied().or(local.last_byte);
            return (if self.watching { Vec::new() } else { typed }, false);
        }
        let (bytes, leaves) = keys::until_leave(&typed, self.watching);
        let bytes = match (self.watching, replayed) {
            (true, _) => Vec::new(),
            (false, true) => keys::without_replies(bytes),
            (false, false) => bytes.to_vec(),
        };
        (bytes, leaves)
    }

    async fn tell(&self, socket: &mut Socket, progress: &mut Progress, idle: bool) -> Result<()> {
        match progress.untold(idle) {
            Some(offset) => socket.say(&TerminalRequest::Ack { offset }).await,
            None => Ok(()),
        }
    }

    async fn resize(&self, socket: &mut Socket) -> Result<()> {
        match screen::size().filter(|_| self.interactive && !self.watching) {
            Some((rows, columns)) => socket.say(&TerminalRequest::Resize { rows, columns }).await,
            None => Ok(()),
        }
    }

    /// What a notice means for this side; the end, if it is one.
    fn notice(&self, notice: TerminalNotice, progress: &mut Progress) -> Result<Option<End>> {
        match notice {
            TerminalNotice::Attached { from, end, snapshot, .. } => {
                if self.interactive {
                    screen::title(&self.name);
                }
                let missed = progress.attached(from, end, snapshot);
                if missed > 0 && !self.interactive {
                    output::note(format!("{missed} bytes of output are not kept any more and missing here"));
                }
                Ok(None)
            }
            TerminalNotice::Renamed { name } if self.interactive => {
                screen::title(&name);
                Ok(None)
            }
            TerminalNotice::Exit { code, signal } => Ok(Some(End::Exited { code, signal })),
            TerminalNotice::Error { message, .. } => bail!("{message}"),
            TerminalNotice::Size { .. }
            | TerminalNotice::Keyboard { .. }
            | TerminalNotice::Renamed { .. }
            | TerminalNotice::Pong { .. } => Ok(None),
        }
    }

    /// Waits before the next try; the person may leave meanwhile, and what they type is kept.
    async fn wait(&self, local: &mut Local, wait: Duration) -> Option<End> {
        let until = Instant::now() + wait;
        loop {
            let room = local.kept.len() < KEPT && !local.ended;
            tokio::select! {
                kind = local.asked.come() => return Some(End::Asked(kind)),
                typed = local.typed.recv(), if room => {
                    let (bytes, leaves) = self.to_send(local, typed, false);
                    if leaves {
                        return Some(End::Left);
                    }
                    local.kept.extend(bytes);
                }
                () = tokio::time::sleep_until(until) => return None,
            }
        }
    }
}
