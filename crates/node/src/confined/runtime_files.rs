//! A project's files, written into a workspace as its user.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use wire::RuntimeFile;

use super::StepResult;
use super::fetch::{Failed, failed};

/// Where the node puts what is to be written.
pub(crate) const RUNTIME_FILES: &str = "files.json";

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct RuntimeFilesRequest {
    /// Where relative paths begin, in the home directory.
    pub(crate) directory: String,
    pub(crate) files: Vec<RuntimeFile>,
    /// Those that the sandbox has in memory already.
    pub(crate) mounted: Vec<String>,
    /// Sentences about those that it cannot have.
    pub(crate) missing: Vec<String>,
}

pub(super) fn run() -> StepResult {
    write_all().into()
}

fn write_all() -> Result<Option<String>, Failed> {
    let problem = |error: std::io::Error| failed("FILES_FAILED", error.to_string());
    let own = std::env::var_os("NANOSCALE_DIRECTORY").map(PathBuf::from).unwrap_or_default();
    let request = std::fs::read(own.join(RUNTIME_FILES)).map_err(problem)?;
    let request = serde_json::from_slice::<RuntimeFilesRequest>(&request).map_err(|error| problem(error.into()))?;
    let home = std::env::current_dir().map_err(problem)?;
    for file in &request.files {
        let path = place(&home, &request.directory, &file.path)?;
        write(&path, file.content.as_bytes())
            .map_err(|error| failed("FILES_FAILED", format!("`{}` cannot be written: {error}", file.path)))?;
        println!("wrote {}", file.path);
    }
    for path in &request.mounted {
        println!("{path} is in memory");
    }
    for sentence in &request.missing {
        println!("{sentence}");
    }
    let counts =
        [(request.files.len(), "written"), (request.mounted.len(), "in memory"), (request.missing.len(), "left out")];
    let said = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    Ok(Some(said.collect::<Vec<_>>().join(", ")))
}

/// Where a file belongs. Its path was checked when it was stored; it is looked at again where it matters.
fn place(home: &Path, directory: &str, path: &str) -> Result<PathBuf, Failed> {
    let place = match (path.strip_prefix("~/"), Path::new(path).is_absolute()) {
        (Some(rest), _) => home.join(rest),
        (None, true) => PathBuf::from(path),
        (None, false) => home.join(directory).join(path),
    };
    let is_plain = place.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if is_plain { Ok(place) } else { Err(failed("FILES_FAILED", format!("`{path}` leads out of its directory"))) }
}

fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    // Whole or not at all, and readable by nobody else from the first byte on.
    let mut part = path.as_os_str().to_owned();
    part.push(".nanoscale-part");
    let _ = std::fs::remove_file(&part);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(content)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&part, path)
}
