//! Starting: prepares, forks the init into its namespaces, hears from the child whether
//! the program was executed.

use std::os::fd::{AsFd as _, OwnedFd};

use libc::{CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags};
use rustix::thread::ThreadNameSpaceType;

use crate::app::{self, Plan, Program, Streams};
use crate::cgroup::Cgroup;
use crate::child::{self, Child, Output};
use crate::error::{Error, Failure, Step};
use crate::init;
use crate::network::Outside;
use crate::privileges::Powers;
use crate::root;
use crate::seccomp::Filters;
use crate::spec::{Network, Spec, WindowSize};
use crate::sys::{self, Fork};
use crate::terminal;

const NAMESPACES: i32 = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;

/// The child's ends.
struct Ends {
    wiring: Wiring,
    status: OwnedFd,
    failure: OwnedFd,
}

/// What the program's streams are, or will be.
enum Wiring {
    Pipes {
        stdout: OwnedFd,
        stderr: OwnedFd,
    },
    /// To be made where the program is.
    Terminal(WindowSize),
}

/// Where the child goes.
enum World {
    /// Into namespaces made for it.
    Own(Outside),
    /// Into those of this process.
    Joined(OwnedFd),
}

/// Starts a process. Returns when its program has been executed or could not be.
///
/// The process has `/dev/null` as its input, no descriptor of the caller, a session of its
/// own and default signals. It outlives its caller, as far as the caller's cgroup does: the
/// init that looks after the process stays there.
///
/// To be called by a process with a single thread, as it forks: [`Error::Threads`]
/// otherwise. With an identity and as root it is confined in full. A caller without root
/// (or without `CAP_SYS_ADMIN`, as in most containers) gets what [`crate::probe`] says: no
/// namespaces, no mounts, the host's `/tmp` unless one is given, and no cgroup where none
/// can be joined.
pub fn spawn(spec: &Spec) -> Result<Child, Error> {
    spec.check()?;
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(Error::Threads(threads));
    }
    let powers = Powers::now();
    let plan = Plan {
        spec,
        program: Program::new(spec)?,
        filters: Filters::new().map_err(|errno| Failure::of(Step::Seccomp)(errno).into_error(""))?,
        groups: groups_to_join(spec, powers.switch)?,
        own_root: powers.namespaces && spec.identity.is_some(),
        switch: powers.switch,
    };
    start(plan).map_err(|failure| failure.into_error(&spec.argv[0]))
}

