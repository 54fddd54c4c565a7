//! What of a workspace outlives the node's process.

use ids::WorkspaceId;
use serde::{Deserialize, Serialize};
use wire::{Failure, WorkspaceStep};

use crate::Agent;
use crate::layout::write_atomic;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Of its files.
    pub(super) generation: i64,
    /// The start that the rest tells of.
    pub(super) attempt: i64,
    pub(super) is_ready: bool,
    pub(super) steps: Vec<WorkspaceStep>,
    pub(super) failure: Option<Failure>,
    /// Steps that need not be taken again as long as the files are these.
    pub(super) done: Vec<String>,
}

impl Kept {
    /// Forgets the start before.
    pub(super) fn begin(&mut self, attempt: i64) {
        self.attempt = attempt;
        self.is_ready = false;
        self.steps = Vec::new();
        self.failure = None;
    }
}

impl Agent {
    pub(super) fn workspace_kept(&self, id: &WorkspaceId) -> Kept {
        let text = std::fs::read(self.confine().layout.workspace(&id.group()));
        text.ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Written down, then told.
    pub(super) fn keep_workspace(&self, id: &WorkspaceId, kept: &Kept) {
        let layout = &self.confine().layout;
        // The first time there is no directory yet.
        let written = std::fs::create_dir_all(layout.group(&id.group()))
            .and_then(|()| write_atomic(&layout.workspace(&id.group()), &serde_json::to_vec(kept)?));
        if let Err(error) = written {
            tracing::warn!(%error, workspace.id = %id, "cannot remember how far a workspace is");
        }
        self.show_workspace(id, kept);
    }
}
