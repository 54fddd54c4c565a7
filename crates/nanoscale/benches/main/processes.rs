//! Processes of this machine, and the memory they take.

use std::fs;
use std::path::Path;

/// In megabytes.
pub(crate) struct Memory {
    /// Resident; pages that processes share count for each.
    pub(crate) rss: f64,
    /// The same with each page counted once.
    pub(crate) pss: f64,
}

pub(crate) fn memory(pids: &[u32]) -> Memory {
    let sum = |file: &str, name: &str| pids.iter().map(|pid| megabytes(&format!("/proc/{pid}/{file}"), name)).sum();
    Memory { rss: sum("status", "VmRSS:"), pss: sum("smaps_rollup", "Pss:") }
}

/// User and system time of a process and its threads, at 100 ticks a second (proc(5)).
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().collect::<Vec<_>>();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// The same in microseconds, of which the kernel counts nanoseconds. Threads that have ended are not in it.
pub(crate) fn cpu_microseconds(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let times = tasks.filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
    times.map(|text| text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1000.0).sum()
}

fn megabytes(path: &str, name: &str) -> f64 {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<f64>().unwrap() / 1024.0
}

/// These processes and all that descend from them.
pub(crate) fn family(roots: &[u32]) -> Vec<u32> {
    let parents = all().into_iter().filter_map(|pid| Some((pid, parent(pid)?))).collect::<Vec<_>>();
    let mut family = roots.to_vec();
    let mut next = 0;
    while let Some(&member) = family.get(next) {
        let children = parents.iter().filter(|(pid, parent)| *parent == member && !family.contains(pid));
        let children = children.map(|(pid, _)| *pid).collect::<Vec<_>>();
        family.extend(children);
        next += 1;
    }
    family
}

/// Processes that work in this directory.
pub(crate) fn working_in(directory: &Path) -> Vec<u32> {
    let works = |pid: &u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == directory);
    all().into_iter().filter(works).collect()
}

fn all() -> Vec<u32> {
    let names = fs::read_dir("/proc").unwrap().flatten();
    names.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}
