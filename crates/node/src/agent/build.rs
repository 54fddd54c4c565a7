//! Fetch, plan, install, build: from a source to a release directory.
//!
//! A build that was cut off by the end of this process is begun anew, from nothing; one
//! that had written its manifest is done.

use std::time::Duration;

use domain::plan::{self, Settings, Tree};
use ids::ProjectId;
use tokio_util::sync::CancellationToken;
use wire::{BuildOutcome, BuildSpec, BuildStatus, BuildStep, Failure, Process, Source};

use super::Agent;
use super::release::Manifest;
use super::step::Step;
use crate::confine::{PROGRAM_DIRECTORIES, Program, Role};
use crate::confined::{FetchRequest, Fetched, UnpackRequest};
use crate::layout::{self, LogKind};

/// A build in the node's state.
pub(super) struct Running {
    pub(super) group: ProjectId,
    pub(super) status: BuildStatus,
    /// The archive it cannot go on without.
    awaits: Option<ids::DeploymentId>,
    pub(super) stop: CancellationToken,
}

pub(super) fn start(agent: &Agent, spec: BuildSpec) {
    let stop = CancellationToken::new();
    agent.update(|state| {
        let status =
            BuildStatus { id: spec.id.clone(), step: BuildStep::Fetch, commit: None, plan: None, outcome: None };
        state
            .builds
            .insert(spec.id.clone(), Running { group: spec.group.clone(), status, awaits: None, stop: stop.clone() });
    });
    let agent = agent.clone();
    let closing = agent.inner.closing.clone();
    agent.inner.tasks.clone().spawn(async move {
        tokio::select! {
            () = run(&agent, &spec, &stop) => {}
            () = closing.cancelled() => {}
        }
    });
}

/// Builds, then waits until nobody wants to hear of it any more.
async fn run(agent: &Agent, spec: &BuildSpec, stop: &CancellationToken) {
    let outcome = tokio::select! {
        outcome = outcome(agent, spec) => Some(outcome),
        () = stop.cancelled() => None,
    };
    agent.end(&spec.id).await;
    let _ = layout::remove(&agent.confine().layout.run(&spec.id));
    if let Source::Upload { upload } = &spec.source {
        // The control plane keeps it, and sends it again when it is wanted again.
        let _ = layout::remove(&agent.confine().layout.upload(upload));
    }
    match outcome {
        Some(outcome) => {
            if let BuildOutcome::Failed { failure } = &outcome {
                log(agent, spec, &[format!("failed: {}", failure.reason)]);
                agent.discard_release(spec);
            }
            agent.update(|state| {
                if let Some(build) = state.builds.get_mut(&spec.id) {
                    build.status.outcome = Some(outcome);
                }
            });
            stop.cancelled().await;
        }
        None => {
            log(agent, spec, &["stopped: the deployment was cancelled".to_owned()]);
            agent.discard_release(spec);
        }
    }
    agent.update(|state| state.builds.remove(&spec.id));
}

async fn outcome(agent: &Agent, spec: &BuildSpec) -> BuildOutcome {
    if let Some(manifest) = agent.manifest(&spec.group, &spec.id) {
        report(agent, spec, |status| {
            status.commit = manifest.commit;
            status.plan = Some(manifest.plan);
        });
        return BuildOutcome::Built { process: manifest.process };
    }
    let timeout = Duration::from_secs(spec.timeout_seconds);
    match tokio::time::timeout(timeout, build(agent, spec)).await {
        Ok(Ok(process)) => BuildOutcome::Built { process },
        Ok(Err(failure)) => BuildOutcome::Failed { failure },
        Err(_) => {
            let minutes = spec.timeout_seconds.div_ceil(60);
            let reason = format!("the build was stopped after {minutes} min (limits.build_timeout_seconds)");
            BuildOutcome::Failed { failure: agent.failure(spec, "TIMEOUT", reason) }
        }
    }
}

async fn build(agent: &Agent, spec: &BuildSpec) -> Result<Process, Failure> {
    start_clean(agent, spec)?;
    let (commit, tree) = fetch(agent, spec).await?;
    report(agent, spec, |status| status.commit.clone_from(&commit));
    let plan = make_plan(agent, spec, &tree)?;
    let process = process(spec, &plan);
    let outline = outline(&plan);
    report(agent, spec, |status| status.plan = Some(outline.clone()));

    for (step, name, command) in
        [(BuildStep::Install, "install", &plan.install_command), (BuildStep::Build, "build", &plan.build_command)]
    {
        let Some(command) = command else { continue };
        report(agent, spec, |status| status.step = step);
        log(agent, spec, &[format!("{name}: $ {command}")]);
        let argv = domain::command::argv(command).ok_or_else(|| {
            agent.failure(
                spec,
                "INVALID_COMMAND",
                format!("the {name} command has an open quote or no words: {command}"),
            )
        })?;
        let step = Step {
            name,
            program: Program::Command(&argv),
            directory: &spec.settings.root_directory,
            path: &process.path,
            env: process.env.clone(),
            owner_env: &spec.env,
            file: None,
        };
        agent.run_step(spec, step).await?;
    }
    agent.check_directory(spec, &process)?;
    let manifest = Manifest { process: process.clone(), commit, plan: outline };
    agent.write_manifest(&spec.group, &spec.id, &manifest).map_err(node_error)?;
    Ok(process)
}

