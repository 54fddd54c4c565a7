//! Files and directories of a group, and where hierarchies are mounted.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::Error;

pub(super) fn collect_processes(dir: &Path, pids: &mut BTreeSet<i32>) -> Result<(), Error> {
    match fs::read_to_string(dir.join("cgroup.procs")) {
        Ok(text) => pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok())),
        Err(error) if is_gone(&error) => return Ok(()),
        Err(source) => return Err(Error::Io { path: dir.join("cgroup.procs"), source }),
    }
    subdirs(dir).iter().try_for_each(|dir| collect_processes(dir, pids))
}

/// Removed before it was opened, or between that and reading.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

pub(super) fn remove_tree(dir: &Path) -> io::Result<()> {
    for subdir in subdirs(dir) {
        remove_tree(&subdir)?;
    }
    match fs::remove_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn subdirs(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

pub(super) fn make_dir(path: &Path) -> Result<(), Error> {
    match fs::create_dir(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(Error::Io { path: path.into(), source }),
        _ => Ok(()),
    }
}

pub(super) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Io { path: path.into(), source })
}

/// Writes a limit; a file that is not there is a controller this machine lacks.
pub(super) fn set(path: PathBuf, value: &str) -> Result<(), Error> {
    // Never creates: in a cgroup that would be refused with a misleading error.
    let written = OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()));
    match written {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Io { path, source }),
        _ => Ok(()),
    }
}

pub(super) fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number after `key` in a file of `key value` lines.
pub(super) fn field(path: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// One line of `/proc/self/mountinfo`: where, which file system, its own options.
pub(super) struct MountLine<'a> {
    pub(super) target: &'a str,
    pub(super) kind: &'a str,
    pub(super) options: &'a str,
}

pub(super) fn mount_lines(mountinfo: &str) -> impl Iterator<Item = MountLine<'_>> {
    mountinfo.lines().filter_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut filesystem = filesystem.split(' ');
        let (kind, _source, options) = (filesystem.next()?, filesystem.next()?, filesystem.next()?);
        Some(MountLine { target: mount.split(' ').nth(4)?, kind, options })
    })
}
