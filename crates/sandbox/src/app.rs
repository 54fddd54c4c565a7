//! The process that becomes the program: takes on its limits, gives up the rest, executes.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::ptr;

use libc::c_char;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};

use crate::error::{Error, Failure, Step};
use crate::landlock;
use crate::privileges;
use crate::seccomp::Filters;
use crate::spec::{Rlimits, Spec};
use crate::sys;
use crate::terminal;

const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// All that is made before the fork, where failing is simple.
pub(crate) struct Plan<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) program: Program,
    pub(crate) filters: Filters,
    /// `cgroup.procs` of each hierarchy to join.
    pub(crate) groups: Vec<OwnedFd>,
    pub(crate) own_root: bool,
    pub(crate) switch: bool,
}

/// Program, arguments and environment as the kernel wants them.
pub(crate) struct Program {
    candidates: Vec<CString>,
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl Program {
    pub(crate) fn new(spec: &Spec) -> Result<Self, Error> {
        let c_string = |text: String| CString::new(text).map_err(|error| Error::Invalid(error.to_string()));
        let name = spec.argv.first().map(String::as_str).unwrap_or_default();
        let path = spec.env.iter().find(|(key, _)| key == "PATH").map_or(DEFAULT_PATH, |(_, value)| value);
        let candidates = if name.contains('/') {
            vec![name.to_owned()]
        } else {
            path.split(':').filter(|dir| !dir.is_empty()).map(|dir| format!("{dir}/{name}")).collect()
        };
        Ok(Self {
            candidates: candidates.into_iter().map(c_string).collect::<Result<_, _>>()?,
            argv: spec.argv.iter().cloned().map(c_string).collect::<Result<_, _>>()?,
            env: spec.env.iter().map(|(key, value)| c_string(format!("{key}={value}"))).collect::<Result<_, _>>()?,
        })
    }

    /// Tries one path after the other, as a shell does. Returns only with a failure.
    fn execute(&self) -> Failure {
        let (argv, env) = (pointers(&self.argv), pointers(&self.env));
        let mut failure = Failure::NotFound;
        for candidate in &self.candidates {
            let errno = sys::execve(candidate, &argv, &env);
            let missing = matches!(errno, Errno::NOENT | Errno::NOTDIR);
            // A script whose interpreter is missing is reported as not found, too.
            if missing && rustix::fs::stat(candidate.as_c_str()).is_err() {
                continue;
            }
            failure = Failure::at(Step::Execute, path_of(candidate))(errno);
            if errno != Errno::ACCESS {
                break;
            }
        }
        failure
    }
}

/// The program's standard streams.
pub(crate) enum Streams {
    /// Beside `/dev/null` as its input.
    Pipes {
        stdout: OwnedFd,
        stderr: OwnedFd,
    },
    Terminal(OwnedFd),
}

// === impl Streams ===

impl Streams {
    /// Makes them this process's own, which leads a session.
    fn install(&self) -> Result<(), Failure> {
        match self {
            Self::Pipes { stdout, stderr } => {
                let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                    .map_err(Failure::at(Step::Prepare, "/dev/null"))?;
                set_stdio([null.as_fd(), stdout.as_fd(), stderr.as_fd()])
            }
            Self::Terminal(terminal) => {
                terminal::control(terminal)?;
                set_stdio([terminal.as_fd(); 3])
            }
        }
        .map_err(Failure::of(Step::Prepare))
    }
}

/// Turns this process into the program. Returns only with a failure.
pub(crate) fn become_program(plan: Plan<'_>, streams: &Streams) -> Failure {
    match confine(&plan, streams) {
        Ok(()) => plan.program.execute(),
        Err(failure) => failure,
    }
}

fn confine(plan: &Plan<'_>, streams: &Streams) -> Result<(), Failure> {
    let spec = plan.spec;
    for group in &plan.groups {
        rustix::io::write(group, b"0").map_err(Failure::of(Step::JoinCgroup))?;
    }
    rustix::process::setsid().map_err(Failure::of(Step::Prepare))?;
    streams.install()?;
    sys::close_all_on_exec().map_err(Failure::of(Step::Prepare))?;

    set_limits(&spec.limits).map_err(Failure::of(Step::Limits))?;
    rustix::process::umask(Mode::from_raw_mode(spec.umask & 0o777));
    if spec.trusted {
        rustix::process::chdir(&spec.cwd).map_err(Failure::at(Step::WorkingDirectory, &spec.cwd))?;
        sys::unblock_signals();
        return Ok(());
    }
    let ruleset = landlock::prepare(spec, plan.own_root)?;
    let identity = spec.identity.filter(|_| plan.switch);
    privileges::drop(identity).map_err(Failure::of(Step::Privileges))?;
    rustix::process::chdir(&spec.cwd).map_err(Failure::at(Step::WorkingDirectory, &spec.cwd))?;
    landlock::enforce(ruleset)?;
    plan.filters.apply().map_err(Failure::of(Step::Seccomp))?;
    sys::unblock_signals();
    Ok(())
}

fn set_stdio(fds: [BorrowedFd<'_>; 3]) -> Result<(), Errno> {
    for (fd, number) in fds.into_iter().zip(0..) {
        sys::set_stdio(fd, number)?;
    }
    Ok(())
}

fn set_limits(limits: &Rlimits) -> Result<(), Errno> {
    // A helper that core_pattern names, which the kernel runs as root on the host, is started even at 0, and not at 1 (core(5)).
    set_limit(Resource::Core, Some(limits.core.max(1)))?;
    set_limit(Resource::Fsize, limits.fsize)?;
    set_limit(Resource::Nproc, limits.nproc)?;
    set_limit(Resource::Nofile, limits.nofile)
}

fn set_limit(resource: Resource, wanted: Option<u64>) -> Result<(), Errno> {
    let Some(wanted) = wanted else { return Ok(()) };
    let inherited = rustix::process::getrlimit(resource).maximum;
    let value = inherited.map_or(wanted, |inherited| inherited.min(wanted));
    rustix::process::setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

fn path_of(candidate: &CStr) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(candidate.to_bytes()))
}
