//! From a fetched tree to what is run of it.

use domain::plan::{self, Settings, Tree};
use ids::ProcessName;
use wire::{BuildSpec, Failure, NamedCommand, Program as Web, ReleaseSpec, Runtime, Schedule};

use super::Agent;
use super::build::log;
use super::process::failed;
use crate::confine::PROGRAM_DIRECTORIES;

pub(super) fn make_plan(agent: &Agent, spec: &BuildSpec, tree: &Tree) -> Result<plan::Plan, Failure> {
    let settings = Settings {
        install_command: spec.settings.install_command.clone(),
        build_command: spec.settings.build_command.clone(),
        run_command: spec.settings.run_command.clone(),
        output_directory: spec.settings.output_directory.clone(),
    };
    let place = match spec.settings.root_directory.as_str() {
        "" => "the top of the repository".to_owned(),
        directory => format!("`{directory}`"),
    };
    let plan = plan::plan(tree, &settings, &place).map_err(|error| Failure {
        code: "NO_PLAN".into(),
        reason: error.to_string(),
        last_lines: Vec::new(),
    })?;
    let lines = plan.reasons.iter().map(|reason| format!("plan: {reason}")).collect::<Vec<_>>();
    log(agent, spec, &lines);
    if let Some(tool) = plan.tools.iter().find(|tool| !installed(tool)) {
        let reason = format!(
            "this node has no `{tool}`, which this {} app needs; {}, then deploy again",
            plan.kind,
            plan::remedy(tool)
        );
        return Err(Failure { code: "MISSING_TOOLCHAIN".into(), reason, last_lines: Vec::new() });
    }
    Ok(plan)
}

/// Whether a program lies where a sandbox finds it.
fn installed(program: &str) -> bool {
    PROGRAM_DIRECTORIES.iter().any(|directory| std::path::Path::new(directory).join(program).exists())
}

pub(super) fn release(spec: &BuildSpec, plan: &plan::Plan) -> Result<ReleaseSpec, Failure> {
    let root = &spec.settings.root_directory;
    let below = |directory: &str| match (root.as_str(), directory) {
        ("", directory) => directory.to_owned(),
        (root, "") => root.to_owned(),
        (root, directory) => format!("{root}/{directory}"),
    };
    let web = match &plan.run_command {
        Some(command) => Some(Web::Command { command: command.clone() }),
        None if plan.serves_files() => Some(Web::Files { single_page: plan.kind == "spa" }),
        None => None,
    };
    let name = |name: &str| {
        name.parse::<ProcessName>().map_err(|error| failed("NO_PLAN", format!("`{name}` in the Procfile: {error}")))
    };
    let workers =
        plan.processes.iter().map(|it| Ok(NamedCommand { name: name(&it.name)?, command: it.command.clone() }));
    let schedules = plan
        .schedules
        .iter()
        .map(|it| Ok(Schedule { name: name(&it.name)?, schedule: it.schedule.clone(), command: it.command.clone() }));
    Ok(ReleaseSpec {
        kind: plan.kind.into(),
        runtime: Runtime {
            directory: below(plan.output_directory.as_deref().unwrap_or_default()),
            env: plan.env.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            path: plan.path.iter().map(|directory| below(directory)).collect(),
            image: None,
        },
        web,
        workers: workers.collect::<Result<_, Failure>>()?,
        release_command: plan.release_command.clone(),
        schedules: schedules.collect::<Result<_, Failure>>()?,
    })
}

pub(super) fn outline(plan: &plan::Plan, release: &ReleaseSpec) -> wire::Plan {
    wire::Plan {
        kind: plan.kind.into(),
        reasons: plan.reasons.clone(),
        install_command: plan.install_command.clone(),
        build_command: plan.build_command.clone(),
        run_command: plan.run_command.clone(),
        output_directory: plan.output_directory.clone(),
        workers: release.workers.clone(),
        release_command: release.release_command.clone(),
        schedules: release.schedules.clone(),
    }
}

impl Agent {
    /// The directory that will be run or served has to be there, and inside the release.
    pub(super) fn check_directory(&self, spec: &BuildSpec, directory: &str) -> Result<(), Failure> {
        let release = self.confine().layout.release(&spec.group, &spec.id);
        let inside = release
            .join(directory)
            .canonicalize()
            .ok()
            .zip(release.canonicalize().ok())
            .is_some_and(|(directory, release)| directory.starts_with(release) && directory.is_dir());
        if inside {
            return Ok(());
        }
        let reason = format!("after the build there is no directory `{directory}`; correct the output directory");
        Err(self.failure(spec, "OUTPUT_MISSING", reason))
    }
}
