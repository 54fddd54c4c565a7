//! What a confined process gets to see: its release, a private temporary directory, for
//! builds their group's cache, and nothing else of this machine but the system.

mod environment;

use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use ids::{DeploymentId, LogStream, ProjectId};
use sandbox::cgroup::{self, Cgroup};
use sandbox::{Access, Identity, Mount, Rlimits};
use wire::Limits;

pub(crate) use environment::PROGRAM_DIRECTORIES;
use environment::environment;

use crate::identity::{GroupIds, Identities};
use crate::layout::{self, Layout, LogKind};
use crate::log::Writer;
use crate::shim::ShimSpec;

const OPEN_FILES: u64 = 65_536;

/// Whether the process makes a release or runs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Build,
    App,
}

/// One confined process, in terms of a node.
pub(crate) struct Job<'a> {
    pub(crate) id: &'a DeploymentId,
    pub(crate) group: &'a ProjectId,
    /// Whose release directory it sees.
    pub(crate) release: &'a DeploymentId,
    pub(crate) role: Role,
    pub(crate) program: Program<'a>,
    /// Working directory, relative to the release directory.
    pub(crate) directory: &'a str,
    /// Put before PATH, relative to the release directory.
    pub(crate) path: &'a [String],
    /// The node's variables; the owner's come on top of them.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) owner_env: &'a [(String, String)],
    /// A file of the node it may read, and where it sees it.
    pub(crate) file: Option<(PathBuf, &'static str)>,
}

