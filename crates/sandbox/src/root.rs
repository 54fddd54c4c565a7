//! The root file system of the sandbox: the host's programs read-only, a handful of files
//! of `/etc`, own `/proc`, `/dev` and `/tmp`, and what the caller mounts. Nothing else of
//! the host has a name inside.
//!
//! Every tree is cloned and given its attributes before it is attached, so none is ever
//! visible with more rights than meant, and what is built cannot hide what is still to be
//! cloned. Targets are walked without following links, as parts of them may belong to
//! the program we are about to confine.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};

use crate::error::{Failure, Step};
use crate::files;
use crate::spec::{Access, Identity, Mount, Spec};
use crate::sys::{self, MountAttr};

pub(crate) const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
pub(crate) const NO_SUID: u64 = libc::MOUNT_ATTR_NOSUID;
pub(crate) const NO_DEV: u64 = libc::MOUNT_ATTR_NODEV;
const NO_EXEC: u64 = libc::MOUNT_ATTR_NOEXEC;

/// Where programs and libraries are. A link on the host (merged /usr) is a link inside.
pub(crate) const PROGRAMS: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs need of `/etc` and what says nothing about the host's users and services.
pub(crate) const ETC: [&str; 21] = [
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "debian_version",
    "gai.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "lsb-release",
    "maven",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "php",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "ssl",
];

/// Languages that keep configuration in `/etc` under a name with their version.
pub(crate) const ETC_PREFIXES: [&str; 2] = ["java", "python3"];

pub(crate) const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

const SHARED_MEMORY: &str = "64m";
const PRIVATE_TMP: &str = "512m";
/// Of the few thousand that all of the machine share.
const TERMINALS: &str = "256";

/// A tree of the host, cloned and not attached yet.
struct Tree {
    fd: OwnedFd,
    target: PathBuf,
}

/// Builds the root and moves the process into it. Needs a mount, a pid and a UTS
/// namespace of its own, and root.
pub(crate) fn build(spec: &Spec, identity: Identity) -> Result<(), Failure> {
    let at = |path: &'static str| Failure::at(Step::Mount, path);
    rustix::process::umask(Mode::empty());
    rustix::mount::mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE).map_err(at("/"))?;

    let mut links = Vec::new();
    let mut trees = Vec::new();
    for path in PROGRAMS.map(PathBuf::from) {
        take_system(path, &mut trees, &mut links)?;
    }
    for path in etc_paths() {
        take_system(path, &mut trees, &mut links)?;
    }
    for device in DEVICES {
        let path = Path::new("/dev").join(device);
        trees.push(take(&path, path.clone(), NO_SUID | NO_EXEC)?);
    }
    let mut own = spec.mounts.iter().map(take_mount).collect::<Result<Vec<_>, _>>()?;
    own.sort_by_key(|tree| tree.target.components().count());

    let size = format!("{}k", 4096 + files::kibibytes(&spec.files));
    let root =
        filesystem("tmpfs", &[("mode", "0755"), ("size", &size)], MountAttrFlags::MOUNT_ATTR_NODEV).map_err(at("/"))?;
    attach(&root, CWD, OsStr::new("/tmp")).map_err(at("/"))?;

    make_users(spec, identity, &root)?;
    mount_kernel_filesystems(spec, &root)?;
    for (path, destination) in links {
        let (parent, name) = parent_of(&root, &path)?;
        rustix::fs::symlinkat(&destination, &parent, name).map_err(Failure::at(Step::Mount, &path))?;
    }
    for tree in trees.into_iter().chain(own) {
        let is_dir = is_dir(&tree.fd).map_err(Failure::at(Step::Mount, &tree.target))?;
        attach_at(&tree.fd, &root, &tree.target, is_dir)?;
    }
    files::place(spec, identity, &root)?;

    rustix::process::fchdir(&root).map_err(at("/"))?;
    rustix::process::pivot_root(".", ".").map_err(at("/"))?;
    // The old root lies on top of the new one now.
    rustix::mount::unmount(".", UnmountFlags::DETACH).map_err(at("/"))?;
    rustix::process::chdir("/").map_err(at("/"))?;
    set_attributes(root.as_fd(), false, READ_ONLY | NO_SUID).map_err(at("/"))?;
    // A name that always resolves: some runtimes look up their own host name.
    rustix::system::sethostname(b"localhost").map_err(Failure::of(Step::Namespaces))
}

/// The paths of [`ETC`] and [`ETC_PREFIXES`] on this host.
pub(crate) fn etc_paths() -> Vec<PathBuf> {
    let mut paths: Vec<_> = ETC.iter().map(|name| Path::new("/etc").join(name)).collect();
    for entry in fs::read_dir("/etc").into_iter().flatten().flatten() {
        if ETC_PREFIXES.iter().any(|prefix| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes())) {
            paths.push(entry.path());
        }
    }
    paths
}

/// Takes a part of the base system, if the host has it. A link that stays within the base
/// system is kept as a link: some programs read the time zone's name off `/etc/localtime`.
fn take_system(path: PathBuf, trees: &mut Vec<Tree>, links: &mut Vec<(PathBuf, PathBuf)>) -> Result<(), Failure> {
    if let Ok(destination) = fs::read_link(&path) {
        let absolute = path.parent().unwrap_or(Path::new("/")).join(&destination);
        let within = fs::canonicalize(&path).is_ok_and(|real| real.starts_with("/usr"));
        if within && !absolute.components().any(|part| part == Component::ParentDir) {
            links.push((path, destination));
            return Ok(());
        }
    }
    if path.exists() {
        trees.push(take(&path, path.clone(), READ_ONLY | NO_SUID | NO_DEV)?);
    }
    Ok(())
}

