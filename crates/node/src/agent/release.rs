//! Releases on disk. The manifest is written last: a release without one is no release.

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

    pub(super) fn write_manifest(
        &self,
        group: &ProjectId,
        build: &DeploymentId,
        manifest: &Manifest,
    ) -> std::io::Result<()> {
        write_atomic(&self.confine().layout.manifest(group, build), &serde_json::to_vec(manifest)?)
    }

    /// Release directories of a group, finished or not.
    pub(super) fn release_list(&self, group: &ProjectId) -> Vec<DeploymentId> {
        let Ok(entries) = std::fs::read_dir(self.confine().layout.releases(group)) else { return Vec::new() };
        entries.flatten().filter_map(|entry| entry.file_name().to_string_lossy().parse().ok()).collect()
    }
}
