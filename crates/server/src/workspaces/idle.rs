//! Stops a workspace in which nothing happens, or whose deadline has come; says so beforehand, and why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::deployment::Failure;
use domain::idle::{self, LastUse, Sleep};
use domain::workspace::{Workspace, WorkspaceEvent, next};
use ids::{SleepCause, UseKind, WorkspaceId};
use store::WorkspaceChange;
use wire::WorkspaceQuiet;

use super::Workspaces;
use super::reconcile::words;
use crate::error::{Error, Result};
use crate::{now_ms, rfc3339};

/// How old what is shown may be.
const FRESH_MS: i64 = 2_000;
/// A node that does not answer within this time is asked again later.
pub(super) const ANSWER: Duration = Duration::from_secs(2);
/// How often it is looked whether a job goes on, and whether one who was warned does something.
const LOOK_MS: i64 = 2_000;
/// Times that differ by less are the same, seen twice.
const SAME_MS: i64 = 500;

/// When workspaces were last used, as far as nodes were asked, and what browsers know of it.
#[derive(Clone, Default)]
pub(super) struct Evidence(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    seen: BTreeMap<WorkspaceId, Seen>,
    told: BTreeMap<WorkspaceId, Told>,
}

struct Seen {
    /// The start that it is of.
    attempt: i64,
    asked_at: i64,
    last: LastUse,
}

#[derive(Clone, Copy)]
struct Told {
    sleep: Sleep,
    is_warned: bool,
}

// === impl Evidence ===

impl Evidence {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With when it was asked for.
    fn known(&self, workspace: &Workspace) -> Option<(LastUse, i64)> {
        let known = self.lock();
        let seen = known.seen.get(&workspace.id).filter(|seen| seen.attempt == workspace.attempt)?;
        Some((seen.last.clone(), seen.asked_at))
    }

    fn note(&self, workspace: &Workspace, last: LastUse, now: i64) -> LastUse {
        let mut known = self.lock();
        let old = known.seen.get(&workspace.id).filter(|seen| seen.attempt == workspace.attempt);
        let same = |old: &&Seen| old.last.kind == last.kind && (old.last.at - last.at).abs() < SAME_MS;
        let at = old.filter(same).map_or(last.at, |old| old.last.at);
        let last = LastUse { at, ..last };
        let seen = Seen { attempt: workspace.attempt, asked_at: now, last: last.clone() };
        known.seen.insert(workspace.id.clone(), seen);
        last
    }

    pub(super) fn forget(&self, id: &WorkspaceId) {
        let mut known = self.lock();
        known.seen.remove(id);
        known.told.remove(id);
    }

    fn untell(&self, id: &WorkspaceId) {
        self.lock().told.remove(id);
    }

    /// What browsers are to be told, if that is news: that it is about to be stopped, or will be later than they think.
    fn news(&self, workspace: &Workspace, sleep: Option<Sleep>, now: i64) -> Option<&'static str> {
        let told = &mut self.lock().told;
        let (old, is_due) = (told.get(&workspace.id).copied(), sleep.is_some_and(|sleep| sleep.warns_at <= now));
        if old.is_some_and(|old| old.sleep.warns_at > now) && !is_due {
            return None;
        }
        match sleep {
            Some(sleep) => told.insert(workspace.id.clone(), Told { sleep, is_warned: is_due }),
            None => told.remove(&workspace.id),
        };
        let is_same = |old: &Told| sleep.is_some_and(|sleep| (sleep.at - old.sleep.at).abs() < SAME_MS);
        match old {
            Some(old) if is_due => (!old.is_warned || !is_same(&old)).then_some("workspace.sleeps"),
            None if is_due => Some("workspace.sleeps"),
            Some(_) => Some("workspace.updated"),
            None => None,
        }
    }
}

impl Workspaces {
    /// What last happened in one that runs; its node is asked unless it was a moment ago.
    pub(super) async fn last_use(&self, workspace: &Workspace) -> Option<LastUse> {
        if !workspace.state.is_usable()
            || workspace.idle_timeout_seconds == 0
            || !self.nodes.is_online(&workspace.node_id)
        {
            return None;
        }
        let known = self.evidence.known(workspace);
        match known {
            Some((last, asked_at)) if asked_at + FRESH_MS > now_ms() => Some(last),
            known => self.ask_use(workspace).await.or(known.map(|(last, _)| last)),
        }
    }

    async fn ask_use(&self, workspace: &Workspace) -> Option<LastUse> {
        let ask = async {
            let link = self.nodes.link(&workspace.node_id).await?;
            link.ask::<WorkspaceQuiet>(&format!("/v1/workspaces/{}/quiet", workspace.id)).await
        };
        let quiet = match tokio::time::timeout(ANSWER, ask).await {
            Ok(Ok(quiet)) => quiet,
            Ok(Err(error)) => {
                tracing::debug!(%error, workspace.id = %workspace.id, "its node does not say what happens");
                return None;
            }
            Err(_) => return None,
        };
        let now = now_ms();
        let at = now.saturating_sub(i64::try_from(quiet.milliseconds).unwrap_or(i64::MAX));
        let last = quiet.last.filter(|_| at > workspace.state_since);
        let at = at.max(workspace.state_since);
        let last = match last {
            Some(last) => LastUse {
                kind: last.kind,
                at,
                terminal: last.terminal,
                terminal_name: last.terminal_name,
                port: last.port,
            },
            None => LastUse { kind: UseKind::Started, at, terminal: None, terminal_name: None, port: None },
        };
        Some(self.evidence.note(workspace, last, now))
    }

