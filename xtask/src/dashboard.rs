use anyhow::Result;

use crate::command::{Command, root};

pub(crate) fn npm(arguments: &[&str]) -> Result<()> {
    Command::new("npm").args(arguments).directory(&root().join("dashboard")).run()
}

/// Installs what the lock file names, unless that is what is there.
pub(crate) fn install() -> Result<()> {
    let dashboard = root().join("dashboard");
    let modified = |path: &str| dashboard.join(path).metadata().and_then(|metadata| metadata.modified()).ok();
    let fresh = modified("node_modules/.package-lock.json") >= modified("package-lock.json");
    if fresh { Ok(()) } else { npm(&["ci", "--no-audit", "--no-fund"]) }
}

pub(crate) fn build() -> Result<()> {
    install()?;
    npm(&["run", "build"])
}

pub(crate) fn test() -> Result<()> {
    install()?;
    npm(&["test"])
}

pub(crate) fn lint() -> Result<()> {
    install()?;
    npm(&["run", "lint"])
}
