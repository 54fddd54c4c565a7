//! What a successful build produced: artifact, environment snapshot and process spec. Immutable.

use std::collections::BTreeMap;

use crate::project::{LimitSettings, NetworkSettings, RuntimeSettings, Volume};
use ids::{ChangeKind, DeploymentId, ProjectId, ReleaseId};

/// Pinned releases that a project may have: each keeps its files for good.
pub const PINNED_MAX: usize = 20;

const NOT_RUN: &str = "The release command is not run: what a newer one did, a migration for example, stays done.";
const DATA_STAYS: &str = "What lies in volumes stays as it is.";
const SETTINGS_STAY: &str =
    "The project's own settings and variables stay as they are; the next deployment takes them up again.";
const DEFAULT_LIMIT: &str = "where there is none, the server's default holds";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub id: ReleaseId,
    pub project_id: ProjectId,
    /// The deployment that built it; its node keeps the artifact under this id.
    pub deployment_id: DeploymentId,
    /// The process spec, JSON as the node reported it.
    pub process: String,
    /// The environment it was built with, sealed.
    pub env_sealed: String,
    /// What its processes may use.
    pub runtime: RuntimeSettings,
    /// Kept whatever its age.
    pub pinned: bool,
    pub created_at: i64,
}

/// What a release makes run, apart from its own files. Not `Debug`: its variables are opened.
#[derive(Clone, Default)]
pub struct Contents {
    pub kind: String,
    /// Where its commands start, relative to its files.
    pub directory: String,
    /// What comes before `PATH`.
    pub path: Vec<String>,
    /// What its commands run in, where that is an image.
    pub image: Option<String>,
    pub env: BTreeMap<String, String>,
    /// The owner's, by path.
    pub files: BTreeMap<String, String>,
    /// What answers visitors.
    pub web: Option<String>,
    pub workers: BTreeMap<String, String>,
    pub release_command: Option<String>,
    /// When, and what.
    pub schedules: BTreeMap<String, String>,
    pub runtime: RuntimeSettings,
}

/// What differs between two releases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    pub changes: Vec<Change>,
    /// Sentences about what going from one to the other leaves as it is.
    pub notes: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `web`, `worker.queue`, `env.GREETING`, `file.~/.npmrc`, `limits.memory_mb`.
    pub what: String,
    pub kind: ChangeKind,
    /// Absent where it is not there, and for a variable or a file: values are not told.
    pub from: Option<String>,
    pub to: Option<String>,
    pub note: Option<&'static str>,
}

/// Which releases retention forgets: beside those in use and the pinned ones, the newest `kept` stay.
pub fn forgotten(
    newest_first: &[Release],
    kept: usize,
    in_use: impl Fn(&Release) -> bool,
) -> impl Iterator<Item = &Release> {
    newest_first.iter().filter(|release| !release.pinned).skip(kept).filter(move |release| !in_use(release))
}

/// What changes when `to` runs in place of `from`, in the order in which people ask.
pub fn diff(from: &Contents, to: &Contents) -> Diff {
    let mut diff = Diff::default();
    diff.text("kind", &from.kind, &to.kind);
    diff.text("directory", dot(&from.directory), dot(&to.directory));
    diff.text("path", &from.path.join(":"), &to.path.join(":"));
    diff.optional("image", from.image.as_deref(), to.image.as_deref(), None);
    diff.optional("web", from.web.as_deref(), to.web.as_deref(), None);
    diff.named("worker", &from.workers, &to.workers);
    diff.named("schedule", &from.schedules, &to.schedules);
    diff.optional("release_command", from.release_command.as_deref(), to.release_command.as_deref(), None);
    diff.untold("env", &from.env, &to.env);
    diff.untold("file", &from.files, &to.files);
    diff.runtime(&from.runtime, &to.runtime);
    if from.release_command.is_some() || to.release_command.is_some() {
        diff.notes.push(NOT_RUN);
    }
    if !from.runtime.volumes.is_empty() || !to.runtime.volumes.is_empty() {
        diff.notes.push(DATA_STAYS);
    }
    if !diff.changes.is_empty() {
        diff.notes.push(SETTINGS_STAY);
    }
    diff
}

impl Diff {
    /// Something that may be absent.
    fn optional(&mut self, what: &str, from: Option<&str>, to: Option<&str>, note: Option<&'static str>) {
        if let Some(kind) = kind(from, to) {
            let [from, to] = [from, to].map(|text| text.map(str::to_owned));
            self.changes.push(Change { what: what.to_owned(), kind, from, to, note });
        }
    }

    /// Something that is absent where it is empty.
    fn text(&mut self, what: &str, from: &str, to: &str) {
        let filled = |text| Some(text).filter(|text: &&str| !text.is_empty());
        self.optional(what, filled(from), filled(to), None);
    }

