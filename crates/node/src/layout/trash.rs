//! Removal of trees that others made.
//!
//! What is to go is moved into the trash first, which takes no time and is over or has not
//! begun after a crash. The trash is emptied beside the work of the node, without
//! recursion: a build may leave a tree as deep as its disk is large.

use std::fs::{DirEntry, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Layout;

impl Layout {
    fn trash(&self) -> PathBuf {
        self.root().join("trash")
    }

    /// Takes a file or a tree out of the way; one that is not there is gone already.
    pub(crate) fn discard(&self, path: &Path) -> io::Result<()> {
        match move_to(&self.trash(), path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Whether what was discarded has left the disk.
    pub(crate) fn trash_is_empty(&self) -> bool {
        std::fs::read_dir(self.trash()).is_ok_and(|mut entries| entries.next().is_none())
    }

    /// Removes what was discarded. Blocks, for as long as the disk takes.
    pub(crate) fn empty_trash(&self) -> io::Result<()> {
        let trash = self.trash();
        loop {
            let mut found = false;
            for entry in std::fs::read_dir(&trash)? {
                found = true;
                empty(&trash, &entry?)?;
            }
            if !found {
                return Ok(());
            }
        }
    }
}

/// Removes one thing in the trash; directories below it go up into the trash, for their turn.
fn empty(trash: &Path, entry: &DirEntry) -> io::Result<()> {
    if !entry.file_type()?.is_dir() {
        return std::fs::remove_file(entry.path());
    }
    let directory = entry.path();
    open(&directory);
    for below in std::fs::read_dir(&directory)? {
        let below = below?;
        if below.file_type()?.is_dir() {
            open(&below.path());
            move_to(trash, &below.path())?;
        } else {
            std::fs::remove_file(below.path())?;
        }
    }
    std::fs::remove_dir(&directory)
}

/// What a build closed to itself, a node without root can neither empty nor move.
fn open(directory: &Path) {
    let _ = std::fs::set_permissions(directory, Permissions::from_mode(0o700));
}

fn move_to(trash: &Path, path: &Path) -> io::Result<()> {
    std::fs::rename(path, trash.join(format!("{:016x}", rand::random::<u64>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_very_deep_tree_goes() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path().to_owned()).unwrap();
        let path = root.path().join("groups/deep");
        std::fs::create_dir(&path).unwrap();
        // Deeper than any stack: from the bottom up, as no path to it would be short enough.
        for _ in 0..40_000 {
            let above = root.path().join("groups/above");
            std::fs::create_dir(&above).unwrap();
            std::fs::rename(&path, above.join("d")).unwrap();
            std::fs::rename(&above, &path).unwrap();
        }
        std::fs::write(path.join("file"), "x").unwrap();
        std::os::unix::fs::symlink("/etc", path.join("link")).unwrap();
        layout.discard(&path).unwrap();
        assert!(!path.exists());
        layout.discard(&path).unwrap();
        layout.empty_trash().unwrap();
        assert_eq!(std::fs::read_dir(layout.trash()).unwrap().count(), 0);
        assert!(Path::new("/etc/passwd").exists());
    }

    #[test]
    fn closed_directories_go_too() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path().to_owned()).unwrap();
        let closed = root.path().join("groups/a/b");
        std::fs::create_dir_all(&closed).unwrap();
        std::fs::write(closed.join("file"), "x").unwrap();
        std::fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
        layout.discard(&root.path().join("groups/a")).unwrap();
        layout.empty_trash().unwrap();
        assert_eq!(std::fs::read_dir(layout.trash()).unwrap().count(), 0);
    }
}
