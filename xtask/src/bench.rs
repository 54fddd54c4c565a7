use anyhow::Result;

use crate::command::cargo;
use crate::{dashboard, packages};

/// Measures a release build; the bench itself is a test harness of its own, to use the same test kit.
pub(crate) fn run(rest: &[String]) -> Result<()> {
    packages::install()?;
    packages::install_peers()?;
    dashboard::build()?;
    cargo(&["bench", "--package", "nanoscale", "--bench", "main", "--"]).args(rest).run()
}
