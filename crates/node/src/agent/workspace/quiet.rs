//! Whether anything happens in a workspace, and what was last.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use ids::{TerminalId, UseKind, WorkloadId, WorkspaceId};
use serde::{Deserialize, Serialize};
use wire::{WorkspaceQuiet, WorkspaceUse};

use crate::Agent;

const PERIOD: Duration = Duration::from_secs(2);
/// Who computes for a smaller part of the time than one in so many waits for something.
const BUSY: u64 = 20;

/// When something last happened, in milliseconds, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::agent) struct Used {
    at: i64,
    kind: UseKind,
    terminal: Option<TerminalId>,
    port: Option<u16>,
}

/// What programs have done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    /// In milliseconds.
    at: i64,
    computed_usec: Option<u64>,
    /// Bytes that each terminal which runs has put out.
    printed: BTreeMap<TerminalId, u64>,
}

/// What outlives the node's process: what happens while there is none is seen by the next one.
#[derive(Serialize, Deserialize)]
struct Kept {
    used: Used,
    counted: Counted,
}

impl Used {
    fn now(kind: UseKind) -> Self {
        Self { at: crate::now_ms(), kind, terminal: None, port: None }
    }
}

impl Agent {
    /// Something is asked of a port.
    pub(crate) fn note_port_use(&self, id: &WorkspaceId, port: u16) {
        self.note_use(id, Used { port: Some(port), ..Used::now(UseKind::Port) });
    }

    pub(in crate::agent) fn note_typed(&self, id: &WorkspaceId, terminal: &TerminalId, at: i64) {
        self.note_use(id, Used { at, terminal: Some(terminal.clone()), ..Used::now(UseKind::Typed) });
    }

    fn note_use(&self, id: &WorkspaceId, used: Used) {
        if let Some(running) = self.lock().workspaces.get_mut(id)
            && used.at >= running.used.at
        {
            running.used = used;
        }
    }

    /// How long nothing has, and what was last; absent for one that is not wanted.
    pub(crate) fn workspace_quiet(&self, id: &WorkspaceId) -> Option<WorkspaceQuiet> {
        if let Some((terminal, at)) = self.last_typed(id) {
            self.note_typed(id, &terminal, at);
        }
        let Used { at, kind, terminal, port } = self.lock().workspaces.get(id)?.used.clone();
        let terminal_name = terminal.as_ref().and_then(|it| Some(self.find_terminal(id, it)?.name));
        Some(WorkspaceQuiet {
            milliseconds: u64::try_from(crate::now_ms() - at).unwrap_or_default(),
            last: Some(WorkspaceUse { kind, terminal, terminal_name, port }),
        })
    }

    /// Looks for programs that compute or say something, for as long as nobody drops it.
    pub(super) async fn watch_use(&self, id: &WorkspaceId) -> Infallible {
        let mut tick = tokio::time::interval(PERIOD);
        let mut before = self.kept_use(id).map(|kept| kept.counted);
        let mut kept = None;
        loop {
            tick.tick().await;
            let (agent, workspace) = (self.clone(), id.clone());
            let Ok(now) = tokio::task::spawn_blocking(move || agent.count_use(&workspace)).await else { continue };
            let typed = self.last_typed(id);
            if let Some((terminal, at)) = &typed {
                self.note_typed(id, terminal, *at);
            }
            if let Some(before) = &before
                // What is put out then is an echo, or the answer to it.
                && typed.is_none_or(|(_, at)| at < before.at)
                && let Some(used) = done_since(before, &now)
            {
                self.note_use(id, used);
            }
            let used = self.lock().workspaces.get(id).map(|running| running.used.clone());
            if used != kept {
                self.keep_use(id, used.as_ref(), &now);
                kept = used;
            }
            before = Some(now);
        }
    }

    fn count_use(&self, id: &WorkspaceId) -> Counted {
        let group = self.confine().cgroup(&WorkloadId::from(id));
        Counted {
            at: crate::now_ms(),
            computed_usec: group.and_then(|group| group.stats().cpu_usec),
            printed: self.outputs_of(id),
        }
    }

    /// What an earlier life of this node knew.
    fn kept_use(&self, id: &WorkspaceId) -> Option<Kept> {
        let text = std::fs::read(self.confine().layout.workspace_use(&id.group())).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// As far as that is known: that this process looks from now on is no use.
    pub(super) fn used_before(&self, id: &WorkspaceId) -> Used {
        self.kept_use(id).map_or_else(|| Used::now(UseKind::Started), |kept| kept.used)
    }

    /// One that a crash of the machine tears is read as none: it need not be on the disk at once.
    fn keep_use(&self, id: &WorkspaceId, used: Option<&Used>, counted: &Counted) {
        let path = self.confine().layout.workspace_use(&id.group());
        let Some(used) = used else { return };
        let kept = Kept { used: used.clone(), counted: counted.clone() };
        let part = path.with_extension("part");
        let written = serde_json::to_vec(&kept).map_err(std::io::Error::other);
        let written = written.and_then(|text| std::fs::write(&part, text)).and_then(|()| std::fs::rename(&part, &path));
        if let Err(error) = written {
            tracing::debug!(%error, workspace.id = %id, "cannot remember when a workspace was used");
        }
    }
}

/// What programs did between two counts, if it is any use: something was put out, or much computed.
fn done_since(before: &Counted, now: &Counted) -> Option<Used> {
    let more =
        |terminal: &TerminalId, end: u64| end.saturating_sub(before.printed.get(terminal).copied().unwrap_or_default());
    let printed = now.printed.iter().map(|(terminal, end)| (more(terminal, *end), terminal)).max();
    if let Some((1.., terminal)) = printed {
        return Some(Used { at: now.at, kind: UseKind::Printed, terminal: Some(terminal.clone()), port: None });
    }
    let took = now.computed_usec.zip(before.computed_usec).map_or(0, |(now, before)| now.saturating_sub(before));
    let elapsed = u64::try_from(now.at - before.at).unwrap_or_default().saturating_mul(1000);
    let is_busy = took.saturating_mul(BUSY) > elapsed;
    is_busy.then_some(Used { at: now.at, kind: UseKind::Computed, terminal: None, port: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_work_are_use_and_nothing_else_is() {
        let (one, two) = (TerminalId::new(), TerminalId::new());
        let counted = |at: i64, computed: u64, printed: &[(&TerminalId, u64)]| Counted {
            at,
            computed_usec: Some(computed),
            printed: printed.iter().map(|(terminal, end)| ((*terminal).clone(), *end)).collect(),
        };
        let before = counted(1_000, 5_000, &[(&one, 10), (&two, 10)]);
        let done = |now: &Counted| done_since(&before, now).map(|used| (used.kind, used.terminal));
        let printed = |terminal: &TerminalId| Some((UseKind::Printed, Some(terminal.clone())));
        assert_eq!(done(&counted(3_000, 5_000, &[(&one, 10), (&two, 10)])), None);
        // Who waits computes a little, too.
        assert_eq!(done(&counted(3_000, 15_000, &[(&one, 10), (&two, 10)])), None);
        assert_eq!(done(&counted(3_000, 205_000, &[(&one, 10)])), Some((UseKind::Computed, None)));
        assert_eq!(done(&counted(3_000, 205_000, &[(&one, 10), (&two, 11)])), printed(&two));
        assert_eq!(done(&counted(3_000, 5_000, &[(&one, 90), (&two, 11)])), printed(&one));
        // A start of the workspace counts from nothing again.
        assert_eq!(done(&counted(3_000, 10, &[])), None);
    }
}
