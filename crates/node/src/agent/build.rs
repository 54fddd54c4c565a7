//! Fetch, plan, install, build: from a source to a release directory.
//!
//! A build that was cut off by the end of this process is begun anew, from nothing; one
//! that had written its manifest is done.

use std::time::Duration;

use checkpoint::Checkpoint;
use domain::plan::Tree;
use ids::{ProjectId, WorkloadId};
use sandbox::Network;
use sandbox::cgroup::OutOfMemory;
use tokio_util::sync::CancellationToken;
use wire::{BuildOutcome, BuildSpec, BuildStatus, BuildStep, Failure, Plan, ReleaseSpec, Runtime, Source};

use super::Agent;
use super::admission::Turn;
use super::begun::Begun;
use super::disk::{FULL, disk_failure};
use super::dockerfile::Choice;
use super::planning::{make_plan, outline, release};
use super::process::failed;
use super::release::Manifest;
use super::step::Step;
use crate::confine::{Program, Role};
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
    let (turn, step) = agent.queue_up(&spec);
    agent.update(|state| {
        let status = BuildStatus { id: spec.id.clone(), step, commit: None, plan: None, outcome: None };
        state
            .builds
            .insert(spec.id.clone(), Running { group: spec.group.clone(), status, awaits: None, stop: stop.clone() });
    });
    let agent = agent.clone();
    let closing = agent.inner.closing.clone();
    agent.inner.tasks.clone().spawn(async move {
        tokio::select! {
            () = run(&agent, &spec, &stop, turn) => {}
            () = closing.cancelled() => {}
        }
    });
}

/// Builds, then waits until nobody wants to hear of it any more.
async fn run(agent: &Agent, spec: &BuildSpec, stop: &CancellationToken, turn: Turn) {
    if let (Source::Copy { .. }, Some(manifest)) = (&spec.source, agent.manifest(&spec.group, &spec.id)) {
        // What runs under this name now is the release at work, and no step of a build.
        drop(turn);
        // Of an attempt that was cut off when it was as good as done.
        let _ = layout::remove_file(&agent.confine().layout.upload(&spec.id));
        report(agent, spec, |status| status.outcome = Some(BuildOutcome::Built { release: manifest.release }));
        stop.cancelled().await;
        agent.update(|state| state.builds.remove(&spec.id));
        return;
    }
    let mut overgrown = false;
    let outcome = tokio::select! {
        outcome = outcome(agent, spec) => Some(agent.blame_disk(outcome)),
        overrun = agent.disk_overrun(spec) => {
            overgrown = overrun.by_itself;
            Some(BuildOutcome::Failed { failure: agent.failure(spec, FULL, overrun.reason) })
        }
        () = stop.cancelled() => None,
    };
    let id = WorkloadId::from(&spec.id);
    agent.end(&id).await;
    drop(turn);
    agent.left_cache(&spec.group, overgrown);
    if outcome.is_none() {
        checkpoint::reach(Checkpoint::BuildStopped).await;
        agent.tell_stopped(&id);
    }
    agent.discard(&agent.confine().layout.run(&id));
    if let Some(upload) = archive_of(spec) {
        // The control plane keeps it, and sends it again when it is wanted again.
        let _ = layout::remove_file(&agent.confine().layout.upload(upload));
    }
    match outcome {
        Some(outcome) => {
            if let BuildOutcome::Failed { failure } = &outcome {
                agent.discard_release(spec);
                if failure.code == FULL {
                    agent.await_room().await;
                }
                log(agent, spec, &[format!("failed: {}", failure.reason)]);
            }
            agent.update(|state| {
                if let Some(build) = state.builds.get_mut(&spec.id) {
                    build.status.outcome = Some(outcome);
                }
            });
            agent.look_at_caches();
            stop.cancelled().await;
        }
        None => agent.discard_release(spec),
    }
    agent.update(|state| state.builds.remove(&spec.id));
    agent.look_at_caches();
}

