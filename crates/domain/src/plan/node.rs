use serde_json::Value;

use super::{Plan, PlanError, Tree};

pub(super) fn detect(tree: &Tree) -> Result<Plan, PlanError> {
    let text = tree.text("package.json").unwrap_or_default();
    let package: Value = serde_json::from_str(text)
        .map_err(|error| PlanError::Unreadable { file: "package.json", reason: error.to_string() })?;
    let script = |name: &str| package["scripts"][name].as_str().filter(|script| !script.trim().is_empty());
    let mut plan = Plan {
        kind: "node",
        tools: vec!["node"],
        env: vec![("NODE_ENV", "production")],
        path: vec!["node_modules/.bin"],
        ..Plan::default()
    };
    plan.because("node: package.json is there");
    install(&mut plan, tree, &package);
    if script("build").is_some() {
        plan.because("build `npm run build`: package.json has a build script");
        plan.build_command = Some("npm run build".into());
    }
    if plan.install_command.is_some() || plan.build_command.is_some() {
        plan.tools.push("npm");
    }
    run(&mut plan, tree, &package);
    if plan.run_command.is_none() && plan.build_command.is_some() {
        single_page(&mut plan, &package);
    }
    Ok(plan)
}

fn install(plan: &mut Plan, tree: &Tree, package: &Value) {
    let depends = |kind: &str| package[kind].as_object().is_some_and(|set| !set.is_empty());
    if let Some(lock) = tree.first_of(&["package-lock.json", "npm-shrinkwrap.json"]) {
        // Build tools are development dependencies; NODE_ENV=production would leave them out.
        plan.because(format!("install `npm ci`: {lock} pins the versions"));
        plan.install_command = Some("npm ci --include=dev --no-audit --no-fund".into());
    } else if ["dependencies", "devDependencies", "optionalDependencies"].into_iter().any(depends) {
        let lock = tree.first_of(&["yarn.lock", "pnpm-lock.yaml", "bun.lockb", "bun.lock"]);
        plan.because(match lock {
            Some(lock) => {
                format!("install `npm install`: {lock} is not read yet; set an install command to use its tool")
            }
            None => "install `npm install`: there is no lock file".into(),
        });
        plan.install_command = Some("npm install --include=dev --no-audit --no-fund".into());
    } else {
        plan.because("nothing to install: package.json has no dependencies");
    }
}

fn run(plan: &mut Plan, tree: &Tree, package: &Value) {
    let scripts = &package["scripts"];
    if let Some(start) = scripts["start"].as_str().filter(|start| !start.trim().is_empty()) {
        if scripts["prestart"].is_string() || scripts["poststart"].is_string() {
            plan.because("run `npm start`: package.json has a start script with hooks");
            plan.run_command = Some("npm start".into());
            plan.tools.push("npm");
        } else {
            // Without npm between us and the app, signals arrive and 50 MB stay free.
            plan.because(format!("run `{start}`: package.json's start script"));
            plan.run_command = Some(start.to_owned());
        }
    } else if let Some(main) = package["main"].as_str().filter(|main| tree.has(main)) {
        plan.because(format!("run `node {main}`: package.json's main file"));
        plan.run_command = Some(format!("node {main}"));
    } else if let Some(file) = tree.first_of(&["server.js", "index.js", "app.js", "server.mjs", "index.mjs"]) {
        plan.because(format!("run `node {file}`: the file is there"));
        plan.run_command = Some(format!("node {file}"));
    }
}

/// A front end that is built and then only served.
fn single_page(plan: &mut Plan, package: &Value) {
    let uses = |name: &str| !package["dependencies"][name].is_null() || !package["devDependencies"][name].is_null();
    let directory = if uses("react-scripts") { "build" } else { "dist" };
    plan.kind = "spa";
    plan.env.clear();
    plan.because(format!("serve `{directory}`: a build script and no start script make a static site"));
    plan.output_directory = Some(directory.into());
}
