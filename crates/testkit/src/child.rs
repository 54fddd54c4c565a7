//! Processes that end with this one, however it ends.

use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc;
use std::time::Duration;
use std::{io, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait::wait_blocking;

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// The kernel sends the parent-death signal when the *thread* that forked ends, and tests'
/// threads come and go; this one stays.
static SPAWNER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
    let (orders, received) = mpsc::channel::<Order>();
    let spawner = thread::Builder::new().name("spawner".into()).spawn(move || {
        for (mut command, answer) in received {
            // The asker waits for it.
            let _ = answer.send(command.spawn());
        }
    });
    spawner.expect("start a thread");
    orders
});

/// What a process may do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rights {
    /// What this process may.
    Own,
    /// As this user, nothing.
    None(u32),
    /// As this user, bind ports below 1024.
    Bind(u32),
}

/// A command that is killed when the test process ends.
pub(crate) fn mortal(program: impl AsRef<std::ffi::OsStr>, rights: Rights) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Rights::None(user) | Rights::Bind(user) = rights {
        command.args([format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".into()]);
    }
    if let Rights::Bind(_) = rights {
        let only = "-all,+net_bind_service";
        command.args(["--inh-caps", only, "--ambient-caps", only, "--bounding-set", only, "--no-new-privs"]);
    }
    command.arg("--").arg(program);
    command
}

/// Starts a [`mortal`] command.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let (answer, received) = mpsc::channel();
    SPAWNER.send((command, answer)).expect("the spawner lives as long as this process");
    received.recv().expect("the spawner answers")
}

pub(crate) fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("process ids are small"))
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    // It may have ended meanwhile; it stays a zombie until we wait, so the id is still its own.
    let _ = kill(pid(child), signal);
}

/// Waits for it to end; `None` when it did not in time.
pub(crate) fn wait(child: &mut Child, within: Duration) -> Option<std::process::ExitStatus> {
    let mut status = None;
    wait_blocking(within, || {
        status = child.try_wait().expect("wait for a child");
        status.is_some()
    });
    status
}
