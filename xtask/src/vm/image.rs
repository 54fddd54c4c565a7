//! The machine's disk, made once for each recipe.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::directory;
use crate::command::Command;

const SUITE: &str = "bookworm";
/// What the system, NanoScale and the tests that run there need.
const PACKAGES: &[&str] = &[
    "ca-certificates",
    "dbus",
    "git",
    "hostname",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "linux-image-cloud-amd64",
    "nftables",
    "nodejs",
    "procps",
    "python3",
    "python3-venv",
    "systemd-sysv",
    "udev",
];
/// Where this machine gets Debian's packages, so does that one.
const SOURCES: [&str; 2] = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
/// Before the kernel is installed: it then makes the small initrd that this machine needs.
const PREPARE: &str = include_str!("prepare.sh");
/// When all is installed.
const CUSTOMIZE: &str = include_str!("customize.sh");
/// More than the system takes; what is not written takes no room on the host.
const DISK: &str = "6G";

/// What a machine starts from. Never written to.
pub(super) struct Image {
    pub(super) disk: PathBuf,
    pub(super) kernel: PathBuf,
    pub(super) initrd: PathBuf,
}

/// The image of this recipe, built unless it is there.
pub(super) fn ready() -> Result<Image> {
    let name = format!("image-{:016x}", recipe());
    let path = directory().join(&name);
    if !path.is_dir() {
        remove_others(&name)?;
        let started = Instant::now();
        build(&path)?;
        eprintln!("the machine's disk was built in {:.0?}", started.elapsed());
    }
    Ok(Image { disk: path.join("disk"), kernel: path.join("kernel"), initrd: path.join("initrd") })
}

fn recipe() -> u64 {
    let mut hasher = DefaultHasher::new();
    (SUITE, PACKAGES, PREPARE, CUSTOMIZE, DISK).hash(&mut hasher);
    hasher.finish()
}

fn build(path: &Path) -> Result<()> {
    let work = path.with_extension("new");
    if work.exists() {
        std::fs::remove_dir_all(&work).context("remove what a build left")?;
    }
    std::fs::create_dir_all(&work)?;
    let root = work.join("root");
    let hook = |kind: &str, text: &str| -> Result<String> {
        let script = work.join(kind);
        std::fs::write(&script, text)?;
        Ok(format!("--{kind}-hook=sh {} \"$1\"", script.display()))
    };
    Command::new("mmdebstrap")
        .args(["--quiet", "--mode=root", "--variant=minbase"])
        .args([format!("--include={}", PACKAGES.join(",")), hook("essential", PREPARE)?, hook("customize", CUSTOMIZE)?])
        .args(["doc", "man", "locale"].map(|part| format!("--dpkgopt=path-exclude=/usr/share/{part}/*")))
        .arg(SUITE)
        .arg(&root)
        .args(SOURCES.iter().filter(|file| Path::new(file).exists()))
        .run()?;
    std::fs::copy(boot_file(&root, "vmlinuz-")?, work.join("kernel"))?;
    std::fs::copy(boot_file(&root, "initrd.img-")?, work.join("initrd"))?;
    Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).arg(&root).arg(work.join("disk")).arg(DISK).run()?;
    std::fs::remove_dir_all(&root)?;
    // Last, so that what is there under this name is whole.
    std::fs::rename(&work, path).context("name the image")
}

fn boot_file(root: &Path, prefix: &str) -> Result<PathBuf> {
    for entry in std::fs::read_dir(root.join("boot"))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            return Ok(entry.path());
        }
    }
    bail!("the kernel's package left no {prefix}* in /boot")
}

/// Images of other recipes take half a gigabyte each.
fn remove_others(name: &str) -> Result<()> {
    for entry in std::fs::read_dir(directory()).into_iter().flatten().flatten() {
        let other = entry.file_name();
        if other.to_string_lossy().starts_with("image-") && other != name {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
