//! The single hierarchy. Its groups have either processes or groups with controllers below
//! them, never both, and a caller without root may own a delegated part only.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::files::{field, make_dir, mount_lines, number, read, set};
use super::{Error, Limits, OutOfMemory, Stats};

const CPU_PERIOD_USEC: u64 = 100_000;

/// The controllers we enable; one that is not there is left out.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

/// Where processes go that are in the way of controllers, next to our groups.
const SUPERVISOR: &str = "supervisor";

/// The group all of ours are in.
#[derive(Debug, Clone)]
pub(super) struct Base {
    dir: PathBuf,
    /// Whether processes in `dir` are ours to move: it is our own group, or the root of a
    /// container.
    movable: bool,
}

impl Base {
    /// The root of the hierarchy if we may write there, so that groups are not below any
    /// service and outlive it; else the group next to or around our own that we may write to.
    /// None if there is no hierarchy or it has no controllers (hybrid machines).
    pub(super) fn find(mountinfo: &str, memberships: &str) -> Option<Self> {
        let root = PathBuf::from(mount_lines(mountinfo).find(|mount| mount.kind == "cgroup2")?.target);
        let controllers = fs::read_to_string(root.join("cgroup.controllers")).ok()?;
        if !CONTROLLERS.iter().any(|wanted| controllers.split_whitespace().any(|have| have == *wanted)) {
            return None;
        }
        let own = memberships.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let own = root.join(own.trim_end_matches('/'));
        let parent = own.parent().filter(|parent| parent.starts_with(&root)).unwrap_or(&root);
        let candidates = [(root.as_path(), true), (parent, false), (own.as_path(), true)];
        let (dir, movable) = candidates.into_iter().find(|(dir, _)| is_writable(dir))?;
        Some(Self { dir: dir.to_path_buf(), movable })
    }

    /// A given group, whatever its controllers.
    pub(super) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), movable: false }
    }

    /// A group that is ours with all that is in it.
    pub(super) fn given(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), movable: true }
    }

    pub(super) fn dir(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn create(&self, name: &str, limits: &Limits) -> Result<(), Error> {
        let mut dir = self.dir.clone();
        self.enable_controllers(&dir, self.movable)?;
        let mut parts = name.split('/').peekable();
        while let Some(part) = parts.next() {
            dir.push(part);
            make_dir(&dir)?;
            if parts.peek().is_some() {
                self.enable_controllers(&dir, false)?;
            }
        }
        if let Some(bytes) = limits.memory_bytes {
            set(dir.join("memory.max"), &bytes.to_string())?;
            set(dir.join("memory.swap.max"), "0")?;
            let ends_all = limits.out_of_memory == OutOfMemory::EndsAll;
            set(dir.join("memory.oom.group"), if ends_all { "1" } else { "0" })?;
        }
        if let Some(pids) = limits.pids {
            set(dir.join("pids.max"), &pids.to_string())?;
        }
        if let Some(weight) = limits.cpu_weight {
            self.set_idle(name, false, weight)?;
        }
        if let Some(percent) = limits.cpu_percent {
            let quota = u64::from(percent.max(1)) * CPU_PERIOD_USEC / 100;
            set(dir.join("cpu.max"), &format!("{quota} {CPU_PERIOD_USEC}"))?;
        }
        Ok(())
    }

    pub(super) fn set_idle(&self, name: &str, idle: bool, weight: u64) -> Result<(), Error> {
        let dir = self.dir(name);
        set(dir.join("cpu.idle"), if idle { "1" } else { "0" })?;
        if idle {
            // Is its own weight.
            return Ok(());
        }
        set(dir.join("cpu.weight"), &weight.clamp(1, 10_000).to_string())
    }

    /// Makes the controllers `dir` has available to the groups in it.
    fn enable_controllers(&self, dir: &Path, movable: bool) -> Result<(), Error> {
        let available = read(&dir.join("cgroup.controllers"))?;
        let enabled = read(&dir.join("cgroup.subtree_control"))?;
        let has = |list: &str, controller: &str| list.split_whitespace().any(|known| known == controller);
        for controller in CONTROLLERS {
            if !has(&available, controller) || has(&enabled, controller) {
                continue;
            }
            let file = dir.join("cgroup.subtree_control");
            let enable = || set(file.clone(), &format!("+{controller}"));
            let mut result = enable();
            if movable && is_busy(&result) {
                self.move_processes_away()?;
                result = enable();
            }
            // Other refusals (a controller in use elsewhere, real-time processes) leave this
            // machine without that controller, like one that never had it.
            if is_busy(&result) {
                return result;
            }
        }
        Ok(())
    }

    fn move_processes_away(&self) -> Result<(), Error> {
        let supervisor = self.dir.join(SUPERVISOR);
        make_dir(&supervisor)?;
        for pid in read(&self.dir.join("cgroup.procs"))?.lines() {
            // It may have ended meanwhile; if it just cannot be moved, enabling fails again.
            let _ = set(supervisor.join("cgroup.procs"), pid);
        }
        Ok(())
    }

    /// Kills all at once; false on kernels before 5.14.
    pub(super) fn kill(&self, name: &str) -> bool {
        let file = self.dir(name).join("cgroup.kill");
        file.exists() && set(file, "1").is_ok()
    }

    pub(super) fn stats(&self, name: &str) -> Stats {
        let dir = self.dir(name);
        let droppable = field(&dir.join("memory.stat"), "inactive_file").unwrap_or_default();
        Stats {
            memory_bytes: number(&dir.join("memory.current")).map(|bytes| bytes.saturating_sub(droppable)),
            cpu_usec: field(&dir.join("cpu.stat"), "usage_usec"),
            pids: number(&dir.join("pids.current")),
        }
    }

    pub(super) fn oom_kills(&self, name: &str) -> u64 {
        let events = self.dir(name).join("memory.events");
        // The kernel counts the first victim of a group that is killed as a whole twice.
        let groups = field(&events, "oom_group_kill").filter(|&count| count > 0);
        groups.or_else(|| field(&events, "oom_kill")).unwrap_or_default()
    }
}

fn is_busy(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::ResourceBusy)
}

fn is_writable(dir: &Path) -> bool {
    let writable = |path: &Path| rustix::fs::access(path, Access::WRITE_OK).is_ok();
    writable(dir) && writable(&dir.join("cgroup.procs"))
}
