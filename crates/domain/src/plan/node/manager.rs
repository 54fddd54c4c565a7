use super::super::{Step, Tree};
use super::Package;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Npm,
    Pnpm,
    Yarn,
    Bun,
}

/// Lock files, those of package managers that people chose on purpose first.
const LOCKS: [(&str, Kind); 6] = [
    ("pnpm-lock.yaml", Kind::Pnpm),
    ("bun.lock", Kind::Bun),
    ("bun.lockb", Kind::Bun),
    ("yarn.lock", Kind::Yarn),
    ("package-lock.json", Kind::Npm),
    ("npm-shrinkwrap.json", Kind::Npm),
];

/// The package manager of a tree.
pub(super) struct Manager {
    kind: Kind,
    lock: Option<&'static str>,
    /// How Yarn 2 and later is run.
    berry: Option<String>,
    pub(super) reason: String,
}

impl Manager {
    /// By lock file; where there are several or none, by package.json's `packageManager`.
    pub(super) fn of(tree: &Tree, package: &Package) -> Self {
        let named = package.text("packageManager").and_then(|named| {
            let (name, version) = named.split_once('@').unwrap_or((named, ""));
            let kind = match name {
                "npm" => Kind::Npm,
                "pnpm" => Kind::Pnpm,
                "yarn" => Kind::Yarn,
                "bun" => Kind::Bun,
                _ => return None,
            };
            Some((kind, version.split('+').next().unwrap_or_default()))
        });
        let locks = LOCKS.into_iter().filter(|(file, _)| tree.has(file)).collect::<Vec<_>>();
        let lock = match named {
            Some((kind, _)) if locks.iter().any(|lock| lock.1 != kind) => {
                locks.iter().find(|lock| lock.1 == kind).or(locks.first())
            }
            _ => locks.first(),
        };
        let kind = lock.map(|lock| lock.1).or(named.map(|named| named.0)).unwrap_or(Kind::Npm);
        let version = named.filter(|named| named.0 == kind).map(|named| named.1);
        let berry = (kind == Kind::Yarn).then(|| berry(tree, version)).flatten();
        let name = match kind {
            Kind::Npm => "npm",
            Kind::Pnpm => "pnpm",
            Kind::Yarn if berry.is_some() => "yarn (berry)",
            Kind::Yarn => "yarn",
            Kind::Bun => "bun",
        };
        let reason = match (lock, named) {
            (Some((file, _)), _) => format!("{name}: {file} is there"),
            (None, Some(_)) => format!("{name}: package.json's packageManager says so"),
            (None, None) => format!("{name}: there is no lock file and no packageManager"),
        };
        Self { kind, lock: lock.map(|lock| lock.0), berry, reason }
    }

    pub(super) fn is_bun(&self) -> bool {
        self.kind == Kind::Bun
    }

    pub(super) fn is_berry(&self) -> bool {
        self.berry.is_some()
    }

    fn program(&self) -> &str {
        match (self.kind, &self.berry) {
            (Kind::Npm, _) => "npm",
            (Kind::Pnpm, _) => "pnpm",
            (Kind::Yarn, Some(command)) => command,
            (Kind::Yarn, None) => "yarn",
            (Kind::Bun, _) => "bun",
        }
    }

    /// The programs that the manager itself needs.
    fn own_tools(&self) -> &'static [&'static str] {
        match (self.kind, &self.berry) {
            (Kind::Npm, _) | (Kind::Yarn, Some(_)) => &["node", "npm"],
            (Kind::Pnpm, _) => &["node", "pnpm"],
            (Kind::Yarn, None) => &["node", "yarn"],
            (Kind::Bun, _) => &["bun"],
        }
    }

    /// The programs that a script needs. Packages' own programs are written for Node.js, under Bun too.
    pub(super) fn tools(&self, script: &str) -> Vec<&'static str> {
        let first = script.split_whitespace().next().unwrap_or_default();
        let called = ["npm", "pnpm", "yarn", "bun", "deno"].into_iter().find(|tool| *tool == first);
        match called {
            Some("bun") => vec!["bun"],
            Some(called) => vec!["node", called],
            None if self.is_bun() => vec!["bun", "node"],
            None => vec!["node"],
        }
    }

    pub(super) fn run(&self, script: &str) -> String {
        format!("{} run {script}", self.program())
    }

    /// Build tools are development dependencies; NODE_ENV=production would leave them out.
    pub(super) fn install(&self, package: &Package) -> Option<Step> {
        let program = self.program();
        let arguments = match (self.kind, self.lock.is_some()) {
            (Kind::Npm, true) => "ci --include=dev --no-audit --no-fund",
            (Kind::Npm, false) => "install --include=dev --no-audit --no-fund",
            (Kind::Pnpm, true) => "install --frozen-lockfile --prod=false",
            // CI=true makes both refuse to write a lock file.
            (Kind::Pnpm, false) => "install --no-frozen-lockfile --prod=false",
            (Kind::Yarn, true) if self.is_berry() => "install --immutable",
            (Kind::Yarn, false) if self.is_berry() => "install --no-immutable",
            (Kind::Yarn, true) => "install --frozen-lockfile --production=false --non-interactive",
            (Kind::Yarn, false) => "install --production=false --non-interactive",
            (Kind::Bun, true) => "install --frozen-lockfile",
            (Kind::Bun, false) => "install",
        };
        let reason = match self.lock {
            Some(lock) => format!("{lock} pins the versions"),
            None if package.has_dependencies() => "there is no lock file".into(),
            None => return None,
        };
        Some(Step::new(format!("{program} {arguments}"), reason, self.own_tools()))
    }
}

/// How Yarn 2 and later is run, if it is that: the version in the repository, or through npm, which needs no
/// other Yarn on the node.
fn berry(tree: &Tree, version: Option<&str>) -> Option<String> {
    let configuration = tree.text(".yarnrc.yml");
    let own = configuration.into_iter().flat_map(str::lines).find_map(|line| line.strip_prefix("yarnPath:"));
    let own = own.map(|path| path.trim().trim_matches(['"', '\''])).filter(|path| !path.is_empty());
    if let Some(path) = own {
        return Some(format!("node {}", super::super::quote(path)));
    }
    let major = version.and_then(|version| version.split('.').next()).and_then(|major| major.parse::<u32>().ok());
    let by_lock = tree.text("yarn.lock").is_some_and(|lock| lock.contains("__metadata:"));
    let version = match (version, major) {
        (_, Some(..2)) => return None,
        (Some(version), Some(_)) if version.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)) => version,
        _ if by_lock || configuration.is_some() => "4",
        _ => return None,
    };
    Some(format!("npx --yes @yarnpkg/cli-dist@{version}"))
}
