//! The suite on a machine with a kernel of its own: Debian 12 with systemd and nothing but cgroup v2, emulated by qemu.
//!
//! The machine is Debian's own packages and kernel, built once; our programs come on a second drive. It has no network,
//! as no test leaves its loopback. Never KVM: what a build machine offers of it is often not whole, and an emulated
//! machine is the same everywhere.

mod image;
mod machine;
mod payload;
mod reboot;
mod selection;
mod suite;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::command::target;
use crate::packages;

/// Runs the tests in the machine: those of [`selection`] and a power failure, or those that `names` are part of.
pub(crate) fn test(names: &[String]) -> Result<()> {
    let image = image()?;
    let programs = suite::programs()?;
    let parts = suite::parts(&programs, names)?;
    suite::run(&image, &programs, &parts)?;
    if names.is_empty() { reboot::run(&image, &programs) } else { Ok(()) }
}

/// The power failure alone.
pub(crate) fn reboot() -> Result<()> {
    reboot::run(&image()?, &suite::programs()?)
}

fn image() -> Result<image::Image> {
    if !packages::is_root()? {
        bail!("the machine's disk can only be made by root");
    }
    packages::install_emulator()?;
    image::ready()
}

/// Everything of ours about machines.
fn directory() -> PathBuf {
    target().join("vm")
}
