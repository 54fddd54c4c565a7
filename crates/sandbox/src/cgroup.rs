//! Groups of processes with limits that are counted and killed together, on cgroup v2 or
//! on the separate hierarchies of v1.
//!
//! A name is relative, like `tool-1/task-7`; groups on the way are made as needed and are
//! not removed with the last one below them. Changing anything takes root or a delegated
//! subtree. All calls are files being read and written: fast, but they block.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::sys;

mod files;
mod v1;
mod v2;

use files::{collect_processes, mount_lines, number, read, remove_tree, subdirs};

const KILL_DEADLINE: Duration = Duration::from_secs(10);
const REMOVE_DEADLINE: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// What all processes of a group may use together. `None` is no limit of its own. A limit
/// whose controller this machine lacks has no effect; [`crate::probe`] says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Memory including the page cache, without any swap beside it.
    pub memory_bytes: Option<u64>,
    /// What happens when there is no more of it. cgroup v1 knows [`OutOfMemory::EndsOne`] only.
    pub out_of_memory: OutOfMemory,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Share of the CPU when there is not enough for all: 1 to 10000, 100 is ordinary.
    pub cpu_weight: Option<u64>,
    /// Most CPU even when nobody else wants it: 100 is one whole core.
    pub cpu_percent: Option<u32>,
}

/// Whom the kernel ends in a group that has no memory left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutOfMemory {
    /// Everybody: the processes are one program, which is not to go on with a part of itself missing.
    #[default]
    EndsAll,
    /// The largest process: the others have nothing to do with it.
    EndsOne,
}

/// What a group uses now. `None` where this machine does not count it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Memory in use, without file cache that could be dropped at once.
    pub memory_bytes: Option<u64>,
    /// CPU time used since the group was made.
    pub cpu_usec: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No hierarchy is mounted, or none with a controller we could write to.
    #[error("this machine has no usable cgroups")]
    Unsupported,
    #[error("cgroup name {0:?} is not a plain relative path")]
    Name(String),
    #[error("no cgroup {0}")]
    NotFound(String),
    /// Processes stayed although they were killed.
    #[error("cgroup {0} does not become empty")]
    Busy(String),
    #[error("{}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// A group of processes. Only a name: dropping it leaves the group.
#[derive(Debug, Clone)]
pub struct Cgroup {
    name: String,
    hierarchy: Hierarchy,
}

#[derive(Debug, Clone)]
enum Hierarchy {
    V1(v1::Hierarchies),
    V2(v2::Base),
}

impl Hierarchy {
    fn find() -> Result<Self, Error> {
        let mounts = read(Path::new("/proc/self/mountinfo"))?;
        let memberships = read(Path::new("/proc/self/cgroup"))?;
        let base = v2::Base::find(&mounts, &memberships).map(Self::V2);
        base.or_else(|| v1::Hierarchies::find(&mounts).map(Self::V1)).ok_or(Error::Unsupported)
    }

    /// The directory of `name` in each hierarchy, whether it is there or not.
    fn dirs(&self, name: &str) -> Vec<PathBuf> {
        match self {
            Self::V1(hierarchies) => hierarchies.dirs(name),
            Self::V2(base) => vec![base.dir(name)],
        }
    }
}

// === impl Cgroup ===

impl Cgroup {
    /// Makes the group, or takes the one that is there, and sets its limits.
    pub fn create(name: &str, limits: &Limits) -> Result<Self, Error> {
        let group = Self::named(name)?;
        match &group.hierarchy {
            Hierarchy::V1(hierarchies) => hierarchies.create(name, limits)?,
            Hierarchy::V2(base) => base.create(name, limits)?,
        }
        Ok(group)
    }

    /// The same below a group that somebody else made and gave away with all that is in it: systemd's, of a unit with
    /// `Delegate=`. Processes that lie in `parent` itself are moved aside, as they would be in the way of limits.
    /// Its own settings stay its maker's. [`Error::Unsupported`] on v1.
    pub fn create_in(parent: &str, name: &str, limits: &Limits) -> Result<Self, Error> {
        let group = Self::named(&format!("{parent}/{name}"))?;
        let Hierarchy::V2(base) = &group.hierarchy else { return Err(Error::Unsupported) };
        v2::Base::given(&base.dir(parent)).create(name, limits)?;
        Ok(group)
    }

    /// Whether this machine has the single hierarchy of v2, with controllers in it.
    pub fn is_unified() -> bool {
        matches!(Hierarchy::find(), Ok(Hierarchy::V2(_)))
    }

    /// A group that is there; [`Error::NotFound`] otherwise.
    pub fn open(name: &str) -> Result<Self, Error> {
        let group = Self::named(name)?;
        if group.dirs().iter().any(|dir| dir.is_dir()) { Ok(group) } else { Err(Error::NotFound(name.into())) }
    }

