//! Keeps logs small: packs segments that are closed, removes what is too old or too much.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ids::{ProjectId, WorkloadId};

use super::segment::{self, Segment};
use super::write::{is_written, unwritten};
use crate::layout::{Layout, LogKind, remove_file};

/// A segment below a disk's block takes no less room when it is packed.
const WORTH: u64 = 4096;
const LEVEL: i32 = 3;
/// An empty directory that was changed since may belong to something that begins.
const SETTLED: Duration = Duration::from_secs(3600);

/// What may be kept of a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Of all its logs, as they are on disk.
    pub(crate) bytes: u64,
    /// Since a segment was last written to.
    pub(crate) age: Duration,
}

/// All logs on this node.
pub(crate) fn logs(layout: &Layout) -> Vec<(ProjectId, Vec<PathBuf>)> {
    let groups = names::<ProjectId>(&layout.logs()).into_iter();
    let paths = |group: &ProjectId| logs_of(layout, group).into_iter().map(|(_, log)| log).collect();
    groups.map(|group| (group.clone(), paths(&group))).collect()
}

/// Logs of a group's builds, processes and jobs, each with its workload.
fn logs_of(layout: &Layout, group: &ProjectId) -> Vec<(WorkloadId, PathBuf)> {
    let workloads = names::<WorkloadId>(&layout.group_logs(group)).into_iter();
    let workloads = workloads.flat_map(|id| [(id.clone(), LogKind::Build), (id, LogKind::Run)]);
    let jobs = names::<WorkloadId>(&layout.job_logs(group)).into_iter().map(|id| (id, LogKind::Job));
    let logs = workloads.chain(jobs);
    logs.map(|(id, kind)| (id.clone(), layout.log(group, &id, kind))).collect()
}

/// Entries of a directory that are named by an id.
fn names<T: std::str::FromStr>(directory: &Path) -> Vec<T> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Packs the segments of a log that nobody appends to. Whether there were any.
///
/// A packed segment gets its name when all of it is on disk, and the plain one goes after that:
/// a crash leaves one of them or both, and readers take them for one.
pub(crate) fn pack(log: &Path) -> io::Result<bool> {
    if !log.exists() {
        return Ok(false);
    }
    // Where nobody writes, nobody may begin to while the newest one is packed.
    let nobody = unwritten(log)?;
    let mut segments = segment::all(log)?;
    let newest = segments.iter().map(|segment| segment.first).max();
    segments.retain(|segment| nobody.is_some() || Some(segment.first) != newest);
    let mut packed = false;
    for segment in segments.iter().filter(|segment| !segment.packed) {
        let twin = segments.iter().any(|other| other.packed && other.first == segment.first);
        if twin {
            // Left by a crash.
            remove_file(&segment.path)?;
        } else if pack_one(log, segment)? {
            packed = true;
        }
    }
    Ok(packed)
}

fn pack_one(log: &Path, segment: &Segment) -> io::Result<bool> {
    let mut plain = match segment::open_file(&segment.path) {
        Ok(plain) => plain,
        // Its writer keeps within its bounds.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let metadata = plain.metadata()?;
    if metadata.len() < WORTH {
        return Ok(false);
    }
    let target = log.join(segment::name(segment.first, true));
    let part = log.join(segment::PART);
    remove_file(&part)?;
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o640).custom_flags(nix::libc::O_NOFOLLOW).open(&part)?;
    let mut encoder = zstd::Encoder::new(file, LEVEL)?;
    io::copy(&mut plain, &mut encoder)?;
    let file = encoder.finish()?;
    // Only root can, and only it needs to.
    let _ = fchown(&file, Some(metadata.uid()), Some(metadata.gid()));
    // When it was written to says how old its lines are.
    file.set_modified(metadata.modified()?)?;
    file.sync_all()?;
    std::fs::rename(&part, &target)?;
    File::open(log)?.sync_all()?;
    remove_file(&segment.path)?;
    Ok(true)
}

/// Removes of a group's logs what is too old, and what is too much: of workloads that no longer
/// run first, and then oldest first. Never a segment that is written to. Directories go with the
/// last file in them.
pub(crate) fn trim(layout: &Layout, group: &ProjectId, bounds: Bounds, now: SystemTime) -> io::Result<()> {
    let mut found = Vec::new();
    for (id, log) in logs_of(layout, group) {
        let runs = layout.run(&id).exists() || is_written(&log)?;
        let segments = segment::all(&log)?;
        let newest = segments.iter().map(|segment| segment.first).max();
        for segment in segments {
            if let Ok(metadata) = segment.path.symlink_metadata() {
                let is_newest = Some(segment.first) == newest;
                let newest_of = is_newest.then(|| log.clone());
                found.push((runs, metadata.modified()?, metadata.len(), segment.path, newest_of));
            }
        }
    }
    found.sort_unstable();
    let mut total = found.iter().map(|(_, _, size, ..)| size).sum::<u64>();
    for (_, changed, size, path, newest_of) in found {
        let old = now.duration_since(changed).is_ok_and(|age| age > bounds.age);
        if !old && total <= bounds.bytes {
            continue;
        }
        // Held while it is removed.
        let nobody = newest_of.map(|log| unwritten(&log)).transpose()?;
        if nobody.is_none_or(|nobody| nobody.is_some()) {
            remove_file(&path)?;
            total -= size;
        }
    }
    remove_empty(layout, group, now);
    Ok(())
}

fn remove_empty(layout: &Layout, group: &ProjectId, now: SystemTime) {
    let settled = |path: &Path| {
        let changed = path.symlink_metadata().and_then(|metadata| metadata.modified());
        changed.is_ok_and(|changed| now.duration_since(changed).is_ok_and(|age| age > SETTLED))
    };
    // One that is not empty stays.
    let remove = |path: PathBuf| settled(&path) && std::fs::remove_dir(&path).is_ok();
    for (id, log) in logs_of(layout, group) {
        if !layout.run(&id).exists() {
            remove(log);
        }
    }
    for id in names::<WorkloadId>(&layout.group_logs(group)) {
        if !layout.run(&id).exists() {
            remove(layout.group_logs(group).join(id.as_str()));
        }
    }
    remove(layout.job_logs(group));
    remove(layout.group_logs(group));
}
