//! The power fails, and the machine starts again: apps serve before anybody has looked.

use std::time::Duration;

use anyhow::{Context, Result};

use super::directory;
use super::image::Image;
use super::machine::{Disk, Start};
use super::payload::{MOUNT, Payload};
use super::suite::Programs;
use crate::command::{Command, root};

/// A start of the machine and what is done in it.
const DEADLINE: Duration = Duration::from_secs(5 * 60);
const INSTALL: &str = include_str!("install.sh");
/// What the services said, if a test failed.
const TELL: &str = "[ $failed = 0 ] || journalctl --no-pager --output=short-monotonic --unit='nanoscale-*' | grep -v NODE_OFFLINE | tail -60";

pub(super) fn run(image: &Image, programs: &Programs) -> Result<()> {
    let mut payload = Payload::new("reboot")?;
    payload.program("nanoscale", programs.find("nanoscale", "bin", "nanoscale")?)?;
    payload.program("reboot-tests", programs.find("nanoscale", "test", "reboot")?)?;
    payload.directory("systemd", &root().join("packaging/systemd"))?;
    payload.directory("modules-load.d", &root().join("packaging/modules-load.d"))?;
    payload.at_its_place("examples", &root().join("examples"))?;
    let test = |name| format!("run {MOUNT}/reboot-tests --exact --nocapture {name}\n{TELL}\n");
    payload.task("before", &format!("{INSTALL}\n{}", test("before")))?;
    payload.task("after", &test("after"))?;
    let drive = payload.finish()?;
    let kept = directory().join("reboot.disk");
    Command::new("cp").arg("--sparse=always").arg(&image.disk).arg(&kept).quiet()?;
    // The server is not there when the power is back.
    for (task, kernel_parameters) in [("before", ""), ("after", "systemd.mask=nanoscale-server.service")] {
        let disk = Disk::Kept(&kept);
        Start { image, disk, drive: &drive, task, kernel_parameters, within: DEADLINE }.run()?;
        // What it wrote last goes to the real disk now, and not while the next start reads from there.
        std::fs::File::open(&kept).and_then(|file| file.sync_all()).context("write the disk")?;
    }
    std::fs::remove_file(&kept).context("remove the disk")
}
