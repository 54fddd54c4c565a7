//! One hierarchy per controller, each with the same tree of groups.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use super::files::{field, make_dir, mount_lines, number, set};
use super::{Error, Limits, POLL_INTERVAL, Stats};

/// The controllers we use; `freezer` to kill without a race, `cpuacct` to count.
const CONTROLLERS: [&str; 5] = ["memory", "cpu", "cpuacct", "pids", "freezer"];

const CPU_PERIOD_USEC: u64 = 100_000;
const ORDINARY_SHARES: u64 = 1024;
const ORDINARY_WEIGHT: u64 = 100;

const FREEZE_DEADLINE: std::time::Duration = std::time::Duration::from_millis(500);

/// Where each controller is mounted; several may share a mount.
#[derive(Debug, Clone)]
pub(super) struct Hierarchies(Vec<(&'static str, PathBuf)>);

impl Hierarchies {
    pub(super) fn find(mountinfo: &str) -> Option<Self> {
        let mounts: Vec<_> = mount_lines(mountinfo).filter(|mount| mount.kind == "cgroup").collect();
        let found = CONTROLLERS.iter().filter_map(|controller| {
            let mount = mounts.iter().find(|mount| mount.options.split(',').any(|option| option == *controller))?;
            Some((*controller, PathBuf::from(mount.target)))
        });
        let found: Vec<_> = found.collect();
        if found.is_empty() { None } else { Some(Self(found)) }
    }

    pub(super) fn dirs(&self, name: &str) -> Vec<PathBuf> {
        let mut dirs: Vec<_> = self.0.iter().map(|(_, mount)| mount.join(name)).collect();
        dirs.sort();
        dirs.dedup();
        dirs
    }

    pub(super) fn create(&self, name: &str, limits: &Limits) -> Result<(), Error> {
        for (controller, mount) in &self.0 {
            let mut dir = mount.clone();
            for part in name.split('/') {
                dir.push(part);
                make_dir(&dir)?;
                if *controller == "memory" {
                    // Refused where it is the only way, or where there are groups below.
                    let _ = set(dir.join("memory.use_hierarchy"), "1");
                }
            }
        }
        if let Some(bytes) = limits.memory_bytes {
            self.limit_memory(name, bytes)?;
        }
        if let Some(pids) = limits.pids {
            self.set("pids", name, "pids.max", &pids.to_string())?;
        }
        if let Some(weight) = limits.cpu_weight {
            self.set_idle(name, false, weight)?;
        }
        if let Some(percent) = limits.cpu_percent {
            let quota = u64::from(percent.max(1)) * CPU_PERIOD_USEC / 100;
            self.set("cpu", name, "cpu.cfs_period_us", &CPU_PERIOD_USEC.to_string())?;
            self.set("cpu", name, "cpu.cfs_quota_us", &quota.to_string())?;
        }
        Ok(())
    }

    pub(super) fn set_idle(&self, name: &str, idle: bool, weight: u64) -> Result<(), Error> {
        self.set("cpu", name, "cpu.idle", if idle { "1" } else { "0" })?;
        if idle {
            // Is its own weight.
            return Ok(());
        }
        let shares = (weight.clamp(1, 10_000) * ORDINARY_SHARES / ORDINARY_WEIGHT).max(2);
        self.set("cpu", name, "cpu.shares", &shares.to_string())
    }

    /// Memory may never be above memory and swap together, so the order depends on whether
    /// the limit grows or shrinks.
    fn limit_memory(&self, name: &str, bytes: u64) -> Result<(), Error> {
        let value = bytes.to_string();
        let memory = || self.set("memory", name, "memory.limit_in_bytes", &value);
        let with_swap = || self.set("memory", name, "memory.memsw.limit_in_bytes", &value);
        if memory().is_ok() {
            return with_swap();
        }
        with_swap()?;
        memory()
    }

    pub(super) fn stats(&self, name: &str) -> Stats {
        let memory = self.dir("memory", name).and_then(|dir| {
            let droppable = field(&dir.join("memory.stat"), "total_inactive_file").unwrap_or_default();
            Some(number(&dir.join("memory.usage_in_bytes"))?.saturating_sub(droppable))
        });
        Stats {
            memory_bytes: memory,
            cpu_usec: self.dir("cpuacct", name).and_then(|dir| Some(number(&dir.join("cpuacct.usage"))? / 1000)),
            pids: self.dir("pids", name).and_then(|dir| number(&dir.join("pids.current"))),
        }
    }

    pub(super) fn oom_kills(&self, name: &str) -> u64 {
        let dir = self.dir("memory", name);
        dir.and_then(|dir| field(&dir.join("memory.oom_control"), "oom_kill")).unwrap_or_default()
    }

    /// Stops every process of the group; false if there is no freezer. A process that
    /// cannot be stopped in time is left to the next round.
    pub(super) fn freeze(&self, name: &str) -> bool {
        let Some(state) = self.dir("freezer", name).map(|dir| dir.join("freezer.state")) else { return false };
        if !state.exists() || set(state.clone(), "FROZEN").is_err() {
            return false;
        }
        let deadline = Instant::now() + FREEZE_DEADLINE;
        while !is_frozen(&state) && Instant::now() < deadline {
            thread::sleep(POLL_INTERVAL);
        }
        true
    }

    pub(super) fn thaw(&self, name: &str) {
        if let Some(dir) = self.dir("freezer", name) {
            // Fails only if the group is gone, and all in it with it.
            let _ = set(dir.join("freezer.state"), "THAWED");
        }
    }

    fn set(&self, controller: &str, name: &str, file: &str, value: &str) -> Result<(), Error> {
        match self.dir(controller, name) {
            Some(dir) => set(dir.join(file), value),
            None => Ok(()),
        }
    }

    fn dir(&self, controller: &str, name: &str) -> Option<PathBuf> {
        self.0.iter().find(|(known, _)| *known == controller).map(|(_, mount)| mount.join(name))
    }
}

fn is_frozen(state: &Path) -> bool {
    fs::read_to_string(state).is_ok_and(|text| text.trim() == "FROZEN")
}
