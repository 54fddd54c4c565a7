//! What to run and how confined, as plain data.

use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::network::PORTS;

/// One process to run. It has the environment, the mounts and the user given here and
/// nothing of its caller's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Program and arguments. A program without `/` is looked up in the `PATH` of `env`,
    /// inside the sandbox.
    pub argv: Vec<String>,
    /// The complete environment.
    pub env: Vec<(String, String)>,
    /// Working directory, as the process sees it.
    pub cwd: PathBuf,
    /// Who the process runs as. `None`, or a caller that is not root: as the caller, and
    /// without namespaces and mounts.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// The caller's own program: it keeps the caller's user and rights, and is only put into its group, with pipes for
    /// its output. It has neither namespaces nor filters, so `identity` and `join` have no place beside it.
    #[serde(default)]
    pub trusted: bool,
    /// What the process sees beside the base system, parents before their children.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Files that are made for the process, in memory, over whatever lies there. Without namespaces there are none.
    #[serde(default)]
    pub files: Vec<File>,
    #[serde(default)]
    pub network: Network,
    /// Runs in the namespaces of the sandbox with this init ([`crate::Child::pid`]), which must live.
    /// `mounts` and `network` are then that one's, and only say what the process may use.
    #[serde(default)]
    pub join: Option<i32>,
    /// Name of a group made by [`crate::cgroup::Cgroup::create`] to be in from the start.
    #[serde(default)]
    pub cgroup: Option<String>,
    /// A terminal of this size is its input and output, and controls its session; else pipes are, and no input.
    #[serde(default)]
    pub terminal: Option<WindowSize>,
    #[serde(default)]
    pub limits: Rlimits,
    #[serde(default = "default_umask")]
    pub umask: u32,
    /// Name of the user in the sandbox's own `/etc/passwd`.
    pub user_name: String,
    /// Home directory of that user, as the process sees it.
    pub home: PathBuf,
}

/// Of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    pub rows: u16,
    pub columns: u16,
}

/// Numeric user and group. They need no entry in any passwd file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Never 0.
    pub uid: u32,
    /// Never 0.
    pub gid: u32,
}

/// A directory or file of the host the process may see.
///
/// Without namespaces nothing is mounted: `source` itself is then what the process may
/// use, and `target` says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// On the host. Symbolic links in it are followed, so no component may be under the
    /// control of somebody less trusted than the caller.
    pub source: PathBuf,
    /// Absolute, inside. Missing directories on the way are made.
    pub target: PathBuf,
    pub access: Access,
}

/// A file that belongs to the process's user, and that nobody else reads.
///
/// In the sandbox's own `/tmp` it is an ordinary one. Elsewhere it is mounted and cannot be changed; where a read-only
/// mount lies around it, that needs a file in the same place.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Absolute, inside. Missing directories on the way are made.
    pub target: PathBuf,
    pub content: String,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("target", &self.target).finish_non_exhaustive()
    }
}

/// What the process may do below a mount, beside what file permissions say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read and execute.
    ReadOnly,
    /// Read, execute, change.
    ReadWrite,
}

/// The network a process is in. A namespace of its own needs an identity and root, like all
/// namespaces; without them the process is in its caller's network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// The caller's.
    #[default]
    Host,
    /// One of its own, with a loopback interface that nobody shares.
    Own {
        /// Where to make a Unix socket that gives out TCP sockets of the namespace: whoever
        /// connects to it receives one byte and, by `SCM_RIGHTS`, an unconnected IPv4 socket,
        /// an IPv6 one where the kernel has it, and the listening sockets of `ports`. At most
        /// 107 bytes long.
        #[serde(default)]
        sockets: Option<PathBuf>,
        /// Ports of the loopback that somebody outside answers for: they listen before the
        /// program starts, and queue connections until they are accepted. At most 16.
        #[serde(default)]
        ports: Vec<u16>,
        /// The way out. Without one there is none.
        #[serde(default)]
        link: Option<Link>,
    },
}

