//! Package managers and runtimes that Debian does not have, for all users of this machine.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::command::Command;
use crate::packages::is_root;

const PROGRAMS: &str = "/usr/local/bin";

/// Programs, and what npm calls their packages.
const BY_NPM: [(&str, &str); 4] = [("pnpm", "pnpm@12"), ("yarn", "yarn@1"), ("bun", "bun@1"), ("deno", "deno@2")];
const BY_PIP: [&str; 2] = ["uv", "poetry"];
/// Where those of Python live, apart from the system's packages.
const PYTHON: &str = "/usr/local/lib/nanoscale-tests";

pub(crate) fn install() -> Result<()> {
    let missing = |program: &str| !Path::new(PROGRAMS).join(program).exists();
    let by_npm = BY_NPM.iter().filter(|(program, _)| missing(program)).map(|(_, package)| *package);
    let by_npm = by_npm.collect::<Vec<_>>();
    let by_pip = BY_PIP.into_iter().filter(|program| missing(program)).collect::<Vec<_>>();
    if by_npm.is_empty() && by_pip.is_empty() {
        return Ok(());
    }
    if !is_root()? {
        bail!("these programs are missing in {PROGRAMS}: {} {}", by_npm.join(" "), by_pip.join(" "));
    }
    if !by_npm.is_empty() {
        let prefix = ["install", "--global", "--prefix", "/usr/local", "--no-audit", "--no-fund"];
        Command::new("npm").args(prefix).args(by_npm).run()?;
    }
    if !by_pip.is_empty() {
        Command::new("/usr/bin/python3").args(["-m", "venv", PYTHON]).run()?;
        let pip = format!("{PYTHON}/bin/pip");
        Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check"]).args(&by_pip).run()?;
    }
    for program in by_pip {
        let link = Path::new(PROGRAMS).join(program);
        std::os::unix::fs::symlink(format!("{PYTHON}/bin/{program}"), &link)
            .with_context(|| format!("link {}", link.display()))?;
    }
    Ok(())
}
