use anyhow::Result;

use crate::command::{cargo, target};
use crate::{dashboard, models, packages};

/// Measures a release build; the bench itself is a test harness of its own, to use the same test kit.
pub(crate) fn run(rest: &[String]) -> Result<()> {
    if rest == ["--only", "screen"] {
        return screen();
    }
    packages::install()?;
    packages::install_peers()?;
    models::install_gateways()?;
    dashboard::build()?;
    cargo(&["bench", "--package", "nanoscale", "--bench", "main", "--"]).args(rest).run()
}

/// Terminal engines beside ours. Nothing of the product is built with those, so that it is a package of its own.
fn screen() -> Result<()> {
    let (manifest, target) = ("crates/screen/peers/Cargo.toml", target().join("peers"));
    cargo(&["run", "--release", "--locked", "--manifest-path", manifest, "--target-dir"]).arg(target).run()
}
