//! How a source tree is built and run: explicit settings, then Procfile, then the language by its files.

mod deno;
mod go;
mod java;
mod node;
mod php;
mod procfile;
mod python;
mod ruby;
mod rust;
mod site;
mod tools;
mod tree;

use procfile::Procfile;
pub use tools::remedy;
pub use tree::{DEPTH, NAMES_MAX, SKIP, TEXTS_MAX, Tree, text_limit};

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
    /// A language, `static`, `spa` (a built front end), or `custom` when no files say more.
    pub kind: &'static str,
    /// A sentence for each choice.
    pub reasons: Vec<String>,
    pub install_command: Option<String>,
    pub build_command: Option<String>,
    /// Absent: the files of `output_directory` are served, or nothing but the other processes runs;
    /// see [`Plan::serves_files`].
    pub run_command: Option<String>,
    pub output_directory: Option<String>,
    /// Run beside the web process.
    pub processes: Vec<OtherProcess>,
    /// Run once for a release, before it takes over.
    pub release_command: Option<String>,
    pub schedules: Vec<Schedule>,
    /// Programs without which the plan cannot be carried out.
    pub tools: Vec<&'static str>,
    /// Set for the build and the process unless the owner sets them.
    pub env: Vec<(&'static str, &'static str)>,
    /// Directories put before PATH, relative to the root directory.
    pub path: Vec<&'static str>,
}

/// A process that is not the web process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherProcess {
    pub name: String,
    pub command: String,
}

/// A command that is run whenever `schedule` is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub name: String,
    /// As [`crate::schedule::parse`] reads it.
    pub schedule: String,
    pub command: String,
}

