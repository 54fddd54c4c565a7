//! What a node shall do, put together from what each room of the server wants of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ids::{NodeId, ProjectId, WorkspaceId};
use wire::{Desired, Fence, PeerSpec, WorkspaceSpec};

use super::{Known, Nodes};

/// Absent until it was said for the first time: before that the node is told nothing, so that it ends nothing either.
#[derive(Default)]
pub(super) struct Wishes {
    apps: Option<(Arc<Desired>, Vec<PeerSpec>)>,
    workspaces: Option<WorkspaceWishes>,
}

/// Which workspaces a node shall keep running, and of which nothing shall be left.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct WorkspaceWishes {
    pub(crate) running: Vec<WorkspaceSpec>,
    pub(crate) removed: Vec<ProjectId>,
}

impl Nodes {
    /// What a node shall do for projects from now on, and whom it may meet.
    pub(crate) fn desire_apps(&self, id: &NodeId, desired: Arc<Desired>, peers: Vec<PeerSpec>) {
        self.with(id, |known| {
            let same = |(last, met): &(Arc<Desired>, Vec<PeerSpec>)| last.asks_the_same(&desired) && *met == peers;
            if !known.wishes.apps.as_ref().is_some_and(same) {
                known.wishes.apps = Some((desired, peers));
                self.put_together(known);
            }
        });
    }

    /// The same for workspaces.
    pub(crate) fn desire_workspaces(&self, id: &NodeId, wishes: WorkspaceWishes) {
        self.with(id, |known| {
            if known.wishes.workspaces.as_ref() != Some(&wishes) {
                known.wishes.workspaces = Some(wishes);
                self.put_together(known);
            }
        });
    }

    /// What a node was last told of one.
    pub(crate) fn wished(&self, id: &NodeId, workspace: &WorkspaceId) -> Option<WorkspaceSpec> {
        let last = |known: &mut Known| {
            let wishes = known.wishes.workspaces.as_ref()?;
            wishes.running.iter().find(|it| it.id == *workspace).cloned()
        };
        self.with(id, last).flatten()
    }

    fn put_together(&self, known: &mut Known) {
        let Wishes { apps: Some((apps, peers)), workspaces: Some(work) } = &known.wishes else { return };
        let epoch = self.inner.epoch.load(Ordering::Relaxed);
        known.desired.send_modify(|last| {
            let fence = Fence { epoch, generation: last.fence.generation + 1 };
            let removed_groups = apps.removed_groups.iter().chain(&work.removed).cloned().collect();
            let workspaces = work.running.clone();
            *last = Desired { fence, peers: peers.clone(), workspaces, removed_groups, ..Desired::clone(apps) };
        });
    }
}
