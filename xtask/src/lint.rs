use anyhow::{Result, bail};

use crate::command::{cargo, root};
use crate::{dashboard, tidy};

pub(crate) fn run() -> Result<()> {
    tidy::check()?;
    cargo(&["fmt", "--all", "--check"]).run()?;
    cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]).run()?;
    openapi_is_fresh()?;
    dashboard::lint()
}

fn openapi_is_fresh() -> Result<()> {
    let fresh = cargo(&["run", "--quiet", "--package", "server", "--example", "openapi"]).output()?;
    if fresh != std::fs::read_to_string(root().join("docs/openapi.json"))? {
        bail!("docs/openapi.json is not what the routes say; run `cargo xtask gen`");
    }
    Ok(())
}
