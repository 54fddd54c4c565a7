//! Who owns which directory: server, edge and node each have one below `data_dir`, closed to the others.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{getegid, geteuid};

/// What a killed process was about to start has its lock for a moment longer.
const LINGERING: Duration = Duration::from_secs(2);

/// A directory that this process, and no other, works in. The lock ends with the process, however it ends.
pub(super) struct Held {
    _lock: Flock<File>,
}

/// Makes a directory for this user alone, unless it is there.
pub(crate) fn make(path: &Path) -> Result<()> {
    let context = || format!("make the directory {}", path.display());
    DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(context)
}

/// As [`make`], and closes one that is there.
pub(crate) fn make_private(path: &Path) -> Result<()> {
    make(path)?;
    let context = || format!("close the directory {} to other users", path.display());
    std::fs::set_permissions(path, Permissions::from_mode(0o700)).with_context(context)
}

/// Makes `path` this process's own.
pub(super) fn hold(path: &Path) -> Result<Held> {
    make(path)?;
    let user = geteuid().as_raw();
    let owner = owner(path)?;
    if owner != user {
        bail!(
            "{} belongs to user {owner}, and this process runs as user {user}; start it as that user",
            path.display()
        );
    }
    let mut file = File::create(path.join("lock")).context("open the lock file")?;
    // Whoever may read it may hold it.
    file.set_permissions(Permissions::from_mode(0o600)).context("close the lock file")?;
    let deadline = Instant::now() + LINGERING;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Held { _lock: lock }),
            Err((unlocked, _)) if Instant::now() < deadline => file = unlocked,
            Err((_, error)) => {
                return Err(error)
                    .with_context(|| format!("another nanoscale works in {}; stop it first", path.display()));
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The user whose directory this is.
pub(super) fn owner(path: &Path) -> Result<u32> {
    Ok(metadata(path)?.uid())
}

pub(super) fn group(path: &Path) -> Result<u32> {
    Ok(metadata(path)?.gid())
}

/// Makes sure that the group of a directory is this process's: it is the one that the node lets to its workloads.
pub(super) fn check_group(path: &Path) -> Result<()> {
    let (own, group) = (getegid().as_raw(), group(path)?);
    if own != group {
        bail!(
            "{} belongs to group {group}, and this process to group {own}; give it away with `chown USER:`",
            path.display()
        );
    }
    Ok(())
}

fn metadata(path: &Path) -> Result<std::fs::Metadata> {
    std::fs::metadata(path).with_context(|| match path.exists() {
        true => format!("look at {}", path.display()),
        false => format!("{} is not there: make it for the user that works in it", path.display()),
    })
}

/// Makes the directory above those of the processes: this user's, and a way through for the others.
///
/// # Errors
/// When it belongs to somebody else, who could put another directory in the place of one below it.
pub(super) fn share(path: &Path) -> Result<()> {
    make(path)?;
    let owner = owner(path)?;
    if owner != geteuid().as_raw() {
        bail!(
            "{} belongs to user {owner}; it must belong to the user that runs `nanoscale serve node`",
            path.display()
        );
    }
    match std::fs::set_permissions(path, Permissions::from_mode(0o711)) {
        // It may lie on a file system that can only be read now; what matters is that it is open.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(()),
        other => other.with_context(|| format!("open {} to the server and the edge", path.display())),
    }
}
