//! Jobs that are run again and again: those of the live release's Procfile, and those set here.

use std::collections::BTreeMap;

use domain::project::Project;
use domain::run::{Due, Run, ScheduledJob, due};
use domain::user::User;
use ids::{ProcessName, RunKind};

use super::{Runs, check_command, check_timeout, live};
use crate::apps::deployments::jobs::Scheduled;
use crate::error::{Error, Result};
use crate::now_ms;

/// A schedule with what became of it.
pub(super) struct Shown {
    pub(super) scheduled: Scheduled,
    pub(super) next_run_at: Option<i64>,
    pub(super) last_run: Option<Run>,
}

const SCHEDULES_MAX: usize = 100;

impl Runs {
    pub(super) async fn schedules(&self, project: &Project) -> Result<Vec<Shown>> {
        let mut tx = self.store.read().await?;
        let scheduled = self.deployments.scheduled(&mut tx, project).await?;
        let last = tx.run_last_scheduled(&project.id).await?.into_iter().collect::<BTreeMap<_, _>>();
        let mut shown = Vec::new();
        for scheduled in scheduled {
            let last_run = tx.run_list(&project.id, Some(scheduled.name.as_str()), "~", 1).await?.pop();
            let since = last.get(scheduled.name.as_str()).copied().unwrap_or_default().max(scheduled.since);
            let next_run_at = match domain::schedule::parse(&scheduled.schedule) {
                Ok(schedule) if scheduled.is_active() => match due(&schedule, since, now_ms()) {
                    Due::Run { at } => Some(at),
                    Due::Wait { until } => until,
                    Due::Skip { .. } => schedule.next_after(now_ms()),
                },
                _ => None,
            };
            shown.push(Shown { scheduled, next_run_at, last_run });
        }
        Ok(shown)
    }

    pub(super) async fn schedule_put(&self, project: &Project, name: ProcessName, put: api::SchedulePut) -> Result<()> {
        let schedule = put.schedule.trim().to_owned();
        domain::schedule::parse(&schedule)
            .map_err(|message| Error::invalid("schedule", "INVALID_SCHEDULE", message))?;
        let job = ScheduledJob {
            project_id: project.id.clone(),
            name,
            schedule,
            command: check_command(&put.command)?,
            enabled: put.enabled,
            timeout_seconds: check_timeout(put.timeout_seconds)?,
            updated_at: now_ms(),
        };
        let mut tx = self.store.write().await?;
        let set = tx.schedule_list(&project.id).await?;
        if set.len() >= SCHEDULES_MAX && set.iter().all(|other| other.name != job.name) {
            let message = format!("a project has at most {SCHEDULES_MAX} schedules; remove one first");
            return Err(Error::conflict("TOO_MANY_SCHEDULES", message));
        }
        tx.schedule_put(&job).await?;
        tx.event_insert("project.updated", Some(&project.id), None, now_ms()).await?;
        tx.commit().await?;
        self.deployments.wake();
        Ok(())
    }

    pub(super) async fn schedule_delete(&self, project: &Project, name: &ProcessName) -> Result<()> {
        let mut tx = self.store.write().await?;
        if !tx.schedule_delete(&project.id, name).await? {
            return Err(Error::not_found("schedule"));
        }
        tx.event_insert("project.updated", Some(&project.id), None, now_ms()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Runs a schedule's command now, beside its times.
    pub(super) async fn schedule_run(&self, project: &Project, name: &ProcessName, user: &User) -> Result<Run> {
        let mut tx = self.store.write().await?;
        let scheduled = self.deployments.scheduled(&mut tx, project).await?;
        let job = scheduled.into_iter().find(|job| &job.name == name).ok_or_else(|| Error::not_found("schedule"))?;
        let live = live(&mut tx, &project.id).await?;
        let run = Run {
            name: job.name.as_str().to_owned(),
            command: job.command,
            timeout_seconds: job.timeout_seconds,
            created_by: Some(user.username.clone()),
            // Never the same as a due one, which is a whole minute.
            scheduled_for: Some(now_ms() | 1),
            ..Run::begun(&live, RunKind::Schedule, now_ms())
        };
        tx.run_insert(&run).await?;
        self.announce(&mut tx, &run).await?;
        tx.commit().await?;
        self.deployments.wake();
        Ok(run)
    }
}
