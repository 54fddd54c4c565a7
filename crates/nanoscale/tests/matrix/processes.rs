//! Which processes of this machine belong to a server, as the kernel tells.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde::Deserialize;

/// User ids that one node hands out.
const RANGE: u32 = 1 << 16;

/// What a node writes about itself.
#[derive(Deserialize)]
pub(crate) struct Identities {
    pub(crate) instance: String,
    range: u32,
    pub(crate) slots: BTreeMap<String, u32>,
}

impl Identities {
    pub(crate) fn of(data_dir: &Path) -> Self {
        serde_json::from_slice(&std::fs::read(data_dir.join("node/identities.json")).unwrap()).unwrap()
    }

    fn owns(&self, uid: u32) -> bool {
        uid / RANGE == self.range
    }

    /// Cgroups of this node, below every hierarchy.
    pub(crate) fn cgroups(&self) -> Vec<String> {
        let root = Path::new("/sys/fs/cgroup");
        let hierarchies = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
        let own = hierarchies.chain([root.to_owned()]).map(|it| it.join(format!("nanoscale-{}", self.instance)));
        let below = own.flat_map(|own| std::fs::read_dir(own).into_iter().flatten().flatten());
        let mut names = below
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect::<Vec<_>>();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Network links of this node.
    pub(crate) fn links(&self) -> Vec<String> {
        let prefix = format!("n{}-", &self.instance[..6]);
        let links = std::fs::read_dir("/sys/class/net").unwrap().flatten();
        let names = links.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(&prefix)).collect()
    }
}

pub(crate) fn kill(pid: i32) {
    // It may have ended on its own.
    let _ = nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
}

/// A process that has not ended.
struct Seen {
    pid: i32,
    path: PathBuf,
    status: String,
    arguments: Vec<String>,
}

impl Seen {
    fn all() -> Vec<Self> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries.filter_map(|entry| Self::of(entry.file_name().to_str()?.parse().ok()?)).collect()
    }

    fn of(pid: i32) -> Option<Self> {
        let path = PathBuf::from(format!("/proc/{pid}"));
        let status = std::fs::read_to_string(path.join("status")).ok()?;
        let line = std::fs::read(path.join("cmdline")).ok()?;
        let arguments = String::from_utf8_lossy(&line).split('\0').map(str::to_owned).collect();
        let seen = Self { pid, path, status, arguments };
        (!seen.field("State:").starts_with('Z')).then_some(seen)
    }

    fn field(&self, name: &str) -> &str {
        self.status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim()
    }

    /// First of a sandbox, or the shim outside of it.
    fn is_shim(&self) -> bool {
        self.arguments.get(1).is_some_and(|argument| argument == "shim")
    }

    /// Whether it has a user of this node.
    fn is_of(&self, node: &Identities) -> bool {
        let uid = self.field("Uid:").split_whitespace().next().and_then(|uid| uid.parse().ok());
        uid.is_some_and(|uid| node.owns(uid))
    }

    fn is_inside(&self) -> bool {
        self.field("NSpid:").split_whitespace().count() > 1
    }
}

/// Every shim that tells of its steps at `socket`, also one that has just begun.
pub(crate) fn telling(socket: &Path) -> Vec<i32> {
    let socket = socket.to_string_lossy();
    let tells = |seen: &Seen| {
        // What an environment says is told of no other server's shim.
        let environment = std::fs::read(seen.path.join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&*socket)
    };
    let shims = Seen::all().into_iter().filter(|seen| seen.is_shim() && !seen.is_inside() && tells(seen));
    shims.map(|seen| seen.pid).collect()
}

/// Shims of the node in this directory, with the run they work for.
pub(crate) fn shims(data_dir: &Path) -> BTreeMap<i32, String> {
    let shims = Seen::all().into_iter().filter(|seen| seen.is_shim() && !seen.is_inside());
    let run = |seen: &Seen| std::fs::read_link(seen.path.join("cwd")).ok().filter(|run| run.starts_with(data_dir));
    let name = |run: PathBuf| run.file_name().unwrap_or_default().to_string_lossy().into_owned();
    shims.filter_map(|seen| Some((seen.pid, name(run(&seen)?)))).collect()
}

/// How many sandboxes the shims of the node have made that are still there.
pub(crate) fn sandboxes(data_dir: &Path) -> usize {
    let node = Identities::of(data_dir);
    Seen::all().iter().filter(|seen| seen.is_shim() && seen.is_of(&node) && seen.is_inside()).count()
}

/// Processes of projects, with the cgroup they are in.
pub(crate) fn apps(data_dir: &Path) -> BTreeMap<i32, String> {
    let identities = Identities::of(data_dir);
    let group = format!("nanoscale-{}/", identities.instance);
    let mut found = BTreeMap::new();
    for seen in Seen::all() {
        let cgroups = std::fs::read_to_string(seen.path.join("cgroup")).unwrap_or_default();
        let cgroup = cgroups.lines().find_map(|line| line.split_once(&group)).map(|(_, name)| name.to_owned());
        // A shim has a user of the node, too.
        if cgroup.is_some() || (seen.is_of(&identities) && !seen.is_shim()) {
            found.insert(seen.pid, cgroup.unwrap_or_default());
        }
    }
    found
}
