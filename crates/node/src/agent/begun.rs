//! The mark on disk that work was begun: a job is not begun twice, and what was cut off and is
//! not wanted any more still has an end in its log.

use std::io;

use ids::{ProjectId, WorkloadId};
use serde::{Deserialize, Serialize};

use super::Agent;
use crate::layout::{LogKind, write_atomic};

const BEGUN: &str = "begun.json";
/// There when the work came to its own end.
pub(super) const ENDED: &str = "ended.json";

/// Which log is to say what when the work is stopped.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) group: ProjectId,
    pub(super) log: (WorkloadId, LogKind),
    pub(super) stopped: String,
}

impl Agent {
    pub(super) fn mark_begun(&self, id: &WorkloadId, begun: &Begun) -> io::Result<()> {
        write_atomic(&self.confine().layout.run(id).join(BEGUN), &serde_json::to_vec(begun)?)
    }

    pub(super) fn is_begun(&self, id: &WorkloadId) -> bool {
        self.confine().layout.run(id).join(BEGUN).exists()
    }

    /// Ends the log of work that was stopped, if it was begun, did not come to an end and was not told of yet.
    pub(super) fn tell_stopped(&self, id: &WorkloadId) {
        let run = self.confine().layout.run(id);
        let Ok(bytes) = std::fs::read(run.join(BEGUN)) else { return };
        // One of an earlier version says nothing.
        let Ok(begun) = serde_json::from_slice::<Begun>(&bytes) else { return };
        if run.join(ENDED).exists() {
            return;
        }
        let (log, kind) = &begun.log;
        self.tell_end(log, &begun.group, *kind, begun.stopped);
    }

    /// Adds a line to a log that is there, unless it is the last that the node said there.
    pub(super) fn tell_end(&self, log: &WorkloadId, group: &ProjectId, kind: LogKind, line: String) {
        let confine = self.confine();
        let directory = confine.layout.log(group, log, kind);
        let last = crate::log::tail(&directory, 1, |record| record.stream == ids::LogStream::Sys).unwrap_or_default();
        if !directory.exists() || last.first().is_some_and(|last| last.text == line) {
            return;
        }
        if let Err(error) = confine.log(log, group, kind, &[line]) {
            tracing::warn!(%error, workload.id = %log, "cannot write a log");
        }
    }
}
