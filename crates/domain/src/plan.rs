//! How a source tree is built and run: explicit settings, then Procfile, then the language by its files.

mod node;
mod python;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Files whose text the planner wants to read, if they are there.
pub const READ: [&str; 4] = ["Procfile", "package.json", "requirements.txt", "pyproject.toml"];

/// What the planner knows of a tree: the names in its root directory, and the text of the files in [`READ`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tree {
    pub names: BTreeSet<String>,
    pub texts: BTreeMap<String, String>,
}

impl Tree {
    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    fn first_of<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.has(name))
    }
}

/// What the owner set. Absent means: detect.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub install_command: Option<String>,
    pub build_command: Option<String>,
    pub run_command: Option<String>,
    pub output_directory: Option<String>,
}

/// The steps from a tree to a running process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// `node`, `python`, `static`, `spa`, or `custom` when only settings speak.
    pub kind: &'static str,
    /// A sentence for each choice.
    pub reasons: Vec<String>,
    pub install_command: Option<String>,
    pub build_command: Option<String>,
    /// Absent: the files of `output_directory` are served.
    pub run_command: Option<String>,
    pub output_directory: Option<String>,
    /// Programs without which the plan cannot be carried out.
    pub tools: Vec<&'static str>,
    /// Set for the build and the process unless the owner sets them.
    pub env: Vec<(&'static str, &'static str)>,
    /// Directories put before PATH, relative to the root directory.
    pub path: Vec<&'static str>,
}

impl Plan {
    fn because(&mut self, reason: impl Into<String>) {
        self.reasons.push(reason.into());
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error(
        "found no package.json, requirements.txt, pyproject.toml, main.py, Procfile or index.html in {0}; \
         set a run command, or the root directory if the app lies elsewhere in the repository"
    )]
    Unknown(String),
    #[error("{file} cannot be read: {reason}")]
    Unreadable { file: &'static str, reason: String },
    #[error("{0}")]
    NothingToRun(String),
}

/// Plans the tree in `place` (how to name its directory to people).
pub fn plan(tree: &Tree, settings: &Settings, place: &str) -> Result<Plan, PlanError> {
    let mut plan = detect(tree, place).or_else(|error| match settings.run_command {
        Some(_) => Ok(Plan { kind: "custom", ..Plan::default() }),
        None => Err(error),
    })?;
    if let Some(web) = tree.text("Procfile").and_then(web_process) {
        plan.reasons.retain(|reason| !reason.starts_with("run "));
        plan.because(format!("run `{web}`: the Procfile's web process"));
        plan.run_command = Some(web.to_owned());
    }
    apply(&mut plan, settings);
    if plan.run_command.is_none() && !matches!(plan.kind, "static" | "spa") {
        return Err(PlanError::NothingToRun(nothing_to_run(plan.kind)));
    }
    Ok(plan)
}

fn detect(tree: &Tree, place: &str) -> Result<Plan, PlanError> {
    if tree.has("package.json") {
        return node::detect(tree);
    }
    if let Some(plan) = python::detect(tree) {
        return Ok(plan);
    }
    for (file, directory) in [("index.html", None), ("public", Some("public"))] {
        if tree.has(file) {
            let mut plan = Plan { kind: "static", ..Plan::default() };
            plan.because(format!("static site: {file} is there"));
            plan.output_directory = directory.map(str::to_owned);
            return Ok(plan);
        }
    }
    if tree.text("Procfile").and_then(web_process).is_some() {
        return Ok(Plan { kind: "custom", ..Plan::default() });
    }
    Err(PlanError::Unknown(place.to_owned()))
}

fn apply(plan: &mut Plan, settings: &Settings) {
    for (set, field, name) in [
        (&settings.install_command, &mut plan.install_command, "install"),
        (&settings.build_command, &mut plan.build_command, "build"),
        (&settings.run_command, &mut plan.run_command, "run"),
    ] {
        if let Some(command) = set {
            plan.reasons.retain(|reason| !reason.starts_with(&format!("{name} ")));
            plan.reasons.push(format!("{name} `{command}`: set for the project"));
            *field = Some(command.clone());
        }
    }
    if let Some(directory) = &settings.output_directory {
        plan.reasons.push(format!("output directory `{directory}`: set for the project"));
        plan.output_directory = Some(directory.clone());
    }
    // Commands the owner gave need not use the tools the language would.
    if settings.install_command.is_some() && settings.run_command.is_some() {
        plan.tools.clear();
    }
}

fn nothing_to_run(kind: &str) -> String {
    match kind {
        "node" => "package.json has neither a start script nor a main file, and there is no server.js, index.js or app.js; \
                   add a start script or set a run command"
            .into(),
        "python" => "there is no main.py, app.py, server.py or manage.py; add a Procfile with a web process or set a run command".into(),
        _ => "nothing says how to run it; set a run command".into(),
    }
}

/// The command of the `web` line of a Procfile.
fn web_process(procfile: &str) -> Option<&str> {
    procfile.lines().find_map(|line| {
        let (name, command) = line.split_once(':')?;
        (name.trim() == "web" && !command.trim().is_empty()).then_some(command.trim())
    })
}

#[cfg(test)]
mod tests;
