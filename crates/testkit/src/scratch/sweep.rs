//! Ends what a server left behind: its apps outlive it on purpose.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

use crate::wait::wait_blocking;

const DEADLINE: Duration = Duration::from_secs(10);
/// User ids that one node hands out.
const RANGE: u32 = 1 << 16;

/// What a node writes about itself to `node/identities.json`.
#[derive(Deserialize)]
struct Identities {
    instance: String,
    range: u32,
}

/// What marks a process as one of a server's.
struct Marks<'a> {
    scratch: &'a Path,
    program: &'a Path,
    groups: Vec<PathBuf>,
    uids: Range<u32>,
}

/// Kills every process of the server `program` that worked in `scratch`, and removes its cgroups.
pub(crate) fn sweep(scratch: &Path, program: &Path) {
    let text = fs::read(scratch.join("data/node/identities.json")).unwrap_or_default();
    let identities = serde_json::from_slice::<Identities>(&text).ok();
    let instance = identities.as_ref().map(|identities| identities.instance.as_str());
    let uids = identities.as_ref().map_or(0..0, |identities| {
        let first = identities.range * RANGE;
        first..first.saturating_add(RANGE)
    });
    let marks = Marks { scratch, program, groups: instance.map(groups).unwrap_or_default(), uids };
    let gone = wait_blocking(DEADLINE, || {
        let left = marks.processes();
        for &pid in &left {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        left.is_empty()
    });
    // With nobody in them systemd's units are gone, but for those that only had units in them.
    if let Some(instance) = instance.filter(|_| Path::new("/run/systemd/system").exists()) {
        let slice = format!("nanoscale-{instance}.slice");
        let _ = Command::new("systemctl").args(["stop", &slice]).stderr(Stdio::null()).status();
    }
    let removed = wait_blocking(DEADLINE, || marks.groups.iter().all(|group| remove_group(group)));
    // Its links went with the processes; there is no table where nothing had a link.
    if let Some(instance) = instance {
        let table = format!("nanoscale-{instance}");
        let _ = Command::new("nft").args(["delete", "table", "inet", &table]).stderr(Stdio::null()).status();
    }
    if !gone || !removed {
        eprintln!("processes or cgroups of {} are left", scratch.display());
    }
}

/// The node's cgroup in every hierarchy, v1 and v2, and that of its units.
fn groups(instance: &str) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let mounts = subdirectories(root).into_iter().chain([root.to_owned()]);
    let own = mounts.map(|mount| mount.join(format!("nanoscale-{instance}")));
    let units = root.join(format!("nanoscale.slice/nanoscale-{instance}.slice"));
    own.chain([units]).filter(|group| group.is_dir()).collect()
}

// === impl Marks ===

impl Marks<'_> {
    fn processes(&self) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        for group in &self.groups {
            members(group, &mut found);
        }
        let running = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = running.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let own = i32::try_from(std::process::id()).expect("process ids are small");
        found.extend(pids.filter(|&pid| self.marked(pid)));
        // Zero is a process of another pid namespace, and to kill() it is ourselves.
        found.retain(|&pid| pid > 1 && pid != own);
        found
    }

    fn marked(&self, pid: i32) -> bool {
        let process = Path::new("/proc").join(pid.to_string());
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        if field("State:") == Some("Z") {
            return false;
        }
        if field("Uid:").and_then(|uid| uid.parse().ok()).is_some_and(|uid| self.uids.contains(&uid)) {
            return true;
        }
        let links_into =
            |link: &str| fs::read_link(process.join(link)).is_ok_and(|to| to.starts_with(self.scratch.join("data")));
        if links_into("cwd") || links_into("root") {
            return true;
        }
        // Other programs may well name the directory: an editor, a `tail -f`.
        let exe = fs::read_link(process.join("exe")).unwrap_or_default();
        let command_line = fs::read(process.join("cmdline")).unwrap_or_default();
        exe == self.program && String::from_utf8_lossy(&command_line).contains(&*self.scratch.to_string_lossy())
    }
}

fn subdirectories(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// Processes of a group and those below it.
fn members(group: &Path, found: &mut BTreeSet<i32>) {
    // A server that was killed may have left it frozen, and what is frozen does not die.
    let _ = fs::write(group.join("freezer.state"), "THAWED");
    let procs = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    found.extend(procs.lines().filter_map(|pid| pid.parse::<i32>().ok()));
    for below in subdirectories(group) {
        members(&below, found);
    }
}

fn remove_group(group: &Path) -> bool {
    for below in subdirectories(group) {
        remove_group(&below);
    }
    fs::remove_dir(group).is_ok() || !group.exists()
}