async fn outcome(agent: &Agent, spec: &BuildSpec) -> BuildOutcome {
    if let Some(manifest) = agent.manifest(&spec.group, &spec.id) {
        report(agent, spec, |status| {
            status.commit = manifest.commit;
            status.plan = Some(manifest.plan);
        });
        return BuildOutcome::Built { release: manifest.release };
    }
    if let Err(failure) = agent.admit(spec).await {
        return BuildOutcome::Failed { failure };
    }
    let timeout = Duration::from_secs(spec.timeout_seconds);
    match tokio::time::timeout(timeout, build(agent, spec)).await {
        Ok(Ok(release)) => BuildOutcome::Built { release },
        Ok(Err(failure)) => BuildOutcome::Failed { failure },
        Err(_) => {
            let minutes = spec.timeout_seconds.div_ceil(60);
            let reason = format!("the build was stopped after {minutes} min (limits.build_timeout_seconds)");
            BuildOutcome::Failed { failure: agent.failure(spec, "TIMEOUT", reason) }
        }
    }
}

async fn build(agent: &Agent, spec: &BuildSpec) -> Result<ReleaseSpec, Failure> {
    start_clean(agent, spec)?;
    if let Some(because) = &spec.because {
        log(agent, spec, &[format!("watch: {because}")]);
    }
    checkpoint::reach(Checkpoint::BuildBegun).await;
    if let Source::Image { reference, credentials, allow_private } = &spec.source {
        let made = Box::pin(agent.fetch_image(spec, reference, credentials.as_ref(), *allow_private)).await?;
        return finish(agent, spec, made).await;
    }
    let (commit, tree) = fetch(agent, spec).await?;
    checkpoint::reach(Checkpoint::SourceFetched).await;
    report(agent, spec, |status| status.commit.clone_from(&commit));
    if let Source::Copy { release } = &spec.source {
        let manifest = Manifest { release: (**release).clone(), commit: None, plan: Plan::default() };
        return finish(agent, spec, manifest).await;
    }
    match Box::pin(agent.choose_builder(spec)).await? {
        Choice::Dockerfile(why) => {
            let made = Box::pin(agent.build_dockerfile(spec, why)).await?;
            return finish(agent, spec, Manifest { commit, ..made }).await;
        }
        Choice::Native(why_not) => why_not.iter().for_each(|why| log(agent, spec, &[format!("plan: {why}")])),
    }
    let plan = make_plan(agent, spec, &tree)?;
    let release = release(spec, &plan)?;
    let outline = outline(&plan, &release);
    // Install and build commands run where the sources are; what is served may lie elsewhere.
    let runtime = Runtime { directory: spec.settings.root_directory.clone(), ..release.runtime.clone() };
    report(agent, spec, |status| status.plan = Some(outline.clone()));

    let cold = agent.cache_is_empty(&spec.group);
    let began = std::time::Instant::now();
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
            runtime: &runtime,
            network: agent.networks().join(&WorkloadId::from(&spec.id), &spec.network).await,
            owner_env: &spec.env,
            file: None,
        };
        agent.run_step(spec, step).await?;
    }
    agent.note_rebuild_cost(&spec.group, cold, began.elapsed());
    agent.check_directory(spec, &release.runtime.directory)?;
    finish(agent, spec, Manifest { release, commit, plan: outline }).await
}

/// Writes down what was made: from then on it is a release.
async fn finish(agent: &Agent, spec: &BuildSpec, manifest: Manifest) -> Result<ReleaseSpec, Failure> {
    checkpoint::reach(Checkpoint::BuildCommandsEnded).await;
    agent.write_manifest(&spec.group, &spec.id, &manifest).await.map_err(node_error)?;
    checkpoint::reach(Checkpoint::ManifestWritten).await;
    Ok(manifest.release)
}

pub(super) fn node_error(error: std::io::Error) -> Failure {
    disk_failure(&error).unwrap_or_else(|| failed("NODE_ERROR", format!("the node cannot prepare the build: {error}")))
}