    /// The group that a process is in now, whoever made it.
    pub fn of_process(pid: i32) -> Result<Self, Error> {
        let memberships = read(&PathBuf::from(format!("/proc/{pid}/cgroup")))?;
        let mounts = read(Path::new("/proc/self/mountinfo"))?;
        let own = Hierarchy::find()?;
        let controller = if matches!(own, Hierarchy::V2(_)) { "" } else { "memory" };
        // `id:controllers:path`, see cgroups(7).
        let mut lines = memberships.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let path =
            lines.find(|(controllers, _)| controllers.split(',').any(|it| it == controller)).map(|(_, path)| path);
        let name = path.ok_or(Error::Unsupported)?.trim_start_matches('/').to_owned();
        let hierarchy = match own {
            // By its name from the top, wherever our own groups are.
            Hierarchy::V2(_) => {
                let root = mount_lines(&mounts).find(|mount| mount.kind == "cgroup2").ok_or(Error::Unsupported)?;
                Hierarchy::V2(v2::Base::at(Path::new(root.target)))
            }
            v1 => v1,
        };
        Ok(Self { name, hierarchy })
    }

    pub fn exists(name: &str) -> bool {
        Self::open(name).is_ok()
    }

    /// Names of the groups directly in `parent`; none if there is no such group.
    pub fn list(parent: &str) -> Result<Vec<String>, Error> {
        let names: BTreeSet<_> = Self::named(parent)?
            .dirs()
            .iter()
            .flat_map(|dir| subdirs(dir))
            .filter_map(|dir| Some(format!("{parent}/{}", dir.file_name()?.to_str()?)))
            .collect();
        Ok(names.into_iter().collect())
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ids of all processes in the group and below it, as this process sees them.
    pub fn processes(&self) -> Result<Vec<i32>, Error> {
        let mut pids = BTreeSet::new();
        // In every hierarchy, since a process may have been moved in one of them only.
        for dir in self.dirs() {
            collect_processes(&dir, &mut pids)?;
        }
        Ok(pids.into_iter().collect())
    }

    /// Kills every process in the group and below it, and waits until they are gone. Blocks
    /// for some milliseconds, at worst ten seconds.
    pub fn kill(&self) -> Result<(), Error> {
        let deadline = Instant::now() + KILL_DEADLINE;
        while !self.processes()?.is_empty() {
            match &self.hierarchy {
                Hierarchy::V1(hierarchies) => {
                    // What is frozen cannot fork, nor end and leave its id to a stranger.
                    let frozen = hierarchies.freeze(&self.name);
                    self.kill_each();
                    if frozen {
                        hierarchies.thaw(&self.name);
                    }
                }
                Hierarchy::V2(base) => {
                    if !base.kill(&self.name) {
                        self.kill_each();
                    }
                }
            }
            if Instant::now() > deadline {
                return Err(Error::Busy(self.name.clone()));
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn kill_each(&self) {
        for pid in self.processes().unwrap_or_default() {
            // Zero is a process of another pid namespace, and to kill() it is ourselves.
            if pid > 0 {
                let _ = sys::kill(pid, libc::SIGKILL);
            }
        }
    }

    /// Lets the group compute only while nobody else wants to (`cpu.idle`, Linux 5.15), or as before, with this weight.
    /// Without such a file nothing changes. [`Cgroup::create`] makes the group an ordinary one again.
    pub fn set_idle(&self, idle: bool, cpu_weight: u64) -> Result<(), Error> {
        match &self.hierarchy {
            Hierarchy::V1(hierarchies) => hierarchies.set_idle(&self.name, idle, cpu_weight),
            Hierarchy::V2(base) => base.set_idle(&self.name, idle, cpu_weight),
        }
    }

    /// Whether the group computes only while nobody else wants to.
    pub fn is_idle(&self) -> bool {
        self.dirs().iter().any(|dir| number(&dir.join("cpu.idle")) == Some(1))
    }

    pub fn stats(&self) -> Stats {
        match &self.hierarchy {
            Hierarchy::V1(hierarchies) => hierarchies.stats(&self.name),
            Hierarchy::V2(base) => base.stats(&self.name),
        }
    }

    /// How often the kernel killed in the group for want of memory since it was made: a process at a time on v1, all of
    /// them at once on v2.
    pub fn oom_kills(&self) -> u64 {
        match &self.hierarchy {
            Hierarchy::V1(hierarchies) => hierarchies.oom_kills(&self.name),
            Hierarchy::V2(base) => base.oom_kills(&self.name),
        }
    }

    /// Removes the group and those below it; fine if there is none. [`Error::Busy`] if it
    /// has processes: [`Cgroup::kill`] first.
    pub fn remove(&self) -> Result<(), Error> {
        let deadline = Instant::now() + REMOVE_DEADLINE;
        for dir in self.dirs() {
            // What was killed leaves its group a little later than its process id.
            while let Err(error) = remove_tree(&dir) {
                let busy = matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::DirectoryNotEmpty);
                if !busy {
                    return Err(Error::Io { path: dir, source: error });
                }
                if Instant::now() > deadline || !self.processes()?.is_empty() {
                    return Err(Error::Busy(self.name.clone()));
                }
                thread::sleep(POLL_INTERVAL);
            }
        }
        Ok(())
    }

    /// Files into which a process writes `0` to join. Opened now, they keep the rights of now.
    pub(crate) fn membership_files(&self) -> Result<Vec<OwnedFd>, Error> {
        let open = |dir: PathBuf| {
            let path = dir.join("cgroup.procs");
            let file = OpenOptions::new().write(true).open(&path);
            file.map(OwnedFd::from).map_err(|source| Error::Io { path, source })
        };
        self.dirs().into_iter().map(open).collect()
    }

    /// By their controllers, which of the limits this group can have, and `cpu.idle`.
    pub(crate) fn controllers(&self) -> Vec<&'static str> {
        let has = |file: &str| self.dirs().iter().any(|dir| dir.join(file).exists());
        let files = [
            ("memory", ["memory.max", "memory.limit_in_bytes"]),
            ("cpu", ["cpu.weight", "cpu.shares"]),
            ("pids", ["pids.max", "pids.max"]),
            ("cpu.idle", ["cpu.idle", "cpu.idle"]),
        ];
        files.iter().filter(|(_, names)| names.iter().any(|name| has(name))).map(|(name, _)| *name).collect()
    }

    pub(crate) fn version(&self) -> &'static str {
        match self.hierarchy {
            Hierarchy::V1(_) => "cgroup v1",
            Hierarchy::V2(_) => "cgroup v2",
        }
    }

    fn named(name: &str) -> Result<Self, Error> {
        let plain = |part: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.@".contains(&byte);
            !part.is_empty() && !part.starts_with('.') && part.bytes().all(known)
        };
        if !name.split('/').all(plain) {
            return Err(Error::Name(name.into()));
        }
        Ok(Self { name: name.into(), hierarchy: Hierarchy::find()? })
    }

