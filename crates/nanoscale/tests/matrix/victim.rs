use testkit::Part;

use crate::processes;
use crate::stand::Stand;

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// `nanoscale serve`, which is server, edge and node in one. Like the three below, it is started again before the
    /// step is let go.
    All,
    /// `nanoscale serve server`.
    Server,
    Edge,
    Node,
    /// Every shim; where a shim is held, that one alone.
    Shim,
    /// Every process of the project's own, be it of a build, a release or a run.
    App,
    /// PostgreSQL, where there is one; it is back before the step is let go.
    Postgres,
}

/// Those that every step is tried with where server, edge and node are a process each.
pub(crate) const THREE: [Victim; 5] = [Victim::Server, Victim::Edge, Victim::Node, Victim::Shim, Victim::App];
/// Those there are where they are one.
pub(crate) const ONE: [Victim; 3] = [Victim::All, Victim::Shim, Victim::App];

impl Victim {
    /// Kills it, and does what a supervisor would. `held`: the process that waits at the step, if one does.
    pub(crate) async fn strike(self, stand: &mut Stand, held: Option<i32>) {
        match self {
            Self::All => stand.server.restart().await,
            Self::Server => restart(stand, Part::Server).await,
            Self::Edge => restart(stand, Part::Edge).await,
            Self::Node => restart(stand, Part::Node).await,
            Self::Shim => {
                let shims = processes::telling(&stand.checkpoints.socket());
                match held.filter(|pid| shims.contains(pid)) {
                    Some(pid) => processes::kill(pid),
                    None => shims.into_iter().for_each(processes::kill),
                }
            }
            Self::App => processes::apps(&stand.server.data_dir()).into_keys().for_each(processes::kill),
            Self::Postgres => stand.postgres.as_ref().unwrap().kill(),
        }
    }
}

async fn restart(stand: &mut Stand, part: Part) {
    stand.server.kill_part(part);
    stand.server.start_part(part).await;
}
