//! One small process per workload: it starts the confined process, owns its pipes, writes
//! its log and knows its end. It outlives the node, so a restart of the node never
//! touches a running app.
//!
//! Single-threaded on purpose: [`sandbox::spawn`] forks.

mod client;
mod output;
mod pace;
mod socket;
mod terminal;

use std::fs;
use std::io::{self, BufRead};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use checkpoint::Checkpoint;
use ids::LogStream;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use sandbox::cgroup::Cgroup;
use serde::{Deserialize, Serialize};
use wire::shim::Exit;

pub(crate) use client::{Attached, Shim, Waiting, read_exit};
use output::Output;
use pace::Pace;
use socket::Socket;

use crate::layout::write_atomic;
use crate::log::Writer;
use crate::now_ms;
use crate::terminal::directory::Directory;

/// What a shim is told on its standard input, in one line. The node keeps the other end open until the shim can be found:
/// one whose node has gone before starts nothing, as the next node would not know of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct ShimSpec {
    pub(crate) sandbox: sandbox::Spec,
    /// Where `shim.sock` and `exit.json` go.
    pub(crate) run_dir: PathBuf,
    pub(crate) log_dir: PathBuf,
    pub(crate) log_max_bytes: u64,
    /// Variables whose values are taken out of the log.
    pub(crate) secrets: Vec<(String, String)>,
    /// Whom to become once the process runs.
    pub(crate) identity: Option<sandbox::Identity>,
    /// This process is in a unit of systemd's with the one that it runs.
    #[serde(default)]
    pub(crate) in_unit: bool,
    /// What it runs shares its memory with what others of ours need: want of it ends this first, however small it is.
    #[serde(default)]
    pub(crate) yields: bool,
}

pub(crate) const SOCKET: &str = "shim.sock";
pub(crate) const EXIT: &str = "exit.json";
const OOM_SCORE: &str = "/proc/self/oom_score_adj";
/// In thousandths of the memory that there may be: more than what holds a workspace takes of the least of them.
const YIELDS: &str = "400";
/// Below the directory of the log: what a terminal put out, see [`crate::terminal::record`].
const TERMINAL: &str = "terminal";

/// `nanoscale shim`: runs what the standard input says until it ends.
pub fn main() -> ExitCode {
    let mut text = String::new();
    let spec = match io::stdin().lock().read_line(&mut text) {
        Ok(_) => serde_json::from_str::<ShimSpec>(&text),
        Err(error) => Err(serde_json::Error::io(error)),
    };
    let spec = match spec {
        Ok(spec) => spec,
        Err(error) => {
            tracing::error!(%error, "a shim got no spec");
            return ExitCode::FAILURE;
        }
    };
    drop(text);
    // Signals for the node's terminal are not for its apps.
    let _ = nix::unistd::setsid();
    match run(spec) {
        Ok(()) => ExitCode::SUCCESS,
        // The node has cancelled the run and removed its directory: nobody waits for the end any more.
        Err(error) if error.kind() == io::ErrorKind::NotFound => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "a shim failed");
            ExitCode::FAILURE
        }
    }
}