impl Plan {
    /// Whether the release is files to serve rather than a web process to run.
    pub fn serves_files(&self) -> bool {
        self.run_command.is_none() && matches!(self.kind, "static" | "spa")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error(
        "found nothing in {0} that says what it is (such as package.json, requirements.txt, go.mod, Cargo.toml, Gemfile, \
         composer.json, pom.xml, deno.json, index.html or a Procfile); \
         set a run command, or the root directory if the app lies elsewhere in the repository"
    )]
    Unknown(String),
    #[error("{file} cannot be read: {reason}")]
    Unreadable { file: &'static str, reason: String },
    #[error("{0}")]
    Procfile(String),
    #[error("{0}")]
    NothingToRun(String),
}

/// A command, why it was chosen, and the programs it needs.
#[derive(Debug)]
struct Step {
    command: String,
    reason: String,
    tools: Vec<&'static str>,
}

impl Step {
    fn new(command: impl Into<String>, reason: impl Into<String>, tools: &[&'static str]) -> Self {
        Self { command: command.into(), reason: reason.into(), tools: tools.to_vec() }
    }

    /// A command that is given: which programs it uses, its owner knows.
    fn given(command: &str, by: &str) -> Self {
        Self::new(command, by, &[])
    }
}

/// What a language's files say, before Procfile and settings.
#[derive(Debug, Default)]
struct Found {
    kind: &'static str,
    reasons: Vec<String>,
    install: Option<Step>,
    /// Why there is nothing to install.
    no_install: Option<String>,
    build: Option<Step>,
    run: Option<Step>,
    /// What to do when there is nothing to run.
    no_run: String,
    /// The directory to serve, and why. Empty: the root directory.
    serve: Option<(String, String)>,
    env: Vec<(&'static str, &'static str)>,
    path: Vec<&'static str>,
}

impl Found {
    fn new(kind: &'static str, reason: impl Into<String>) -> Self {
        Self { kind, reasons: vec![reason.into()], ..Self::default() }
    }
}

/// What a language finds of itself in a tree; None: nothing.
type Detect = fn(&Tree) -> Result<Option<Found>, PlanError>;

const LANGUAGES: [Detect; 9] = [
    php::detect,
    go::detect,
    java::detect,
    rust::detect,
    ruby::detect,
    python::detect,
    deno::detect,
    node::detect,
    site::detect,
];

/// Plans the tree in `place` (how to name its directory to people).
pub fn plan(tree: &Tree, settings: &Settings, place: &str) -> Result<Plan, PlanError> {
    let procfile = Procfile::parse(tree.text("Procfile").unwrap_or_default()).map_err(PlanError::Procfile)?;
    let mut found = match detect(tree) {
        Ok(Some(found)) => found,
        // What the owner says needs no files that agree.
        Ok(None) | Err(_) if settings.run_command.is_some() => Found { kind: "custom", ..Found::default() },
        Ok(None) if !procfile.is_empty() || settings.output_directory.is_some() => {
            Found { kind: "custom", ..Found::default() }
        }
        Ok(None) => return Err(PlanError::Unknown(place.to_owned())),
        Err(error) => return Err(error),
    };
    override_steps(&mut found, &procfile, settings);
    let output_directory = settings.output_directory.clone();
    if found.run.is_none() && found.serve.is_none() {
        if let Some(directory) = &output_directory {
            found.kind = "static";
            found.serve = Some((directory.clone(), "the output directory is set and nothing is to be run".into()));
        } else if procfile.is_empty() {
            return Err(PlanError::NothingToRun(found.no_run));
        }
    }
    Ok(compose(found, procfile, output_directory))
}

/// The first language that knows the tree. PHP and Ruby come before Node, as their apps often bring a package.json.
fn detect(tree: &Tree) -> Result<Option<Found>, PlanError> {
    for language in LANGUAGES {
        if let Some(mut found) = language(tree)? {
            let uses = |step: &Option<Step>| step.as_ref().is_some_and(|step| step.tools.contains(&"node"));
            if tree.has("package.json") && !["node", "spa", "deno"].contains(&found.kind) && !uses(&found.build) {
                found.reasons.push(format!(
                    "package.json is not used: {} comes first; set install and build commands if it should be",
                    found.kind
                ));
            }
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn override_steps(found: &mut Found, procfile: &Procfile, settings: &Settings) {
    if let Some(web) = &procfile.web {
        found.run = Some(Step::given(web, "the Procfile's web process"));
    }
    for (set, step) in [
        (&settings.install_command, &mut found.install),
        (&settings.build_command, &mut found.build),
        (&settings.run_command, &mut found.run),
    ] {
        if let Some(command) = set {
            *step = Some(Step::given(command, "set for the project"));
        }
    }
    // Files that would have been served are run instead, from where the command expects to be.
    if found.run.is_some() && found.serve.take().is_some() {
        found.kind = if found.kind == "spa" { "node" } else { "custom" };
    }
}

fn compose(found: Found, procfile: Procfile, output_directory: Option<String>) -> Plan {
    let mut plan =
        Plan { kind: found.kind, reasons: found.reasons, env: found.env, path: found.path, ..Plan::default() };
    if found.install.is_none() {
        plan.reasons.extend(found.no_install);
    }
    for (name, step, command) in [
        ("install", found.install, &mut plan.install_command),
        ("build", found.build, &mut plan.build_command),
        ("run", found.run, &mut plan.run_command),
    ] {
        let Some(step) = step else { continue };
        plan.reasons.push(format!("{name} `{}`: {}", step.command, step.reason));
        for tool in step.tools {
            if !plan.tools.contains(&tool) {
                plan.tools.push(tool);
            }
        }
        *command = Some(step.command);
    }
    if let Some(directory) = output_directory {
        plan.reasons.push(format!("output directory `{directory}`: set for the project"));
        plan.output_directory = Some(directory);
    } else if let Some((directory, reason)) = found.serve {
        plan.reasons.push(reason);
        plan.output_directory = Some(directory).filter(|directory| !directory.is_empty());
    }
    for OtherProcess { name, command } in &procfile.processes {
        plan.reasons.push(format!("process {name} `{command}`: in the Procfile"));
    }
    for Schedule { name, schedule, command } in &procfile.schedules {
        plan.reasons.push(format!("schedule {name} `{command}` at `{schedule}` (UTC): in the Procfile"));
    }
    if let Some(command) = &procfile.release {
        plan.reasons.push(format!("release `{command}`: in the Procfile, run before a release takes over"));
    }
    Plan { processes: procfile.processes, schedules: procfile.schedules, release_command: procfile.release, ..plan }
}

/// `text` as one word of a shell command.
fn quote(text: &str) -> String {
    shell_words::quote(text).into_owned()
}

#[cfg(test)]
mod tests;