    /// Stops it if its time has come, and warns before that; else when to look again.
    pub(super) async fn judge_idle(&self, workspace: &Workspace) -> Result<Option<i64>> {
        if !workspace.state.is_usable() {
            self.evidence.forget(&workspace.id);
            return Ok(None);
        }
        let mut workspace = workspace.clone();
        if workspace.awake.by.is_some() && self.has_keeper_ended(&workspace).await {
            self.keep_no_longer(&mut workspace).await?;
        }
        let (now, is_kept) = (now_ms(), workspace.awake.by.is_some());
        let used = self.used_for(&workspace, now).await;
        let sleep = idle::sleep(&workspace, used);
        if let Some(sleep) = sleep.filter(|sleep| sleep.at <= now_ms()) {
            self.put_to_sleep(&workspace, sleep, used).await?;
            return Ok(None);
        }
        if let Some(kind) = self.evidence.news(&workspace, sleep, now) {
            let told = async {
                let mut tx = self.store.write().await?;
                tx.workspace_event(kind, &workspace, now).await?;
                Ok(tx.commit().await?)
            };
            // What could not be told is news the next time, too.
            told.await.inspect_err(|_: &Error| self.evidence.untell(&workspace.id))?;
        }
        let soon = now + LOOK_MS;
        Ok(match sleep {
            Some(sleep) if is_kept => Some(soon.min(sleep.at)),
            Some(sleep) if sleep.warns_at <= now => Some(soon.min(sleep.at)),
            Some(sleep) => Some(sleep.warns_at),
            None => is_kept.then_some(soon),
        })
    }

    /// When it was last used. Its node is asked before anything is said or done about that, and no sooner.
    async fn used_for(&self, workspace: &Workspace, now: i64) -> Option<i64> {
        if workspace.idle_timeout_seconds == 0 || !self.nodes.is_online(&workspace.node_id) {
            return None;
        }
        let known = self.evidence.known(workspace).map(|(last, _)| last.at);
        let is_due = idle::sleep(workspace, known).is_none_or(|sleep| sleep.warns_at <= now);
        if known.is_none() || (is_due && workspace.awake.by.is_none()) {
            return self.ask_use(workspace).await.map(|last| last.at);
        }
        known
    }

    async fn put_to_sleep(&self, workspace: &Workspace, sleep: Sleep, used: Option<i64>) -> Result<()> {
        let (code, why) = match sleep.cause {
            SleepCause::ShutdownDeadline => {
                (idle::SHUTDOWN_DEADLINE, format!("its shutdown deadline, {}, has come", clock(sleep.at)))
            }
            SleepCause::Idle => {
                let time = words(Duration::from_secs(workspace.idle_timeout_seconds.unsigned_abs()));
                let since = used.map(|used| format!(", since {}", clock(used))).unwrap_or_default();
                let what = "nothing was typed, printed, computed or asked of a port";
                (idle::IDLE, format!("{what} for {time}{since}"))
            }
        };
        let reason = format!("it was stopped, as {why}; start it to go on, its files are kept");
        let failure = Failure { code: Some(code.into()), reason, last_lines: Vec::new() };
        let mut tx = self.store.write().await?;
        let now = tx.workspace(&workspace.id).await?.filter(|it| {
            let same_wish = it.awake == workspace.awake && it.idle_timeout_seconds == workspace.idle_timeout_seconds;
            let same_start = (it.state, it.attempt) == (workspace.state, workspace.attempt);
            same_start && same_wish && it.shutdown_deadline == workspace.shutdown_deadline
        });
        // Somebody has just asked for something else: it is judged anew at once.
        let Some(now) = now else {
            self.wake.notify_one();
            return Ok(());
        };
        if let Some(to) = next(now.state, WorkspaceEvent::Stop) {
            self.move_on(&mut tx, &now, to, WorkspaceChange::Failed(&failure)).await?;
            tx.commit().await?;
            tracing::info!(workspace.id = %workspace.id, code, "a workspace was stopped by itself");
        }
        Ok(())
    }

    /// What is shown of it.
    pub(super) fn shown_idle(&self, workspace: &Workspace, last: Option<LastUse>) -> Option<api::WorkspaceIdle> {
        let sleep = idle::sleep(workspace, last.as_ref().map(|last| last.at));
        let is_kept = workspace.awake.by.is_some() && last.is_some();
        if sleep.is_none() && !is_kept {
            return None;
        }
        let because = idle::because(workspace, last.as_ref(), clock);
        let keeper = workspace.awake.by.clone().map(|keeper| api::WorkspaceKeeper {
            terminal_id: keeper.terminal,
            terminal_name: keeper.terminal_name,
            command: keeper.command,
        });
        Some(api::WorkspaceIdle {
            sleeps_at: sleep.map(|sleep| rfc3339(sleep.at)),
            warns_at: sleep.map(|sleep| rfc3339(sleep.warns_at)),
            cause: sleep.map_or(SleepCause::Idle, |sleep| sleep.cause),
            because,
            last_use: last.map(|last| api::WorkspaceUse {
                kind: last.kind,
                at: rfc3339(last.at),
                terminal_id: last.terminal,
                terminal_name: last.terminal_name,
                port: last.port,
            }),
            kept_awake_until: workspace.awake.until.filter(|until| *until > now_ms()).map(rfc3339),
            kept_awake_by: keeper,
        })
    }
}

/// `13:35 UTC`, with the day where it is another one.
fn clock(ms: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(ms) else { return String::new() };
    let is_today = (now_ms() - ms).abs() < 12 * 3600 * 1000;
    time.strftime(if is_today { "%H:%M UTC" } else { "%Y-%m-%d %H:%M UTC" }).to_string()
}
