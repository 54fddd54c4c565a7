//! The drive with our programs, tests and what to do with them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::directory;
use crate::command::Command;

/// Where the machine has the drive.
pub(super) const MOUNT: &str = "/vm";
const RUN: &str = include_str!("run.sh");
/// Room on the drive for its file system itself.
const SPARE_BYTES: u64 = 64 << 20;

/// What will be on a drive.
pub(super) struct Payload {
    directory: PathBuf,
    links: String,
}

impl Payload {
    pub(super) fn new(name: &str) -> Result<Self> {
        let directory = directory().join(name);
        if directory.exists() {
            std::fs::remove_dir_all(&directory).context("remove the last drive's files")?;
        }
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join("run.sh"), RUN)?;
        Ok(Self { directory, links: String::new() })
    }

    /// A program under this name, without what only a debugger reads.
    pub(super) fn program(&self, name: &str, program: &Path) -> Result<()> {
        let copy = self.directory.join(name);
        Command::new("objcopy").arg("--strip-debug").arg(program).arg(copy).quiet()
    }

    pub(super) fn directory(&self, name: &str, path: &Path) -> Result<()> {
        Command::new("cp").arg("-a").arg(path).arg(self.directory.join(name)).quiet()
    }

    /// A file or directory, which will also be at its own path: compiled tests have that in them.
    pub(super) fn at_its_place(&mut self, name: &str, path: &Path) -> Result<()> {
        if path.is_dir() {
            self.directory(name, path)?;
        } else {
            self.program(name, path)?;
        }
        writeln!(self.links, "{MOUNT}/{name} {}", path.display())?;
        Ok(())
    }

    /// What the machine does when it is started for this task, in the words of its shell.
    pub(super) fn task(&self, task: &str, script: &str) -> Result<()> {
        std::fs::write(self.directory.join(task), script).with_context(|| format!("write the task {task}"))
    }

    /// Makes the drive.
    pub(super) fn finish(self) -> Result<PathBuf> {
        std::fs::write(self.directory.join("links"), &self.links)?;
        let drive = self.directory.with_extension("drive");
        let _ = std::fs::remove_file(&drive);
        let size = Command::new("du").args(["-sb"]).arg(&self.directory).output()?;
        let bytes = size.split_whitespace().next().context("its size")?.parse::<u64>()?;
        let megabytes = format!("{}M", (bytes + bytes / 10 + SPARE_BYTES) >> 20);
        Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-d"])
            .arg(&self.directory)
            .arg(&drive)
            .arg(megabytes)
            .quiet()?;
        std::fs::remove_dir_all(&self.directory)?;
        Ok(drive)
    }
}