fn groups_to_join(spec: &Spec, required: bool) -> Result<Vec<OwnedFd>, Error> {
    let Some(name) = &spec.cgroup else { return Ok(Vec::new()) };
    match Cgroup::open(name).and_then(|group| group.membership_files()) {
        Ok(files) => Ok(files),
        Err(_) if !required => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn start(plan: Plan<'_>) -> Result<Child, Failure> {
    let (pipes, wiring) = match plan.spec.terminal {
        None => output_pipes(&plan).map(|(output, wiring)| (Some(output), wiring))?,
        Some(size) => (None, Wiring::Terminal(size)),
    };
    let (failure, child_failure) = pipe()?;
    let (status, child_status) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(Failure::of(Step::Prepare))?;
    let ends = Ends { wiring, status: child_status, failure: child_failure };
    let joined = plan.spec.join.filter(|_| plan.own_root).map(open_process).transpose()?;
    let makes = plan.own_root && joined.is_none();
    let outside = if makes { Outside::open(&plan.spec.network)? } else { Outside::none() };
    let namespaces = match plan.spec.network {
        _ if !makes => 0,
        Network::Host => NAMESPACES,
        Network::Own { .. } => NAMESPACES | CLONE_NEWNET,
    };
    let world = joined.map_or(World::Own(outside), World::Joined);

    // The child must not run the caller's handlers, and loses no signal before it listens.
    let mask = sys::block_signals();
    let forked = sys::clone(namespaces);
    match forked {
        Ok(Fork::Child) => run_init(plan, ends, world),
        Ok(Fork::Parent { pid, pidfd: Some(pidfd) }) => {
            sys::restore_signals(&mask);
            drop(ends);
            match child::read_to_end(&failure) {
                Ok(bytes) if bytes.is_empty() => {
                    let output = match pipes {
                        Some(pipes) => pipes,
                        None => Output::Terminal(terminal::receive(&status).map_err(Failure::of(Step::Terminal))?),
                    };
                    Ok(Child { pid, pidfd, output, status })
                }
                result => {
                    let _ = child::reap(&pidfd);
                    Err(result.map_or_else(Failure::of(Step::Prepare), |bytes| Failure::decode(&bytes)))
                }
            }
        }
        Ok(Fork::Parent { pidfd: None, .. }) => Err(Failure::of(Step::Fork)(Errno::NOSYS)),
        Err(errno) => {
            sys::restore_signals(&mask);
            Err(Failure::of(Step::Namespaces)(errno))
        }
    }
}

/// The child's side: never returns into the caller's code, not even by a panic.
fn run_init(plan: Plan<'_>, ends: Ends, world: World) -> ! {
    let run = std::panic::AssertUnwindSafe(|| prepare_and_fork(plan, ends, world));
    let _ = std::panic::catch_unwind(run);
    sys::exit(1)
}

fn prepare_and_fork(plan: Plan<'_>, ends: Ends, world: World) {
    sys::default_signals();
    let identity = plan.spec.identity.filter(|_| plan.switch);
    let own_root = plan.own_root;
    // Else a signal to the caller's process group would be passed on to the program.
    let alone = rustix::process::setsid().map(drop).map_err(Failure::of(Step::Prepare));
    let own_pids = own_root && matches!(world, World::Own(_));
    let ready = alone.and_then(|()| match (identity, world) {
        (Some(identity), World::Own(outside)) if own_root => {
            let sockets = outside.connect(&plan.spec.network)?;
            root::build(plan.spec, identity)?;
            Ok(sockets)
        }
        (_, World::Joined(process)) => enter(&process).map(|()| None),
        _ => adopt_orphans().map(|()| None),
    });
    let Ends { wiring, status, failure: outlet } = ends;
    let forked = ready.and_then(|sockets| {
        let streams = match wiring {
            Wiring::Pipes { stdout, stderr } => Streams::Pipes { stdout, stderr },
            Wiring::Terminal(size) => Streams::Terminal(terminal::make(size, identity, &status)?),
        };
        Ok((sockets, streams, sys::fork().map_err(Failure::of(Step::Fork))?))
    });
    match forked {
        Ok((_, streams, Fork::Child)) => report(&outlet, &app::become_program(plan, &streams)),
        Ok((sockets, streams, Fork::Parent { pid, .. })) => {
            // Every descriptor of ours is closed at once by the init, not one by one here.
            std::mem::forget((streams, outlet, plan));
            init::run(pid, init::Outlets { status, sockets }, identity, own_pids)
        }
        Err(failure) => report(&outlet, &failure),
    }
}

/// The caller's ends, and the program's, which it may open by name.
fn output_pipes(plan: &Plan<'_>) -> Result<(Output, Wiring), Failure> {
    let (stdout, child_stdout) = pipe()?;
    let (stderr, child_stderr) = pipe()?;
    if let Some(identity) = plan.spec.identity.filter(|_| plan.switch) {
        // Else the program could write to, but not open, its own /dev/stdout.
        let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        for fd in [&child_stdout, &child_stderr] {
            rustix::fs::fchown(fd, Some(uid), Some(gid)).map_err(Failure::of(Step::Prepare))?;
        }
    }
    let wiring = Wiring::Pipes { stdout: child_stdout, stderr: child_stderr };
    Ok((Output::Pipes { stdout, stderr }, wiring))
}

fn open_process(pid: i32) -> Result<OwnedFd, Failure> {
    let pid = Pid::from_raw(pid).ok_or(Errno::SRCH).map_err(Failure::of(Step::Namespaces))?;
    rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(Failure::of(Step::Namespaces))
}

/// Moves this process into all namespaces of another; its pid namespace is its children's only.
fn enter(process: &OwnedFd) -> Result<(), Failure> {
    let all = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::PROCESS_ID
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::NETWORK;
    rustix::thread::move_into_thread_name_spaces(process.as_fd(), all).map_err(Failure::of(Step::Namespaces))
}

fn adopt_orphans() -> Result<(), Failure> {
    let me = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(me)).map_err(Failure::of(Step::Prepare))
}

fn report(pipe: &OwnedFd, failure: &Failure) -> ! {
    let _ = rustix::io::write(pipe.as_fd(), &failure.encode());
    sys::exit(127)
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Failure> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(Failure::of(Step::Prepare))
}