    fn named(&mut self, what: &str, from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) {
        for name in names(from, to) {
            let [from, to] = [from, to].map(|map| map.get(name).map(String::as_str));
            self.optional(&format!("{what}.{name}"), from, to, None);
        }
    }

    /// What may be secret is told of by name only.
    fn untold(&mut self, what: &str, from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) {
        for name in names(from, to) {
            if let Some(kind) = kind(from.get(name), to.get(name)) {
                self.changes.push(Change { what: format!("{what}.{name}"), kind, from: None, to: None, note: None });
            }
        }
    }

    fn runtime(&mut self, from: &RuntimeSettings, to: &RuntimeSettings) {
        let health = |settings: &RuntimeSettings| settings.health_path.clone().unwrap_or_else(|| "/".into());
        self.text("health_path", &health(from), &health(to));
        let [(a, b, c), (d, e, f)] = [&from.network, &to.network].map(network);
        self.text("network.outward", a, d);
        self.text("network.destinations", &b, &e);
        self.text("network.host_ports", &c, &f);
        let [from_volumes, to_volumes] = [&from.volumes, &to.volumes].map(|list| volumes(list));
        for name in names(&from_volumes, &to_volumes) {
            let [from, to] = [&from_volumes, &to_volumes].map(|map| map.get(name).map(String::as_str));
            let note = match (from, to) {
                (None, _) => "with what was in it before",
                (_, None) => "its data stays on the machine",
                _ => "the same data in another place",
            };
            self.optional(&format!("volume.{name}"), from, to, Some(note));
        }
        for ((name, from), (_, to)) in limits(&from.limits).into_iter().zip(limits(&to.limits)) {
            let note = (from.is_none() || to.is_none()).then_some(DEFAULT_LIMIT);
            self.optional(&format!("limits.{name}"), from.as_deref(), to.as_deref(), note);
        }
    }
}

fn kind<T: PartialEq>(from: Option<T>, to: Option<T>) -> Option<ChangeKind> {
    match (from, to) {
        (None, Some(_)) => Some(ChangeKind::Added),
        (Some(_), None) => Some(ChangeKind::Removed),
        (from, to) => (from != to).then_some(ChangeKind::Changed),
    }
}

