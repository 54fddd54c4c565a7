//! The power fails, and the machine starts again: apps serve before anybody has looked.

use std::time::Duration;

use anyhow::{Context, Result};

use super::directory;
use super::image::Image;
use super::machine::{self, Disk};
use super::payload::{MOUNT, Payload};
use super::suite::Programs;
use crate::command::{Command, root};

/// A start of the machine and what is done in it.
const DEADLINE: Duration = Duration::from_secs(5 * 60);
const INSTALL: &str = include_str!("install.sh");

pub(super) fn run(image: &Image, programs: &Programs) -> Result<()> {
    let mut payload = Payload::new("reboot")?;
    payload.program("nanoscale", programs.find("nanoscale", "bin", "nanoscale")?)?;
    payload.program("reboot-tests", programs.find("nanoscale", "test", "reboot")?)?;
    payload.at_its_place("examples", &root().join("examples"))?;
    payload.task("before", &format!("{INSTALL}\nrun {MOUNT}/reboot-tests --exact --nocapture before\n"))?;
    payload.task("after", &format!("run {MOUNT}/reboot-tests --exact --nocapture after\n"))?;
    let drive = payload.finish()?;
    let disk = directory().join("reboot.disk");
    Command::new("cp").arg("--sparse=always").arg(&image.disk).arg(&disk).quiet()?;
    for task in ["before", "after"] {
        machine::boot(image, &Disk::Kept(&disk), &drive, task, DEADLINE)?;
    }
    std::fs::remove_file(&disk).context("remove the disk")
}
