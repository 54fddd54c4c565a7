//! Where things lie below the node's directory.

use std::io;
use std::path::{Path, PathBuf};

use ids::{DeploymentId, ProjectId};

#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// Which of a workload's two logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogKind {
    /// Fetch, install, build, and the first start.
    Build,
    /// What the process writes while it runs.
    Run,
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> io::Result<Self> {
        for directory in ["groups", "runs", "logs", "uploads"] {
            std::fs::create_dir_all(root.join(directory))?;
        }
        Ok(Self { root })
    }

    pub(crate) fn identities(&self) -> PathBuf {
        self.root.join("identities.json")
    }

    pub(crate) fn group(&self, group: &ProjectId) -> PathBuf {
        self.root.join("groups").join(group.as_str())
    }

    pub(crate) fn cache(&self, group: &ProjectId) -> PathBuf {
        self.group(group).join("cache")
    }

    pub(crate) fn releases(&self, group: &ProjectId) -> PathBuf {
        self.group(group).join("releases")
    }

    pub(crate) fn release(&self, group: &ProjectId, build: &DeploymentId) -> PathBuf {
        self.releases(group).join(build.as_str())
    }

    /// Says that a release is complete, and how to run it.
    pub(crate) fn manifest(&self, group: &ProjectId, build: &DeploymentId) -> PathBuf {
        self.releases(group).join(format!("{build}.json"))
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    pub(crate) fn run(&self, workload: &DeploymentId) -> PathBuf {
        self.runs().join(workload.as_str())
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(crate) fn group_logs(&self, group: &ProjectId) -> PathBuf {
        self.logs().join(group.as_str())
    }

    pub(crate) fn log(&self, group: &ProjectId, workload: &DeploymentId, kind: LogKind) -> PathBuf {
        let kind = match kind {
            LogKind::Build => "build",
            LogKind::Run => "run",
        };
        self.group_logs(group).join(workload.as_str()).join(kind)
    }

    pub(crate) fn upload(&self, upload: &DeploymentId) -> PathBuf {
        self.root.join("uploads").join(format!("{upload}.tar"))
    }
}

/// Removes a file or a tree; one that is not there is removed already.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let result = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Writes a file so that a reader sees the old one or the whole new one, also after a crash.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = std::fs::File::create(&part)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}