/// A pair of interfaces between the caller's network and the process's own. What may pass is
/// for the caller's packet filter to say, by `name`; it has to forward and translate, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The caller's end, at most 15 bytes; one that has this name already is replaced.
    pub name: String,
    /// What the process sends goes to; nobody has this address, and nobody may.
    pub gateway: Ipv4Addr,
    /// The process gets a free address of this network.
    pub network: Ipv4Addr,
    /// Length of the network's prefix, 8 to 30.
    pub prefix: u8,
}

impl Link {
    /// The address in the network that `number` leads to.
    pub(crate) fn address(&self, number: u32) -> Ipv4Addr {
        let mask = u32::MAX >> self.prefix;
        Ipv4Addr::from_bits((self.network.to_bits() & !mask) | (number & mask))
    }

    fn check(&self) -> Result<(), Error> {
        let name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if self.name.is_empty() || self.name.len() > 15 || !self.name.bytes().all(name_byte) {
            return Err(Error::Invalid(format!("{:?} cannot be the name of an interface", self.name)));
        }
        if !(8..=30).contains(&self.prefix) {
            return Err(Error::Invalid(format!("a network with a prefix of {} bits is no range", self.prefix)));
        }
        Ok(())
    }
}

/// Resource limits, soft and hard alike, lowered to the inherited hard limit where that
/// is smaller. `None` leaves what was inherited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rlimits {
    /// Highest number of open files.
    pub nofile: Option<u64>,
    /// Largest core dump in bytes.
    pub core: u64,
    /// Largest file written, in bytes.
    pub fsize: Option<u64>,
    /// Most processes and threads of the user id on the whole host. Meant for callers
    /// without cgroups.
    pub nproc: Option<u64>,
}

fn default_umask() -> u32 {
    0o022
}

impl Spec {
    /// Refuses what would make a wrong `/etc/passwd`, path or argument, before anything is started.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |text: String| Err(Error::Invalid(text));
        if self.argv.first().is_none_or(String::is_empty) {
            return invalid("argv names no program".into());
        }
        if let Some(argument) = self.argv.iter().find(|argument| argument.contains('\0')) {
            return invalid(format!("argument {argument:?} has a NUL byte"));
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return invalid(format!("environment variable {name:?} cannot be passed on"));
            }
        }
        if self.identity.is_some_and(|identity| identity.uid == 0 || identity.gid == 0) {
            return invalid("identity is root".into());
        }
        if self.trusted
            && (self.identity.is_some()
                || self.join.is_some()
                || self.terminal.is_some()
                || self.network != Network::Host)
        {
            return invalid("a trusted program has nothing of a sandbox's".into());
        }
        let name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if self.user_name.is_empty() || !self.user_name.bytes().all(name_byte) {
            return invalid(format!("user name {:?} has other than letters, digits, _, - and .", self.user_name));
        }
        if self.home.to_string_lossy().contains([':', '\n']) {
            return invalid(format!("home {:?} cannot be in /etc/passwd", self.home));
        }
        let targets = self.mounts.iter().map(|mount| &mount.target).chain(self.files.iter().map(|file| &file.target));
        for path in targets.chain([&self.cwd, &self.home]) {
            if !is_plain(path) {
                return invalid(format!("path {path:?} is not absolute and plain"));
            }
        }
        if let Network::Own { link, ports, .. } = &self.network {
            if ports.len() > PORTS {
                return invalid(format!("{} ports are more than {PORTS}", ports.len()));
            }
            link.as_ref().map_or(Ok(()), Link::check)?;
        }
        if self.files.iter().any(|file| file.target.parent().is_none()) {
            return invalid("a file cannot be `/`".into());
        }
        match self.mounts.iter().find(|mount| mount.target == Path::new("/") || !mount.source.is_absolute()) {
            Some(mount) => invalid(format!("mount of {:?} on {:?} is not possible", mount.source, mount.target)),
            None => Ok(()),
        }
    }

    pub(crate) fn mounts_on(&self, target: &str) -> bool {
        self.mounts.iter().any(|mount| mount.target == Path::new(target))
    }
}

fn is_plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}
