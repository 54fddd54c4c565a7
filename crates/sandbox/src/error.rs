//! Why nothing was started, and how the child tells its parent.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::cgroup;

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The spec contradicts itself; the text says where.
    #[error("{0}")]
    Invalid(String),
    /// [`crate::spawn`] forks, which is only sound where no other thread can hold a lock.
    #[error("spawn called in a process with {0} threads")]
    Threads(usize),
    /// No such program, neither as a path nor in `PATH`.
    #[error("program {program} not found")]
    NotFound { program: String },
    /// The group to start in cannot be joined.
    #[error("join cgroup")]
    Cgroup(#[from] cgroup::Error),
    /// Any other step on the way. `path` is empty where the step has none.
    #[error("{}", describe(*step, path))]
    Step { step: Step, path: PathBuf, source: io::Error },
}

/// A step between the call and the started program, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Pipes, filters, everything made before the first fork.
    Prepare,
    /// The new namespaces.
    Namespaces,
    /// The interfaces of the new network namespace, or the socket that leads into it.
    Network,
    /// A mount, or a file of the new root.
    Mount,
    Terminal,
    Fork,
    JoinCgroup,
    Limits,
    Landlock,
    /// User, groups, capabilities.
    Privileges,
    WorkingDirectory,
    Seccomp,
    /// The program exists and cannot be executed; not found as the cause means that its
    /// interpreter is missing.
    Execute,
}

const STEPS: [Step; 13] = [
    Step::Prepare,
    Step::Namespaces,
    Step::Network,
    Step::Mount,
    Step::Terminal,
    Step::Fork,
    Step::JoinCgroup,
    Step::Limits,
    Step::Landlock,
    Step::Privileges,
    Step::WorkingDirectory,
    Step::Seccomp,
    Step::Execute,
];

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "prepare the start",
            Self::Namespaces => "make namespaces",
            Self::Network => "set up the network",
            Self::Mount => "mount",
            Self::Terminal => "set up the terminal",
            Self::Fork => "fork",
            Self::JoinCgroup => "join cgroup",
            Self::Limits => "set limits",
            Self::Landlock => "set up Landlock",
            Self::Privileges => "drop privileges",
            Self::WorkingDirectory => "enter",
            Self::Seccomp => "set up seccomp",
            Self::Execute => "execute",
        })
    }
}

fn describe(step: Step, path: &Path) -> String {
    if path.as_os_str().is_empty() { step.to_string() } else { format!("{step} {}", path.display()) }
}

/// A failure on the child's side, small enough to go through a pipe.
#[derive(Debug)]
pub(crate) enum Failure {
    NotFound,
    Step { step: Step, path: PathBuf, errno: Errno },
}

impl Failure {
    /// For `map_err`: what was tried, on which path.
    pub(crate) fn at(step: Step, path: impl AsRef<Path>) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::Step { step, path: path.as_ref().to_path_buf(), errno }
    }

    pub(crate) fn of(step: Step) -> impl FnOnce(Errno) -> Self {
        Self::at(step, "")
    }

    pub(crate) fn into_error(self, program: &str) -> Error {
        match self {
            Self::NotFound => Error::NotFound { program: program.to_owned() },
            Self::Step { step, path, errno } => Error::Step { step, path, source: errno.into() },
        }
    }

    /// One byte of step (255: not found), four of errno, the path.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::NotFound => vec![u8::MAX],
            Self::Step { step, path, errno } => {
                let mut bytes = vec![*step as u8];
                bytes.extend(errno.raw_os_error().to_le_bytes());
                bytes.extend(path.as_os_str().as_bytes());
                bytes
            }
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let Some((step, [a, b, c, d, path @ ..])) = bytes.split_first() else { return Self::NotFound };
        let step = STEPS.get(usize::from(*step)).copied().unwrap_or(Step::Prepare);
        let errno = Errno::from_raw_os_error(i32::from_le_bytes([*a, *b, *c, *d]));
        Self::Step { step, path: OsStr::from_bytes(path).into(), errno }
    }
}
