//! Named steps at which a test holds the product and kills a part of it.
//!
//! A step lies between two effects, where being cut off would be nastiest. In release builds there
//! is nothing of it. In debug builds, when [`VARIABLE`] names a Unix socket, whoever comes to a step
//! says so there and waits for a byte, or for the other side to hang up.
//!
//! `crates/nanoscale/tests/matrix` has a case for every step: one that is added here without a case,
//! or that is not reached in its flow, fails there.

#[cfg(debug_assertions)]
mod wait;

use Flow::{
    Cancel, Delete, Deploy, Drain, Job, Join, Move, Redeploy, Remove, Reschedule, Rollback, Spread, Terminal,
    WorkspaceCreate, WorkspaceDelete, WorkspaceRebuild, WorkspaceStart, WorkspaceStop,
};

/// Names the socket on which a test listens.
pub const VARIABLE: &str = "NANOSCALE_TEST_CHECKPOINTS";

/// What a person or a clock asks for, from the first row to the last effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Deploy,
    Rollback,
    /// Of a deployment that is being built, and of a run.
    Cancel,
    /// Of a project.
    Delete,
    /// A command that is run once, as schedules do.
    Job,
    /// Of a machine.
    Join,
    /// Of a project to more nodes.
    Spread,
    /// Of a project to another node.
    Move,
    /// Of a node.
    Drain,
    /// Of a project whose node is lost.
    Reschedule,
    /// Of a project that is on several nodes.
    Redeploy,
    /// Of a node.
    Remove,
    WorkspaceCreate,
    /// In a workspace that runs.
    Terminal,
    WorkspaceStop,
    /// Of one that was stopped.
    WorkspaceStart,
    WorkspaceRebuild,
    WorkspaceDelete,
}

/// Whose code reaches a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Server,
    Node,
    Shim,
}

macro_rules! checkpoints {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $part:ident, [$($flow:ident),+];)*) => {
        /// A step. Its documentation says what has happened by then, and what has not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Checkpoint { $($(#[$doc])* $variant),* }

        impl Checkpoint {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Whose code reaches it.
            pub const fn part(self) -> Part {
                match self { $(Self::$variant => Part::$part),* }
            }

            /// What passes it.
            pub const fn flows(self) -> &'static [Flow] {
                match self { $(Self::$variant => &[$($flow),+]),* }
            }
        }
    };
}

