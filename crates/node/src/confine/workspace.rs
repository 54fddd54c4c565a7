//! The processes of a workspace: one that holds its sandbox, and those that join it.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use ids::{TerminalId, WorkloadId, WorkspaceId};
use sandbox::{Access, Identity, Mount, Network, Rlimits, WindowSize};
use wire::{RuntimeFile, WorkspaceSpec};

use super::files::{cannot_be_mounted, elsewhere};
use super::{Confine, OPEN_FILES, PROGRAM_DIRECTORIES, directory, mount, seen};
use crate::confined::{RUNTIME_FILES, RuntimeFilesRequest};
use crate::layout::{LogKind, create_new};
use crate::shim::ShimSpec;

/// Its user's name, inside.
pub(crate) const USER: &str = "dev";
const HOME: &str = "/home/dev";
/// What the node puts there for its processes to read: settings for git, a way to ask the node.
const OWN: &str = "/run/nanoscale";
/// Below [`OWN`].
pub(crate) const GIT_CONFIG: &str = "gitconfig";

/// One process of a workspace.
pub(crate) enum Inside {
    /// The first one, whose sandbox the others join.
    Holder { network: Network },
    /// Our own program as the workspace's user, which says what it does in the workspace's log.
    Step { name: &'static str, request: String, init: i32 },
    /// A shell, or what somebody wants instead, with a terminal.
    Terminal { id: TerminalId, argv: Vec<String>, directory: PathBuf, size: WindowSize, init: i32 },
}

impl Inside {
    pub(crate) fn id(&self, workspace: &WorkspaceId) -> WorkloadId {
        match self {
            Self::Holder { .. } => WorkloadId::from(workspace),
            // Both names are well formed.
            Self::Step { name, .. } => WorkloadId::step(workspace, name),
            Self::Terminal { id, .. } => WorkloadId::terminal(workspace, id),
        }
    }
}

impl Confine {
    /// Where its files are, seen from inside.
    pub(crate) fn workspace_home(&self, spec: &WorkspaceSpec) -> PathBuf {
        seen(self.layout.home(&spec.id.group(), spec.generation), HOME)
    }

    /// Makes the directories of a workspace. Whether its home is new.
    pub(crate) fn prepare_workspace(&self, spec: &WorkspaceSpec) -> io::Result<bool> {
        let group = spec.id.group();
        let ids = self.identities.of(&group)?;
        let (app, gid) = (ids.map(|ids| ids.app_uid), ids.map(|ids| ids.gid));
        directory(&self.layout.group(&group), 0o750, None, gid)?;
        let home = self.layout.home(&group, spec.generation);
        let is_new = !home.exists();
        directory(&home, 0o700, app, gid)?;
        if is_new {
            for (name, text) in [(".bashrc", BASHRC), (".profile", PROFILE)] {
                let path = home.join(name);
                io::Write::write_all(&mut create_new(&path, 0o644)?, text.as_bytes())?;
                chown(&path, app, gid)?;
            }
        }
        Ok(is_new)
    }

    /// Makes what a process needs before it is started.
    pub(crate) fn prepare_inside(&self, spec: &WorkspaceSpec, inside: &Inside) -> io::Result<()> {
        let group = spec.id.group();
        let ids = self.identities.of(&group)?;
        let gid = ids.map(|ids| ids.gid);
        directory(&self.layout.run(&inside.id(&spec.id)), 0o700, ids.map(|ids| ids.shim_uid), gid)?;
        if let Inside::Holder { .. } = inside {
            directory(&self.own_dir(&spec.id), 0o755, None, gid)?;
            directory(&self.tmp_dir(&WorkloadId::from(&spec.id)), 0o700, ids.map(|ids| ids.app_uid), gid)?;
            self.write_git_config(spec)?;
        }
        match inside {
            Inside::Holder { .. } | Inside::Step { .. } => {
                self.prepare_log(&WorkloadId::from(&spec.id), &group, LogKind::Job)
            }
            Inside::Terminal { id, .. } => {
                let path = self.layout.terminal(&group, id);
                std::fs::create_dir_all(self.layout.terminals(&group))?;
                directory(&path, 0o700, ids.map(|ids| ids.shim_uid), gid)
            }
        }
    }

    /// On the host: what [`OWN`] shows.
    pub(crate) fn own_dir(&self, workspace: &WorkspaceId) -> PathBuf {
        self.layout.run(&WorkloadId::from(workspace)).join("own")
    }

