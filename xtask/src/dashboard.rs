use anyhow::Result;

use crate::command::{Command, root};

pub(crate) fn npm(arguments: &[&str]) -> Result<()> {
    Command::new("npm").args(arguments).directory(&root().join("dashboard")).run()
}

/// Installs what the lock file names, unless that is what is there.
pub(crate) fn install() -> Result<()> {
    install_in("dashboard")
}

/// The browser's terminal, which the tests of screens compare with.
pub(crate) fn install_xterm() -> Result<()> {
    install_in("crates/screen/tests/xterm")
}

fn install_in(directory: &str) -> Result<()> {
    let directory = root().join(directory);
    let modified = |path: &str| directory.join(path).metadata().and_then(|metadata| metadata.modified()).ok();
    if modified("node_modules/.package-lock.json") >= modified("package-lock.json") {
        return Ok(());
    }
    Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).directory(&directory).run()
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