fn node_error(error: std::io::Error) -> Failure {
    Failure {
        code: "NODE_ERROR".into(),
        reason: format!("the node cannot prepare the build: {error}"),
        last_lines: Vec::new(),
    }
}

/// Ends what an attempt that was cut off left, and makes everything that this one needs.
fn start_clean(agent: &Agent, spec: &BuildSpec) -> Result<(), Failure> {
    let confine = agent.confine();
    confine.kill(&spec.id);
    let log_directory = confine.layout.log(&spec.group, &spec.id, LogKind::Build);
    if !crate::log::segments(&log_directory).unwrap_or_default().is_empty() {
        log(agent, spec, &["the node was restarted; building again from the beginning".to_owned()]);
    }
    confine.prepare(&spec.id, &spec.group, Role::Build, LogKind::Build).map_err(node_error)?;
    confine.prepare_release(&spec.group, &spec.id).map_err(node_error)?;
    confine.limit(&spec.id, &spec.limits);
    Ok(())
}

/// Gets the source into the release directory.
async fn fetch(agent: &Agent, spec: &BuildSpec) -> Result<(Option<wire::Commit>, Tree), Failure> {
    let root_directory = spec.settings.root_directory.clone();
    let (program, file) = match &spec.source {
        Source::Git { url, reference, commit, allow_private } => {
            log(
                agent,
                spec,
                &[format!(
                    "fetch: {url} {}",
                    commit.as_ref().or(reference.as_ref()).map_or("(default branch)", String::as_str)
                )],
            );
            let request = FetchRequest {
                url: url.clone(),
                reference: reference.clone(),
                commit: commit.clone(),
                allow_private: *allow_private,
                root_directory,
            };
            (Program::Internal("fetch", json(&request)), None)
        }
        Source::Upload { upload } => {
            log(agent, spec, &["fetch: the uploaded files".to_owned()]);
            let archive = agent.await_upload(spec, upload).await;
            let inside = if nix::unistd::geteuid().is_root() { "/upload.tar".into() } else { archive.clone() };
            let request = UnpackRequest { archive: inside, root_directory };
            (Program::Internal("unpack", json(&request)), Some((archive, "/upload.tar")))
        }
    };
    let step = Step { name: "fetch", program, directory: "", path: &[], env: Vec::new(), owner_env: &[], file };
    agent.run_step(spec, step).await.map_err(|failure| Failure {
        code: match failure.code.as_str() {
            "BUILD_FAILED" => "FETCH_FAILED".into(),
            _ => failure.code,
        },
        ..failure
    })?;
    let fetched = agent.confine().read_result(&spec.id).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match fetched {
        Some(Fetched::Source { commit, tree }) => {
            if let Some(wire::Commit { sha, message, author }) = &commit {
                log(agent, spec, &[format!("commit {} by {author}: {message}", sha.get(..12).unwrap_or(sha))]);
            }
            Ok((commit, tree))
        }
        Some(Fetched::Failed { code, reason }) => Err(agent.failure(spec, &code, reason)),
        None => Err(agent.failure(spec, "FETCH_FAILED", "the fetch step left no result".into())),
    }
}

fn make_plan(agent: &Agent, spec: &BuildSpec, tree: &Tree) -> Result<plan::Plan, Failure> {
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
    // Without a command a release is served as files; the source of a worker is not meant to be.
    if plan.run_command.is_none() && !plan.serves_files() {
        let reason = "this project has no web process yet, and one is needed; add a `web:` line to the Procfile or set a run command";
        return Err(Failure { code: "NO_PLAN".into(), reason: reason.into(), last_lines: Vec::new() });
    }
    Ok(plan)
}

/// Whether a program lies where a sandbox finds it.
fn installed(program: &str) -> bool {
    PROGRAM_DIRECTORIES.iter().any(|directory| std::path::Path::new(directory).join(program).exists())
}

fn process(spec: &BuildSpec, plan: &plan::Plan) -> Process {
    let root = &spec.settings.root_directory;
    let below = |directory: &str| match (root.as_str(), directory) {
        ("", directory) => directory.to_owned(),
        (root, "") => root.to_owned(),
        (root, directory) => format!("{root}/{directory}"),
    };
    Process {
        kind: plan.kind.into(),
        directory: below(plan.output_directory.as_deref().unwrap_or_default()),
        command: plan.run_command.clone(),
        env: plan.env.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        path: plan.path.iter().map(|directory| below(directory)).collect(),
    }
}

