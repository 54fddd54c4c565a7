//! Releases on disk. The manifest is written last: a release without one is no release.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;

use ids::{DeploymentId, ProjectId};
use serde::{Deserialize, Serialize};
use wire::{Commit, Plan, ReleaseSpec};

use super::Agent;
use crate::layout::write_atomic;

/// What a finished build came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) release: ReleaseSpec,
    pub(super) commit: Option<Commit>,
    pub(super) plan: Plan,
}

impl Agent {
    pub(super) fn manifest(&self, group: &ProjectId, build: &DeploymentId) -> Option<Manifest> {
        serde_json::from_slice(&std::fs::read(self.confine().layout.manifest(group, build)).ok()?).ok()
    }

    /// Everything of the release is on the disk before its manifest is, also when the power goes.
    pub(super) async fn write_manifest(
        &self,
        group: &ProjectId,
        build: &DeploymentId,
        manifest: &Manifest,
    ) -> io::Result<()> {
        let directory = File::open(self.confine().layout.release(group, build))?;
        let (path, text) = (self.confine().layout.manifest(group, build), serde_json::to_vec(manifest)?);
        // Takes as long as the disk does.
        let written = tokio::task::spawn_blocking(move || {
            nix::unistd::syncfs(directory)?;
            write_atomic(&path, &text)
        });
        written.await.map_err(io::Error::other)?
    }

    /// Releases of a group of which something lies here: finished, or not, or only a manifest, which a build that was cancelled
    /// at that moment may still write.
    pub(super) fn release_list(&self, group: &ProjectId) -> BTreeSet<DeploymentId> {
        let entries = std::fs::read_dir(self.confine().layout.releases(group)).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.split('.').next()?.parse().ok()).collect()
    }
}
