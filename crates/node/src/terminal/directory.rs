//! A directory that is held open: what is in it is reached without walking to it, which its shim may do no longer.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use nix::dir::Dir;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

#[derive(Clone)]
pub(crate) struct Directory(Arc<OwnedFd>);

impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(File::open(path)?.into())))
    }

    /// A new one in it.
    pub(crate) fn make(&self, name: &str) -> io::Result<Self> {
        mkdirat(&self.0, name, Mode::from_bits_truncate(0o700))?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(Self(Arc::new(openat(&self.0, name, flags, Mode::empty())?)))
    }

    pub(super) fn read(&self, name: &str) -> io::Result<File> {
        self.file(name, OFlag::O_RDONLY)
    }

    /// A file that is written at its end; made if it is not there.
    pub(super) fn append(&self, name: &str) -> io::Result<File> {
        self.file(name, OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT)
    }

    /// A file with these bytes, instead of one that may be there; after a crash it is the one or the other.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let part = format!("{name}.part");
        let mut file = self.file(&part, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC)?;
        let written =
            io::Write::write_all(&mut file, bytes).and_then(|()| Ok(renameat(&self.0, part.as_str(), &self.0, name)?));
        if written.is_err() {
            // A full disk is not the place for it.
            let _ = self.remove(&part);
        }
        written
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir)?)
    }

    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        let mut directory = Dir::openat(&self.0, ".", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        for entry in directory.iter() {
            names.extend(entry?.file_name().to_str().ok().map(str::to_owned));
        }
        Ok(names)
    }

    fn file(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.0, name, flags, Mode::from_bits_truncate(0o640))?.into())
    }
}
