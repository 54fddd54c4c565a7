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
    /// How it is run: the program of the node, or through npm in the version that package.json pins.
    program: String,
    is_own_program: bool,
    /// Yarn 2 and later.
    is_berry: bool,
    /// pnpm before it read `pnpm_config_*` from its environment.
    is_old_pnpm: bool,
    pub(super) reason: String,
}

impl Manager {
    /// By lock file; where there are several or none, by package.json's `packageManager`.
    pub(super) fn of(tree: &Tree, package: &Package) -> Self {
        let named = package.text("packageManager").and_then(named);
        let locks = LOCKS.into_iter().filter(|(file, _)| tree.has(file)).collect::<Vec<_>>();
        let by_name = named.and_then(|(kind, _)| locks.iter().find(|lock| lock.1 == kind));
        let lock = by_name.or(locks.first());
        let kind = lock.map(|lock| lock.1).or(named.map(|named| named.0)).unwrap_or(Kind::Npm);
        let version = named.filter(|named| named.0 == kind).and_then(|named| named.1);
        let is_berry = kind == Kind::Yarn && is_berry(tree, version);
        let program = program(tree, kind, version, is_berry);
        let name = match kind {
            Kind::Npm => "npm",
            Kind::Pnpm => "pnpm",
            Kind::Yarn if is_berry => "yarn (berry)",
            Kind::Yarn => "yarn",
            Kind::Bun => "bun",
        };
        let reason = match (lock, named) {
            (Some((file, _)), _) => format!("{name}: {file} is there"),
            (None, Some(_)) => format!("{name}: package.json's packageManager says so"),
            (None, None) => format!("{name}: there is no lock file and no packageManager"),
        };
        Self {
            kind,
            lock: lock.map(|lock| lock.0),
            is_own_program: !program.contains(' '),
            program,
            is_berry,
            is_old_pnpm: kind == Kind::Pnpm && version.and_then(major).is_some_and(|major| major < 11),
            reason,
        }
    }

    pub(super) fn is_bun(&self) -> bool {
        self.kind == Kind::Bun
    }

    pub(super) fn is_berry(&self) -> bool {
        self.is_berry
    }

    /// The programs that the manager itself needs.
    fn own_tools(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Bun => &["bun"],
            Kind::Pnpm if self.is_own_program => &["node", "pnpm"],
            Kind::Yarn if self.is_own_program => &["node", "yarn"],
            _ => &["node", "npm"],
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

    pub(super) fn build(&self, script: &str) -> Step {
        let mut tools = self.own_tools().to_vec();
        // The manager puts itself in the way of what its scripts call.
        let own = |tool: &&str| !self.is_own_program && ["pnpm", "yarn"].contains(tool);
        tools.extend(self.tools(script).into_iter().filter(|tool| !own(tool)));
        Step::new(format!("{} run build", self.program), "package.json has a build script", &tools)
    }

    /// Build tools are development dependencies; NODE_ENV=production would leave them out.
    pub(super) fn install(&self, package: &Package) -> Option<Step> {
        let arguments = match (self.kind, self.lock.is_some()) {
            (Kind::Npm, true) => "ci --include=dev --no-audit --no-fund",
            (Kind::Npm, false) => "install --include=dev --no-audit --no-fund",
            (Kind::Pnpm, true) => "install --frozen-lockfile --prod=false",
            // CI=true makes both refuse to write a lock file.
            (Kind::Pnpm, false) => "install --no-frozen-lockfile --prod=false",
            (Kind::Yarn, true) if self.is_berry => "install --immutable",
            (Kind::Yarn, false) if self.is_berry => "install --no-immutable",
            (Kind::Yarn, true) => "install --frozen-lockfile --production=false --non-interactive",
            (Kind::Yarn, false) => "install --production=false --non-interactive",
            (Kind::Bun, true) => "install --frozen-lockfile",
            (Kind::Bun, false) => "install",
        };
        let store = if self.is_old_pnpm { " --store-dir \"$XDG_CACHE_HOME/pnpm/store\"" } else { "" };
        let reason = match self.lock {
            Some(lock) => format!("{lock} pins the versions"),
            None if package.has_dependencies() => "there is no lock file".into(),
            None => return None,
        };
        Some(Step::new(format!("{} {arguments}{store}", self.program), reason, self.own_tools()))
    }
}

/// `pnpm@9.1.0+sha512.…`: which one, and in which version if that can be asked for.
fn named(text: &str) -> Option<(Kind, Option<&str>)> {
    let (name, version) = text.split_once('@').unwrap_or((text, ""));
    let kind = match name {
        "npm" => Kind::Npm,
        "pnpm" => Kind::Pnpm,
        "yarn" => Kind::Yarn,
        "bun" => Kind::Bun,
        _ => return None,
    };
    let version = version.split('+').next().filter(|version| major(version).is_some());
    Some((kind, version.filter(|version| version.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)))))
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

fn is_berry(tree: &Tree, version: Option<&str>) -> bool {
    match version.and_then(major) {
        Some(major) => major >= 2,
        None => tree.has(".yarnrc.yml") || tree.text("yarn.lock").is_some_and(|lock| lock.contains("__metadata:")),
    }
}

/// Yarn may lie in the repository. Otherwise npm gets what is pinned: another version on the node would refuse, or
/// fetch the pinned one in its own way.
fn program(tree: &Tree, kind: Kind, version: Option<&str>, is_berry: bool) -> String {
    let lines = tree.text(".yarnrc.yml").into_iter().flat_map(str::lines);
    let in_repository = lines.filter_map(|line| line.strip_prefix("yarnPath:")).find_map(|path| {
        let path = path.trim().trim_matches(['"', '\'']);
        (!path.is_empty()).then(|| format!("node {}", super::super::quote(path)))
    });
    match (kind, version) {
        (Kind::Yarn, _) if in_repository.is_some() => in_repository.unwrap_or_default(),
        (Kind::Yarn, version) if is_berry => format!("npx --yes @yarnpkg/cli-dist@{}", version.unwrap_or("4")),
        (Kind::Yarn, Some(version)) => format!("npx --yes yarn@{version}"),
        (Kind::Yarn, None) => "yarn".into(),
        (Kind::Pnpm, Some(version)) => format!("npx --yes pnpm@{version}"),
        (Kind::Pnpm, None) => "pnpm".into(),
        (Kind::Npm, _) => "npm".into(),
        (Kind::Bun, _) => "bun".into(),
    }
}
