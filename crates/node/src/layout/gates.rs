//! The sockets by which the edge, which may be another user, reaches workloads.
//!
//! A gate is a second name of a workload's socket in the one directory of the node that the edge may enter: the
//! directory of the run, with the shim's socket in it, stays closed.

use std::fs::{Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, lchown};
use std::path::{Path, PathBuf};

use ids::WorkloadId;

use super::{Layout, remove_file};

impl Layout {
    fn gates(&self) -> PathBuf {
        self.root.join("gates")
    }

    /// Makes the directory, for this user and `group`.
    pub(crate) fn open_gates(&self, group: Option<u32>) -> io::Result<()> {
        std::fs::create_dir_all(self.gates())?;
        if let Some(group) = group {
            chown(self.gates(), None, Some(group))?;
            // To be walked through, not to be read.
            std::fs::set_permissions(&self.root, Permissions::from_mode(0o711))?;
        }
        std::fs::set_permissions(self.gates(), Permissions::from_mode(0o710))
    }

    /// Gives the edge a way to `socket`.
    pub(crate) fn open_gate(&self, name: &str, socket: &Path, group: Option<u32>) -> io::Result<PathBuf> {
        let gate = self.gates().join(name);
        // That of a process which an earlier life of the node started is in use. A socket's own directory is its
        // shim's, who may put anything in its place: no link is followed, and rights are given to what lies here.
        let original = std::fs::symlink_metadata(socket)?;
        let same = |gate: &Metadata| gate.ino() == original.ino() && gate.dev() == original.dev();
        if std::fs::symlink_metadata(&gate).is_ok_and(|gate| same(&gate)) {
            return Ok(gate);
        }
        if let Some((workload, _)) = name.split_once('@') {
            self.keep_gates(|id| id.as_str() != workload);
        }
        std::fs::hard_link(socket, &gate)?;
        let made = std::fs::symlink_metadata(&gate)?;
        if !made.file_type().is_socket() || made.uid() != nix::unistd::geteuid().as_raw() {
            remove_file(&gate)?;
            return Err(io::Error::other(format!("{} is not the socket that the sandbox made", socket.display())));
        }
        if group.is_some() {
            lchown(&gate, None, group)?;
            std::fs::set_permissions(&gate, Permissions::from_mode(0o660))?;
        }
        Ok(gate)
    }

    /// Removes those of every life of a workload.
    pub(crate) fn close_gates(&self, workload: &WorkloadId) {
        self.keep_gates(|id| id != workload);
    }

    /// Removes those of workloads that are not `wanted`.
    pub(crate) fn keep_gates(&self, wanted: impl Fn(&WorkloadId) -> bool) {
        for entry in std::fs::read_dir(self.gates()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let workload = name.to_str().and_then(|name| name.split_once('@')?.0.parse().ok());
            if !workload.as_ref().is_some_and(&wanted)
                && let Err(error) = remove_file(&entry.path())
            {
                tracing::warn!(%error, path = %entry.path().display(), "cannot be removed");
            }
        }
    }
}