fn outline(plan: &plan::Plan) -> wire::Plan {
    wire::Plan {
        kind: plan.kind.into(),
        reasons: plan.reasons.clone(),
        install_command: plan.install_command.clone(),
        build_command: plan.build_command.clone(),
        run_command: plan.run_command.clone(),
        output_directory: plan.output_directory.clone(),
    }
}

fn report(agent: &Agent, spec: &BuildSpec, change: impl FnOnce(&mut BuildStatus)) {
    agent.update(|state| {
        if let Some(build) = state.builds.get_mut(&spec.id) {
            change(&mut build.status);
        }
    });
}

fn log(agent: &Agent, spec: &BuildSpec, lines: &[String]) {
    if let Err(error) = agent.confine().log(&spec.id, &spec.group, LogKind::Build, lines) {
        tracing::warn!(%error, build.id = %spec.id, "cannot write a build log");
    }
}

fn json(request: &impl serde::Serialize) -> String {
    serde_json::to_string(request).unwrap_or_default()
}

/// Memory and time to fetch a source only to look at it.
const PREVIEW_MEMORY: u64 = 512 << 20;
const PREVIEW_SECONDS: u64 = 60;

impl Agent {
    /// Fetches a source, plans it, and leaves nothing behind.
    pub(crate) async fn preview(&self, spec: wire::PreviewSpec) -> wire::Preview {
        let spec = BuildSpec {
            id: ids::DeploymentId::new(),
            group: ProjectId::new(),
            source: spec.source,
            settings: wire::BuildSettings { root_directory: spec.root_directory, ..wire::BuildSettings::default() },
            env: Vec::new(),
            limits: wire::Limits { memory_bytes: PREVIEW_MEMORY, pids: 256, cpu_weight: 100 },
            timeout_seconds: PREVIEW_SECONDS,
        };
        let work = async {
            start_clean(self, &spec)?;
            let (_, tree) = fetch(self, &spec).await?;
            make_plan(self, &spec, &tree)
        };
        let planned = tokio::time::timeout(Duration::from_secs(spec.timeout_seconds), work).await;
        self.end(&spec.id).await;
        let _ = layout::remove(&self.confine().layout.run(&spec.id));
        self.erase_group(&spec.group);
        match planned {
            Ok(Ok(plan)) => wire::Preview::Plan { plan: outline(&plan) },
            Ok(Err(failure)) => wire::Preview::Failed { failure },
            Err(_) => {
                let reason = format!("the repository could not be fetched within {PREVIEW_SECONDS} s");
                wire::Preview::Failed { failure: Failure { code: "TIMEOUT".into(), reason, last_lines: Vec::new() } }
            }
        }
    }

    /// Says that an archive is wanted, and waits until it lies here.
    async fn await_upload(&self, spec: &BuildSpec, upload: &ids::DeploymentId) -> std::path::PathBuf {
        let path = self.confine().layout.upload(upload);
        if !path.exists() {
            self.await_step(spec, BuildStep::AwaitUpload, Some(upload.clone()));
            let mut look = tokio::time::interval(Duration::from_millis(10));
            while !path.exists() {
                look.tick().await;
            }
            self.await_step(spec, BuildStep::Fetch, None);
        }
        path
    }

    fn await_step(&self, spec: &BuildSpec, step: BuildStep, awaits: Option<ids::DeploymentId>) {
        self.update(|state| {
            if let Some(build) = state.builds.get_mut(&spec.id) {
                build.awaits = awaits;
                build.status.step = step;
            }
        });
    }

    /// Whether a build waits for this archive. One that comes again, or too late, is not taken: a
    /// file that is being mounted must not be replaced, and nobody would remove the other one.
    pub(crate) fn wants_upload(&self, upload: &ids::DeploymentId) -> bool {
        let wanted = self.lock().builds.values().any(|build| build.awaits.as_ref() == Some(upload));
        wanted && !self.confine().layout.upload(upload).exists()
    }

    fn discard_release(&self, spec: &BuildSpec) {
        if let Err(error) = layout::remove(&self.confine().layout.release(&spec.group, &spec.id)) {
            tracing::warn!(%error, build.id = %spec.id, "cannot remove what a build left");
        }
    }

    /// The directory that will be run or served has to be there, and inside the release.
    fn check_directory(&self, spec: &BuildSpec, process: &Process) -> Result<(), Failure> {
        let release = self.confine().layout.release(&spec.group, &spec.id);
        let inside = release
            .join(&process.directory)
            .canonicalize()
            .ok()
            .zip(release.canonicalize().ok())
            .is_some_and(|(directory, release)| directory.starts_with(release) && directory.is_dir());
        if inside {
            return Ok(());
        }
        let reason =
            format!("after the build there is no directory `{}`; correct the output directory", process.directory);
        Err(self.failure(spec, "OUTPUT_MISSING", reason))
    }
}
