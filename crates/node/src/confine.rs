//! What a confined process gets to see: its release, a private temporary directory, for
//! builds their group's cache, and nothing else of this machine but the system.

mod environment;
mod files;
pub(crate) mod workspace;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use ids::{DeploymentId, LogStream, ProjectId, WorkloadId};
use sandbox::cgroup::{Cgroup, OutOfMemory};
use sandbox::{Access, Identity, Mount, Network, Rlimits};
use wire::shim::Exit;
use wire::{Limits, Runtime, RuntimeFile, Volume};

pub(crate) use environment::PROGRAM_DIRECTORIES;
use environment::environment;
pub(crate) use files::files_at;

use crate::container;
use crate::groups::{Described, Groups};
use crate::identity::{GroupIds, Identities};
use crate::layout::{Layout, LogKind, create_new};
use crate::log::Writer;
use crate::shim::{Shim, ShimSpec, Waiting};

const OPEN_FILES: u64 = 65_536;

/// Whether the process makes a release or runs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Build,
    App,
}

/// One confined process, in terms of a node.
pub(crate) struct Job<'a> {
    pub(crate) id: &'a WorkloadId,
    pub(crate) group: &'a ProjectId,
    /// Whose release directory it sees.
    pub(crate) release: &'a DeploymentId,
    pub(crate) role: Role,
    pub(crate) program: Program<'a>,
    pub(crate) runtime: &'a Runtime,
    /// Variables of the node beside those of the runtime; the owner's come on top of both.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) owner_env: &'a [(String, String)],
    /// A file of the node it may read, and where it sees it.
    pub(crate) file: Option<(PathBuf, &'static str)>,
    /// The owner's.
    pub(crate) files: &'a [RuntimeFile],
    pub(crate) volumes: &'a [Volume],
    pub(crate) network: Network,
    /// The init of a sandbox to be in, instead of one of its own.
    pub(crate) inside: Option<i32>,
    /// Where its output goes.
    pub(crate) log: (&'a WorkloadId, LogKind),
}

pub(crate) enum Program<'a> {
    Command(&'a [String]),
    /// `nanoscale internal <name> <json>`.
    Internal(&'static str, String),
    /// What the runtime's image starts by itself.
    Image,
}

pub(crate) struct Confine {
    pub(crate) layout: Layout,
    pub(crate) identities: Identities,
    pub(crate) groups: Groups,
    /// This program, for its shim and its internal commands.
    pub(crate) program: PathBuf,
    pub(crate) log_max_bytes: u64,
}

impl Confine {
    pub(crate) fn has_namespaces() -> bool {
        nix::unistd::geteuid().is_root()
    }

    /// Where the release directory is seen from inside.
    pub(crate) fn app_dir(&self, group: &ProjectId, release: &DeploymentId) -> PathBuf {
        if Self::has_namespaces() { PathBuf::from("/app") } else { self.layout.release(group, release) }
    }

    fn tmp_dir(&self, id: &WorkloadId) -> PathBuf {
        self.layout.run(id).join("tmp")
    }

    /// A file that a confined process left in its temporary directory, if it is a plain one and not huge.
    pub(crate) fn read_result(&self, id: &WorkloadId) -> Option<Vec<u8>> {
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

    pub(crate) fn forget_result(&self, id: &WorkloadId) {
        let _ = std::fs::remove_file(self.tmp_dir(id).join(crate::confined::RESULT));
    }

    /// Sets what the processes may use that will run as `id`. Where the kernel gives no limits the node reports so, and goes
    /// on without.
    pub(crate) fn limit(&self, id: &WorkloadId, limits: &Limits, out_of_memory: OutOfMemory) {
        self.groups.limit(id, limits, out_of_memory);
    }

    pub(crate) fn cgroup(&self, id: &WorkloadId) -> Option<Cgroup> {
        self.groups.of(id)
    }

    /// Ends every process of `id`, whatever state they are in, and removes their group.
    pub(crate) fn kill(&self, id: &WorkloadId) {
        self.groups.kill(id);
    }

    /// Starts a process under a shim of its own; `Err` says in words why it does not run.
    pub(crate) async fn start(&self, what: &Described<'_>, mut spec: ShimSpec) -> io::Result<Result<Shim, Exit>> {
        let shim = Waiting::start(&self.program)?;
        let pid = shim.pid().ok_or_else(|| io::Error::other("the shim has ended"))?;
        if let Some(group) = self.groups.enter(what, pid).await? {
            spec.sandbox.cgroup = Some(group);
            spec.in_unit = true;
        }
        shim.tell(&spec).await
    }

    /// The same for a process that is in the group of another one, as its spec says, and has its limits: only its shim has a unit
    /// of its own, where there are units.
    pub(crate) async fn start_in(&self, what: &Described<'_>, mut spec: ShimSpec) -> io::Result<Result<Shim, Exit>> {
        let shim = Waiting::start(&self.program)?;
        let pid = shim.pid().ok_or_else(|| io::Error::other("the shim has ended"))?;
        spec.in_unit = self.groups.enter(what, pid).await?.is_some();
        shim.tell(&spec).await
    }

    /// Makes the directories of a group and of one run in it, each for its user and nobody else.
    pub(crate) fn prepare(&self, id: &WorkloadId, group: &ProjectId, role: Role) -> io::Result<()> {
        let ids = self.identities.of(group)?;
        let user = |pick: fn(GroupIds) -> u32| ids.map(pick);
        let gid = user(|ids| ids.gid);
        directory(&self.layout.group(group), 0o750, None, gid)?;
        directory(&self.layout.releases(group), 0o750, None, gid)?;
        directory(&self.layout.cache(group), 0o700, user(|ids| ids.build_uid), gid)?;
        directory(&self.layout.run(id), 0o700, user(|ids| ids.shim_uid), gid)?;
        if self.has_tmp_dir(role) {
            directory(&self.tmp_dir(id), 0o700, user(|ids| ids.build_uid), gid)?;
        }
        Ok(())
    }

    /// An app's temporary files are in memory and count as such, where it has a root of its own.
    fn has_tmp_dir(&self, role: Role) -> bool {
        role == Role::Build || !Self::has_namespaces()
    }

    /// Makes a group's volumes, each for its apps and nobody else. A container's users are whoever its image says: nobody
    /// else comes through the directory above.
    pub(crate) fn prepare_volumes(&self, group: &ProjectId, volumes: &[Volume], in_container: bool) -> io::Result<()> {
        if volumes.is_empty() {
            return Ok(());
        }
        let ids = self.identities.of(group)?;
        directory(&self.layout.volumes(group), 0o750, None, ids.map(|ids| ids.gid))?;
        for volume in volumes {
            let path = self.layout.volume(group, &volume.name);
            let mode = if in_container { 0o777 } else { 0o700 };
            directory(&path, mode, ids.map(|ids| ids.app_uid), ids.map(|ids| ids.gid))?;
        }
        Ok(())
    }

    /// A log begins with its first line: work that was cut off before it had said anything has none.
    fn prepare_log(&self, id: &WorkloadId, group: &ProjectId, kind: LogKind) -> io::Result<()> {
        let ids = self.identities.of(group)?;
        let log = self.layout.log(group, id, kind);
        std::fs::create_dir_all(log.parent().unwrap_or(&log))?;
        directory(&log, 0o700, ids.map(|ids| ids.shim_uid), ids.map(|ids| ids.gid))
    }

    /// An empty release directory for a build to fill.
    pub(crate) fn prepare_release(&self, group: &ProjectId, build: &DeploymentId) -> io::Result<()> {
        let ids = self.identities.of(group)?;
        let path = self.layout.release(group, build);
        self.layout.discard(&path)?;
        directory(&path, 0o750, ids.map(|ids| ids.build_uid), ids.map(|ids| ids.gid))
    }

    /// Adds lines of the node itself to one of a workload's logs.
    pub(crate) fn log(&self, id: &WorkloadId, group: &ProjectId, kind: LogKind, lines: &[String]) -> io::Result<()> {
        self.log_records(id, group, kind, lines.iter().map(|line| (LogStream::Sys, line.clone())))
    }

    pub(crate) fn log_records(
        &self,
        id: &WorkloadId,
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
    pub(crate) fn shim_spec(&self, job: &Job<'_>) -> io::Result<ShimSpec> {
        self.prepare_log(job.log.0, job.group, job.log.1)?;
        let ids = self.identities.of(job.group)?;
        let app = self.app_dir(job.group, job.release);
        let tmp = seen(self.tmp_dir(job.id), "/tmp");
        let cache = seen(self.layout.cache(job.group), "/cache");
        let program = seen(self.program.clone(), "/nanoscale");
        let mut mounts = self.mounts(job, &app, &cache)?;
        let mut files = Vec::new();
        let argv = match &job.program {
            Program::Command(argv) => {
                files = files_at(job.files, &tmp, &app);
                argv.to_vec()
            }
            Program::Internal(name, request) => {
                mounts.push(mount(self.program.clone(), &program, Access::ReadOnly));
                vec![program.display().to_string(), "internal".into(), (*name).into(), request.clone()]
            }
            Program::Image => return Err(io::Error::other("an image is not run in a sandbox of the node's")),
        };
        let user = |ids: GroupIds| match job.role {
            Role::Build => ids.build_uid,
            Role::App => ids.app_uid,
        };
        Ok(ShimSpec {
            sandbox: sandbox::Spec {
                argv,
                env: environment(job, &app, &tmp, &cache),
                cwd: join(&app, &job.runtime.directory),
                identity: ids.map(|ids| Identity { uid: user(ids), gid: ids.gid }),
                trusted: false,
                mounts,
                files,
                network: job.network.clone(),
                join: job.inside,
                cgroup: self.cgroup(job.id).map(|group| group.name().to_owned()),
                terminal: None,
                limits: Rlimits { nofile: Some(OPEN_FILES), ..Rlimits::default() },
                // The app's user reads what the build's user wrote through their group.
                umask: 0o027,
                user_name: "app".into(),
                home: tmp,
            },
            run_dir: self.layout.run(job.id),
            log_dir: self.layout.log(job.group, job.log.0, job.log.1),
            log_max_bytes: self.log_max_bytes,
            secrets: job.owner_env.to_vec(),
            identity: ids.map(|ids| Identity { uid: ids.shim_uid, gid: ids.gid }),
            in_unit: false,
            yields: false,
        })
    }

    /// The same for what runs in a container: the shim's process is the one that looks after it, which is no project's.
    pub(crate) fn container_spec(&self, job: &Job<'_>, request: &container::Request) -> io::Result<ShimSpec> {
        self.prepare_log(job.log.0, job.group, job.log.1)?;
        let ids = self.identities.of(job.group)?;
        let run_dir = self.layout.run(job.id);
        container::Seen::default().write(&run_dir)?;
        // What joins a container finds the files that are there.
        if !job.files.is_empty() && matches!(request.what, container::What::Run(_)) {
            files::write_private(&run_dir, container::FILES, &serde_json::to_string(job.files)?)?;
        }
        let request = serde_json::to_string(request)?;
        let variable = |(key, value): (String, String)| (format!("{}{key}", container::VARIABLE), value);
        // The node's last, as where it is probed is not the owner's to say.
        let env = job.runtime.env.iter().chain(job.owner_env).cloned().chain(job.env.iter().cloned());
        let env = env.collect::<BTreeMap<_, _>>();
        Ok(ShimSpec {
            sandbox: sandbox::Spec {
                argv: vec![self.program.display().to_string(), "internal".into(), "container".into(), request],
                env: env.into_iter().map(variable).collect(),
                cwd: run_dir.clone(),
                identity: None,
                trusted: true,
                mounts: Vec::new(),
                files: Vec::new(),
                network: Network::Host,
                join: None,
                cgroup: self.cgroup(job.id).map(|group| group.name().to_owned()),
                terminal: None,
                limits: Rlimits { nofile: Some(OPEN_FILES), ..Rlimits::default() },
                umask: 0o077,
                user_name: "root".into(),
                home: "/".into(),
            },
            run_dir,
            log_dir: self.layout.log(job.group, job.log.0, job.log.1),
            log_max_bytes: self.log_max_bytes,
            secrets: job.owner_env.to_vec(),
            identity: ids.map(|ids| Identity { uid: ids.shim_uid, gid: ids.gid }),
            in_unit: false,
            yields: false,
        })
    }

    fn mounts(&self, job: &Job<'_>, app: &Path, cache: &Path) -> io::Result<Vec<Mount>> {
        let access = match job.role {
            Role::Build => Access::ReadWrite,
            Role::App => Access::ReadOnly,
        };
        let mut mounts = vec![mount(self.layout.release(job.group, job.release), app, access)];
        if self.has_tmp_dir(job.role) {
            // On /tmp also where nothing can be mounted: it says that the host's own is not meant.
            mounts.push(mount(self.tmp_dir(job.id), Path::new("/tmp"), Access::ReadWrite));
        }
        if job.role == Role::Build {
            mounts.push(mount(self.layout.cache(job.group), cache, Access::ReadWrite));
        }
        for volume in job.volumes {
            let source = self.layout.volume(job.group, &volume.name);
            mounts.push(mount(source, Path::new(&volume.path), Access::ReadWrite));
        }
        if let Some((source, target)) = &job.file {
            mounts.push(mount(source.clone(), Path::new(target), Access::ReadOnly));
        }
        if let Network::Own { link: Some(_), .. } = &job.network {
            mounts.push(mount(self.write_resolvers(job.id)?, Path::new("/etc/resolv.conf"), Access::ReadOnly));
        }
        Ok(mounts)
    }

    /// The resolvers that can be reached from a network of one's own; the host's may be a stub on its loopback.
    fn write_resolvers(&self, id: &WorkloadId) -> io::Result<PathBuf> {
        let path = self.layout.run(id).join("resolv.conf");
        let lines =
            crate::network::resolvers().iter().map(|address| format!("nameserver {address}\n")).collect::<String>();
        std::io::Write::write_all(&mut create_new(&path, 0o644)?, lines.as_bytes())?;
        Ok(path)
    }
}

/// Where a confined process finds what lies at `host`.
fn seen(host: PathBuf, inside: &str) -> PathBuf {
    if Confine::has_namespaces() { PathBuf::from(inside) } else { host }
}

fn mount(source: PathBuf, target: &Path, access: Access) -> Mount {
    Mount { source, target: target.to_owned(), access }
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
