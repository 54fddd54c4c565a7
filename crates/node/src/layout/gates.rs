//! The sockets by which the edge, which may be another user, reaches workloads.
//!
//! A gate is a second name of a workload's socket in the one directory of the node that the edge may enter: the
//! directory of the run, with the shim's socket in it, stays closed.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
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
        if group.is_some() {
            chown(socket, None, group)?;
            std::fs::set_permissions(socket, Permissions::from_mode(0o660))?;
        }
        // That of a process which an earlier life of the node started is in use.
        let same = |gate: std::fs::Metadata| Ok::<_, io::Error>(gate.ino() == std::fs::metadata(socket)?.ino());
        if std::fs::metadata(&gate).map_or(Ok(false), same)? {
            return Ok(gate);
        }
        remove_file(&gate)?;
        std::fs::hard_link(socket, &gate)?;
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