/// All names of both, each once, sorted.
fn names<'a>(from: &'a BTreeMap<String, String>, to: &'a BTreeMap<String, String>) -> Vec<&'a String> {
    from.keys().chain(to.keys()).collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn dot(directory: &str) -> &str {
    if directory.is_empty() { "." } else { directory }
}

fn network(settings: &NetworkSettings) -> (&'static str, String, String) {
    let destinations = settings.destinations.iter().map(ToString::to_string).collect::<Vec<_>>();
    let ports = settings.host_ports.iter().map(ToString::to_string).collect::<Vec<_>>();
    (settings.outward.as_str(), destinations.join(", "), ports.join(", "))
}

fn volumes(list: &[Volume]) -> BTreeMap<String, String> {
    list.iter().map(|volume| (volume.name.as_str().to_owned(), volume.path.clone())).collect()
}

/// Those of running processes: nothing is built.
fn limits(settings: &LimitSettings) -> [(&'static str, Option<String>); 3] {
    let LimitSettings { memory_mb, cpu_percent, processes, build_memory_mb: _ } = settings;
    [
        ("memory_mb", memory_mb.map(|count| count.to_string())),
        ("cpu_percent", cpu_percent.map(|count| count.to_string())),
        ("processes", processes.map(|count| count.to_string())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ids::Outward;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn contents() -> Contents {
        Contents {
            kind: "node".into(),
            web: Some("node server.js".into()),
            workers: map(&[("queue", "node queue.js")]),
            env: map(&[("KEPT", "same"), ("TOKEN", "a-secret")]),
            ..Contents::default()
        }
    }

    /// One line for each change: what, how, from, to.
    fn lines(from: &Contents, to: &Contents) -> Vec<String> {
        let shown = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let line =
            |change: Change| format!("{} {}: {} -> {}", change.what, change.kind, shown(change.from), shown(change.to));
        diff(from, to).changes.into_iter().map(line).collect()
    }

    #[test]
    fn what_is_alike_says_nothing() {
        assert_eq!(diff(&contents(), &contents()), Diff::default());
        let explicit = Contents {
            directory: String::new(),
            runtime: RuntimeSettings { health_path: Some("/".into()), ..RuntimeSettings::default() },
            ..contents()
        };
        assert_eq!(diff(&contents(), &explicit), Diff::default(), "a default that is spelled out is no change");
    }

    #[test]
    fn variables_are_told_by_name_only() {
        let to = Contents { env: map(&[("KEPT", "same"), ("TOKEN", "b-secret"), ("NEW", "c-secret")]), ..contents() };
        assert_eq!(lines(&contents(), &to), ["env.NEW added: - -> -", "env.TOKEN changed: - -> -"]);
        assert_eq!(lines(&to, &contents()), ["env.NEW removed: - -> -", "env.TOKEN changed: - -> -"]);
        assert!(!format!("{:?}", diff(&contents(), &to)).contains("secret"));
    }

    #[test]
    fn processes_come_go_and_change() {
        let to = Contents {
            kind: "python".into(),
            directory: "api".into(),
            path: vec![".venv/bin".into()],
            web: None,
            workers: map(&[("queue", "python queue.py"), ("mail", "python mail.py")]),
            schedules: map(&[("nightly", "0 3 * * * python clean.py")]),
            ..contents()
        };
        assert_eq!(
            lines(&contents(), &to),
            [
                "kind changed: node -> python",
                "directory changed: . -> api",
                "path added: - -> .venv/bin",
                "web removed: node server.js -> -",
                "worker.mail added: - -> python mail.py",
                "worker.queue changed: node queue.js -> python queue.py",
                "schedule.nightly added: - -> 0 3 * * * python clean.py",
            ]
        );
    }

    #[test]
    fn a_release_command_is_not_run_and_says_so_even_where_it_is_the_same() {
        let with = |command: &str| Contents { release_command: Some(command.into()), ..contents() };
        assert_eq!(diff(&with("migrate"), &with("migrate")).notes, [NOT_RUN]);
        assert_eq!(diff(&with("migrate"), &contents()).notes, [NOT_RUN, SETTINGS_STAY]);
        assert_eq!(lines(&with("migrate"), &contents()), ["release_command removed: migrate -> -"]);
        assert_eq!(lines(&with("a"), &with("b")), ["release_command changed: a -> b"]);
    }

    #[test]
    fn settings_of_the_runtime_are_compared_one_by_one() {
        let volume = |name: &str, path: &str| Volume { name: name.parse().unwrap(), path: path.into(), size_mb: None };
        let network = |outward, to: &[&str], host_ports: &[u16]| NetworkSettings {
            outward,
            destinations: to.iter().map(|text| text.parse().unwrap()).collect(),
            host_ports: host_ports.to_vec(),
        };
        let from = RuntimeSettings {
            health_path: Some("/healthz".into()),
            network: network(Outward::Only, &["api.example.com:443"], &[5432]),
            volumes: vec![volume("data", "/data"), volume("gone", "/gone")],
            limits: LimitSettings { memory_mb: Some(512), build_memory_mb: Some(64), ..LimitSettings::default() },
        };
        let to = RuntimeSettings {
            health_path: None,
            network: network(Outward::None, &[], &[5432, 6379]),
            volumes: vec![volume("data", "/srv"), volume("fresh", "/fresh")],
            limits: LimitSettings { memory_mb: Some(256), processes: Some(64), ..LimitSettings::default() },
        };
        let [from, to] = [from, to].map(|runtime| Contents { runtime, ..contents() });
        assert_eq!(
            lines(&from, &to),
            [
                "health_path changed: /healthz -> /",
                "network.outward changed: only -> none",
                "network.destinations removed: api.example.com:443 -> -",
                "network.host_ports changed: 5432 -> 5432, 6379",
                "volume.data changed: /data -> /srv",
                "volume.fresh added: - -> /fresh",
                "volume.gone removed: /gone -> -",
                "limits.memory_mb changed: 512 -> 256",
                "limits.processes added: - -> 64",
            ]
        );
        let diff = diff(&from, &to);
        assert_eq!(diff.notes, [DATA_STAYS, SETTINGS_STAY]);
        let note = |what: &str| diff.changes.iter().find(|change| change.what == what).unwrap().note;
        assert_eq!(note("volume.gone"), Some("its data stays on the machine"));
        assert_eq!(note("limits.processes"), Some(DEFAULT_LIMIT));
        assert_eq!(note("limits.memory_mb"), None);
    }

    #[test]
    fn retention_forgets_neither_what_is_pinned_nor_what_is_used() {
        let release = |number: i64, pinned| Release {
            id: ReleaseId::new(),
            project_id: ProjectId::new(),
            deployment_id: DeploymentId::new(),
            process: String::new(),
            env_sealed: String::new(),
            runtime: RuntimeSettings::default(),
            pinned,
            created_at: number,
        };
        let all = [release(5, false), release(4, true), release(3, false), release(2, false), release(1, false)];
        let gone = |kept, used: i64| {
            forgotten(&all, kept, |it| it.created_at == used).map(|it| it.created_at).collect::<Vec<_>>()
        };
        assert_eq!(gone(2, 5), [2, 1]);
        assert_eq!(gone(2, 1), [2]);
        assert_eq!(gone(1, 4), [3, 2, 1]);
        assert!(gone(10, 5).is_empty());
    }
}
