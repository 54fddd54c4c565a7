//! What a build may take of the disk. Counted while it runs, since few file systems keep
//! accounts per directory: a build that takes too much, or the last of the disk, is ended.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ids::WorkloadId;
use wire::BuildSpec;

use super::Agent;

/// Counting takes at most one part in so many of the time.
const SHARE: u32 = 10;
const SHORTEST: Duration = Duration::from_millis(500);
const MEGABYTE: u64 = 1 << 20;

/// Why a build cannot go on.
pub(super) struct Overrun {
    pub(super) reason: String,
    /// It took too much itself, with its group's cache.
    pub(super) by_itself: bool,
}

impl Agent {
    /// Resolves when this build has taken too much.
    pub(super) async fn disk_overrun(&self, spec: &BuildSpec) -> Overrun {
        let layout = &self.confine().layout;
        let trees = [
            layout.release(&spec.group, &spec.id),
            layout.cache(&spec.group),
            layout.run(&WorkloadId::from(&spec.id)).join("tmp"),
        ];
        let config = &self.inner.config;
        loop {
            let (trees, root) = (trees.clone(), layout.root().to_owned());
            let begun = Instant::now();
            let counted =
                tokio::task::spawn_blocking(move || (free(&root), trees.iter().map(|tree| size(tree)).sum::<u64>()));
            if let Ok((free, taken)) = counted.await {
                if taken > config.build_disk_bytes {
                    let reason = format!(
                        "the build and its cache took {} MB of disk, more than the {} MB they may take (limits.build_disk_mb); \
                        the cache was cleared",
                        taken / MEGABYTE,
                        config.build_disk_bytes / MEGABYTE
                    );
                    return Overrun { reason, by_itself: true };
                }
                // While caches that others can do without leave the disk, a part of the reserve has to do.
                if let Ok(free) = free
                    && free < config.disk_reserve_bytes
                    && !(self.relieve_disk() && free > config.disk_reserve_bytes / 2)
                {
                    let reason = format!(
                        "the disk has {} MB left, and the last {} MB are not for builds (limits.disk_reserve_mb); make room and deploy again",
                        free / MEGABYTE,
                        config.disk_reserve_bytes / MEGABYTE
                    );
                    return Overrun { reason, by_itself: false };
                }
            }
            tokio::time::sleep((begun.elapsed() * SHARE).max(SHORTEST)).await;
        }
    }
}

/// Bytes of the file system that `path` is on.
pub(super) fn total(path: &Path) -> io::Result<u64> {
    let stat = nix::sys::statvfs::statvfs(path)?;
    Ok(stat.blocks() * stat.fragment_size())
}

/// Bytes of the file system that `path` is on which are free to users.
pub(super) fn free(path: &Path) -> io::Result<u64> {
    let stat = nix::sys::statvfs::statvfs(path)?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

/// Bytes on disk of everything below `tree`, as far as paths reach.
pub(super) fn size(tree: &Path) -> u64 {
    let mut bytes = 0;
    let mut directories: Vec<PathBuf> = vec![tree.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            // Neither follows a link.
            let Ok(metadata) = entry.metadata() else { continue };
            bytes += metadata.blocks() * 512;
            if metadata.is_dir() {
                directories.push(entry.path());
            }
        }
    }
    bytes
}
