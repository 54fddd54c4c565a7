//! Deno: deno.json, its tasks, and the program it begins with.

use serde_json::Value;

use super::{Found, PlanError, Step, Tree, quote};

/// Programs people start without saying so, in this order.
pub(super) const ENTRIES: [&str; 12] = [
    "main.ts",
    "main.tsx",
    "main.js",
    "main.mjs",
    "server.ts",
    "server.tsx",
    "server.js",
    "mod.ts",
    "app.ts",
    "index.ts",
    "index.tsx",
    "index.js",
];
const NODE_LOCKS: [&str; 5] = ["package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb"];

pub(super) fn detect(tree: &Tree) -> Result<Option<Found>, PlanError> {
    let configuration = tree.first_of(&["deno.json", "deno.jsonc"]);
    // A lock file alone may be left from a trial in a Node project.
    let by_lock = || tree.first_of(&["deno.lock"]).filter(|_| tree.first_of(&NODE_LOCKS).is_none());
    let Some(marker) = configuration.or_else(by_lock) else { return Ok(None) };
    let settings = match configuration {
        Some(file) => read(file, tree.text(file).unwrap_or_default())?,
        None => Value::Null,
    };
    let task = |name: &str| {
        let task = &settings["tasks"][name];
        task.as_str().or_else(|| task["command"].as_str()).filter(|task| !task.trim().is_empty())
    };
    let mut found = Found::new("deno", format!("deno: {marker} is there"));
    // Inside the release, so that what the build downloads is there at run time.
    found.env = vec![("DENO_DIR", ".deno"), ("DENO_NO_UPDATE_CHECK", "1")];
    let entry = task("start").and_then(|start| program_of(tree, start)).or_else(|| tree.first_of(&ENTRIES));
    found.install = Some(install(tree, entry));
    if task("build").is_some() {
        found.build = Some(Step::new("deno task build", format!("{marker} has a build task"), &["deno"]));
    }
    found.run = if task("start").is_some() {
        Some(serving("deno task start", format!("{marker} has a start task")))
    } else {
        entry.map(|file| {
            let serves = tree.text(file).is_some_and(|text| text.contains("export default"));
            let verb = if serves { "serve" } else { "run" };
            let reason = if serves { "the file is there and exports a handler" } else { "the file is there" };
            serving(&format!("deno {verb} --allow-all {}", quote(file)), reason.into())
        })
    };
    found.no_run =
        "there is no start task in deno.json and no main.ts or server.ts; add one or set a run command".into();
    Ok(Some(found))
}

fn read(file: &'static str, text: &str) -> Result<Value, PlanError> {
    jsonc_parser::parse_to_serde_value(text, &jsonc_parser::ParseOptions::default())
        .map_err(|error| PlanError::Unreadable { file, reason: error.to_string() })
}

fn install(tree: &Tree, entry: Option<&str>) -> Step {
    let (frozen, reason) = match tree.has("deno.lock") {
        true => (" --frozen", "deno.lock pins the versions"),
        false => ("", "what the program imports goes into .deno"),
    };
    let entry = entry.map(|file| format!(" --entrypoint {}", quote(file))).unwrap_or_default();
    Step::new(format!("deno install{frozen}{entry}"), reason, &["deno"])
}

/// Deno has no default port that it takes from PORT, but one variable that `Deno.serve` obeys.
fn serving(command: &str, reason: String) -> Step {
    Step::new(format!("DENO_SERVE_ADDRESS=tcp:$HOST:$PORT {command}"), reason, &["deno"])
}

/// The file of the tree that a command names.
fn program_of<'a>(tree: &Tree, command: &'a str) -> Option<&'a str> {
    let words = command.split_whitespace().map(|word| word.trim_start_matches("./"));
    words.into_iter().find(|word| {
        let extension = word.rsplit_once('.').map_or("", |(_, extension)| extension);
        ["ts", "tsx", "mts", "js", "jsx", "mjs"].contains(&extension) && tree.has(word)
    })
}
