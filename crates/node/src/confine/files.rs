//! The owner's files, as a release's processes find them.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ids::{DeploymentId, ProjectId, WorkloadId};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat};
use wire::RuntimeFile;

use super::Confine;
use crate::identity::GroupIds;

const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
const NEW_FILE: OFlag =
    OFlag::O_CREAT.union(OFlag::O_EXCL).union(OFlag::O_WRONLY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Where a file lies.
enum Place<'a> {
    Home(&'a str),
    Absolute(&'a str),
    Release(&'a str),
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Self {
        match path.strip_prefix("~/") {
            Some(rest) => Self::Home(rest),
            None if path.starts_with('/') => Self::Absolute(path),
            None => Self::Release(path),
        }
    }
}

/// The files as a sandbox takes them, for a process that sees its home and its release there.
pub(crate) fn files_at(files: &[RuntimeFile], home: &Path, app: &Path) -> Vec<sandbox::File> {
    let target = |path: &str| match Place::of(path) {
        Place::Home(rest) => home.join(rest),
        Place::Absolute(path) => PathBuf::from(path),
        Place::Release(rest) => app.join(rest),
    };
    files.iter().map(|file| sandbox::File { target: target(&file.path), content: file.content.clone() }).collect()
}

/// Those of a workspace that lie in none of the directories that are its own. Its sandbox has them in memory, as an app's has.
pub(super) fn elsewhere<'a>(files: &'a [RuntimeFile], own: [&Path; 2]) -> (Vec<&'a RuntimeFile>, Vec<&'a RuntimeFile>) {
    files.iter().partition(|file| match Place::of(&file.path) {
        Place::Absolute(path) => !own.iter().any(|own| Path::new(path).starts_with(own)),
        Place::Home(_) | Place::Release(_) => false,
    })
}

/// Why there is no such file without root.
pub(super) fn cannot_be_mounted(path: &str, whom: &str) -> String {
    format!(
        "the file `{path}` is not given to the {whom}: this node runs without root and can mount nothing; use a path in \
         the home directory, like `~/{}`",
        path.trim_start_matches('/')
    )
}

impl Confine {
    /// Makes room for a process's files; returns sentences about those that it will not find. The release directory
    /// gets empty ones to mount over, as it is read-only inside: what is in them is in memory only.
    pub(crate) fn prepare_files(
        &self,
        id: &WorkloadId,
        group: &ProjectId,
        release: &DeploymentId,
        files: &[RuntimeFile],
    ) -> io::Result<Vec<String>> {
        let ids = self.identities.of(group)?;
        let mut missing = Vec::new();
        for RuntimeFile { path, content } in files {
            match Place::of(path) {
                Place::Release(rest) if Self::has_namespaces() => {
                    let release = self.layout.release(group, release);
                    mount_point(&release, rest, ids).map_err(|error| named(path, &error))?;
                }
                Place::Home(rest) if !Self::has_namespaces() => {
                    write_private(&self.tmp_dir(id), rest, content).map_err(|error| named(path, &error))?;
                }
                Place::Absolute(_) | Place::Release(_) if !Self::has_namespaces() => {
                    missing.push(cannot_be_mounted(path, "app"));
                }
                Place::Home(_) | Place::Absolute(_) | Place::Release(_) => {}
            }
        }
        Ok(missing)
    }
}

fn named(path: &str, error: &io::Error) -> io::Error {
    let message = format!("the file `{path}` of the project cannot be placed: {error}; choose another path for it");
    io::Error::new(error.kind(), message)
}

/// Opens the directory that `path` leads to below `base`, and gives the last name. What is missing is made. No link on
/// the way is followed: processes of the project made what lies there.
fn directory_of<'a>(base: &Path, path: &'a str, ids: Option<GroupIds>) -> io::Result<(OwnedFd, &'a str)> {
    let mut directory = nix::fcntl::open(base, DIRECTORY, Mode::empty())?;
    let mut parts = path.split('/').collect::<Vec<_>>();
    let name = parts.pop().unwrap_or_default();
    for part in parts {
        let made = match mkdirat(&directory, part, Mode::from_bits_truncate(0o750)) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(errno.into()),
        };
        directory = openat(&directory, part, DIRECTORY, Mode::empty())?;
        if made {
            own(&directory, ids)?;
        }
    }
    Ok((directory, name))
}

/// An empty file, unless there is one.
fn mount_point(release: &Path, path: &str, ids: Option<GroupIds>) -> io::Result<()> {
    let (directory, name) = directory_of(release, path, ids)?;
    match openat(&directory, name, NEW_FILE, Mode::from_bits_truncate(0o640)) {
        Ok(file) => own(&file, ids),
        Err(Errno::EEXIST) => {
            let file = openat(&directory, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
            let kind = SFlag::from_bits_truncate(fstat(&file)?.st_mode) & SFlag::S_IFMT;
            let message = "something that is no file lies there";
            if kind == SFlag::S_IFREG { Ok(()) } else { Err(io::Error::new(io::ErrorKind::AlreadyExists, message)) }
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Writes it anew, for this user only.
pub(super) fn write_private(home: &Path, path: &str, content: &str) -> io::Result<()> {
    let (directory, name) = directory_of(home, path, None)?;
    match unlinkat(&directory, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    let file = openat(&directory, name, NEW_FILE, Mode::from_bits_truncate(0o600))?;
    std::fs::File::from(file).write_all(content.as_bytes())
}

fn own(fd: &OwnedFd, ids: Option<GroupIds>) -> io::Result<()> {
    match ids {
        Some(ids) => Ok(fchown(fd, Some(Uid::from_raw(ids.build_uid)), Some(Gid::from_raw(ids.gid)))?),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_has_its_own_directories_and_the_rest_in_memory() {
        let paths = ["~/a", "b", "/home/dev/c", "/home/dev2/d", "/tmp/e", "/tmpfs/f", "/etc/app/g"];
        let files = paths.map(|path| RuntimeFile { path: path.into(), content: String::new() });
        let (mounted, written) = elsewhere(&files, [Path::new("/home/dev"), Path::new("/tmp")]);
        let paths = |files: Vec<&RuntimeFile>| files.into_iter().map(|file| file.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(mounted), ["/home/dev2/d", "/tmpfs/f", "/etc/app/g"]);
        assert_eq!(paths(written), ["~/a", "b", "/home/dev/c", "/tmp/e"]);
    }

    #[test]
    fn no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (base, outside) = (dir.path().join("base"), dir.path().join("outside"));
        std::fs::create_dir(&base).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, base.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.join("x"), base.join("file")).unwrap();
        assert!(write_private(&base, "link/x", "secret").is_err());
        assert!(mount_point(&base, "link/x", None).is_err());
        assert!(mount_point(&base, "file", None).is_err());
        write_private(&base, "file", "replaced").unwrap();
        assert!(!outside.join("x").exists());
        assert_eq!(std::fs::read_to_string(base.join("file")).unwrap(), "replaced");
        write_private(&base, "a/b/c", "1").unwrap();
        write_private(&base, "a/b/c", "2").unwrap();
        assert_eq!(std::fs::read_to_string(base.join("a/b/c")).unwrap(), "2");
        mount_point(&base, "a/b/c", None).unwrap();
        mount_point(&base, "a/d", None).unwrap();
        assert!(mount_point(&base, "a/b", None).is_err());
        assert_eq!(std::fs::read_to_string(base.join("a/b/c")).unwrap(), "2", "what is there stays");
    }
}
