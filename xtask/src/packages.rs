//! Debian packages of the real parts that the tests run against.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command::Command;
use crate::toolchains;

/// A file that is there when the package is, and the package.
const NEEDED: &[(&str, &str)] = &[
    ("/usr/bin/chromium", "chromium"),
    ("/usr/lib/postgresql/15/bin/postgres", "postgresql-15"),
    ("/usr/bin/git", "git"),
    ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "libfaketime"),
    // Only for promtool, which says what is wrong with /metrics.
    ("/usr/bin/promtool", "prometheus"),
    ("/usr/sbin/mkfs.ext4", "e2fsprogs"),
    ("/usr/sbin/nft", "nftables"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/bin/curl", "curl"),
    ("/usr/bin/shellcheck", "shellcheck"),
    ("/usr/sbin/nginx", "nginx-light"),
    ("/usr/bin/python3", "python3"),
    ("/usr/lib/python3.11/ensurepip/__main__.py", "python3-venv"),
    ("/usr/lib/python3/dist-packages/aiosmtpd/__init__.py", "python3-aiosmtpd"),
    ("/usr/bin/go", "golang-go"),
    ("/usr/bin/ruby", "ruby"),
    ("/usr/bin/bundle", "ruby-bundler"),
    ("/usr/bin/php", "php-cli"),
    ("/usr/bin/javac", "default-jdk-headless"),
    ("/usr/sbin/dockerd", "docker.io"),
    ("/usr/bin/docker-registry", "docker-registry"),
    ("/bin/busybox", "busybox-static"),
    // What draws screens.
    ("/usr/bin/vim", "vim"),
    ("/usr/bin/htop", "htop"),
    ("/usr/bin/top", "procps"),
    ("/usr/bin/tmux", "tmux"),
    ("/usr/bin/less", "less"),
];

/// Rust, where a sandbox finds it: rustup below a home directory is out of its sight.
const RUST: &[(&str, &str)] = &[("/usr/bin/cargo", "cargo")];

/// What `cargo xtask bench` compares with.
const PEERS: &[(&str, &str)] = &[
    ("/usr/bin/wrk", "wrk"),
    ("/usr/bin/bwrap", "bubblewrap"),
    ("/usr/bin/uwsgi", "uwsgi-core"),
    ("/usr/bin/ssh", "openssh-client"),
    ("/usr/sbin/sshd", "openssh-server"),
];

/// What `cargo xtask vm test` builds and starts its machine with.
const EMULATOR: &[(&str, &str)] = &[
    ("/usr/bin/qemu-system-x86_64", "qemu-system-x86"),
    ("/usr/bin/mmdebstrap", "mmdebstrap"),
    ("/usr/sbin/mke2fs", "e2fsprogs"),
    ("/usr/bin/objcopy", "binutils"),
];

/// What llama.cpp is built with.
const COMPILER: &[(&str, &str)] =
    &[("/usr/bin/g++", "g++"), ("/usr/bin/cmake", "cmake"), ("/usr/bin/ninja", "ninja-build")];

pub(crate) fn install() -> Result<()> {
    ensure(NEEDED)?;
    if !Path::new("/usr/local/cargo/bin/cargo").exists() {
        ensure(RUST)?;
    }
    toolchains::install()
}

pub(crate) fn install_peers() -> Result<()> {
    ensure(PEERS)?;
    toolchains::install_peers()
}

pub(crate) fn install_emulator() -> Result<()> {
    ensure(EMULATOR)
}

pub(crate) fn install_compiler() -> Result<()> {
    ensure(COMPILER)
}

fn ensure(list: &[(&str, &str)]) -> Result<()> {
    let missing = list.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, package)| *package);
    let missing = missing.collect::<Vec<_>>();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root()? {
        bail!("these packages are missing: sudo apt-get install {}", missing.join(" "));
    }
    Command::new("apt-get").args(["update", "-qq"]).run()?;
    Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(missing)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}

pub(crate) fn is_root() -> Result<bool> {
    Ok(Command::new("id").args(["-u"]).output()?.trim() == "0")
}
