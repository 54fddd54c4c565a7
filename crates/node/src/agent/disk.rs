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
use wire::{BuildOutcome, BuildSpec, Failure, Problem};

use super::Agent;
use super::process::failed;

/// Counting takes at most one part in so many of the time.
const SHARE: u32 = 10;
const SHORTEST: Duration = Duration::from_millis(500);
/// Pauses of, and the longest, waiting for what was discarded.
const LOOK: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(10);
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
                    return Overrun { reason: too_full(free, config.disk_reserve_bytes), by_itself: false };
                }
            }
            tokio::time::sleep((begun.elapsed() * SHARE).max(SHORTEST)).await;
        }
    }

    /// Waits until what was discarded has left the disk: whoever is told that it is full may deploy again at once,
    /// and what is written about it needs room too.
    pub(super) async fn await_room(&self) {
        let emptied = async {
            while !self.confine().layout.trash_is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        };
        let _ = tokio::time::timeout(LONGEST, emptied).await;
    }

    /// A build that failed when the disk had no room for it failed of that, whatever its programs say. Asked
    /// once it has: it may be over before the next count.
    pub(super) fn blame_disk(&self, outcome: BuildOutcome) -> BuildOutcome {
        let reserve = self.inner.config.disk_reserve_bytes.max(SMALLEST_RESERVE);
        match (outcome, free(self.confine().layout.root())) {
            (BuildOutcome::Failed { failure }, Ok(free)) if free < reserve => BuildOutcome::Failed {
                failure: Failure { code: FULL.into(), reason: too_full(free, reserve), ..failure },
            },
            (outcome, _) => outcome,
        }
    }
}

pub(super) const FULL: &str = "DISK_FULL";
const READ_ONLY: &str = "DISK_READ_ONLY";
/// With less than this hardly anything can be built, also where nothing is reserved.
const SMALLEST_RESERVE: u64 = MEGABYTE;

fn too_full(free: u64, reserve: u64) -> String {
    format!(
        "the disk has {} MB left, and the last {} MB are not for builds (limits.disk_reserve_mb); make room and deploy again",
        free / MEGABYTE,
        reserve / MEGABYTE
    )
}

/// What to say of an error that comes from the disk's state.
pub(super) fn disk_failure(error: &io::Error) -> Option<Failure> {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => Some(failed(FULL, "the node's disk is full; make room on it and deploy again")),
        ReadOnlyFilesystem => Some(failed(READ_ONLY, UNWRITABLE)),
        _ => None,
    }
}

const UNWRITABLE: &str = "the node's disk takes no writes: it is mounted read-only, which Linux does after an error of \
    the disk; look at `dmesg`, repair the file system and start NanoScale again";

/// What of the disk below `directory` keeps its node from working, of which builds leave `reserve` bytes free.
pub(crate) fn problem(directory: &Path, reserve: u64) -> Option<Problem> {
    let told = |code: &str, message: String| Some(Problem { code: code.into(), message });
    // Asked by making a file without a name: Linux does not say of every file system that it has become read-only.
    let made = std::fs::OpenOptions::new().write(true).custom_flags(nix::libc::O_TMPFILE).open(directory);
    if made.is_err_and(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem) {
        return told(READ_ONLY, UNWRITABLE.into());
    }
    let free = free(directory).ok().filter(|free| *free < reserve.max(SMALLEST_RESERVE))?;
    let message = format!(
        "the disk has {} MB left: nothing is built until there is more room than the {} MB that builds leave free \
         (limits.disk_reserve_mb). What runs goes on; at 0 MB also logs and changes are lost",
        free / MEGABYTE,
        reserve / MEGABYTE
    );
    told(FULL, message)
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
