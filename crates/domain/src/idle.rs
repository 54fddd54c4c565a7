//! When a workspace is stopped by itself, and why: nothing happens in it, or its deadline has come.

use ids::{SleepCause, TerminalId, UseKind, WorkspaceState};

use crate::workspace::Workspace;

/// The longest time for which one is kept awake at once.
pub const AWAKE_MAX_SECONDS: i64 = 86_400;
/// Failure codes of what was stopped by itself.
pub const IDLE: &str = "IDLE";
pub const SHUTDOWN_DEADLINE: &str = "SHUTDOWN_DEADLINE";

const WARNING_MIN_MS: i64 = 5_000;
const WARNING_MAX_MS: i64 = 300_000;

/// What its owner has asked for against being stopped for want of use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Awake {
    /// In milliseconds.
    pub until: Option<i64>,
    pub by: Option<Keeper>,
}

/// What keeps a workspace awake until it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    pub terminal: TerminalId,
    pub terminal_name: String,
    /// The node's name for a job in it; absent: the terminal itself.
    pub job: Option<String>,
    pub command: Option<String>,
}

/// What was last seen to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    pub kind: UseKind,
    /// In milliseconds.
    pub at: i64,
    pub terminal: Option<TerminalId>,
    pub terminal_name: Option<String>,
    pub port: Option<u16>,
}

/// A time at which a workspace is stopped, if nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sleep {
    pub at: i64,
    pub warns_at: i64,
    pub cause: SleepCause,
}

/// When one that runs is stopped; `used` is when something last happened in it, as far as that is known.
pub fn sleep(workspace: &Workspace, used: Option<i64>) -> Option<Sleep> {
    if !workspace.state.is_usable() {
        return None;
    }
    let deadline = workspace.shutdown_deadline.map(|at| Sleep {
        at,
        warns_at: at.saturating_sub(WARNING_MAX_MS),
        cause: SleepCause::ShutdownDeadline,
    });
    [idle(workspace, used), deadline].into_iter().flatten().min_by_key(|sleep| sleep.at)
}

fn idle(workspace: &Workspace, used: Option<i64>) -> Option<Sleep> {
    if workspace.idle_timeout_seconds == 0 || workspace.awake.by.is_some() {
        return None;
    }
    let at = used?.saturating_add(timeout_ms(workspace)).max(workspace.awake.until.unwrap_or_default());
    Some(Sleep { at, warns_at: at.saturating_sub(warning_ms(workspace)), cause: SleepCause::Idle })
}

fn timeout_ms(workspace: &Workspace) -> i64 {
    workspace.idle_timeout_seconds.saturating_mul(1000)
}

/// How long before it is stopped its owner is warned: a tenth of the time, within bounds that leave time to act.
pub fn warning_ms(workspace: &Workspace) -> i64 {
    let timeout = timeout_ms(workspace);
    (timeout / 10).clamp(WARNING_MIN_MS, WARNING_MAX_MS).min(timeout / 2)
}

/// Whether it was stopped by itself: then it is started when somebody wants to use it.
pub fn is_asleep(workspace: &Workspace) -> bool {
    workspace.state == WorkspaceState::Stopped && was_put_to_sleep(workspace)
}

/// The same, or it is being stopped yet.
pub fn was_put_to_sleep(workspace: &Workspace) -> bool {
    let code = workspace.failure.as_ref().and_then(|failure| failure.code.as_deref());
    let is_ending = matches!(workspace.state, WorkspaceState::Stopping | WorkspaceState::Stopped);
    is_ending && matches!(code, Some(IDLE | SHUTDOWN_DEADLINE))
}

/// Why it will be stopped, or is not; times as `clock` writes them.
pub fn because(workspace: &Workspace, last: Option<&LastUse>, clock: impl Fn(i64) -> String) -> String {
    let used = last.map(|last| last.at);
    let sleep = sleep(workspace, used);
    if let Some(Sleep { at, cause: SleepCause::ShutdownDeadline, .. }) = sleep {
        return format!("its shutdown deadline is {}, whatever runs then", clock(at));
    }
    if let Some(keeper) = &workspace.awake.by {
        let (name, command) = (&keeper.terminal_name, &keeper.command);
        return match command {
            Some(command) => format!("it is kept awake until `{command}` in {name} ends"),
            None => format!("it is kept awake until {name} ends"),
        };
    }
    let quiet = last.map_or_else(String::new, |last| quiet(last, &clock));
    match workspace.awake.until.filter(|until| sleep.is_some_and(|sleep| sleep.at == *until)) {
        Some(until) => format!("it is kept awake until {}, and {quiet}", clock(until)),
        None => quiet,
    }
}

fn quiet(last: &LastUse, clock: impl Fn(i64) -> String) -> String {
    let since = clock(last.at);
    let place = last.terminal_name.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
    let what = match (last.kind, last.port) {
        (UseKind::Started, _) => format!("since it was started at {since}"),
        (UseKind::Typed, _) => format!("since {since}, when something was typed{place}"),
        (UseKind::Printed, _) => format!("since {since}, when something was printed{place}"),
        (UseKind::Computed, _) => format!("since {since}, when a program computed"),
        (UseKind::Port, Some(port)) => format!("since {since}, when port {port} was asked for something"),
        (UseKind::Port, None) => format!("since {since}"),
    };
    format!("nothing was typed, printed, computed or asked of a port {what}")
}

