use checkpoint::{Checkpoint, Flow};

use crate::victim::Victim;

/// What a flow comes to whose step was struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As if nothing had happened.
    Done,
    /// It ended with a reason: what was killed is what it needed. What was before stays.
    Failed,
    /// It was done or it failed, as the kernel's scheduler has it.
    Either,
    /// Nobody knows how far a command came; it is not run again.
    Lost,
    /// It was done or it is lost, as its new node came before its shim could be asked or after.
    Adopted,
    /// Nothing was written down; who asked was not answered, and asks again.
    Unasked,
}

/// The end that a flow comes to.
pub(crate) fn outcome(flow: Flow, checkpoint: Checkpoint, victim: Victim) -> Outcome {
    use Checkpoint::*;
    let kills_its_process = matches!(victim, Victim::Shim | Victim::App);
    let kills_server = matches!(victim, Victim::All | Victim::Server);
    let kills_node = matches!(victim, Victim::All | Victim::Node);
    match checkpoint {
        UploadReceived if kills_server => Outcome::Unasked,
        ProcessStarted if kills_its_process => Outcome::Failed,
        ReadyMarked if kills_its_process => Outcome::Either,
        ShimTold if flow == Flow::Job && (victim == Victim::Shim || kills_node) => Outcome::Lost,
        ShimTold if victim == Victim::Shim => Outcome::Failed,
        // It fetches, and may have done so by then.
        ShimStarted if flow == Flow::Deploy && victim == Victim::App => Outcome::Either,
        ShimStarted if flow == Flow::Job && victim == Victim::Shim => Outcome::Lost,
        ShimStarted if kills_its_process => Outcome::Failed,
        // The node that would have waited for it is gone, and its shim may not answer the next one in time.
        ShimStarted if flow == Flow::Job && kills_node => Outcome::Adopted,
        // Begun, as far as anybody can tell.
        JobMarked if kills_node => Outcome::Lost,
        JobStarted if victim == Victim::App => Outcome::Failed,
        JobStarted | ShimSawEnd if victim == Victim::Shim => Outcome::Lost,
        UploadReceived
        | DeploymentRecorded
        | BuildBegun
        | UploadArrived
        | SourceFetched
        | BuildCommandsEnded
        | ManifestWritten
        | BuildReported
        | ReleaseRecorded
        | ReleaseCommandRecorded
        | ProcessMarked
        | ProcessStarted
        | ReadyMarked
        | GoingLive
        | LiveRecorded
        | WorkloadDrained
        | WorkloadStopped
        | ReleaseHalfPruned
        | RollbackRecorded
        | CancelRecorded
        | BuildStopped
        | RunCancelRecorded
        | JobStopped
        | DeleteRecorded
        | GroupHalfErased
        | GroupErased
        | RemovalReported
        | RemovalRecorded
        | RunRecorded
        | DueRunRecorded
        | JobMarked
        | JobStarted
        | JobEnded
        | JobEndTold
        | JobEndMarked
        | RunEndReported
        | RunEndRecorded
        | ShimTold
        | ShimStarted
        | ShimSawEnd
        | ShimMarkedEnd
        | MachineKeyMade
        | ClusterProven
        | NodeRecording
        | NodeRecorded
        | JoinAnswered
        | MembershipKept
        | NodeGreeted
        | NodeActivated
        | NodeDraining
        | ProjectChanged
        | PlacementRecorded
        | CopyBegun
        | HomeMoving
        | HomeMoved
        | PlacementEmptying
        | PlacementRemoving
        | PlacementForgotten
        | NodeRemoved
        | RemovalHeard
        | RemovalObeyed
        | WorkspaceRecorded
        | WorkspaceAsked
        | WorkspaceReported
        | SandboxMarked
        | SandboxStarted
        | StepMarked
        | StepEnded
        | StepSucceeded
        | StepsTaken
        | TerminalMarked
        | TerminalStarted
        | WorkspaceEnded
        | HomesDiscarded => Outcome::Done,
    }
}
