//! Node.js and Bun: what package.json says, by whichever package manager.

mod framework;
mod manager;

use serde_json::Value;

use super::{Found, PlanError, Step, Tree};
use manager::Manager;

/// Programs people start without saying so, in this order.
const ENTRIES: [&str; 7] =
    ["server.js", "index.js", "app.js", "server.mjs", "index.mjs", "src/index.js", "src/server.js"];
/// What Bun runs besides.
const BUN_ENTRIES: [&str; 5] = ["index.ts", "server.ts", "app.ts", "src/index.ts", "src/server.ts"];

/// A package.json.
struct Package(Value);

impl Package {
    fn read(tree: &Tree) -> Result<Self, PlanError> {
        let text = tree.text("package.json").unwrap_or_default();
        let text = text.trim_start_matches('\u{feff}');
        serde_json::from_str(text)
            .map(Self)
            .map_err(|error| PlanError::Unreadable { file: "package.json", reason: error.to_string() })
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.0[field].as_str().filter(|text| !text.trim().is_empty())
    }

    fn script(&self, name: &str) -> Option<&str> {
        self.0["scripts"][name].as_str().filter(|script| !script.trim().is_empty())
    }

    fn uses(&self, name: &str) -> bool {
        ["dependencies", "devDependencies"].iter().any(|kind| !self.0[kind][name].is_null())
    }

    fn has_dependencies(&self) -> bool {
        let some = |kind: &&str| self.0[kind].as_object().is_some_and(|set| !set.is_empty());
        ["dependencies", "devDependencies", "optionalDependencies"].iter().any(some) || !self.0["workspaces"].is_null()
    }
}

pub(super) fn detect(tree: &Tree) -> Result<Option<Found>, PlanError> {
    if !tree.has("package.json") {
        return Ok(None);
    }
    let package = Package::read(tree)?;
    let manager = Manager::of(tree, &package);
    let mut found = Found::new("node", "node: package.json is there");
    found.reasons.push(manager.reason.clone());
    found.env = vec![("NODE_ENV", "production")];
    if manager.is_berry() {
        // Plug'n'Play would leave the packages in the cache, which is not there at run time.
        found.env.push(("YARN_NODE_LINKER", "node-modules"));
    }
    found.path = vec!["node_modules/.bin"];
    found.install = manager.install(&package);
    if found.install.is_none() {
        found.no_install = Some("nothing to install: package.json has no dependencies".into());
    }
    found.build = package.script("build").map(|script| manager.build(script));
    found.run = start_script(&package, &manager);
    if found.run.is_none() && found.build.is_some() {
        framework::built(&mut found, tree, &package);
    }
    if found.run.is_none() && found.serve.is_none() {
        found.run = entry(tree, &package, &manager);
    }
    if found.run.is_none() && found.serve.is_none() && found.build.is_some() {
        framework::single_page(&mut found, tree, &package);
    }
    found.no_run =
        "package.json has neither a start script nor a main file, and there is no server.js, index.js or app.js; \
                    add a start script or set a run command"
            .into();
    Ok(Some(found))
}

/// For an app in another language with a front end beside it: installs and builds that.
fn assets(tree: &Tree) -> Option<(Option<Step>, Step)> {
    let package = Package::read(tree).ok()?;
    let script = package.script("build")?;
    let manager = Manager::of(tree, &package);
    Some((manager.install(&package), manager.build(script)))
}

/// The steps of an app and those of its front end, one after the other.
pub(super) fn with_assets(found: &mut Found, tree: &Tree) {
    let Some((install, build)) = assets(tree) else { return };
    found.install = join(found.install.take(), install);
    found.build = join(found.build.take(), Some(build));
}

pub(super) fn join(first: Option<Step>, second: Option<Step>) -> Option<Step> {
    match (first, second) {
        (Some(first), Some(second)) => Some(Step {
            command: format!("{} && {}", first.command, second.command),
            reason: format!("{}; {}", first.reason, second.reason),
            tools: first.tools.into_iter().chain(second.tools).collect(),
        }),
        (first, second) => first.or(second),
    }
}

fn start_script(package: &Package, manager: &Manager) -> Option<Step> {
    let start = package.script("start")?;
    if package.script("build").is_some() && framework::is_development_server(start) {
        return None;
    }
    if package.script("prestart").is_some() || package.script("poststart").is_some() {
        let reason = "package.json has a start script with hooks";
        // npm comes with Node.js, and does not look for another version of itself at run time.
        return Some(match manager.is_bun() {
            true => Step::new("bun run start", reason, &manager.tools(start)),
            false => Step::new("npm start", reason, &["node", "npm"]),
        });
    }
    // Without a package manager between us and the app, signals arrive and 50 MB stay free.
    Some(Step::new(start, "package.json's start script", &manager.tools(start)))
}

fn entry(tree: &Tree, package: &Package, manager: &Manager) -> Option<Step> {
    let runtime = if manager.is_bun() { "bun" } else { "node" };
    let run =
        |file: &str, reason: &str| Some(Step::new(format!("{runtime} {}", super::quote(file)), reason, &[runtime]));
    let main = package.text("main").map(|main| main.trim_start_matches("./")).filter(|main| tree.has(main));
    if let Some(main) = main {
        return run(main, "package.json's main file");
    }
    let extra = if manager.is_bun() { BUN_ENTRIES.as_slice() } else { &[] };
    let module = package.text("module").filter(|module| manager.is_bun() && tree.has(module));
    let file = module.or_else(|| tree.first_of(&ENTRIES)).or_else(|| tree.first_of(extra))?;
    run(file, "the file is there")
}