checkpoints! {
    /// An archive lies among the uploads; no row knows of it.
    UploadReceived = "upload-received", Server, [Deploy, Redeploy];
    /// The row of a deployment is there; neither its owner nor the reconciler knows yet.
    DeploymentRecorded = "deployment-recorded", Server, [Deploy, Redeploy];
    /// A build's cgroup, user and empty directory are there; nothing has been fetched.
    BuildBegun = "build-begun", Node, [Deploy, Spread, Move, Drain, Reschedule, Redeploy];
    /// The archive lies at the node; nothing has been unpacked.
    UploadArrived = "upload-arrived", Node, [Deploy, Spread, Move, Drain, Reschedule, Redeploy];
    /// The sources lie in the release's directory; nobody knows of which commit.
    SourceFetched = "source-fetched", Node, [Deploy, Spread, Move, Drain, Reschedule, Redeploy];
    /// The last command of a build has ended; the directory is not a release yet.
    BuildCommandsEnded = "build-commands-ended", Node, [Deploy, Spread, Move, Drain, Reschedule, Redeploy];
    /// The directory is a release; nobody was told.
    ManifestWritten = "manifest-written", Node, [Deploy, Spread, Move, Drain, Reschedule, Redeploy];
    /// The rows of a release and of its starting deployment are written and not committed.
    BuildReported = "build-reported", Server, [Deploy, Reschedule, Redeploy];
    /// The release has its row; its node was not told to run it.
    ReleaseRecorded = "release-recorded", Server, [Deploy, Reschedule, Redeploy];
    /// The run of a release command has its row; its node was not told.
    ReleaseCommandRecorded = "release-command-recorded", Server, [Deploy, Reschedule, Redeploy];
    /// Where a process will listen is on disk; it was not started.
    ProcessMarked = "process-marked", Node, [Deploy, Rollback, Spread, Move, Drain, Reschedule, Redeploy];
    /// A process runs under its shim; it was not probed.
    ProcessStarted = "process-started", Node, [Deploy, Rollback, Spread, Move, Drain, Reschedule, Redeploy];
    /// That a process is ready is on disk; no visitor has been sent there.
    ReadyMarked = "ready-marked", Node, [Deploy, Rollback, Spread, Move, Drain, Reschedule, Redeploy];
    /// Visitors meet the new release; its row, written and not committed, says that it is live.
    GoingLive = "going-live", Server, [Deploy, Rollback, Reschedule, Redeploy];
    /// The new release is live and the old one retired; the old one still runs.
    LiveRecorded = "live-recorded", Server, [Deploy, Rollback, Reschedule, Redeploy];
    /// The last visitor of an old process was answered; it was not told to end.
    WorkloadDrained = "workload-drained", Node, [Deploy, Rollback, Delete, Move, Drain, Redeploy];
    /// An old process has ended; its run directory and its cgroup are still there.
    WorkloadStopped = "workload-stopped", Node, [Deploy, Rollback, Delete, Move, Drain, Redeploy];
    /// A release that is not kept any more has lost its manifest; its files are there.
    ReleaseHalfPruned = "release-half-pruned", Node, [Deploy, Redeploy];
    /// The rows of a rollback are there; its node was not told.
    RollbackRecorded = "rollback-recorded", Server, [Rollback];
    /// A deployment's row says that it is cancelled; its build goes on.
    CancelRecorded = "cancel-recorded", Server, [Cancel];
    /// A cancelled build's processes have ended; its files are there, and its log does not say so.
    BuildStopped = "build-stopped", Node, [Cancel];
    /// A run's row says that it is cancelled; its process goes on.
    RunCancelRecorded = "run-cancel-recorded", Server, [Cancel];
    /// A cancelled run's process has ended; its log does not say so, and its run directory is there.
    JobStopped = "job-stopped", Node, [Cancel];
    /// A project's row says that it goes; all of it runs.
    DeleteRecorded = "delete-recorded", Server, [Delete];
    /// A project's files are out of the way; its logs and users are there.
    GroupHalfErased = "group-half-erased", Node, [Delete, Move, Drain, WorkspaceDelete];
    /// Nothing of a project is left at its node; nobody was told.
    GroupErased = "group-erased", Node, [Delete, Move, Drain, WorkspaceDelete];
    /// The server knows that a node has nothing of the project any more; its rows are there.
    RemovalReported = "removal-reported", Server, [Delete];
    /// A project's rows are gone; who asked for it was not told.
    RemovalRecorded = "removal-recorded", Server, [Delete];
    /// A run has its row; its node was not told.
    RunRecorded = "run-recorded", Server, [Job];
    /// A run whose time has come has its row; its node was not told.
    DueRunRecorded = "due-run-recorded", Server, [Job];
    /// That a command is begun is on disk; it was not started, and never will be when that is cut off.
    JobMarked = "job-marked", Node, [Job];
    /// The command's process runs.
    JobStarted = "job-started", Node, [Job];
    /// The command has ended; how is only in its shim's word.
    JobEnded = "job-ended", Node, [Job];
    /// The command's log says how it ended; that it has is not on disk.
    JobEndTold = "job-end-told", Node, [Job];
    /// How the command ended is on disk; nobody was told.
    JobEndMarked = "job-end-marked", Node, [Job];
    /// A run's row with its end is written and not committed.
    RunEndReported = "run-end-reported", Server, [Job];
    /// A run's row has its end; its node keeps the run directory.
    RunEndRecorded = "run-end-recorded", Server, [Job];
    /// A shim knows what to start; nobody can find the shim.
    ShimTold = "shim-told", Shim,
        [Deploy, Job, WorkspaceCreate, Terminal, WorkspaceStart, WorkspaceRebuild];
    /// A shim has started its process, and can be found; it answers nobody yet.
    ShimStarted = "shim-started", Shim,
        [Deploy, Job, WorkspaceCreate, Terminal, WorkspaceStart, WorkspaceRebuild];
    /// A shim's process has ended; how is not on disk.
    ShimSawEnd = "shim-saw-end", Shim,
        [Job, WorkspaceCreate, WorkspaceStop, WorkspaceRebuild, WorkspaceDelete];
    /// How a shim's process ended is on disk; who waits for it was not told.
    ShimMarkedEnd = "shim-marked-end", Shim,
        [Job, WorkspaceCreate, WorkspaceStop, WorkspaceRebuild, WorkspaceDelete];
    /// A machine's key is on its disk; nobody knows of it.
    MachineKeyMade = "machine-key-made", Node, [Join];
    /// A machine knows that the right cluster answers; it has said nothing of itself.
    ClusterProven = "cluster-proven", Node, [Join];
    /// The rows of a node and of its spent token are written and not committed.
    NodeRecording = "node-recording", Server, [Join];
    /// A token is spent and its node has a row; the machine was not answered.
    NodeRecorded = "node-recorded", Server, [Join];
    /// A machine knows which node it is; nothing on its disk says so.
    JoinAnswered = "join-answered", Node, [Join];
    /// That it is a node is on a machine's disk; it has not dialled.
    MembershipKept = "membership-kept", Node, [Join];
    /// A node has dialled and said hello; it does not count as connected.
    NodeGreeted = "node-greeted", Server, [Join];
    /// A node's row, written and not committed, says that it has come.
    NodeActivated = "node-activated", Server, [Join];
    /// A node's row says that it is emptied; nothing has moved.
    NodeDraining = "node-draining", Server, [Drain];
    /// What somebody changed of a project is in its rows; no node was told.
    ProjectChanged = "project-changed", Server, [Spread, Move];
    /// The rows say on which nodes a project shall be; no node was told.
    PlacementRecorded = "placement-recorded", Server, [Spread, Drain, Reschedule, Remove];
    /// A node sends a release for another one, which has not been asked to take it.
    CopyBegun = "copy-begun", Server, [Spread, Move, Drain, Redeploy, Remove];
    /// Where a project is built from now on is written and not committed, nor is what has to be built again there.
    HomeMoving = "home-moving", Server, [Move, Drain, Reschedule];
    /// A project is built elsewhere from now on; no node was told.
    HomeMoved = "home-moved", Server, [Move, Drain, Reschedule];
    /// Others do the work of a node that a project leaves; every edge still sends visitors there.
    PlacementEmptying = "placement-emptying", Server, [Move, Drain, Reschedule];
    /// No edge sends visitors to a node that a project leaves; it was not told to remove it.
    PlacementRemoving = "placement-removing", Server, [Move, Drain, Reschedule];
    /// A node has nothing of a project any more, and no row says otherwise.
    PlacementForgotten = "placement-forgotten", Server, [Move, Drain];
    /// A node's row says that it was removed; it was not told.
    NodeRemoved = "node-removed", Server, [Remove];
    /// A removed node has heard of it; all of it runs.
    RemovalHeard = "removal-heard", Node, [Remove];
    /// That a removed node runs nothing is on its disk; it does not know yet for how long.
    RemovalObeyed = "removal-obeyed", Node, [Remove];
    /// The row of a workspace is there; its node was not told, nor was its owner.
    WorkspaceRecorded = "workspace-recorded", Server, [WorkspaceCreate];
    /// What its owner asked for stands in a workspace's row; its node was not told.
    WorkspaceAsked = "workspace-asked", Server, [WorkspaceStop, WorkspaceStart, WorkspaceRebuild, WorkspaceDelete];
    /// What its node says of a workspace is written into its row and not committed.
    WorkspaceReported = "workspace-reported", Server,
        [WorkspaceCreate, WorkspaceStop, WorkspaceStart, WorkspaceRebuild, WorkspaceDelete];
    /// That a workspace's sandbox is begun is on disk; it was not started.
    SandboxMarked = "sandbox-marked", Node, [WorkspaceCreate, WorkspaceStart, WorkspaceRebuild];
    /// A workspace's sandbox is there; nothing on the disk says so.
    SandboxStarted = "sandbox-started", Node, [WorkspaceCreate, WorkspaceStart, WorkspaceRebuild];
    /// That a step of a workspace's start is begun is on disk; it was not started.
    StepMarked = "step-marked", Node, [WorkspaceCreate, WorkspaceRebuild];
    /// A step's process has ended; what it came to is not on disk.
    StepEnded = "step-ended", Node, [WorkspaceCreate, WorkspaceRebuild];
    /// That a step has succeeded is on disk; that it is not taken again is not.
    StepSucceeded = "step-succeeded", Node, [WorkspaceCreate, WorkspaceRebuild];
    /// A workspace is ready; nothing on the disk says so.
    StepsTaken = "steps-taken", Node, [WorkspaceCreate, WorkspaceStart, WorkspaceRebuild];
    /// That there is a terminal is on disk; it was not started.
    TerminalMarked = "terminal-marked", Node, [Terminal];
    /// A terminal's shell runs; who asked for it was not told.
    TerminalStarted = "terminal-started", Node, [Terminal];
    /// No process of a workspace runs; how its terminals ended is not on disk, and their run directories are there.
    WorkspaceEnded = "workspace-ended", Node, [WorkspaceStop, WorkspaceRebuild, WorkspaceDelete];
    /// The files that a rebuild replaces are out of the way; what is on disk tells of them.
    HomesDiscarded = "homes-discarded", Node, [WorkspaceRebuild];
}

/// Waits here for as long as a test holds this step.
pub async fn reach(checkpoint: Checkpoint) {
    #[cfg(debug_assertions)]
    wait::until_let_go(checkpoint.name()).await;
    #[cfg(not(debug_assertions))]
    let _ = checkpoint;
}

/// The same where nothing is async: blocks the thread.
pub fn reach_blocking(checkpoint: Checkpoint) {
    #[cfg(debug_assertions)]
    wait::until_let_go_blocking(checkpoint.name());
    #[cfg(not(debug_assertions))]
    let _ = checkpoint;
}

/// The variable that a process started with an empty environment needs to hold at its steps, if it does.
pub fn variable() -> Option<(&'static str, std::ffi::OsString)> {
    if cfg!(debug_assertions) { std::env::var_os(VARIABLE).map(|socket| (VARIABLE, socket)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::Checkpoint;

    #[test]
    fn names_are_single() {
        let mut names = Checkpoint::ALL.iter().map(|checkpoint| checkpoint.name()).collect::<Vec<_>>();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Checkpoint::ALL.len());
    }
}
