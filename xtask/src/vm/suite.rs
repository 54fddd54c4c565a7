//! The tests that run in the machine: the programs that cargo has compiled, as they are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::image::Image;
use super::machine::{Disk, Start};
use super::payload::{MOUNT, Payload};
use super::selection::{PARTS, Part};
use crate::command::{Command, cargo, root};

/// Ample: an emulated machine on a busy one.
const DEADLINE: Duration = Duration::from_secs(25 * 60);

/// Executables that cargo made, by package, kind (`bin`, `lib`, `test`) and name.
pub(super) struct Programs(BTreeMap<(String, String, String), PathBuf>);

impl Programs {
    pub(super) fn find(&self, package: &str, kind: &str, name: &str) -> Result<&Path> {
        let key = (package.to_owned(), kind.to_owned(), name.to_owned());
        let found = self.0.get(&key).with_context(|| format!("cargo made no {kind} {name} of {package}"))?;
        Ok(found)
    }
}

/// What is run: a part of the selection, and the names of its tests that are meant; all when there are none.
pub(super) struct Run {
    part: &'static Part,
    names: Vec<String>,
    but: &'static [&'static str],
}

/// Compiles all tests, with the very same command that runs them natively.
pub(super) fn programs() -> Result<Programs> {
    let mut found = BTreeMap::new();
    for selected in [&[][..], &["--test", "reboot"]] {
        let told = cargo(&["test", "--quiet", "--workspace", "--no-run", "--message-format=json"]);
        let told = told.args(selected).output()?;
        for line in told.lines() {
            let message = serde_json::from_str::<Value>(line).unwrap_or_default();
            let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
            let (Some(program), Some(kind), Some(name)) =
                (text("/executable"), text("/target/kind/0"), text("/target/name"))
            else {
                continue;
            };
            // The tests in the binary itself are not the binary.
            let is_test = message.pointer("/profile/test").and_then(Value::as_bool).unwrap_or_default();
            if kind == "bin" && is_test {
                continue;
            }
            let manifest = Path::new(text("/manifest_path").unwrap_or_default());
            let package = manifest.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
            found.insert((package.into_owned(), kind.to_owned(), name.to_owned()), PathBuf::from(program));
        }
    }
    Ok(Programs(found))
}

/// The selection, or of its programs all tests with one of `wanted` in their names.
pub(super) fn parts(programs: &Programs, wanted: &[String]) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for part in PARTS {
        let program = programs.find(part.package, part.kind, part.name)?;
        let listed = Command::new(program).args(["--list", "--format", "terse"]).output()?;
        let has = |name: &str| listed.lines().any(|line| line.contains(name));
        if wanted.is_empty() {
            let gone = part.tests.iter().chain(part.but).filter(|name| !has(name)).collect::<Vec<_>>();
            if !gone.is_empty() {
                bail!("xtask/src/vm/selection.rs names tests that are not there: {gone:?}");
            }
            let names = part.tests.iter().map(|name| (*name).to_owned()).collect();
            runs.push(Run { part, names, but: part.but });
        } else if wanted.iter().any(|name| has(name)) {
            runs.push(Run { part, names: wanted.to_owned(), but: &[] });
        }
    }
    if runs.is_empty() {
        bail!("no test is named so");
    }
    Ok(runs)
}

pub(super) fn run(image: &Image, programs: &Programs, runs: &[Run]) -> Result<()> {
    let mut payload = Payload::new("suite")?;
    payload.at_its_place("nanoscale", programs.find("nanoscale", "bin", "nanoscale")?)?;
    payload.at_its_place("sandbox-run", programs.find("sandbox", "bin", "sandbox-run")?)?;
    payload.at_its_place("examples", &root().join("examples"))?;
    let mut script = String::new();
    for Run { part, names, but } in runs {
        let Part { package, kind, name, env, .. } = part;
        let file = format!("{package}-{kind}-{name}");
        payload.program(&file, programs.find(package, kind, name)?)?;
        let but = but.iter().map(|name| format!("--skip {name} ")).collect::<String>();
        let env = env.iter().map(|variable| format!("{variable} ")).collect::<String>();
        writeln!(script, "run env {env}{MOUNT}/{file} {but}{}", names.join(" "))?;
    }
    payload.task("suite", &script)?;
    let started = Instant::now();
    let drive = payload.finish()?;
    let start =
        Start { image, disk: Disk::Fresh, drive: &drive, task: "suite", kernel_parameters: "", within: DEADLINE };
    let ended = start.run();
    eprintln!("the virtual machine ran its tests for {:.0?}", started.elapsed());
    ended
}