    /// Everything a shim needs to run it.
    pub(crate) fn workspace_spec(&self, spec: &WorkspaceSpec, inside: &Inside) -> io::Result<ShimSpec> {
        let group = spec.id.group();
        let holder = WorkloadId::from(&spec.id);
        let ids = self.identities.of(&group)?;
        let home = self.workspace_home(spec);
        let tmp = seen(self.tmp_dir(&holder), "/tmp");
        let program = seen(self.program.clone(), "/nanoscale");
        let internal = |name: &str, request: &str| {
            vec![program.display().to_string(), "internal".into(), name.to_owned(), request.to_owned()]
        };
        let job_log = || self.layout.log(&group, &holder, LogKind::Job);
        let (argv, cwd, terminal, network, init, log_dir) = match inside {
            Inside::Holder { network } => (internal("hold", ""), home.clone(), None, network.clone(), None, job_log()),
            Inside::Step { name, request, init } => {
                (internal(name, request), home.clone(), None, Network::Host, Some(*init), job_log())
            }
            Inside::Terminal { id, argv, directory, size, init } => {
                let log = self.layout.terminal(&group, id);
                (argv.clone(), directory.clone(), Some(*size), Network::Host, Some(*init), log)
            }
        };
        Ok(ShimSpec {
            sandbox: sandbox::Spec {
                argv,
                env: self.workspace_env(spec, &home, &tmp),
                cwd,
                identity: ids.map(|ids| Identity { uid: ids.app_uid, gid: ids.gid }),
                trusted: false,
                mounts: self.workspace_mounts(spec, &home, &program)?,
                network,
                join: init,
                // All in one: what they may use is the workspace's.
                cgroup: self.cgroup(&holder).map(|group| group.name().to_owned()),
                terminal,
                files: match inside {
                    Inside::Holder { .. } => self.mounted_files(spec),
                    // They find what the holder has.
                    Inside::Step { .. } | Inside::Terminal { .. } => Vec::new(),
                },
                limits: Rlimits { nofile: Some(OPEN_FILES), ..Rlimits::default() },
                umask: 0o022,
                user_name: USER.into(),
                home,
            },
            run_dir: self.layout.run(&inside.id(&spec.id)),
            log_dir,
            log_max_bytes: self.log_max_bytes,
            secrets: spec.env.clone(),
            identity: ids.map(|ids| Identity { uid: ids.shim_uid, gid: ids.gid }),
            in_unit: false,
            yields: !matches!(inside, Inside::Holder { .. }),
        })
    }

    /// Files of the project that are not in the workspace's own directories, and those that are.
    fn placed<'a>(&self, spec: &'a WorkspaceSpec) -> (Vec<&'a RuntimeFile>, Vec<&'a RuntimeFile>) {
        let tmp = seen(self.tmp_dir(&WorkloadId::from(&spec.id)), "/tmp");
        elsewhere(&spec.files, [&self.workspace_home(spec), &tmp])
    }

    fn mounted_files(&self, spec: &WorkspaceSpec) -> Vec<sandbox::File> {
        let file = |file: &RuntimeFile| sandbox::File { target: (&file.path).into(), content: file.content.clone() };
        let (mounted, _) = self.placed(spec);
        mounted.into_iter().filter(|_| Self::has_namespaces()).map(file).collect()
    }

    /// Hands the project's files to the step that puts them where they belong.
    pub(crate) fn write_runtime_files(&self, spec: &WorkspaceSpec) -> io::Result<()> {
        let checkout = spec.checkout.as_ref().map(|checkout| checkout.directory.as_str()).unwrap_or_default();
        let (mounted, written) = self.placed(spec);
        let mut request = RuntimeFilesRequest {
            directory: checkout.to_owned(),
            files: written.into_iter().cloned().collect(),
            ..RuntimeFilesRequest::default()
        };
        let paths = mounted.into_iter().map(|file| &file.path);
        if Self::has_namespaces() {
            request.mounted = paths.cloned().collect();
        } else {
            request.missing = paths.map(|path| cannot_be_mounted(path, "workspace")).collect();
        }
        let path = self.runtime_files(&spec.id);
        let mut file = create_new(&path, 0o640)?;
        std::os::unix::fs::fchown(&file, None, self.identities.of(&spec.id.group())?.map(|ids| ids.gid))?;
        io::Write::write_all(&mut file, &serde_json::to_vec(&request)?)
    }