    fn dirs(&self) -> Vec<PathBuf> {
        self.hierarchy.dirs(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    use super::*;

    /// Where the machine at hand is v1 or hybrid, its v2 tree has no controllers and still
    /// has groups: all but the limits can be tried.
    #[test]
    fn v2_groups_are_joined_and_killed() {
        let mounts = read(Path::new("/proc/self/mountinfo")).expect("mountinfo");
        let root = mount_lines(&mounts).find(|mount| mount.kind == "cgroup2").map(|mount| mount.target);
        let root = root.expect("a hierarchy of cgroup v2 is mounted");
        let base = v2::Base::at(Path::new(root));
        let name = format!("sandbox-test-{}-v2/inner", std::process::id());
        base.create(&name, &Limits::default()).expect("make a group, as root");
        let group = Cgroup { name, hierarchy: Hierarchy::V2(base) };
        let mut children: Vec<_> = (0..3).map(|_| Command::new("sleep").arg("1000").spawn().expect("start")).collect();
        for child in &children {
            for file in group.membership_files().expect("open") {
                rustix::io::write(&file, child.id().to_string().as_bytes()).expect("join");
            }
        }
        assert_eq!(group.processes().expect("processes").len(), 3);
        assert!(matches!(group.remove(), Err(Error::Busy(_))));
        group.kill().expect("kill");
        for child in &mut children {
            assert_eq!(child.wait().expect("wait").signal(), Some(libc::SIGKILL));
        }
        group.remove().expect("remove");
        let parent = group.name.trim_end_matches("/inner").to_owned();
        Cgroup { name: parent, ..group.clone() }.remove().expect("remove");
        assert!(group.dirs().iter().all(|dir| !dir.exists()));
    }

    #[test]
    fn the_group_of_a_service_is_found() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path();
        let own = root.join("system.slice/tool.service");
        fs::create_dir_all(&own).expect("mkdir");
        let mountinfo =
            format!("31 23 0:28 / {} rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n", root.display());
        let found = || v2::Base::find(&mountinfo, "0::/system.slice/tool.service\n").map(|base| base.dir("x"));

        fs::write(root.join("cgroup.controllers"), "hugetlb\n").expect("write");
        fs::write(own.join("cgroup.procs"), "").expect("write");
        assert_eq!(found(), None);
        fs::write(root.join("cgroup.controllers"), "cpuset cpu io memory pids\n").expect("write");
        assert_eq!(found(), Some(own.join("x")));
        fs::write(root.join("system.slice/cgroup.procs"), "").expect("write");
        assert_eq!(found(), Some(root.join("system.slice/x")));
        fs::write(root.join("cgroup.procs"), "").expect("write");
        assert_eq!(found(), Some(root.join("x")));
    }
}