/// Ends what an attempt that was cut off left, and makes everything that this one needs.
pub(super) fn start_clean(agent: &Agent, spec: &BuildSpec) -> Result<(), Failure> {
    let confine = agent.confine();
    let id = WorkloadId::from(&spec.id);
    confine.kill(&id);
    let log_directory = confine.layout.log(&spec.group, &id, LogKind::Build);
    if !crate::log::segments(&log_directory).unwrap_or_default().is_empty() {
        log(agent, spec, &["the node was restarted; building again from the beginning".to_owned()]);
    }
    confine.prepare(&id, &spec.group, Role::Build).map_err(node_error)?;
    let stopped = "stopped: the deployment was cancelled".to_owned();
    let begun = Begun { group: spec.group.clone(), log: (id.clone(), LogKind::Build), stopped };
    agent.mark_begun(&id, &begun).map_err(node_error)?;
    confine.prepare_release(&spec.group, &spec.id).map_err(node_error)?;
    confine.limit(&id, &spec.limits, OutOfMemory::EndsAll);
    Ok(())
}

/// Gets the source into the release directory.
pub(super) async fn fetch(agent: &Agent, spec: &BuildSpec) -> Result<(Option<wire::Commit>, Tree), Failure> {
    let root_directory = spec.settings.root_directory.clone();
    // Fetching runs none of the project's code and has its own rules for addresses; it needs to
    // reach what the machine's owner allowed, be it on the host's loopback.
    let (program, file, network) = match &spec.source {
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
            (Program::Internal("fetch", json(&request)), None, Network::Host)
        }
        Source::Upload { .. } | Source::Copy { .. } => {
            let copied = matches!(spec.source, Source::Copy { .. });
            let what =
                if copied { "copy: the release from the server that built it" } else { "fetch: the uploaded files" };
            log(agent, spec, &[what.to_owned()]);
            let upload = archive_of(spec).unwrap_or(&spec.id);
            let archive = agent.await_upload(spec, upload).await;
            checkpoint::reach(Checkpoint::UploadArrived).await;
            let inside = if nix::unistd::geteuid().is_root() { "/upload.tar".into() } else { archive.clone() };
            let request = UnpackRequest { archive: inside, root_directory };
            let alone = Network::Own { sockets: None, ports: Vec::new(), link: None };
            (Program::Internal("unpack", json(&request)), Some((archive, "/upload.tar")), alone)
        }
        Source::Image { reference, .. } => {
            return Err(failed(
                "FETCH_FAILED",
                format!("`{reference}` is an image, in which there are no files to build"),
            ));
        }
    };
    let step = Step { name: "fetch", program, runtime: &Runtime::default(), network, owner_env: &[], file };
    agent.run_step(spec, step).await.map_err(|failure| Failure {
        code: match failure.code.as_str() {
            "BUILD_FAILED" => "FETCH_FAILED".into(),
            _ => failure.code,
        },
        ..failure
    })?;
    let fetched =
        agent.confine().read_result(&WorkloadId::from(&spec.id)).and_then(|bytes| serde_json::from_slice(&bytes).ok());
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

/// The archive that a build waits for, if it is one that does.
pub(super) fn archive_of(spec: &BuildSpec) -> Option<&ids::DeploymentId> {
    match &spec.source {
        Source::Upload { upload } => Some(upload),
        Source::Copy { .. } => Some(&spec.id),
        Source::Git { .. } | Source::Image { .. } => None,
    }
}

pub(super) fn report(agent: &Agent, spec: &BuildSpec, change: impl FnOnce(&mut BuildStatus)) {
    agent.update(|state| {
        if let Some(build) = state.builds.get_mut(&spec.id) {
            change(&mut build.status);
        }
    });
}

pub(super) fn log(agent: &Agent, spec: &BuildSpec, lines: &[String]) {
    if let Err(error) = agent.confine().log(&WorkloadId::from(&spec.id), &spec.group, LogKind::Build, lines) {
        tracing::warn!(%error, build.id = %spec.id, "cannot write a build log");
    }
}

pub(super) fn json(request: &impl serde::Serialize) -> String {
    serde_json::to_string(request).unwrap_or_default()
}

impl Agent {
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
        self.discard(&self.confine().layout.release(&spec.group, &spec.id));
    }
}