    pub(crate) fn remove_runtime_files(&self, workspace: &WorkspaceId) {
        let _ = std::fs::remove_file(self.runtime_files(workspace));
    }

    fn runtime_files(&self, workspace: &WorkspaceId) -> PathBuf {
        self.own_dir(workspace).join(RUNTIME_FILES)
    }

    /// As for apps, the owner's win but for what says where things are.
    fn workspace_env(&self, spec: &WorkspaceSpec, home: &Path, tmp: &Path) -> Vec<(String, String)> {
        let own = [home.join(".local/bin"), home.join("bin")].map(|path| path.display().to_string());
        let path = own.into_iter().chain(PROGRAM_DIRECTORIES.map(str::to_owned)).collect::<Vec<_>>().join(":");
        let mut env = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned()), ("PATH".to_owned(), path)]);
        env.extend(spec.env.iter().cloned());
        let git = seen(self.own_dir(&spec.id).join(GIT_CONFIG), &format!("{OWN}/{GIT_CONFIG}"));
        let fixed = [
            ("HOME", home.display().to_string()),
            ("TMPDIR", tmp.display().to_string()),
            ("SHELL", shell().into()),
            ("USER", USER.into()),
            ("LOGNAME", USER.into()),
            ("TERM", "xterm-256color".into()),
            ("COLORTERM", "truecolor".into()),
            ("GIT_CONFIG_SYSTEM", git.display().to_string()),
            ("NANOSCALE_DIRECTORY", seen(self.own_dir(&spec.id), OWN).display().to_string()),
            ("NANOSCALE_WORKSPACE_ID", spec.id.as_str().into()),
        ];
        env.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
        env.into_iter().collect()
    }

    fn workspace_mounts(&self, spec: &WorkspaceSpec, home: &Path, program: &Path) -> io::Result<Vec<Mount>> {
        let (group, holder) = (spec.id.group(), WorkloadId::from(&spec.id));
        let mut mounts = vec![
            mount(self.layout.home(&group, spec.generation), home, Access::ReadWrite),
            // On disk: what people unpack and build there is not to count as memory.
            mount(self.tmp_dir(&holder), Path::new("/tmp"), Access::ReadWrite),
            mount(self.program.clone(), program, Access::ReadOnly),
            mount(self.own_dir(&spec.id), Path::new(OWN), Access::ReadOnly),
        ];
        if spec.network.outward != wire::Outward::None && Self::has_namespaces() {
            mounts.push(mount(self.write_resolvers(&holder)?, Path::new("/etc/resolv.conf"), Access::ReadOnly));
        }
        Ok(mounts)
    }

    /// What git takes for granted there, before what its user sets.
    pub(crate) fn write_git_config(&self, spec: &WorkspaceSpec) -> io::Result<()> {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
        let (name, email) = (quoted(&spec.author.name), quoted(&spec.author.email));
        let program = seen(self.program.clone(), "/nanoscale");
        let helper = quoted(&program.display().to_string());
        let text = format!(
            "[user]\n\tname = \"{name}\"\n\temail = \"{email}\"\n[init]\n\tdefaultBranch = main\n\
             [push]\n\tautoSetupRemote = true\n[credential]\n\thelper = \"!{helper} internal git-credential\"\n"
        );
        let path = self.own_dir(&spec.id).join(GIT_CONFIG);
        io::Write::write_all(&mut create_new(&path, 0o644)?, text.as_bytes())
    }
}

/// What people type into.
pub(crate) fn shell() -> &'static str {
    if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" }
}

const PROFILE: &str = "[ -n \"$BASH_VERSION\" ] && [ -f ~/.bashrc ] && . ~/.bashrc\n";
const BASHRC: &str = r"case $- in *i*) ;; *) return ;; esac
shopt -s histappend checkwinsize
HISTCONTROL=ignoreboth
HISTSIZE=10000
HISTFILESIZE=100000
PS1='\[\e[1;32m\]\u\[\e[0m\]:\[\e[1;34m\]\w\[\e[0m\]\$ '
alias ls='ls --color=auto' grep='grep --color=auto' ll='ls -l'
[ -f /usr/share/bash-completion/bash_completion ] && . /usr/share/bash-completion/bash_completion
";
