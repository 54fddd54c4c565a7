//! Files made for one sandbox. Their content is never on a disk: it goes into the sandbox's own memory.

use std::fs;
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{Gid, Mode, Uid};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;

use crate::error::{Failure, Step};
use crate::root::{self, DIRECTORY, NEW_FILE, NO_DEV, NO_SUID, READ_ONLY};
use crate::spec::{File, Identity, Spec};

/// Where those lie that are mounted elsewhere. Nobody in the sandbox may enter.
const STORE: &str = ".files";
const TMP: &str = "/tmp";

/// What they take of a file system in memory.
pub(crate) fn kibibytes(files: &[File]) -> u64 {
    // Whole pages, and one for the names.
    files.iter().map(|file| 4 * (file.content.len() as u64).div_ceil(4096) + 4).sum()
}

/// Puts the files into a root that is complete but for them.
pub(crate) fn place(spec: &Spec, identity: Identity, root: &OwnedFd) -> Result<(), Failure> {
    if spec.files.is_empty() {
        return Ok(());
    }
    let failed = |errno| Failure::at(Step::Mount, STORE)(errno);
    rustix::fs::mkdirat(root, STORE, Mode::from_raw_mode(0o700)).map_err(failed)?;
    let store = rustix::fs::openat(root, STORE, DIRECTORY, Mode::empty()).map_err(failed)?;
    for (number, file) in spec.files.iter().enumerate() {
        let failed = |errno| Failure::at(Step::Mount, &file.target)(errno);
        if file.target.starts_with(TMP) && !spec.mounts.iter().any(|mount| file.target.starts_with(&mount.target)) {
            let (parent, name) = directories(root, &file.target, identity).map_err(failed)?;
            write(&parent, Path::new(name), file, identity).map_err(failed)?;
            continue;
        }
        let name = number.to_string();
        write(&store, Path::new(&name), file, identity).map_err(failed)?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = rustix::mount::open_tree(&store, name.as_str(), flags).map_err(failed)?;
        root::set_attributes(tree.as_fd(), false, READ_ONLY | NO_SUID | NO_DEV).map_err(failed)?;
        root::attach_at(&tree, root, &file.target, false)?;
    }
    Ok(())
}

fn write(parent: &OwnedFd, name: &Path, file: &File, identity: Identity) -> Result<(), Errno> {
    let fd = rustix::fs::openat(parent, name, NEW_FILE, Mode::from_raw_mode(0o600))?;
    own(&fd, identity)?;
    let written = fs::File::from(fd).write_all(file.content.as_bytes());
    written.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// Opens the directory that `target` is in; those that are missing belong to the process's user.
fn directories<'a>(
    root: &OwnedFd,
    target: &'a Path,
    identity: Identity,
) -> Result<(OwnedFd, &'a std::ffi::OsStr), Errno> {
    let mut names = target.iter().skip(1).collect::<Vec<_>>();
    let last = names.pop().ok_or(Errno::INVAL)?;
    let mut directory = rustix::fs::openat(root, ".", DIRECTORY, Mode::empty())?;
    for name in names {
        let made = match rustix::fs::mkdirat(&directory, name, Mode::from_raw_mode(0o700)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(errno),
        };
        let flags = DIRECTORY.difference(rustix::fs::OFlags::PATH).union(rustix::fs::OFlags::RDONLY);
        directory = rustix::fs::openat(&directory, name, flags, Mode::empty())?;
        if made {
            own(&directory, identity)?;
        }
    }
    Ok((directory, last))
}

fn own(fd: &OwnedFd, identity: Identity) -> Result<(), Errno> {
    rustix::fs::fchown(fd, Some(Uid::from_raw(identity.uid)), Some(Gid::from_raw(identity.gid)))
}
