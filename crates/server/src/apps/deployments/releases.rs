//! The releases that a project keeps: which there are, which stay.

use domain::deployment::Deployment;
use domain::project::Project;
use domain::release::{PINNED_MAX, Release, forgotten};
use ids::ReleaseId;
use store::Tx;

use super::desired::Held;
use super::{Deployments, live, refuse_deleting};
use crate::error::{Error, Result};
use crate::now_ms;

/// A release with the deployment that built it.
pub(super) struct Kept {
    pub(super) release: Release,
    pub(super) built_by: Deployment,
    pub(super) live: bool,
}

impl Deployments {
    /// Newest first.
    pub(super) async fn releases(&self, project: &Project) -> Result<Vec<Kept>> {
        let mut tx = self.store.read().await?;
        let live = live(&mut tx, &project.id).await?.and_then(|live| live.release_id);
        let mut builders = tx.deployment_of_releases(&project.id).await?;
        let releases = tx.release_list(&project.id).await?;
        let kept = releases.into_iter().filter_map(|release| {
            let built_by = builders.iter().position(|it| it.id == release.deployment_id)?;
            let live = Some(&release.id) == live.as_ref();
            Some(Kept { release, built_by: builders.swap_remove(built_by), live })
        });
        Ok(kept.collect())
    }

    /// How many releases of a project stay, beside those that are live or pinned.
    pub(super) fn releases_kept(&self, project: &Project) -> usize {
        let of_project = project.settings.releases_kept.and_then(|count| usize::try_from(count).ok());
        of_project.unwrap_or(self.config.limits.releases_kept)
    }

    /// Keeps a release whatever its age, or no longer. One that is too old by then goes when the next deployment is live.
    pub(super) async fn release_pin(&self, id: &ReleaseId, pinned: bool) -> Result<()> {
        let mut tx = self.store.write().await?;
        let release = tx.release(id).await?.ok_or_else(|| Error::not_found("release"))?;
        if release.pinned == pinned {
            return Ok(());
        }
        let project = &release.project_id;
        refuse_deleting(&mut tx, project).await?;
        if pinned && tx.release_list(project).await?.iter().filter(|other| other.pinned).count() >= PINNED_MAX {
            let message = format!("a project has at most {PINNED_MAX} pinned releases; unpin one first");
            return Err(Error::conflict("TOO_MANY_PINNED", message));
        }
        tx.release_pin(id, pinned).await?;
        tx.event_insert("project.updated", Some(project), None, now_ms()).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps the newest releases, those in use and those that are pinned.
    pub(super) async fn forget_old_releases(&self, tx: &mut Tx, held: &Held, live: &Deployment) -> Result<()> {
        let releases = tx.release_list(&held.project.id).await?;
        let in_use = |release: &Release| {
            Some(&release.id) == live.release_id.as_ref()
                || held.runs.iter().any(|run| run.release_id.as_ref() == Some(&release.id))
        };
        for release in forgotten(&releases, self.releases_kept(&held.project), in_use) {
            tx.release_delete(&release.id).await?;
        }
        Ok(())
    }
}