pub(crate) enum Program<'a> {
    Command(&'a [String]),
    /// `nanoscale internal <name> <json>`.
    Internal(&'static str, String),
}

pub(crate) struct Confine {
    pub(crate) layout: Layout,
    pub(crate) identities: Identities,
    /// This program, for its shim and its internal commands.
    pub(crate) program: PathBuf,
    pub(crate) log_max_bytes: u64,
}

impl Confine {
    fn has_namespaces() -> bool {
        nix::unistd::geteuid().is_root()
    }

    /// Where the release directory is seen from inside.
    pub(crate) fn app_dir(&self, group: &ProjectId, release: &DeploymentId) -> PathBuf {
        if Self::has_namespaces() { PathBuf::from("/app") } else { self.layout.release(group, release) }
    }

    fn tmp_dir(&self, id: &DeploymentId) -> PathBuf {
        self.layout.run(id).join("tmp")
    }

    /// A file that a confined process left in its temporary directory, if it is a plain one and not huge.
    pub(crate) fn read_result(&self, id: &DeploymentId) -> Option<Vec<u8>> {
        use std::io::Read;
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.tmp_dir(id).join(crate::confined::RESULT);
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
        let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(8 << 20).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    pub(crate) fn cgroup_name(&self, id: &DeploymentId) -> String {
        format!("{}/{id}", self.identities.cgroup_root())
    }

    /// Makes the group of processes that `id` runs in. Where the kernel gives no limits the node
    /// reports so, and goes on without.
    pub(crate) fn limit(&self, id: &DeploymentId, limits: &Limits) {
        let limits = cgroup::Limits {
            memory_bytes: Some(limits.memory_bytes),
            pids: Some(limits.pids),
            cpu_weight: Some(limits.cpu_weight),
            cpu_percent: None,
        };
        if let Err(error) = Cgroup::create(&self.cgroup_name(id), &limits) {
            tracing::debug!(%error, workload.id = %id, "no cgroup");
        }
    }

    pub(crate) fn cgroup(&self, id: &DeploymentId) -> Option<Cgroup> {
        Cgroup::open(&self.cgroup_name(id)).ok()
    }

    /// Ends every process of `id`, whatever state they are in, and removes their group.
    pub(crate) fn kill(&self, id: &DeploymentId) {
        let Some(cgroup) = self.cgroup(id) else { return };
        // Takes milliseconds, and longer where a process hangs in the kernel.
        tokio::task::block_in_place(|| {
            if let Err(error) = cgroup.kill() {
                tracing::warn!(%error, workload.id = %id, "cannot end all processes");
            }
            if let Err(error) = cgroup.remove() {
                tracing::debug!(%error, workload.id = %id, "cannot remove the cgroup");
            }
        });
    }

    /// Makes the directories of a group and of one run in it, each for its user and nobody else.
    pub(crate) fn prepare(&self, id: &DeploymentId, group: &ProjectId, role: Role, kind: LogKind) -> io::Result<()> {
        let ids = self.identities.of(group)?;
        let user = |pick: fn(GroupIds) -> u32| ids.map(pick);
        let gid = user(|ids| ids.gid);
        directory(&self.layout.group(group), 0o750, None, gid)?;
        directory(&self.layout.releases(group), 0o750, None, gid)?;
        directory(&self.layout.cache(group), 0o700, user(|ids| ids.build_uid), gid)?;
        directory(&self.layout.run(id), 0o700, user(|ids| ids.shim_uid), gid)?;
        let owner = match role {
            Role::Build => user(|ids| ids.build_uid),
            Role::App => user(|ids| ids.app_uid),
        };
        directory(&self.tmp_dir(id), 0o700, owner, gid)?;
        self.prepare_log(id, group, kind)
    }

    fn prepare_log(&self, id: &DeploymentId, group: &ProjectId, kind: LogKind) -> io::Result<()> {
        let ids = self.identities.of(group)?;
        std::fs::create_dir_all(self.layout.group_logs(group).join(id.as_str()))?;
        directory(&self.layout.log(group, id, kind), 0o700, ids.map(|ids| ids.shim_uid), ids.map(|ids| ids.gid))
    }

    /// An empty release directory for a build to fill.
    pub(crate) fn prepare_release(&self, group: &ProjectId, build: &DeploymentId) -> io::Result<()> {
        let ids = self.identities.of(group)?;
        let path = self.layout.release(group, build);
        layout::remove(&path)?;
        directory(&path, 0o750, ids.map(|ids| ids.build_uid), ids.map(|ids| ids.gid))
    }

    /// Adds lines of the node itself to one of a workload's logs.
    pub(crate) fn log(&self, id: &DeploymentId, group: &ProjectId, kind: LogKind, lines: &[String]) -> io::Result<()> {
        self.log_records(id, group, kind, lines.iter().map(|line| (LogStream::Sys, line.clone())))
    }

    pub(crate) fn log_records(
        &self,
        id: &DeploymentId,
        group: &ProjectId,
        kind: LogKind,
        records: impl Iterator<Item = (LogStream, String)>,
    ) -> io::Result<()> {
        self.prepare_log(id, group, kind)?;
        let mut writer = Writer::open(&self.layout.log(group, id, kind), self.log_max_bytes)?;
        for (stream, line) in records {
            writer.line(stream, line);
        }
        writer.flush()
    }

    /// Everything a shim needs to run `job`.
    pub(crate) fn shim_spec(&self, job: &Job<'_>, kind: LogKind) -> io::Result<ShimSpec> {
        let ids = self.identities.of(job.group)?;
        let inside = Self::has_namespaces();
        let seen = |host: PathBuf, inner: &str| if inside { PathBuf::from(inner) } else { host };
        let release = self.layout.release(job.group, job.release);
        let app = self.app_dir(job.group, job.release);
        let tmp = seen(self.tmp_dir(job.id), "/tmp");
        let cache = seen(self.layout.cache(job.group), "/cache");
        let program = seen(self.program.clone(), "/nanoscale");
        let access = match job.role {
            Role::Build => Access::ReadWrite,
            Role::App => Access::ReadOnly,
        };
        let mount = |source: PathBuf, target: &Path, access| Mount { source, target: target.to_owned(), access };
        // On /tmp also where nothing can be mounted: it says that the host's own is not meant.
        let private = mount(self.tmp_dir(job.id), Path::new("/tmp"), Access::ReadWrite);
        let mut mounts = vec![mount(release, &app, access), private];
        if job.role == Role::Build {
            mounts.push(mount(self.layout.cache(job.group), &cache, Access::ReadWrite));
        }
        if let Some((source, target)) = &job.file {
            mounts.push(mount(source.clone(), Path::new(target), Access::ReadOnly));
        }
        let argv = match &job.program {
            Program::Command(argv) => argv.to_vec(),
            Program::Internal(name, request) => {
                mounts.push(mount(self.program.clone(), &program, Access::ReadOnly));
                vec![program.display().to_string(), "internal".into(), (*name).into(), request.clone()]
            }
        };
        let uid = |role| match (ids, role) {
            (Some(ids), Role::Build) => Some(Identity { uid: ids.build_uid, gid: ids.gid }),
            (Some(ids), Role::App) => Some(Identity { uid: ids.app_uid, gid: ids.gid }),
            (None, _) => None,
        };
        Ok(ShimSpec {
            sandbox: sandbox::Spec {
                argv,
                env: environment(job, &app, &tmp, &cache),
                cwd: join(&app, job.directory),
                identity: uid(job.role),
                mounts,
                cgroup: self.cgroup(job.id).map(|_| self.cgroup_name(job.id)),
                limits: Rlimits { nofile: Some(OPEN_FILES), ..Rlimits::default() },
                // The app's user reads what the build's user wrote through their group.
                umask: 0o027,
                user_name: "app".into(),
                home: tmp,
            },
            run_dir: self.layout.run(job.id),
            log_dir: self.layout.log(job.group, job.id, kind),
            log_max_bytes: self.log_max_bytes,
            secrets: job.owner_env.to_vec(),
            identity: ids.map(|ids| Identity { uid: ids.shim_uid, gid: ids.gid }),
        })
    }
}

fn join(base: &Path, relative: &str) -> PathBuf {
    if relative.is_empty() { base.to_owned() } else { base.join(relative) }
}

/// Makes a directory, or gives one that is there this mode and these owners.
fn directory(path: &Path, mode: u32, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if uid.is_some() || gid.is_some() {
        chown(path, uid, gid)?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}
