use crate::processes;
use crate::stand::Stand;

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// `nanoscale serve`, which is server, node and edge; it is started again before the step is let go.
    Server,
    /// Every shim; where a shim is held, that one alone.
    Shim,
    /// Every process of the project's own, be it of a build, a release or a run.
    App,
    /// PostgreSQL, where there is one; it is back before the step is let go.
    Postgres,
}

/// Those that every step is tried with.
pub(crate) const ALWAYS: [Victim; 3] = [Victim::Server, Victim::Shim, Victim::App];

impl Victim {
    /// Kills it, and does what a supervisor would. `held`: the process that waits at the step, if one does.
    pub(crate) async fn strike(self, stand: &mut Stand, held: Option<i32>) {
        match self {
            Self::Server => {
                stand.server.kill();
                stand.server.restart().await;
            }
            Self::Shim => {
                let shims = processes::shims(&stand.checkpoints.socket());
                match held.filter(|pid| shims.contains_key(pid)) {
                    Some(pid) => processes::kill(pid),
                    None => shims.into_keys().for_each(processes::kill),
                }
            }
            Self::App => processes::apps(&stand.server.data_dir()).into_keys().for_each(processes::kill),
            Self::Postgres => stand.postgres.as_ref().unwrap().kill(),
        }
    }
}
