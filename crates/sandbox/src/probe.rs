//! What this machine can enforce.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;

use crate::cgroup::{Cgroup, Limits};
use crate::child::reap;
use crate::privileges::Powers;
use crate::sys::{self, Fork};

/// One thing that confines, and whether [`crate::spawn`] has it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// Stable, in snake_case.
    pub name: &'static str,
    pub enabled: bool,
    /// How it is done, or why it is not, for a person to read.
    pub detail: String,
}

impl Capability {
    fn new(name: &'static str, enabled: bool, detail: impl Into<String>) -> Self {
        Self { name, enabled, detail: detail.into() }
    }

    fn tried(name: &'static str, detail: &str, result: Result<(), Errno>) -> Self {
        match result {
            Ok(()) => Self::new(name, true, detail),
            Err(errno) => Self::new(name, false, format!("refused by the kernel: {errno}")),
        }
    }
}

/// Tries, for this process and its rights, what can be enforced. Takes some milliseconds;
/// may be called by a process with many threads.
pub fn probe() -> Vec<Capability> {
    let powers = Powers::now();
    let mut found = Vec::from(cgroup_capabilities());
    found.push(Capability::new(
        "own_uid",
        powers.switch,
        if powers.switch { "setresuid, no capabilities" } else { "needs root: runs as the user of its parent" },
    ));
    for (name, flag) in [
        ("mount_namespace", libc::CLONE_NEWNS),
        ("pid_namespace", libc::CLONE_NEWPID),
        ("ipc_namespace", libc::CLONE_NEWIPC),
        ("network_namespace", libc::CLONE_NEWNET),
    ] {
        found.push(if powers.namespaces {
            Capability::tried(name, "own namespace", try_namespace(flag))
        } else {
            Capability::new(name, false, "needs root with CAP_SYS_ADMIN")
        });
    }
    found.push(match sys::landlock_abi() {
        Ok(abi) => Capability::new("landlock", true, format!("ABI {abi}")),
        Err(errno) => Capability::new("landlock", false, format!("not in this kernel: {errno}")),
    });
    found.push(Capability::tried("seccomp", "filter of system calls", sys::seccomp_available()));
    found.push(Capability::tried("no_new_privs", "prctl", rustix::thread::no_new_privs().map(|_| ())));
    found
}

fn cgroup_capabilities() -> [Capability; 4] {
    let names =
        [("memory_limit", "memory"), ("cpu_weight", "cpu"), ("pids_limit", "pids"), ("cpu_yielding", "cpu.idle")];
    let tried = try_cgroup();
    names.map(|(name, controller)| match &tried {
        Ok((version, controllers)) if controllers.contains(&controller) => Capability::new(name, true, *version),
        Ok((version, _)) if controller == "cpu.idle" => {
            Capability::new(name, false, format!("{version} without cpu.idle, which comes with Linux 5.15"))
        }
        Ok((version, _)) => Capability::new(name, false, format!("{version} without the {controller} controller")),
        Err(reason) => Capability::new(name, false, reason.clone()),
    })
}

/// Makes a group with limits and removes it.
fn try_cgroup() -> Result<(&'static str, Vec<&'static str>), String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("sandbox-probe-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let (pids, cpu_weight, cpu_percent) = (Some(16), Some(100), Some(100));
    let limits = Limits { memory_bytes: Some(64 << 20), pids, cpu_weight, cpu_percent, ..Limits::default() };
    let tried = Cgroup::create(&name, &limits).map(|group| (group.version(), group.controllers()));
    if let Ok(group) = Cgroup::open(&name) {
        let _ = group.remove();
    }
    tried.map_err(|error| match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })
}

fn try_namespace(flag: i32) -> Result<(), Errno> {
    let mask = sys::block_signals();
    let forked = sys::clone(flag);
    // Nothing but this between the fork and the exit: other threads may hold locks.
    if matches!(forked, Ok(Fork::Child)) {
        sys::exit(0);
    }
    sys::restore_signals(&mask);
    match forked? {
        Fork::Parent { pidfd: Some(pidfd), .. } => reap(&pidfd),
        _ => Ok(()),
    }
}
