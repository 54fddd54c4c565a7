//! From rows to what nodes shall keep running. Derived anew each time, never stored.

use std::collections::BTreeMap;

use domain::project::NetworkSettings;
use domain::user::User;
use domain::workspace::{WorkSettings, Workspace};
use ids::{NodeId, RepoUrl, WorkspaceState};
use wire::{Author, Checkout, Limits, NetworkPolicy, Remote, WorkspaceSpec};

use super::Workspaces;
use crate::error::{Error, Result};
use crate::platform::nodes::WorkspaceWishes;
use crate::platform::nodes::translated::policy;
use crate::platform::repository;

const CPU_WEIGHT: u64 = 100;
const PIDS: u64 = 4096;

impl Workspaces {
    /// Tells every node what it shall do for these workspaces.
    pub(super) async fn tell_nodes(&self, workspaces: &[Workspace]) -> Result<()> {
        let mut wishes = BTreeMap::<NodeId, WorkspaceWishes>::new();
        for workspace in workspaces {
            let wishes = wishes.entry(workspace.node_id.clone()).or_default();
            if workspace.state == WorkspaceState::Deleting {
                wishes.removed.push(workspace.id.group());
            } else if workspace.state.is_active() {
                match self.spec_of(workspace).await {
                    Ok(spec) => wishes.running.push(spec),
                    // A new one is failed with the reason. One that runs goes on with what it has.
                    Err(error) if error.is_lasting() => {
                        tracing::warn!(%error, workspace.id = %workspace.id, "a workspace cannot be described");
                        wishes.running.extend(self.nodes.wished(&workspace.node_id, &workspace.id));
                    }
                    // Nobody is told half of it.
                    Err(error) => return Err(error),
                }
            }
        }
        for node in self.nodes.ids() {
            let wishes = wishes.remove(&node).unwrap_or_default();
            self.nodes.desire_workspaces(&node, wishes);
        }
        Ok(())
    }

    /// What its node shall keep running.
    pub(super) async fn spec_of(&self, workspace: &Workspace) -> Result<WorkspaceSpec> {
        let mut tx = self.store.read().await?;
        let project = tx.project(&workspace.project_id).await?;
        let project = project.ok_or_else(|| Error::internal("a workspace's project is not there"))?;
        let owner = tx.user(&workspace.owner_id).await?;
        let owner = owner.ok_or_else(|| Error::internal("a workspace's owner is not there"))?;
        let settings = tx.work_settings(&owner.id).await?;
        let runtime = self.environment.given(&mut tx, &project.id).await?;
        let checkout = project.settings.repo_url.as_deref().map(|url| Checkout {
            remote: self.remote(url),
            branch: workspace.branch.clone(),
            new_branch: workspace.new_branch.clone(),
            directory: project.slug.clone(),
        });
        let dotfiles = settings.dotfiles_url.as_deref().map(|url| self.remote(url));
        let remotes = checkout.iter().map(|it| &it.remote).chain(&dotfiles);
        let network = self.policy(&project.runtime.network, remotes);
        Ok(WorkspaceSpec {
            id: workspace.id.clone(),
            attempt: workspace.attempt,
            generation: workspace.generation,
            checkout,
            env: runtime.env,
            files: runtime.files,
            author: self.author(&owner, &settings),
            dotfiles,
            limits: Limits {
                memory_bytes: workspace.memory_mb << 20,
                pids: PIDS,
                cpu_weight: CPU_WEIGHT,
                cpu_percent: None,
            },
            network,
            // A step that hangs ends before the whole start does: then there is a workspace to look into it.
            step_timeout_seconds: (self.config.limits.workspace_timeout * 4 / 5).as_secs().max(1),
        })
    }

    fn remote(&self, url: &str) -> Remote {
        let is_allowed = |url: RepoUrl| repository::is_allowed(&url, &self.config.git_allow_hosts);
        Remote { url: url.to_owned(), allow_private: url.parse().is_ok_and(is_allowed) }
    }

    fn author(&self, owner: &User, settings: &WorkSettings) -> Author {
        let name = settings.git_name.clone().unwrap_or_else(|| owner.username.clone());
        let email = settings.git_email.clone();
        let email = email.unwrap_or_else(|| format!("{}@{}", owner.username, self.config.base_domain.as_str()));
        Author { name, email }
    }

    /// The project's own, and the way to repositories on the machine itself: a workspace has a loopback of its own.
    fn policy<'a>(&self, settings: &NetworkSettings, remotes: impl Iterator<Item = &'a Remote>) -> NetworkPolicy {
        let NetworkPolicy { outward, mut host_ports } = policy(settings);
        let allowed = remotes.filter(|remote| remote.allow_private).filter_map(|remote| remote.url.parse().ok());
        for port in allowed.filter(is_loopback).map(|url| url.port()) {
            if !host_ports.contains(&port) {
                host_ports.push(port);
            }
        }
        NetworkPolicy { outward, host_ports }
    }
}

fn is_loopback(url: &RepoUrl) -> bool {
    url.ip().map_or_else(|| url.host() == "localhost" || url.host().ends_with(".localhost"), |ip| ip.is_loopback())
}