#[cfg(test)]
mod tests {
    use ids::{NodeId, ProjectId, UserId, WorkspaceId};

    use super::*;
    use crate::deployment::Failure;

    fn workspace(idle_timeout_seconds: i64) -> Workspace {
        Workspace {
            id: WorkspaceId::new(),
            project_id: ProjectId::new(),
            owner_id: UserId::new(),
            node_id: NodeId::new(),
            name: "shop".into(),
            branch: None,
            new_branch: None,
            state: WorkspaceState::Running,
            state_since: 0,
            attempt: 1,
            generation: 1,
            steps: "[]".into(),
            failure: None,
            memory_mb: 1024,
            idle_timeout_seconds,
            awake: Awake::default(),
            shutdown_deadline: None,
            created_at: 0,
            updated_at: 0,
        }
    }

    fn keeper() -> Keeper {
        Keeper { terminal: TerminalId::new(), terminal_name: "Terminal 1".into(), job: None, command: None }
    }

    fn planned(at: i64, warns_at: i64, cause: SleepCause) -> Option<Sleep> {
        Some(Sleep { at, warns_at, cause })
    }

    #[test]
    fn a_warning_comes_in_time() {
        for (timeout, warning) in [(2, 1_000), (20, 5_000), (600, 60_000), (86_400, 300_000)] {
            assert_eq!(warning_ms(&workspace(timeout)), warning, "{timeout}");
        }
    }

    #[test]
    fn the_sooner_of_quiet_and_deadline_counts() {
        use SleepCause::{Idle, ShutdownDeadline};
        let mut it = workspace(600);
        assert_eq!(sleep(&it, None), None);
        assert_eq!(sleep(&it, Some(1_000)), planned(601_000, 541_000, Idle));
        // Kept awake until then at least, and not less than it would be anyhow.
        it.awake.until = Some(700_000);
        assert_eq!(sleep(&it, Some(1_000)), planned(700_000, 640_000, Idle));
        assert_eq!(sleep(&it, Some(200_000)), planned(800_000, 740_000, Idle));
        it.awake.by = Some(keeper());
        assert_eq!(sleep(&it, Some(1_000)), None);
        // Nothing is stronger than a deadline.
        it.shutdown_deadline = Some(650_000);
        assert_eq!(sleep(&it, Some(1_000)), planned(650_000, 350_000, ShutdownDeadline));
        it.awake = Awake::default();
        assert_eq!(sleep(&it, Some(1_000)), planned(601_000, 541_000, Idle));
        it.idle_timeout_seconds = 0;
        assert_eq!(sleep(&it, Some(1_000)), planned(650_000, 350_000, ShutdownDeadline));
        it.state = WorkspaceState::Stopped;
        assert_eq!(sleep(&it, Some(1_000)), None);
    }

    #[test]
    fn it_says_why() {
        let clock = |at: i64| format!("{at}");
        let last = |kind| LastUse { kind, at: 7, terminal: None, terminal_name: Some("Build".into()), port: Some(80) };
        let mut it = workspace(600);
        let why = |it: &Workspace, kind| because(it, Some(&last(kind)), clock);
        let nothing = "nothing was typed, printed, computed or asked of a port since";
        assert_eq!(why(&it, UseKind::Typed), format!("{nothing} 7, when something was typed in Build"));
        assert_eq!(why(&it, UseKind::Port), format!("{nothing} 7, when port 80 was asked for something"));
        assert_eq!(why(&it, UseKind::Started), format!("{nothing} it was started at 7"));
        it.awake.until = Some(900_000);
        let kept = why(&it, UseKind::Computed);
        assert!(kept.starts_with("it is kept awake until 900000, and nothing was"), "{kept}");
        it.awake.by = Some(Keeper { command: Some("make".into()), ..keeper() });
        assert_eq!(why(&it, UseKind::Typed), "it is kept awake until `make` in Terminal 1 ends");
        it.shutdown_deadline = Some(9);
        assert_eq!(because(&it, None, clock), "its shutdown deadline is 9, whatever runs then");
    }

    #[test]
    fn only_what_was_stopped_by_itself_is_asleep() {
        let mut it = workspace(600);
        let failure = |code: &str| Some(Failure { code: Some(code.into()), ..Failure::default() });
        for (code, state, asleep) in [
            (IDLE, WorkspaceState::Stopped, true),
            (SHUTDOWN_DEADLINE, WorkspaceState::Stopped, true),
            (IDLE, WorkspaceState::Stopping, false),
            (IDLE, WorkspaceState::Deleting, false),
            ("NODE_REMOVED", WorkspaceState::Stopped, false),
        ] {
            (it.failure, it.state) = (failure(code), state);
            assert_eq!(is_asleep(&it), asleep, "{code} {state}");
        }
    }
}
