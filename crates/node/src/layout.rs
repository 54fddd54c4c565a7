//! Where things lie below the node's directory.

mod gates;
mod trash;

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ids::{DeploymentId, ProcessName, ProjectId, TerminalId, WorkloadId};

#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// The file that marks a group of a preview.
/// How often a file is made anew that others make at the same moment.
const CREATE_TRIES: u32 = 100;
const PREVIEW: &str = "preview";

/// Which of a workload's two logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum LogKind {
    /// Fetch, install, build, and the first start.
    Build,
    /// What the process writes while it runs.
    Run,
    /// What a command that is run once writes.
    Job,
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> io::Result<Self> {
        for directory in ["groups", "runs", "logs", "uploads", "trash"] {
            std::fs::create_dir_all(root.join(directory))?;
            std::fs::set_permissions(root.join(directory), Permissions::from_mode(0o700))?;
        }
        Ok(Self { root })
    }

    /// Removes archives of which an earlier process received a part: they are sent again as a whole.
    pub(crate) fn remove_parts(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(self.uploads())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                remove_file(&path)?;
            }
        }
        Ok(())
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What the node was told last, sealed.
    pub(crate) fn saved(&self) -> PathBuf {
        self.root.join("desired.sealed")
    }

    /// Seals it.
    pub(crate) fn key(&self) -> PathBuf {
        self.root.join("node.key")
    }

    /// Sockets that lead to other nodes.
    pub(crate) fn peers(&self) -> PathBuf {
        self.root.join("peers")
    }

    pub(crate) fn identities(&self) -> PathBuf {
        self.root.join("identities.json")
    }

    pub(crate) fn group(&self, group: &ProjectId) -> PathBuf {
        self.root.join("groups").join(group.as_str())
    }

    /// Makes a group's directory and says in it that the group is only for looking at a source.
    pub(crate) fn mark_preview(&self, group: &ProjectId) -> io::Result<()> {
        std::fs::create_dir_all(self.group(group))?;
        std::fs::write(self.group(group).join(PREVIEW), "")
    }

    /// Groups that an earlier process made to look at a source, and did not come to remove.
    pub(crate) fn previews(&self) -> Vec<ProjectId> {
        let entries = std::fs::read_dir(self.root.join("groups")).into_iter().flatten().flatten();
        let previews = entries.filter(|entry| entry.path().join(PREVIEW).exists());
        previews.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok()).collect()
    }

    pub(crate) fn cache(&self, group: &ProjectId) -> PathBuf {
        self.group(group).join("cache")
    }

    /// What is known of a group's cache: beside it, where no build can write.
    pub(crate) fn cache_record(&self, group: &ProjectId) -> PathBuf {
        self.group(group).join("cache.json")
    }

    /// Every group but those that only looked at a source.
    pub(crate) fn groups(&self) -> Vec<ProjectId> {
        let entries = std::fs::read_dir(self.root.join("groups")).into_iter().flatten().flatten();
        let groups = entries.filter(|entry| !entry.path().join(PREVIEW).exists());
        groups.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok()).collect()
    }

    /// What outlives releases.
    pub(crate) fn volume(&self, group: &ProjectId, name: &ProcessName) -> PathBuf {
        self.volumes(group).join(name.as_str())
    }

    pub(crate) fn volumes(&self, group: &ProjectId) -> PathBuf {
        self.group(group).join("volumes")
    }

    /// The files of a workspace; those of another generation are not wanted any more.
    pub(crate) fn home(&self, group: &ProjectId, generation: i64) -> PathBuf {
        self.group(group).join(format!("home-{generation}"))
    }

    /// What outlives the node's process of a workspace.
    pub(crate) fn workspace(&self, group: &ProjectId) -> PathBuf {
        self.group(group).join("workspace.json")
    }

    /// When it was last used.
    pub(crate) fn workspace_use(&self, group: &ProjectId) -> PathBuf {
        self.group(group).join("used.json")
    }

    /// What its terminals have put out, also those that have ended.
    pub(crate) fn terminals(&self, group: &ProjectId) -> PathBuf {
        self.group_logs(group).join("terminals")
    }

    pub(crate) fn terminal(&self, group: &ProjectId, terminal: &TerminalId) -> PathBuf {
        self.terminals(group).join(terminal.as_str())
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

    pub(crate) fn run(&self, workload: &WorkloadId) -> PathBuf {
        self.runs().join(workload.as_str())
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(crate) fn group_logs(&self, group: &ProjectId) -> PathBuf {
        self.logs().join(group.as_str())
    }

    /// Logs of what is run once, each under the run's id.
    pub(crate) fn job_logs(&self, group: &ProjectId) -> PathBuf {
        self.group_logs(group).join("jobs")
    }

    pub(crate) fn log(&self, group: &ProjectId, workload: &WorkloadId, kind: LogKind) -> PathBuf {
        let directory = self.group_logs(group);
        match kind {
            LogKind::Build => directory.join(workload.as_str()).join("build"),
            LogKind::Run => directory.join(workload.as_str()).join("run"),
            LogKind::Job => self.job_logs(group).join(workload.as_str()),
        }
    }

    /// What the node's own program says.
    pub(crate) fn own_log(&self) -> PathBuf {
        own_log(&self.root)
    }

    pub(crate) fn upload(&self, upload: &DeploymentId) -> PathBuf {
        self.uploads().join(format!("{upload}.tar"))
    }

    pub(crate) fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }
}

/// The same, of a node's directory that may not have been made yet.
pub(crate) fn own_log(root: &Path) -> PathBuf {
    root.join("own-log")
}

/// Removes a file of this node's own; one that is not there is removed already.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Writes a file so that a reader sees the old one or the whole new one, also after a crash.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let written = write_synced(&part, bytes).and_then(|()| std::fs::rename(&part, path)).and_then(|()| sync_name(path));
    if written.is_err() {
        // A full disk is not the place for it.
        let _ = remove_file(&part);
    }
    written
}

/// Without it a name may be gone after the power was: a job whose beginning is forgotten would be run again.
fn sync_name(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(directory)?.sync_all()
}

/// A file in the place of whatever has its name: the directory may be that of somebody less trusted, so nothing that
/// lies there is followed or written to.
pub(crate) fn create_new(path: &Path, mode: u32) -> io::Result<std::fs::File> {
    let mut tries = CREATE_TRIES;
    let file = loop {
        remove_file(path)?;
        tries -= 1;
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
            // Somebody else made it in between: several processes of a workspace may be started at the same time.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries > 0 => {}
            opened => break opened?,
        }
    };
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_new(path, 0o600)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()
}
