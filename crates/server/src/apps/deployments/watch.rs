//! Whether there is anything to deploy: what changed in the repository since the live commit.

use domain::project::Project;
use domain::watch;
use wire::{CompareSpec, Comparison};

use super::{Deployments, live};
use crate::error::Result;

/// Characters of a commit's id that people read.
const SHORT: usize = 7;

pub(super) enum Change {
    None {
        reason: String,
    },
    /// Also where nobody can tell: a deployment too many is noticed, a missing one is not.
    Some {
        because: String,
    },
}

impl Deployments {
    /// Compares the live commit with `commit`, or with the newest one of the branch.
    pub(super) async fn change(&self, project: &Project, commit: Option<String>) -> Result<Change> {
        let live = live(&mut self.store.read().await?, &project.id).await?;
        let assumed = |why: &str| Ok(Change::Some { because: format!("taken as changed: {why}") });
        let Some(from) = live.and_then(|live| live.commit).map(|commit| commit.sha) else {
            return assumed("no commit is live to compare with");
        };
        let settings = &project.settings;
        let Some(url) = settings.repo_url.as_deref().filter(|_| !project.deleting) else {
            return assumed("there is no repository");
        };
        let root = settings.root_directory.as_deref().unwrap_or_default();
        let spec = CompareSpec {
            source: self.git_source(url, settings.branch.clone(), commit),
            from: from.clone(),
            watch_paths: settings.watch_paths.clone(),
            root_directory: root.to_owned(),
        };
        let link = self.nodes.link(&project.node_id).await?;
        let compared = link.post::<Comparison>("/v1/comparisons", &spec).await.unwrap_or_else(|error| {
            tracing::warn!(%error, project.id = %project.id, "two commits cannot be compared");
            Comparison::Unknown { reason: "its node could not compare the commits".into() }
        });
        let between = |to: &str| format!("changed between {} and {}", short(&from), short(to));
        match compared {
            Comparison::Same => Ok(Change::None { reason: format!("{} is live already", short(&from)) }),
            Comparison::Untouched { to } => {
                let nothing = watch::nothing_watched(root, &settings.watch_paths);
                Ok(Change::None { reason: format!("{nothing} {}", between(&to)) })
            }
            Comparison::Touched { to, path } => Ok(Change::Some { because: format!("`{path}` {}", between(&to)) }),
            Comparison::Unknown { reason } => assumed(&reason),
        }
    }
}

fn short(sha: &str) -> &str {
    sha.get(..SHORT).unwrap_or(sha)
}
