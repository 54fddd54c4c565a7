use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How many levels below the root directory the planner wants to know: `crates/server/src/bin/api.rs` has five.
pub const DEPTH: usize = 5;
/// Names beyond this are not looked at; those of upper levels come first.
pub const NAMES_MAX: usize = 5_000;
/// All texts together, in bytes.
pub const TEXTS_MAX: u64 = 2 << 20;
/// Directories that hold other people's code or what a build made. Those with a leading dot are left out too.
pub const SKIP: [&str; 4] = ["node_modules", "vendor", "target", "__pycache__"];

/// A manifest that somebody maintains is smaller.
const MANIFEST: u64 = 512 << 10;
/// The lines of a program that make its app object are among the first.
const PROGRAM: u64 = 64 << 10;
/// A lock file, for its first lines only.
const HEAD: u64 = 4 << 10;

const MANIFESTS: [&str; 21] = [
    ".yarnrc.yml",
    "Cargo.toml",
    "Gemfile",
    "Gemfile.lock",
    "Pipfile",
    "Procfile",
    "angular.json",
    "build.gradle",
    "build.gradle.kts",
    "composer.json",
    "config.ru",
    "deno.json",
    "deno.jsonc",
    "go.mod",
    "package.json",
    "pom.xml",
    "pyproject.toml",
    "requirements.txt",
    "settings.gradle",
    "settings.gradle.kts",
    "setup.py",
];
const CONFIGURATIONS: [&str; 5] = ["vite.config", "astro.config", "next.config", "nuxt.config", "svelte.config"];
const PYTHON: [&str; 9] = ["main", "app", "server", "api", "wsgi", "asgi", "application", "run", "__init__"];

/// How much of the file's text the planner wants, in bytes. `path` is relative to the root directory.
pub fn text_limit(path: &str) -> Option<u64> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let at_top = directory.is_empty();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    match extension {
        _ if at_top && MANIFESTS.contains(&name) => Some(MANIFEST),
        _ if name == "Cargo.toml" => Some(PROGRAM),
        "lock" if at_top && name == "yarn.lock" => Some(HEAD),
        "js" | "mjs" | "cjs" | "ts" | "mts" if at_top && CONFIGURATIONS.contains(&stem) => Some(PROGRAM),
        "js" | "mjs" | "ts" | "mts" | "jsx" | "tsx" if at_top && super::deno::ENTRIES.contains(&name) => Some(PROGRAM),
        "py" if !directory.contains('/') && PYTHON.contains(&stem) => Some(PROGRAM),
        "go" if at_top || directory.starts_with("cmd/") => Some(HEAD),
        _ => None,
    }
}

/// What the planner knows of a tree: paths relative to the root directory, down to [`DEPTH`], and the text of
/// some files.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tree {
    pub names: BTreeSet<String>,
    pub texts: BTreeMap<String, String>,
}

impl Tree {
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    pub(super) fn first_of<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.has(name))
    }

    /// The names right below `directory` (empty: the root directory), without it.
    pub(super) fn below<'a>(&'a self, directory: &str) -> impl Iterator<Item = &'a str> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let names = self.names.range(prefix.clone()..).map(String::as_str);
        let length = prefix.len();
        names
            .take_while(move |name| name.starts_with(&prefix))
            .map(move |name| &name[length..])
            .filter(|name| !name.is_empty() && !name.contains('/'))
    }
}
