//! Rust: the binaries of a package or workspace, compiled outside of the release and copied into bin/, or to where
//! the Procfile looks for them.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{Found, PlanError, Step, Tree, quote};

/// What the web program among several tends to be called.
const WEB: [&str; 4] = ["server", "web", "api", "app"];

/// A program that cargo builds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Binary {
    package: String,
    name: String,
}

pub(super) fn detect(tree: &Tree) -> Result<Option<Found>, PlanError> {
    let Some(text) = tree.text("Cargo.toml") else { return Ok(None) };
    let unreadable =
        |error: toml::de::Error| PlanError::Unreadable { file: "Cargo.toml", reason: error.message().to_owned() };
    let manifest = text.parse::<Table>().map_err(unreadable)?;
    let mut found = Found::new("rust", "rust: Cargo.toml is there");
    found.no_install = Some("nothing to install: cargo build fetches what Cargo.toml names".into());
    let mut binaries = binaries(tree, &manifest, "");
    let mut place = "Cargo.toml";
    if let Some(workspace) = manifest.get("workspace") {
        // The package at the top of a workspace is the one that is meant.
        if binaries.is_empty() {
            place = "the workspace";
            for directory in members(tree, workspace) {
                let text = tree.text(&format!("{directory}/Cargo.toml")).unwrap_or_default();
                let member = text.parse::<Table>().unwrap_or_default();
                binaries.extend(self::binaries(tree, &member, &directory));
            }
        }
    }
    let names = binaries.iter().map(|binary| binary.name.as_str()).collect::<Vec<_>>();
    let by_procfile = tree.text("Procfile").is_some_and(|text| text.contains("target/release/"));
    let directory = if by_procfile { "target/release" } else { "bin" };
    let Some(first) = names.first() else {
        found.no_run = "Cargo.toml is there, but no src/main.rs or other binary; set a build and a run command".into();
        return Ok(Some(found));
    };
    found.no_run = format!(
        "{place} has the binaries {}, which are built into {directory}/; say which one to run: set a run command such as \
         `{directory}/{first}`, \
         default-run in Cargo.toml, or add a Procfile with a web process",
        names.join(", ")
    );
    found.build = Some(build(tree, &binaries, place, directory));
    let web = default_run(&manifest).or(match names.as_slice() {
        [only] => Some(*only),
        several => WEB.into_iter().find(|name| several.contains(name)),
    });
    found.run = web.map(|name| Step::new(quote(&format!("{directory}/{name}")), "the binary that is built", &[]));
    Ok(Some(found))
}

fn build(tree: &Tree, binaries: &BTreeSet<Binary>, place: &str, directory: &str) -> Step {
    let (locked, pinned) = match tree.has("Cargo.lock") {
        true => (" --locked", "Cargo.lock pins the versions"),
        false => ("", "there is no Cargo.lock"),
    };
    let packages = binaries.iter().map(|binary| binary.package.as_str()).collect::<BTreeSet<_>>();
    let mut command = format!("cargo build --release{locked}");
    for package in packages {
        command += &format!(" --package {}", quote(package));
    }
    let mut copies = String::new();
    for Binary { name, .. } in binaries {
        command += &format!(" --bin {}", quote(name));
        copies += &format!(" \"$CARGO_TARGET_DIR\"/release/{}", quote(name));
    }
    let names = binaries.iter().map(|binary| binary.name.as_str()).collect::<Vec<_>>().join(", ");
    let reason = format!("{place} has the binary {names}; {pinned}");
    Step::new(format!("{command} && mkdir -p {directory} && cp{copies} {directory}/"), reason, &["cargo", "cc"])
}

fn default_run(manifest: &Table) -> Option<&str> {
    manifest.get("package")?.get("default-run")?.as_str()
}

/// The binaries of the package in `directory`, as cargo finds them.
fn binaries(tree: &Tree, manifest: &Table, directory: &str) -> BTreeSet<Binary> {
    let Some(package) = manifest.get("package").and_then(|package| package.get("name")?.as_str()) else {
        return BTreeSet::new();
    };
    let at = |path: &str| if directory.is_empty() { path.to_owned() } else { format!("{directory}/{path}") };
    let targets = manifest.get("bin").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |target: &Value, key: &str| target.get(key).and_then(Value::as_str).map(str::to_owned);
    let paths = targets.iter().filter_map(|target| text(target, "path")).collect::<Vec<_>>();
    let optional = |target: &&Value| target.get("required-features").is_none();
    let mut names = targets.iter().filter(optional).filter_map(|target| text(target, "name")).collect::<BTreeSet<_>>();
    let declared = targets.iter().filter_map(|target| text(target, "name")).collect::<BTreeSet<_>>();
    let discovers = manifest["package"].get("autobins").and_then(Value::as_bool).unwrap_or(true);
    if discovers {
        let mut add = |name: &str, path: &str| {
            if !declared.contains(name) && !paths.iter().any(|declared| declared == path) {
                names.insert(name.to_owned());
            }
        };
        if tree.has(&at("src/main.rs")) {
            add(package, "src/main.rs");
        }
        for entry in tree.below(&at("src/bin")) {
            match entry.strip_suffix(".rs") {
                Some(name) => add(name, &format!("src/bin/{entry}")),
                None if !entry.contains('.') => add(entry, &format!("src/bin/{entry}/main.rs")),
                None => {}
            }
        }
    }
    names.into_iter().map(|name| Binary { package: package.to_owned(), name }).collect()
}

/// The directories of a workspace's members that are in the tree.
fn members(tree: &Tree, workspace: &Value) -> Vec<String> {
    let patterns = |key: &str| {
        let list = workspace.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).collect::<Vec<_>>()
    };
    let (members, excluded) = (patterns("members"), patterns("exclude"));
    let directories = tree.texts.keys().filter_map(|name| name.strip_suffix("/Cargo.toml"));
    directories
        .filter(|directory| members.iter().any(|pattern| matches(pattern, directory)))
        .filter(|directory| !excluded.iter().any(|pattern| matches(pattern, directory)))
        .map(str::to_owned)
        .collect()
}

/// `crates/*`: a star for one part of a path.
fn matches(pattern: &str, directory: &str) -> bool {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    let part = |pattern: &str, part: &str| match pattern.split_once('*') {
        Some((before, after)) => {
            part.len() >= before.len() + after.len() && part.starts_with(before) && part.ends_with(after)
        }
        None => pattern == part,
    };
    pattern.split('/').count() == directory.split('/').count()
        && pattern.split('/').zip(directory.split('/')).all(|(pattern, name)| part(pattern, name))
}
