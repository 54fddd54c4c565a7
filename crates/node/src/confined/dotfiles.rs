//! A person's own settings, from a repository of theirs.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use wire::Remote;

use super::StepResult;
use super::fetch::{Failed, failed};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DotfilesRequest {
    pub(crate) remote: Remote,
}

/// In the home directory.
const DIRECTORY: &str = ".dotfiles";
/// The first of these that is there is run; the names that others look for, too.
const SCRIPTS: [&str; 8] =
    ["install.sh", "install", "bootstrap.sh", "bootstrap", "setup.sh", "setup", "script/bootstrap", "script/setup"];

pub(super) fn run(request: &DotfilesRequest) -> StepResult {
    install(&request.remote).into()
}

fn install(remote: &Remote) -> Result<Option<String>, Failed> {
    let directory = Path::new(DIRECTORY);
    super::checkout::clone(remote, None, directory)?;
    let script = SCRIPTS.iter().find(|name| directory.join(name).is_file());
    let Some(script) = script else { return link(directory).map(Some) };
    let executable = directory.join(script).metadata().is_ok_and(|it| it.permissions().mode() & 0o111 != 0);
    if !executable {
        return Err(failed(
            "DOTFILES_FAILED",
            format!("`{script}` of the dotfiles is not executable; commit it with mode 755"),
        ));
    }
    println!("$ ~/{DIRECTORY}/{script}");
    let status = Command::new(Path::new(".").join(script)).current_dir(directory).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(Some(format!("ran {script}"))),
        Ok(status) => Err(failed("DOTFILES_FAILED", format!("`{script}` of the dotfiles failed: {status}"))),
        Err(error) => Err(failed("DOTFILES_FAILED", format!("`{script}` of the dotfiles cannot be run: {error}"))),
    }
}

/// Without a script every hidden file of theirs appears in the home directory.
fn link(directory: &Path) -> Result<String, Failed> {
    let problem = |error: std::io::Error| failed("DOTFILES_FAILED", error.to_string());
    let mut count = 0;
    for entry in std::fs::read_dir(directory).map_err(problem)? {
        let name = entry.map_err(problem)?.file_name();
        if name == ".git" || !name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let target = Path::new(&name);
        if target.is_dir() && !target.is_symlink() {
            println!("~/{} is a directory already, and stays", target.display());
            continue;
        }
        let _ = std::fs::remove_file(target);
        std::os::unix::fs::symlink(directory.join(&name), target).map_err(problem)?;
        count += 1;
    }
    Ok(format!("linked {count} files"))
}
