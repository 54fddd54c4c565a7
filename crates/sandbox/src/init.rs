//! The first process of the sandbox: reaps, passes signals on, reports how the program
//! ended and takes all that is left with it.
//!
//! It is our own code without an exec, holds no descriptor but the status socket, its
//! signals and the socket that leads into its network, and has the program's user id. It is in no cgroup of the program's, so it is
//! there to report when that is killed as a whole or runs out of memory.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::process::{DumpableBehavior, WaitOptions, WaitStatus};

use crate::child::Exit;
use crate::network::Outlet;
use crate::privileges;
use crate::spec::Identity;
use crate::sys;

/// Signals whose meaning is for the program.
const FORWARDED: [i32; 8] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTERM,
    libc::SIGCONT,
    libc::SIGWINCH,
];

const SIGNAL_INFO_SIZE: usize = 128;
const LEFTOVERS_DEADLINE: Duration = Duration::from_secs(5);

/// What the init keeps open to the outside.
pub(crate) struct Outlets {
    pub(crate) status: OwnedFd,
    /// Gives out sockets of the network namespace.
    pub(crate) sockets: Option<Outlet>,
}

/// Gives up everything but its outlets and stays until `program` has ended. All signals are
/// blocked already.
pub(crate) fn run(program: i32, outlets: Outlets, identity: Option<Identity>, own_pids: bool) -> ! {
    let signals = match confine(&outlets, identity) {
        Ok(signals) => signals,
        Err(_) => {
            // Running the program without its init would lose its end: rather not at all.
            let _ = sys::kill(program, libc::SIGKILL);
            sys::exit(1)
        }
    };
    let exit = attend(program, &outlets, &signals).unwrap_or(Exit::Signal(libc::SIGKILL));
    let _ = rustix::net::send(&outlets.status, &exit.encode(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    if !own_pids {
        kill_leftovers();
    }
    sys::exit(0)
}

fn confine(outlets: &Outlets, identity: Option<Identity>) -> Result<OwnedFd, Errno> {
    let signals = sys::signalfd()?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    for number in 0..=2 {
        sys::set_stdio(null.as_fd(), number)?;
    }
    // Closes `null` too, which therefore must not close itself.
    std::mem::forget(null);
    let sockets = outlets.sockets.iter().flat_map(|outlet| outlet.answered.iter().chain([&outlet.listener]));
    let kept = sockets.chain([&outlets.status, &signals]).map(|fd| fd.as_raw_fd());
    sys::close_all_except(kept.collect())?;
    privileges::drop(identity)?;
    // This process has a copy of its parent's memory and the program's user id.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let _ = rustix::thread::set_name(c"sandbox-init");
    Ok(signals)
}

fn attend(program: i32, outlets: &Outlets, signals: &OwnedFd) -> Result<Exit, Errno> {
    let Outlets { status, sockets } = outlets;
    let mut parent_listens = true;
    loop {
        let mut fds = vec![PollFd::new(signals, PollFlags::IN)];
        fds.extend(sockets.iter().map(|outlet| PollFd::new(&outlet.listener, PollFlags::IN)));
        if parent_listens {
            fds.push(PollFd::new(status, PollFlags::IN));
        }
        match rustix::event::poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        let parent_speaks = parent_listens && fds.last().is_some_and(|fd| !fd.revents().is_empty());
        if let Some(sockets) = sockets {
            sockets.give_sockets();
        }
        if parent_speaks {
            parent_listens = pass_requests(program, status);
        }
        if let Some(exit) = take_signals(program, signals)? {
            return Ok(exit);
        }
    }
}

/// Sends what the parent asks for; false when the parent is gone, which is no reason to end.
fn pass_requests(program: i32, status: &OwnedFd) -> bool {
    let mut numbers = [0_u8; 16];
    match rustix::io::read(status, &mut numbers) {
        Ok(0) => false,
        Ok(length) => {
            for signal in numbers[..length].iter().copied().map(i32::from) {
                if signal == libc::SIGKILL {
                    // The program cannot pass this one on, and in a sandbox that it joined its children would live on.
                    let _ = sys::kill(-program, signal);
                }
                let _ = sys::kill(program, signal);
            }
            true
        }
        Err(Errno::INTR | Errno::AGAIN) => true,
        Err(_) => false,
    }
}

fn take_signals(program: i32, signals: &OwnedFd) -> Result<Option<Exit>, Errno> {
    let mut info = [0_u8; SIGNAL_INFO_SIZE];
    loop {
        match rustix::io::read(signals, &mut info) {
            Ok(_) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        }
        let [a, b, c, d, ..] = info;
        let signal = i32::from_ne_bytes([a, b, c, d]);
        if signal == libc::SIGCHLD {
            if let Some(exit) = reap(program)? {
                return Ok(Some(exit));
            }
        } else if FORWARDED.contains(&signal) {
            let _ = sys::kill(program, signal);
        }
    }
}

/// Reaps all that has ended; the program's own end if it is among them.
fn reap(program: i32) -> Result<Option<Exit>, Errno> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid.as_raw_pid() == program => {
                if let Some(exit) = exit_of(status) {
                    return Ok(Some(exit));
                }
            }
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Ok(None),
            Err(errno) => return Err(errno),
        }
    }
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    status.exit_status().map(Exit::Code).or_else(|| status.terminating_signal().map(Exit::Signal))
}

/// Without a pid namespace the kernel kills nothing for us. As their subreaper we get every
/// orphan, generation after generation.
fn kill_leftovers() {
    let deadline = Instant::now() + LEFTOVERS_DEADLINE;
    let pid = std::process::id();
    let children = PathBuf::from(format!("/proc/{pid}/task/{pid}/children"));
    while Instant::now() < deadline {
        for child in std::fs::read_to_string(&children).unwrap_or_default().split_ascii_whitespace() {
            if let Ok(child) = child.parse() {
                let _ = sys::kill(child, libc::SIGKILL);
            }
        }
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
