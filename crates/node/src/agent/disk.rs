//! What a build may take of the disk. Counted while it runs, since few file systems keep
//! accounts per directory: a build that takes too much, or the last of the disk, is ended.

use std::collections::HashSet;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ids::WorkloadId;
use wire::BuildSpec;

use super::Agent;

/// Counting takes at most one part in so many of the time.
const SHARE: u32 = 10;
const SHORTEST: Duration = Duration::from_millis(500);
const MEGABYTE: u64 = 1 << 20;
/// Bytes of a path to which a name can still be added.
const PATH_REACH: usize = 3500;

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

/// Bytes of the file system that `path` is on which are taken.
pub(super) fn used(path: &Path) -> io::Result<u64> {
    let stat = nix::sys::statvfs::statvfs(path)?;
    Ok((stat.blocks() - stat.blocks_free()) * stat.fragment_size())
}

/// Bytes on disk of everything below `tree`, however deep; what has several names counts once.
pub(super) fn size(tree: &Path) -> u64 {
    let mut bytes = 0;
    let mut linked = HashSet::new();
    let mut directories = vec![(None, tree.to_owned())];
    while let Some((mut top, mut directory)) = directories.pop() {
        if directory.as_os_str().len() > PATH_REACH {
            // The kernel takes paths of a limited length; from here on they begin at this directory.
            let flags = nix::libc::O_DIRECTORY | nix::libc::O_NOFOLLOW;
            let Ok(file) = std::fs::File::options().read(true).custom_flags(flags).open(&directory) else { continue };
            directory = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
            top = Some(Rc::new(file));
        }
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            // Neither follows a link.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                directories.push((top.clone(), entry.path()));
            } else if metadata.nlink() > 1 && !linked.insert((metadata.dev(), metadata.ino())) {
                continue;
            }
            bytes += metadata.blocks() * 512;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_count_what_they_allocate_however_deep_they_lie() {
        let root = tempfile::tempdir().unwrap();
        std::fs::File::create(root.path().join("hole")).unwrap().set_len(1 << 30).unwrap();
        assert!(size(root.path()) < 1 << 20);
        std::fs::write(root.path().join("file"), vec![1; 1 << 20]).unwrap();
        std::fs::hard_link(root.path().join("file"), root.path().join("again")).unwrap();
        std::os::unix::fs::symlink("/", root.path().join("link")).unwrap();
        assert!((1 << 20..2 << 20).contains(&size(root.path())));

        // From the bottom up, as no path to it would be short enough.
        let (deep, above) = (root.path().join("deep"), root.path().join("above"));
        std::fs::create_dir(&deep).unwrap();
        std::fs::write(deep.join("file"), vec![1; 8 << 20]).unwrap();
        for _ in 0..100 {
            std::fs::create_dir(&above).unwrap();
            std::fs::rename(&deep, above.join("d".repeat(250))).unwrap();
            std::fs::rename(&above, &deep).unwrap();
        }
        assert!((9 << 20..11 << 20).contains(&size(root.path())), "{}", size(root.path()));
        // Whoever clears up after this test has no way of removing it.
        let layout = crate::layout::Layout::new(root.path().join("node")).unwrap();
        layout.discard(&deep).unwrap();
        layout.empty_trash().unwrap();
    }
}