fn take_mount(mount: &Mount) -> Result<Tree, Failure> {
    let read_only = match mount.access {
        Access::ReadOnly => READ_ONLY,
        Access::ReadWrite => 0,
    };
    take(&mount.source, mount.target.clone(), read_only | NO_SUID | NO_DEV)
}

fn take(source: &Path, target: PathBuf, attributes: u64) -> Result<Tree, Failure> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let fd = rustix::mount::open_tree(CWD, source, flags).map_err(Failure::at(Step::Mount, source))?;
    set_attributes(fd.as_fd(), true, attributes).map_err(Failure::at(Step::Mount, source))?;
    Ok(Tree { fd, target })
}

pub(crate) fn set_attributes(fd: BorrowedFd<'_>, recursive: bool, attributes: u64) -> Result<(), Errno> {
    let attr = MountAttr { set: attributes, clear: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 };
    sys::mount_setattr(fd, recursive, &attr)
}

fn mount_kernel_filesystems(spec: &Spec, root: &OwnedFd) -> Result<(), Failure> {
    let safe = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let no_exec = MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let pts = MountAttrFlags::MOUNT_ATTR_NOSUID | no_exec;
    mount(root, "/proc", "proc", &[], safe | no_exec)?;
    if !spec.mounts_on("/tmp") {
        mount(root, "/tmp", "tmpfs", &[("mode", "1777"), ("size", PRIVATE_TMP)], safe)?;
    }
    mount(root, "/dev/shm", "tmpfs", &[("mode", "1777"), ("size", SHARED_MEMORY)], safe)?;
    mount(root, "/dev/pts", "devpts", &[("mode", "0620"), ("ptmxmode", "0666"), ("max", TERMINALS)], pts)?;
    let (dev, _) = parent_of(root, Path::new("/dev/x"))?;
    for (name, destination) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        rustix::fs::symlinkat(destination, &dev, name).map_err(Failure::at(Step::Mount, "/dev"))?;
    }
    Ok(())
}

fn mount(
    root: &OwnedFd,
    target: &str,
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> Result<(), Failure> {
    let fd = filesystem(kind, options, attributes).map_err(Failure::at(Step::Mount, target))?;
    attach_at(&fd, root, Path::new(target), true)
}

fn filesystem(kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        rustix::mount::fsconfig_set_string(context.as_fd(), *key, *value)?;
    }
    rustix::mount::fsconfig_create(context.as_fd())?;
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

fn make_users(spec: &Spec, identity: Identity, root: &OwnedFd) -> Result<(), Failure> {
    let Identity { uid, gid } = identity;
    let (name, home) = (&spec.user_name, spec.home.display());
    let passwd = format!(
        "root:x:0:0:root:/:/bin/sh\n{name}:x:{uid}:{gid}::{home}:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
    );
    let group = format!("root:x:0:\n{name}:x:{gid}:\nnogroup:x:65534:\n");
    for (path, content) in [("/etc/passwd", passwd), ("/etc/group", group)] {
        let file = make_file(root, Path::new(path))?;
        fs::File::from(file)
            .write_all(content.as_bytes())
            .map_err(|error| Failure::at(Step::Mount, path)(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    }
    Ok(())
}

pub(crate) fn attach_at(tree: &OwnedFd, root: &OwnedFd, target: &Path, is_dir: bool) -> Result<(), Failure> {
    let (parent, name) = parent_of(root, target)?;
    let made = if is_dir {
        rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755))
    } else {
        rustix::fs::openat(&parent, name, NEW_FILE, Mode::from_raw_mode(0o644)).map(drop)
    };
    match made {
        Ok(()) | Err(Errno::EXIST) => attach(tree, &parent, name).map_err(Failure::at(Step::Mount, target)),
        Err(errno) => Err(Failure::at(Step::Mount, target)(errno)),
    }
}

/// Attaches without following a link in the last component.
fn attach(tree: &OwnedFd, parent: impl AsFd, name: &OsStr) -> Result<(), Errno> {
    rustix::mount::move_mount(tree.as_fd(), "", parent.as_fd(), name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

pub(crate) const NEW_FILE: OFlags = OFlags::CREATE.union(OFlags::EXCL).union(OFlags::WRONLY).union(OFlags::CLOEXEC);
pub(crate) const DIRECTORY: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn make_file(root: &OwnedFd, path: &Path) -> Result<OwnedFd, Failure> {
    let (parent, name) = parent_of(root, path)?;
    rustix::fs::openat(&parent, name, NEW_FILE, Mode::from_raw_mode(0o644)).map_err(Failure::at(Step::Mount, path))
}

/// Opens the directory `path` is in, making it where missing, and gives the last name.
pub(crate) fn parent_of<'a>(root: &OwnedFd, path: &'a Path) -> Result<(OwnedFd, &'a OsStr), Failure> {
    let failed = |errno| Failure::at(Step::Mount, path)(errno);
    let mut names: Vec<_> = path.iter().skip(1).collect();
    let last = names.pop().ok_or(Errno::INVAL).map_err(failed)?;
    let mut dir = rustix::fs::openat(root, ".", DIRECTORY, Mode::empty()).map_err(failed)?;
    for name in names {
        match rustix::fs::mkdirat(&dir, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed(errno)),
        }
        dir = rustix::fs::openat(&dir, name, DIRECTORY, Mode::empty()).map_err(failed)?;
    }
    Ok((dir, last))
}

fn is_dir(fd: &OwnedFd) -> Result<bool, Errno> {
    let stat = rustix::fs::statat(fd, "", AtFlags::EMPTY_PATH)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}