fn run(spec: ShimSpec) -> io::Result<()> {
    checkpoint::reach_blocking(Checkpoint::ShimTold);
    // From here on by relative names: later this process may no longer walk to its directory.
    std::env::set_current_dir(&spec.run_dir)?;
    let mut log = Writer::open(&spec.log_dir, spec.log_max_bytes)?;
    if node_is_gone() {
        return Ok(());
    }
    // Who comes from here on waits for the answer.
    let mut socket = Socket::bind(Path::new(SOCKET))?;
    if spec.in_unit {
        // Who stops the unit means the process, and this one is to say how that ended. What it starts has its own mask.
        SigSet::from(Signal::SIGTERM).thread_block()?;
    }
    // Now, as the way to them may be closed later.
    let records = Directory::open(&spec.log_dir)?;
    let group = spec.sandbox.cgroup.as_ref().and_then(|name| Cgroup::open(name).ok());
    let child = match spawn(&spec) {
        Ok(child) => child,
        Err(error) => {
            let message = chain(&error);
            log.line(LogStream::Sys, message.clone());
            log.flush()?;
            let exit =
                Exit { code: None, signal: None, at_ms: now_ms(), spawn_error: Some(message), out_of_memory: false };
            return finish(&exit);
        }
    };
    checkpoint::reach_blocking(Checkpoint::ShimStarted);
    socket.started(child.pid);
    if spec.in_unit {
        spare(&[std::process::id().to_string(), child.pid.to_string()]);
    }
    if let Some(identity) = spec.identity {
        become_shim(identity)?;
    }
    let redactor =
        domain::redaction::Redactor::new(spec.secrets.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let mut exit = match &child.output {
        sandbox::Output::Pipes { stdout, stderr } => {
            let outputs = [Output::new(LogStream::Out, stdout.as_fd())?, Output::new(LogStream::Err, stderr.as_fd())?];
            supervise(&child, outputs, &mut socket, &mut log, &redactor)?
        }
        sandbox::Output::Terminal(outer) => {
            let size = spec.sandbox.terminal.unwrap_or(sandbox::WindowSize { rows: 24, columns: 80 });
            terminal::attend(&child, outer, &mut socket, &records.make(TERMINAL)?, spec.log_max_bytes, size)?
        }
    };
    exit.out_of_memory = group.is_some_and(|group| group.oom_kills() > 0);
    checkpoint::reach_blocking(Checkpoint::ShimSawEnd);
    finish(&exit)?;
    checkpoint::reach_blocking(Checkpoint::ShimMarkedEnd);
    socket.announce(&exit);
    Ok(())
}

/// Whether the other end of the standard input is closed.
fn node_is_gone() -> bool {
    let input = io::stdin();
    let mut fds = [PollFd::new(input.as_fd(), PollFlags::empty())];
    poll(&mut fds, PollTimeout::ZERO).is_ok() && fds[0].revents().is_some_and(|events| !events.is_empty())
}

/// Copies output and answers the socket until the process has ended and its pipes are empty.
fn supervise(
    child: &sandbox::Child,
    mut outputs: [Output<'_>; 2],
    socket: &mut Socket,
    log: &mut Writer,
    redactor: &domain::redaction::Redactor,
) -> io::Result<Exit> {
    let mut pace = Pace::new(Instant::now());
    loop {
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![readable(child.status.as_fd())];
        let wait = pace.wait();
        if wait.is_none() {
            fds.extend(outputs.iter().filter(|output| output.open()).map(|output| readable(output.fd())));
        }
        fds.extend(socket.fds().into_iter().map(readable));
        let timeout = wait.map_or(PollTimeout::NONE, |wait| wait.try_into().unwrap_or(PollTimeout::MAX));
        match poll(&mut fds, timeout) {
            Err(nix::errno::Errno::EINTR) => continue,
            result => result?,
        };
        let ended = fds[0].revents().is_some_and(|events| !events.is_empty());
        drop(fds);
        pace.fill(Instant::now());
        for output in &mut outputs {
            output.copy(log, redactor, &mut pace);
        }
        if let Some(notice) = pace.notice(Instant::now()) {
            log.line(LogStream::Sys, notice);
        }
        // A full disk costs log lines, never the app.
        let _ = log.flush();
        // There is no terminal to look at; who asks for one is cut off.
        drop(socket.serve(|signal| child.signal(signal)));
        if ended {
            let exit = child.wait()?;
            // Everything the process wrote is in the pipes by now.
            for output in &mut outputs {
                output.finish(log, redactor);
            }
            let _ = log.flush();
            return Ok(told(exit));
        }
    }
}

fn spawn(spec: &ShimSpec) -> Result<sandbox::Child, sandbox::Error> {
    let own = fs::read_to_string(OOM_SCORE).unwrap_or_default();
    if spec.yields {
        // Handed down to what is started now.
        let _ = fs::write(OOM_SCORE, YIELDS);
    }
    let child = sandbox::spawn(&spec.sandbox);
    if spec.yields {
        let _ = fs::write(OOM_SCORE, own.trim());
    }
    child
}

/// Has the kernel end none of these for want of memory: the limit of their unit is for the process beside them. Without
/// it they are as anybody else.
fn spare(pids: &[String]) {
    for pid in pids {
        let _ = fs::write(Path::new("/proc").join(pid).join("oom_score_adj"), "-1000");
    }
}

/// How a process ended just now.
fn told(exit: sandbox::Exit) -> Exit {
    let (code, signal) = match exit {
        sandbox::Exit::Code(code) => (Some(code), None),
        sandbox::Exit::Signal(signal) => (None, Some(signal)),
    };
    Exit { code, signal, at_ms: now_ms(), spawn_error: None, out_of_memory: false }
}

/// Gives up root for a user that owns nothing but its log; the right to signal the app stays.
fn become_shim(identity: sandbox::Identity) -> io::Result<()> {
    use caps::{CapSet, Capability, CapsHashSet};
    use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
    let only_kill = CapsHashSet::from([Capability::CAP_KILL]);
    caps::securebits::set_keepcaps(true).map_err(io::Error::other)?;
    setgroups(&[])?;
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    caps::set(None, CapSet::Effective, &only_kill).map_err(io::Error::other)?;
    caps::set(None, CapSet::Permitted, &only_kill).map_err(io::Error::other)?;
    Ok(())
}

fn finish(exit: &Exit) -> io::Result<()> {
    write_atomic(Path::new(EXIT), &serde_json::to_vec(exit)?)
}

/// The error with its causes, as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
