//! Programs that the tasks call.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

/// The repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

pub(crate) struct Command(std::process::Command);

pub(crate) fn cargo(arguments: &[&str]) -> Command {
    Command::new(env!("CARGO")).args(arguments)
}

impl Command {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = std::process::Command::new(program);
        command.current_dir(root());
        Self(command)
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: &str) -> Self {
        self.0.env(key, value);
        self
    }

    pub(crate) fn directory(mut self, directory: &Path) -> Self {
        self.0.current_dir(directory);
        self
    }

    fn name(&self) -> String {
        let words = std::iter::once(self.0.get_program()).chain(self.0.get_args());
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    /// Runs it with this terminal; anything but success is an error.
    pub(crate) fn run(mut self) -> Result<()> {
        let name = self.name();
        eprintln!("$ {name}");
        let status = self.0.status().with_context(|| format!("start `{name}`"))?;
        if !status.success() {
            bail!("`{name}` failed: {status}");
        }
        Ok(())
    }

    /// The same without a word, unless it fails.
    pub(crate) fn quiet(self) -> Result<()> {
        self.output().map(drop)
    }

    /// What it writes to standard output.
    pub(crate) fn output(mut self) -> Result<String> {
        let name = self.name();
        let output = self.0.stderr(Stdio::inherit()).output().with_context(|| format!("start `{name}`"))?;
        if !output.status.success() {
            bail!("`{name}` failed: {}", output.status);
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}
